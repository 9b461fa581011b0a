"""Optimisers, learning-rate schedules and the exponential moving average of weights."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn

from meshgan.config import require


@dataclass(frozen=True)
class Schedule:
    """Factor on the learning rate as a function of the iteration.

    ``constant`` stays at 1; ``linear`` falls to ``floor`` after a flat part of ``hold``;
    ``cosine`` does so along half a cosine; ``steps`` multiplies by ``factor`` at each of ``at``;
    ``table`` reads ``factors`` from each of ``at`` on (the first before it is 1).
    """

    kind: Literal["constant", "linear", "cosine", "steps", "table"] = "constant"
    warmup: int = 0
    """Iterations of linear rise from 0."""
    hold: float = 0.0
    """Share of the training before ``linear`` or ``cosine`` begin to fall."""
    floor: float = 0.0
    """Smallest factor."""
    at: tuple[int, ...] = ()
    """Iterations at which ``steps`` and ``table`` change."""
    factor: float = 0.5
    factors: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        require(
            self,
            warmup=self.warmup >= 0,
            hold=0 <= self.hold <= 1,
            floor=0 <= self.floor <= 1,
            at=list(self.at) == sorted(self.at),
            factors=self.kind != "table" or len(self.factors) == len(self.at),
        )

    def __call__(self, iteration: int, total: int) -> float:
        """The factor at ``iteration`` of ``total``."""
        rise = min(1.0, (iteration + 1) / self.warmup) if self.warmup else 1.0
        return rise * max(self.floor, self._shape(iteration, total))

    def _shape(self, iteration: int, total: int) -> float:
        passed = sum(iteration >= start for start in self.at)
        if self.kind == "steps":
            return self.factor**passed
        if self.kind == "table":
            return self.factors[passed - 1] if passed else 1.0
        if self.kind == "constant":
            return 1.0
        flat = self.hold * total
        share = min(1.0, max(0.0, (iteration - flat) / max(total - flat, 1)))
        fall = 1 - share if self.kind == "linear" else 0.5 * (1 + math.cos(math.pi * share))
        return self.floor + (1 - self.floor) * fall


@dataclass(frozen=True)
class OptimiserConfig:
    """How one optimiser moves its parameters. Defaults: the decoupled GAN's paper, Sec. 5.1."""

    kind: Literal["adam", "adamw", "sgd"] = "adam"
    rate: float = 2e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    clip: float | None = None
    """Largest norm of the joint gradient; None does not clip."""
    schedule: Schedule = field(default_factory=Schedule)

    def __post_init__(self) -> None:
        require(
            self,
            rate=self.rate > 0,
            betas=all(0 <= beta < 1 for beta in self.betas),
            weight_decay=self.weight_decay >= 0,
            clip=self.clip is None or self.clip > 0,
        )

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser, in its fused form: one pass over memory instead of a dozen."""
        parameters = list(parameters)
        if self.kind == "sgd":
            return torch.optim.SGD(
                parameters, self.rate, momentum=self.betas[0], weight_decay=self.weight_decay
            )
        kind = torch.optim.Adam if self.kind == "adam" else torch.optim.AdamW
        return kind(
            parameters, self.rate, betas=self.betas, weight_decay=self.weight_decay, fused=True
        )


class MovingAverage:
    """Exponential moving average of the floating-point weights of named modules.

    Args:
        modules: what to average.
        decay: share of the old average that stays at each step.
        warmup: use min(decay, (1 + t) / (10 + t)), so that the start is forgotten quickly.
    """

    def __init__(self, modules: dict[str, nn.Module], decay: float, warmup: bool = True) -> None:
        self.decay, self.warmup, self.steps = decay, warmup, 0
        self._live = {
            f"{name}.{key}": value
            for name, module in modules.items()
            for key, value in module.named_parameters()
        }
        self.shadow = {key: value.detach().clone() for key, value in self._live.items()}

    def decay_at(self, step: int) -> float:
        """The decay used at ``step``, counted from 0."""
        return min(self.decay, (1 + step) / (10 + step)) if self.warmup else self.decay

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the current weights."""
        weight = 1 - self.decay_at(self.steps)
        for key, value in self._live.items():
            self.shadow[key].lerp_(value.detach(), weight)
        self.steps += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average in place of the weights inside the block."""
        kept = {key: value.detach().clone() for key, value in self._live.items()}
        self._copy(self.shadow)
        try:
            yield
        finally:
            self._copy(kept)

    @torch.no_grad()
    def _copy(self, values: dict[str, torch.Tensor]) -> None:
        for key, value in values.items():
            self._live[key].copy_(value)

    def state_dict(self) -> dict:
        """Averages and number of updates."""
        return {"steps": self.steps, "shadow": self.shadow}

    def load_state_dict(self, state: dict) -> None:
        """Put back what ``state_dict`` gave."""
        self.steps = state["steps"]
        for key, value in state["shadow"].items():
            self.shadow[key].copy_(value)
