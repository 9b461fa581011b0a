"""``bench specificity --size paper``: 1,000 fresh faces against 30,559 meshes on disk.

Comparing all pairs takes the better part of an hour there, so the plain way is timed on a random
part of the references and its time multiplied: it does the same work for each of them. Its
answers are compared too, those for the part and, for a few faces, those for all references.
"""

import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from meshgan import seeding
from meshgan.apps.benchmarks.memory import forget_peak, peak_memory_mb
from meshgan.apps.benchmarks.specificity_data import PAPER, TINY, FaceMaker
from meshgan.data.store import Store
from meshgan.errors import JobError
from meshgan.evaluation.specificity import Specificity, specificity
from meshgan.geometry.proximity import BLOCK, brute_force_nearest

log = logging.getLogger(__name__)

BLOCKS = 4  # of BLOCK references each: what the plain way is timed on, other ones every round
CHECKED = 5  # faces that are compared with all references


def run(rounds: int = 3, small: bool = False) -> dict[str, Any]:
    """Make the faces in a temporary folder (8.1 GB) and time both ways in turn."""
    size = TINY if small else PAPER
    with tempfile.TemporaryDirectory(prefix="meshgan-bench-") as folder:
        maker = FaceMaker(size)
        queries = maker.fresh_people(size.queries)
        store = maker.write(Path(folder) / "references", size.meshes)
        del maker
        found, times = _time(queries, store, rounds)
        checked = _check(found, queries, store)
    ratios = times.ratios
    return {
        "what": f"nearest of {size.meshes:,} meshes of {size.vertices:,} vertices on disk to each "
        f"of {size.queries:,} faces of other people, exactly; plain: all pairs, timed on "
        f"{times.part:,} random references per round and multiplied",
        "ms": 1000 * float(np.median(times.ours_s)),
        "plain_ms": 1000 * float(np.median(times.plain_s)),
        "ratio": float(np.median(ratios)),
        "ratio_low": float(np.quantile(ratios, 0.25)),
        "ratio_high": float(np.quantile(ratios, 0.75)),
        "rounds": rounds,
        "threads": torch.get_num_threads(),
        "peak_memory_mb": times.peak_mb,
        "memory_before_mb": times.before_mb,
        "specificity_mm": found.estimate.mean,
        "faces_checked_against_all": checked,
    }


@dataclass
class _Times:
    """Seconds of each round; the plain way's as if it had compared all references."""

    ours_s: list[float]
    plain_s: list[float]
    part: int
    before_mb: float
    peak_mb: float

    @property
    def ratios(self) -> Float[np.ndarray, " R"]:
        return np.array(self.plain_s) / np.array(self.ours_s)


class _Part:
    """Some blocks of a store, as if they were all there is; ``ids`` are their rows."""

    def __init__(self, store: Store, ids: Int[np.ndarray, " P"]) -> None:
        self.store, self.ids = store, ids

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, which: slice) -> np.ndarray:
        return self.store.vertices(self.ids[which])


def _time(queries: np.ndarray, store: Store, rounds: int) -> tuple[Specificity, _Times]:
    faces = torch.from_numpy(queries)
    forget_peak()
    times = _Times([], [], 0, peak_memory_mb(), 0.0)
    for number in range(rounds):
        part = _Part(store, _random_blocks(store.count, number))
        times.part = len(part)
        if number % 2:
            plain_s, nearest = _timed(lambda part=part: brute_force_nearest(queries, part))
        forget_peak()
        seconds, found = _timed(lambda: specificity(faces, store))
        times.peak_mb = max(times.peak_mb, peak_memory_mb())
        if number % 2 == 0:
            plain_s, nearest = _timed(lambda part=part: brute_force_nearest(queries, part))
        _compare_part(found, nearest, part.ids)
        times.ours_s.append(seconds)
        times.plain_s.append(plain_s * store.count / len(part))
        log.info("round %d: %.1f s, all pairs %.0f s", number, seconds, times.plain_s[-1])
    return found, times


def _timed(job: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    found = job()
    return time.perf_counter() - started, found


def _random_blocks(count: int, number: int) -> Int[np.ndarray, " P"]:
    """Rows of ``BLOCKS`` different blocks, each read at once as the plain way does."""
    whole = count // BLOCK
    rng = seeding.generator(0, "bench specificity", "part", number)
    chosen = np.sort(rng.choice(whole, min(BLOCKS, whole), replace=False))
    return (chosen[:, None] * BLOCK + np.arange(BLOCK)).ravel()


def _compare_part(
    found: Specificity, by_pairs: tuple[np.ndarray, np.ndarray], ids: Int[np.ndarray, " P"]
) -> None:
    """No reference of the part is nearer, and where it holds the nearest one, it is found."""
    ours, nearest = found.distance.numpy(), found.nearest.numpy()
    distance, index = by_pairs
    inside = np.isin(nearest, ids)
    if (distance < ours).any() or (ids[index[inside]] != nearest[inside]).any():
        raise JobError("bench specificity: comparing all pairs found a nearer mesh")


def _check(found: Specificity, queries: np.ndarray, store: Store) -> int:
    """Compare a few faces with all references; how many."""
    rng = seeding.generator(0, "bench specificity", "checked")
    chosen = np.sort(rng.choice(len(queries), min(CHECKED, len(queries)), replace=False))
    everything = _Part(store, np.arange(store.count))
    distance, index = brute_force_nearest(queries[chosen], everything)
    same = (found.nearest[chosen].numpy() == index) & (found.distance[chosen].numpy() == distance)
    if not same.all():
        raise JobError(
            f"bench specificity: {int((~same).sum())} of {len(chosen)} answers differ from those "
            "of comparing all pairs"
        )
    return len(chosen)
