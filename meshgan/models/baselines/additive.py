"""The additive model: a mean face plus one linear space per factor. Baseline and start in one."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float, Int

from meshgan.errors import InputError
from meshgan.models.baselines.directions import (
    ENOUGH_LABELS,
    further_directions,
    held_out_deviations,
    principal_directions,
)
from meshgan.models.baselines.factor_spaces import resting_shapes
from meshgan.models.generator import NOISE

WELL_LABELLED = 0.5
ROUNDING = 1e-9  # of the variance that labels explain: directions below it are single precision's
Passes = Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]]
"""Starts a pass over the data: chunks of (row numbers (b,), displacements (b, 3V) in mm)."""


@dataclass(frozen=True, eq=False)
class AdditiveModel:
    """displacement = mean + sum over factors of code @ basis, with standard normal codes.

    Args:
        mean: mean displacement (3V,), mm.
        bases: by name of a factor, then ``noise``: (d, 3V), mm per unit of code.
        codes: by factor the code of each label (K, d).
        shared: factors, and noise, that share the principal directions of what is left.
        samples: their codes side by side (n, d), of faces that the model was fitted on.
        details: directions in which the labels of the first factor differ beyond its code
            (k, 3V), mm, as long as the deviation of labels left out.

    Source: Blanz & Vetter 1999 (linear 3DMM); used as the start of training (``models.start``).
    """

    mean: Float[np.ndarray, " W"]
    bases: dict[str, Float[np.ndarray, "_ W"]]
    codes: dict[str, Float[np.ndarray, "_ _"]]
    shared: tuple[str, ...]
    samples: Float[np.ndarray, "_ _"]
    details: Float[np.ndarray, "_ W"] | None = None

    def displacements(self, codes: Mapping[str, np.ndarray]) -> Float[np.ndarray, "B W"]:
        """Displacements (B, 3V) in mm."""
        return self.mean + sum(codes[name] @ basis for name, basis in self.bases.items())


def fit_additive(
    chunks: Passes,
    labels: Mapping[str, Int[np.ndarray, " N"]],
    label_counts: Mapping[str, int],
    code_sizes: Mapping[str, int],
    rng: np.random.Generator,
    max_rows: int = 2500,
    siblings: int = 1,
    at_rest: Bool[np.ndarray, " N"] | None = None,
    details: Mapping[str, int] = MappingProxyType({}),
) -> AdditiveModel:
    """Fit the additive model, streaming the meshes a few times, in bounded memory.

    Factors are taken in the order of how much of the data they label. A factor that labels at
    least half of it spans the principal directions of its labels' shapes, which are then
    subtracted; the others, and then the noise, share what is left: a single factor gets its
    leading principal directions; of several, each gets first those in which the means of its own
    labels differ, then in turn, where they explain least, the principal directions of the rest.

    The shape of a label is the mean of its faces; of the first factor, whose labels are people,
    of those at rest (``factor_spaces.shapes_at_rest``): a mean over a few dozen expressions holds
    a share of these, which would pass for a feature of the person.

    Args:
        chunks: starts a pass over the data each time it is called.
        labels: by factor (N,), -1 where unlabelled.
        label_counts: number of labels of each factor.
        code_sizes: length of each factor's code, then ``noise``.
        rng: chooses the rows of which the principal directions are computed.
        max_rows: how many; bounds the memory at ``max_rows`` x 3V floats.
        siblings: labels of the first factor that come in groups of this many, side by side, and
            are left out together when spreads are measured: 2 for people and their mirror images.
        at_rest: which faces are neutral, known for some; None takes means over all faces.
        details: by factor how many further directions of its labels to keep, at most, if it is
            the first.

    Raises:
        InputError: a factor has no labels at all.
    """
    for name in label_counts:
        if not (labels[name] >= 0).any():
            raise InputError(f"factor {name}: no mesh has a label for it; leave the factor out")
    share = {name: float((labels[name] >= 0).mean()) for name in label_counts}
    order = sorted(label_counts, key=lambda name: -share[name])
    strong = [name for name in order if share[name] >= WELL_LABELLED] or order[:1]
    weak = [name for name in order if name not in strong]

    count = len(labels[order[0]])
    chosen = np.zeros(count, dtype=bool)
    chosen[rng.permutation(count)[:max_rows]] = True
    first = strong[0]
    shapes, mean = _shapes(chunks, labels[first], label_counts[first], at_rest)
    residuals, tracked = [], {name: _Means(label_counts[name]) for name in order[1:]}
    left = np.zeros_like(mean)
    for rows, values in chunks():
        mine = labels[first][rows]
        rest = values - np.where((mine < 0)[:, None], mean, shapes[mine])
        left += rest.sum(axis=0, dtype=np.float64)
        for name, means in tracked.items():
            means.add(labels[name][rows], rest)
        residuals.append(rest[chosen[rows]].astype(np.float32))
    residual = np.concatenate(residuals)
    residuals.clear()
    residual_labels = {name: labels[name][chosen] for name in order}

    bases, codes = {}, {}
    bases[first], codes[first] = _span(shapes - mean, code_sizes[first], siblings)
    beyond = further_directions(shapes - mean, code_sizes[first], details.get(first, 0), siblings)
    for name in strong[1:]:
        means = tracked[name].result()
        centre = means.mean(axis=0)
        bases[name], codes[name] = _span(means - centre, code_sizes[name])
        mean = mean + centre
        labelled = residual_labels[name] >= 0
        residual[labelled] -= means[residual_labels[name][labelled]].astype(np.float32)
        left -= tracked[name].counts @ means
    shared = {name: code_sizes[name] for name in (*weak, NOISE) if code_sizes.get(name)}
    centre = left / count
    residual -= centre.astype(np.float32)
    mean = mean + centre
    of_labels = {name: tracked[name].result() - centre for name in weak}
    dealt = _deal_directions(residual, of_labels, shared)
    samples = np.zeros((len(residual), sum(shared.values())))
    columns, start = [], 0
    for name, size in shared.items():
        directions, deviations = dealt[name]
        basis = np.zeros((size, len(mean)))
        basis[: len(directions)] = directions * deviations[:, None]
        columns += range(start, start + len(directions))
        bases[name], start = basis, start + size
        if name != NOISE:
            codes[name] = _project(of_labels[name], basis)
    joined = np.concatenate([dealt[name][0] for name in shared])
    samples[:, columns] = residual @ joined.T / np.concatenate([dealt[name][1] for name in shared])
    bases = {
        name: bases.get(name, np.zeros((size, len(mean)))) for name, size in code_sizes.items()
    }
    return AdditiveModel(mean, bases, codes, tuple(shared), samples, beyond)


def _deal_directions(
    residual: Float[np.ndarray, "n W"],
    label_means: Mapping[str, Float[np.ndarray, "K W"]],
    sizes: Mapping[str, int],
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Directions (k, W) for each factor, and deviations along them; noise gets the last ones.

    Directions are orthonormal, across factors too; along those of one factor, rows are
    uncorrelated.
    """
    if len(label_means) < 2:
        directions, deviations = principal_directions(residual, sum(sizes.values()))
        ends = np.cumsum(list(sizes.values()))[:-1]
        parts = zip(np.split(directions, ends), np.split(deviations, ends), strict=True)
        return dict(zip(sizes, parts, strict=True))
    spans: dict[str, np.ndarray] = {}
    explained: dict[str, float] = {}
    taken = np.empty((0, residual.shape[1]), dtype=residual.dtype)
    for name, means in label_means.items():
        apart = means - means.mean(axis=0)
        apart -= (apart @ taken.T) @ taken
        own, _ = principal_directions(apart, min(sizes[name], len(means) - 1))
        spans[name] = own.astype(residual.dtype)
        explained[name] = float(((residual @ spans[name].T) ** 2).sum() / len(residual))
        taken = np.concatenate([taken, spans[name]])
    left = residual - (residual @ taken.T) @ taken
    rest, deviations = principal_directions(left, sum(sizes.values()) - len(taken))
    real = deviations**2 > ROUNDING * sum(explained.values())
    for direction, deviation in zip(rest[real], deviations[real], strict=True):
        open_to = [name for name in label_means if len(spans[name]) < sizes[name]]
        name = min(open_to, key=explained.__getitem__) if open_to else NOISE
        spans[name] = np.concatenate([spans.get(name, taken[:0]), direction[None]])
        explained[name] = explained.get(name, 0.0) + float(deviation**2)
    return {name: _uncorrelated(residual, spans.get(name, taken[:0])) for name in sizes}


