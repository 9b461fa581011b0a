"""Can an embedding tell whether two faces share a label? Pairs, ROC, and the threshold."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from meshgan.errors import InputError
from meshgan.seeding import generator
from meshgan.training.tasks.embedding_batches import LabelledFaces

LARGEST_FALSE_ACCEPTANCE = 0.1
FACES_AT_MOST = 2000  # two million pairs, 50 MB
FACES_READ_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Pairs:
    """Distances of pairs of faces.

    Args:
        distances: (n,).
        same: whether the two faces share the label (n,).
        weights: how much each pair counts (n,), float64: those that share the label sum to 1/2,
            the others too, as if there were equal numbers of both.
    """

    distances: Float[np.ndarray, " n"]
    same: Bool[np.ndarray, " n"]
    weights: Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Roc:
    """Shares of pairs accepted (distance below the threshold), for every threshold that matters.

    Args:
        thresholds: ascending (t,): below the smallest distance, halfway between neighbouring
            ones, above the largest.
        false_acceptance: of pairs with different labels (t,), 0 to 1.
        true_acceptance: of pairs that share the label (t,), 0 to 1.
        accepted: the largest distance that each threshold accepts (t,); -inf: none.
    """

    thresholds: Float[np.ndarray, " t"]
    false_acceptance: Float[np.ndarray, " t"]
    true_acceptance: Float[np.ndarray, " t"]
    accepted: Float[np.ndarray, " t"]

    @property
    def accuracy(self) -> Float[np.ndarray, " t"]:
        """Share of right answers at each threshold, equal numbers of both kinds."""
        return (self.true_acceptance + 1 - self.false_acceptance) / 2

    @property
    def area(self) -> float:
        """Under the curve: the chance that a pair which shares the label is the nearer one."""
        return float(np.trapezoid(self.true_acceptance, self.false_acceptance))

    def points(self, count: int = 200) -> dict[str, list[float]]:
        """At most ``count`` points of the curve, evenly along it, as plain numbers."""
        along = self.false_acceptance + self.true_acceptance
        wanted = np.searchsorted(along, np.linspace(0, 2, count))
        chosen = np.unique(np.minimum(wanted, len(along) - 1))
        return {
            name: [round(float(value), 6) for value in getattr(self, name)[chosen]]
            for name in ("thresholds", "false_acceptance", "true_acceptance")
        }


@dataclass(frozen=True)
class OperatingPoint:
    """What a threshold does: shares from 0 to 1."""

    threshold: float
    accuracy: float
    false_acceptance: float
    true_acceptance: float


@dataclass(frozen=True, eq=False)
class Verification:
    """An embedding judged on faces it never saw.

    Args:
        best: operating point of the rule (``choose_threshold``).
        roc: the whole curve.
        positives: pairs that share the label.
        negatives: pairs that do not.
        faces: how many faces the pairs are of.
        people: whose.
        labels: how many labels occur.
    """

    best: OperatingPoint
    roc: Roc
    positives: int
    negatives: int
    faces: int
    people: int
    labels: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values, without the curve."""
        counts = {
            name: getattr(self, name)
            for name in ("positives", "negatives", "faces", "people", "labels")
        }
        return {**vars(self.best), "area": self.roc.area, **counts}


def verify(
    embed: Callable[[Float[Tensor, "B V 3"]], Float[Tensor, "B d"]],
    faces: LabelledFaces,
    seed: int = 0,
    limit: float = LARGEST_FALSE_ACCEPTANCE,
) -> Verification:
    """Judge an embedding on held-out faces.

    Args:
        embed: gives embeddings.
        faces: labelled faces of people that it was not trained on.
        seed: of the choice, where there are more than 2,000 faces.
        limit: false acceptance stays below it.

    Raises:
        InputError: no two faces of different groups share a label, or none differ.
    """
    faces = faces.some(FACES_AT_MOST, generator(seed, "verification"))
    parts = [
        embed(torch.from_numpy(faces.vertices(np.arange(start, stop))))
        for start in range(0, len(faces), FACES_READ_AT_ONCE)
        for stop in (min(start + FACES_READ_AT_ONCE, len(faces)),)
    ]
    pairs = pair_distances(torch.cat(parts).numpy(), faces.labels, faces.groups)
    curve = roc(pairs)
    return Verification(
        best=choose_threshold(curve, limit),
        roc=curve,
        positives=int(pairs.same.sum()),
        negatives=int((~pairs.same).sum()),
        faces=len(faces),
        people=faces.people,
        labels=len(np.unique(faces.labels)),
    )


