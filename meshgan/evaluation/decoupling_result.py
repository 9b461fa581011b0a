"""What a decoupling metric found: distances of faces and companions, and what they amount to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from meshgan.evaluation.bootstrap import bootstrap
from meshgan.evaluation.estimate import Estimate
from meshgan.seeding import generator


@dataclass(frozen=True, eq=False)
class Decoupling:
    """How alike n faces and their m companions each are.

    Args:
        factor: what they share.
        threshold: distance below which two faces count as alike.
        distances: of each face (row) to each of its companions (n, m).
        between: of each face to every other one (n, n): pairs that share nothing; nan: a pair
            of real faces that does share the label.
        interval: 95 % interval of the share, by bootstrap over the n faces.
        chance_interval: of the chance level, likewise.
        seed: of all draws.
    """

    factor: str
    threshold: float
    distances: Float[np.ndarray, "n m"]
    between: Float[np.ndarray, "n n"]
    interval: tuple[float, float]
    chance_interval: tuple[float, float]
    seed: int

    @property
    def shares(self) -> Float[np.ndarray, " n"]:
        """Of each face, the share of its companions that are alike, 0 to 1."""
        return (self.distances < self.threshold).mean(axis=1)

    @property
    def share(self) -> float:
        """Of all (face, companion) pairs: the metric, 0 to 1."""
        return float(self.shares.mean())

    @property
    def chance(self) -> float:
        """Share of the pairs that share nothing and count as alike all the same, 0 to 1."""
        return float(_chances(self.between, self.threshold).mean())

    @property
    def distance(self) -> float:
        """Mean distance of faces and companions, 0 to 2."""
        return float(self.distances.mean())

    @property
    def distance_between(self) -> float:
        """Mean distance of faces that share nothing, 0 to 2."""
        return float(_others(self.between).mean())

    @property
    def estimate(self) -> Estimate:
        """The share with its standard error over the faces."""
        return Estimate.of(torch.from_numpy(self.shares))

    def farthest(self, count: int) -> list[tuple[int, int, float]]:
        """The worst pairs: face, companion, distance; the farthest apart first.

        One pair for each face, so that a single odd face does not fill the list.
        """
        companion = self.distances.argmax(axis=1)
        distance = self.distances.max(axis=1)
        order = np.argsort(-distance, kind="stable")[:count]
        return [(int(k), int(companion[k]), float(distance[k])) for k in order]

    def as_dict(self) -> dict[str, Any]:
        """Plain values; shares are 0 to 1."""
        return {
            "factor": self.factor,
            "share": self.share,
            "interval": list(self.interval),
            "chance": self.chance,
            "chance_interval": list(self.chance_interval),
            "distance": self.distance,
            "distance_between": self.distance_between,
            "threshold": self.threshold,
            "faces": len(self.distances),
            "companions": self.distances.shape[1],
            "seed": self.seed,
        }


def judge(
    factor: str,
    threshold: float,
    distances: Float[np.ndarray, "n m"],
    between: Float[np.ndarray, "n n"],
    seed: int,
) -> Decoupling:
    """Distances judged by a threshold, with their intervals; the arguments are ``Decoupling``'s."""
    shares = (distances < threshold).mean(axis=1)
    chances = _chances(between, threshold)
    return Decoupling(
        factor,
        threshold,
        distances,
        between,
        bootstrap(shares, np.mean, generator(seed, "bootstrap")),
        bootstrap(chances, np.mean, generator(seed, "bootstrap")),
        seed,
    )


def _others(between: np.ndarray) -> np.ndarray:
    """Distances to other faces that share nothing."""
    other = ~np.eye(len(between), dtype=bool) & np.isfinite(between)
    return between[other]


def _chances(between: np.ndarray, threshold: float) -> np.ndarray:
    """Of each face, the share of the others that are alike though they share nothing."""
    counted = ~np.eye(len(between), dtype=bool) & np.isfinite(between)
    return ((between < threshold) & counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