def _uncorrelated(
    rows: Float[np.ndarray, "n W"], span: Float[np.ndarray, "k W"]
) -> tuple[np.ndarray, np.ndarray]:
    """The same span, turned to its principal directions in some rows, and deviations there."""
    along = (rows @ span.T).astype(np.float64)
    values, vectors = np.linalg.eigh(along.T @ along / len(rows))
    keep = np.flatnonzero(values > 0)[::-1]
    return vectors[:, keep].T.astype(rows.dtype) @ span, np.sqrt(values[keep])


class _Means:
    """Running mean of rows by label; a label without rows keeps the mean of all."""

    def __init__(self, count: int) -> None:
        self.sums: np.ndarray | None = None
        self.counts = np.zeros(count)

    def add(self, labels: np.ndarray, values: np.ndarray) -> None:
        if self.sums is None:
            self.sums = np.zeros((len(self.counts), values.shape[1]))
        for label in np.unique(labels[labels >= 0]):
            mine = labels == label
            self.sums[label] += values[mine].sum(axis=0, dtype=np.float64)
            self.counts[label] += mine.sum()

    def result(self) -> np.ndarray:
        assert self.sums is not None
        means = self.sums / np.maximum(self.counts, 1)[:, None]
        means[self.counts == 0] = means[self.counts > 0].mean(axis=0)
        return means


