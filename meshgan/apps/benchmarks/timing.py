"""Two ways to do one job, timed in turn: what counts is the ratio, not the machine's mood."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from meshgan.errors import InputError


@dataclass(frozen=True)
class Timing:
    """Medians over the rounds; ``ratio`` says how many times quicker the fast way is.

    Args:
        ms: the fast way, milliseconds.
        plain_ms: the plain way, milliseconds.
        ratio: median over the rounds of plain time over fast time.
        ratio_low: a quarter of the rounds lie below.
        ratio_high: a quarter of the rounds lie above.
        rounds: how often each was run and counted.
    """

    ms: float
    plain_ms: float
    ratio: float
    ratio_low: float
    ratio_high: float
    rounds: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def alternate(
    fast: Callable[[], object], plain: Callable[[], object], rounds: int = 7, warmup: int = 1
) -> Timing:
    """Run two callables in turn in this process and compare them round by round.

    Neighbouring runs share whatever else the machine does, so their ratio is steadier than
    either time. Which one goes first changes from round to round.

    Args:
        fast: ours; its result is thrown away.
        plain: what it is compared with.
        rounds: counted runs of each.
        warmup: runs of each before, not counted.

    Raises:
        InputError: ``rounds`` is less than 1.
    """
    if rounds < 1:
        raise InputError(f"benchmark: {rounds} rounds, expected at least 1")
    for _ in range(warmup):
        fast()
        plain()
    seconds = np.empty((rounds, 2))
    for k in range(rounds):
        for which in (0, 1) if k % 2 == 0 else (1, 0):
            seconds[k, which] = seconds_of((fast, plain)[which])
    ratios = seconds[:, 1] / seconds[:, 0]
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    milliseconds = 1000 * np.median(seconds, axis=0)
    return Timing(
        ms=float(milliseconds[0]),
        plain_ms=float(milliseconds[1]),
        ratio=float(middle),
        ratio_low=float(low),
        ratio_high=float(high),
        rounds=rounds,
    )


def seconds_of(job: Callable[[], object]) -> float:
    """How long one run takes; its result is thrown away."""
    started = time.perf_counter()
    job()
    return max(time.perf_counter() - started, 1e-9)