def pair_distances(
    embeddings: Float[np.ndarray, "N d"],
    labels: Int[np.ndarray, " N"],
    groups: Int[np.ndarray, " N"],
) -> Pairs:
    """All pairs of faces of different groups, with their Euclidean distance.

    Every label counts the same among the pairs that share one, and every two labels the same
    among those that do not, however many faces each has.

    Args:
        embeddings: one per face.
        labels: of each face.
        groups: faces of one group make no pair (``LabelledFaces``).

    Raises:
        InputError: no pair shares a label, or none differs.
    """
    first, second = _pairs(labels, groups)
    low = np.minimum(labels[first], labels[second]).astype(np.int64)
    high = np.maximum(labels[first], labels[second])
    same, kinds = low == high, low * (int(labels.max()) + 1) + high
    weights = np.zeros(len(kinds))
    for kind in (same, ~same):
        _, place, count = np.unique(kinds[kind], return_inverse=True, return_counts=True)
        weights[kind] = 0.5 / (len(count) * count[place])
    products = np.einsum("nd,nd->n", embeddings[first], embeddings[second])
    squares = np.einsum("nd,nd->n", embeddings, embeddings)
    distances = np.sqrt(np.maximum(squares[first] + squares[second] - 2 * products, 0))
    return Pairs(distances, same, weights)


def check_pairs(faces: LabelledFaces) -> None:
    """Refuse faces of which no two share a label, or no two differ, across groups.

    Raises:
        InputError: so it is.
    """
    _pairs(faces.labels, faces.groups)


def _pairs(labels: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the two faces of every pair across groups."""
    first, second = np.triu_indices(len(labels), k=1)
    across = groups[first] != groups[second]
    first, second = first[across], second[across]
    same = int((labels[first] == labels[second]).sum())
    if same in (0, len(first)):
        raise InputError(
            f"verification: {same:,} pairs share a label and {len(first) - same:,} do not, of "
            f"{len(labels):,} faces; label faces of more people, or split them anew"
        )
    return first, second


def roc(pairs: Pairs) -> Roc:
    """The curve of all thresholds."""
    order = np.argsort(pairs.distances, kind="stable")
    distances, same = pairs.distances[order], pairs.same[order]
    weights = 2 * pairs.weights[order]
    last = np.append(np.flatnonzero(np.diff(distances) > 0), len(distances) - 1)
    found = distances[last]
    between = (found[:-1] + found[1:]) / 2
    true = np.cumsum(np.where(same, weights, 0.0))[last]
    false = np.cumsum(np.where(same, 0.0, weights))[last]
    return Roc(
        np.concatenate([found[:1] / 2, between, np.nextafter(found[-1:], np.inf)]).astype(float),
        np.minimum(np.concatenate([[0.0], false]), 1.0),
        np.minimum(np.concatenate([[0.0], true]), 1.0),
        np.concatenate([[-np.inf], found]),
    )


def choose_threshold(curve: Roc, limit: float = LARGEST_FALSE_ACCEPTANCE) -> OperatingPoint:
    """The most accurate threshold of those that accept fewer than ``limit`` of the wrong pairs.

    Of equally accurate ones the smallest, that is the strictest, is taken.

    Raises:
        InputError: ``limit`` is not between 0 and 1.

    Source: Fernández Abrevaya et al. 2019, Sec. 5.3: best accuracy, false acceptance below 10 %.
    """
    if not 0 < limit <= 1:
        raise InputError(f"verification: false acceptance below {limit}, expected 0 to 1")
    accuracy = np.where(curve.false_acceptance < limit, curve.accuracy, -1.0)
    best = int(accuracy.argmax())
    return _point(curve, best, float(curve.thresholds[best]))


def at_threshold(curve: Roc, threshold: float) -> OperatingPoint:
    """What a threshold that was chosen elsewhere does here."""
    index = int(np.searchsorted(curve.accepted, threshold, side="left")) - 1
    return _point(curve, index, threshold)


def _point(curve: Roc, index: int, threshold: float) -> OperatingPoint:
    return OperatingPoint(
        threshold,
        float(curve.accuracy[index]),
        float(curve.false_acceptance[index]),
        float(curve.true_acceptance[index]),
    )