def _shapes(
    chunks: Passes, labels: np.ndarray, count: int, at_rest: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """The shape of each label (K, 3V), and their mean, each as often as it has faces."""

    def means_of(own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        means = _label_means(chunks, own, count)
        return means.result(), means.counts

    def squares_from(shapes: np.ndarray) -> np.ndarray:
        squares = np.zeros(len(labels))
        for rows, values in chunks():
            squares[rows] = ((values - shapes[labels[rows]]) ** 2).sum(axis=1)
        return squares

    shapes = resting_shapes(labels, at_rest, means_of, squares_from)
    often = np.bincount(labels[labels >= 0], minlength=count)
    return shapes, often @ shapes / often.sum()


def _label_means(chunks: Passes, labels: np.ndarray, count: int) -> "_Means":
    means = _Means(count)
    for rows, values in chunks():
        means.add(labels[rows], values)
    return means


def _span(means: np.ndarray, size: int, siblings: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Basis (size, 3V) of label means about zero, scaled to unit deviation, and their codes."""
    count = min(size, len(means) - 1 or 1)
    directions, deviations = principal_directions(means, count)
    enough = len(means) >= ENOUGH_LABELS * siblings
    spread = deviations
    if enough:
        spread = held_out_deviations(means, count, siblings=siblings, whole=True)
    basis = np.zeros((size, means.shape[1]))
    basis[: len(directions)] = directions * spread[: len(directions), None]
    return basis, _project(means, basis)


def _project(shapes: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Codes of shapes in a basis of orthogonal rows; rows of zeros get code zero."""
    squared = (basis**2).sum(axis=1)
    return (shapes @ basis.T) / np.where(squared > 1e-12, squared, np.inf)
