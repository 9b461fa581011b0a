"""One linear space per factor, of partly labelled faces: the additive 3DMM, and Tucker's start."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Bool, Float, Int

from meshgan.errors import InputError
from meshgan.models.baselines.directions import further_directions

WELL_LABELLED = 0.5
NEAR_REST, REST_ROUNDS = 0.15, 2  # of a person's spread about the resting face
WEAKEST = 1e-10  # of the strongest variance: directions below it are roundings

Labels = Mapping[str, Int[np.ndarray, " N"]]
"""By factor the label of each face, -1 where it has none."""


@dataclass(frozen=True, eq=False)
class FactorSpaces:
    """face = mean + sum over factors of code @ basis, with codes of mean 0 and deviation 1.

    Axis letters: r coordinates of a face, d length of a factor's code, K its labels.

    Args:
        base: the factor whose labels give each face its starting shape: who it is.
        last: the factor whose code is read off each face, label or not; None if there is but one.
        mean: (r,).
        bases: by factor, in the order given, (d, r), orthogonal, by falling length; rows that
            the data have no use for are zero.
        label_codes: by factor (K, d), in the same order.
        details: directions in which the labels of the base differ beyond its code (k, r), as long
            as the deviation of labels left out.
    """

    base: str
    last: str | None
    mean: Float[np.ndarray, " r"]
    bases: dict[str, Float[np.ndarray, "_ r"]]
    label_codes: dict[str, Float[np.ndarray, "_ _"]]
    details: Float[np.ndarray, "_ r"]


def fit_factor_spaces(
    faces: Float[np.ndarray, "N r"],
    labels: Labels,
    label_counts: Mapping[str, int],
    code_sizes: Mapping[str, int],
    at_rest: Bool[np.ndarray, " N"] | None = None,
    details: Mapping[str, int] = MappingProxyType({}),
) -> FactorSpaces:
    """Fit a linear space to each factor.

    The first factor that labels at least half of the faces is the base. A label's shape is the
    mean of its faces at rest; where it has none, the mean of all its faces, less what that
    differs from rest in the others. The base is the PCA of these shapes. Every other face is then
    a displacement from the shape of its label. Of the other factors, the least labelled is the
    PCA of these displacements, labelled or not; those between span the means of their labels,
    which are subtracted first, if they label at least half of the faces, and share the
    directions of the last otherwise. The code of a label is that of the mean of its faces.

    Args:
        faces: in any orthonormal coordinates, mm.
        labels: of every factor.
        label_counts: number of labels K of each factor.
        code_sizes: length d of each factor's code; of several well labelled, the first is base.
        at_rest: which faces are neutral, known for some; None takes means over all faces.
        details: by factor how many further directions of its labels to keep, at most, if it is
            the base.

    Raises:
        InputError: a factor has no labels at all.

    Source: Blanz & Vetter 1999, Sec. 3 (PCA of shapes); Amberg et al. 2008, Expression
    Invariant 3D Face Recognition with a Morphable Model, Sec. 2 (second space, of displacements
    from the neutral face).
    """
    for name in code_sizes:
        if not (labels[name] >= 0).any():
            raise InputError(f"factor {name}: no face has a label for it; leave the factor out")
    base, middle, last = order_factors(labels, list(code_sizes))
    shapes = _shapes(faces, labels[base], label_counts[base], at_rest)
    mean = shapes.mean(axis=0)
    bases, codes = {}, {}
    bases[base], codes[base] = _span(shapes - mean, code_sizes[base])
    known = labels[base] >= 0
    rest = faces[known] - shapes[labels[base][known]]
    sharing = []
    for name in middle:
        own = labels[name][known]
        if (own >= 0).mean() < WELL_LABELLED:
            sharing.append(name)
            continue
        means = _label_means(rest, own, label_counts[name])
        centre = means.mean(axis=0)
        bases[name], codes[name] = _span(means - centre, code_sizes[name])
        rest = rest - np.where((own < 0)[:, None], centre, means[own])
        mean = mean + centre
    if last is not None:
        sharing.append(last)
        centre = rest.mean(axis=0)
        rest, mean = rest - centre, mean + centre
        own = {name: labels[name][known] for name in sharing}
        shared = _share_directions(rest, own, label_counts, code_sizes)
        for name, (basis, of_labels) in shared.items():
            bases[name], codes[name] = basis, of_labels
    return FactorSpaces(
        base,
        last,
        mean,
        {name: bases[name] for name in code_sizes},
        {name: codes[name] for name in code_sizes},
        further_directions(shapes - shapes.mean(axis=0), code_sizes[base], details.get(base, 0)),
    )


def _share_directions(
    faces: np.ndarray,
    labels: Labels,
    label_counts: Mapping[str, int],
    code_sizes: Mapping[str, int],
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Principal directions dealt to factors in turn, the strongest to the first; label codes."""
    directions = _principal_axes(faces, sum(code_sizes[name] for name in labels))
    dealt, start = {}, 0
    for name, own in labels.items():
        basis = np.zeros((code_sizes[name], faces.shape[1]))
        part = directions[start : start + len(basis)]
        basis[: len(part)] = part
        dealt[name] = basis, project(_label_means(faces, own, label_counts[name]), basis)
        start += len(basis)
    return dealt


def order_factors(labels: Labels, names: Sequence[str]) -> tuple[str, list[str], str | None]:
    """Base, factors between (by falling share of labelled faces), last; see there."""
    share = {name: float((labels[name] >= 0).mean()) for name in names}
    well = [name for name in names if share[name] >= WELL_LABELLED]
    base = well[0] if well else max(names, key=lambda name: share[name])
    others = sorted((name for name in names if name != base), key=lambda name: -share[name])
    return base, others[:-1], others[-1] if others else None


def project(faces: Float[np.ndarray, "B r"], basis: Float[np.ndarray, "d r"]) -> np.ndarray:
    """Codes (B, d) of faces about zero in a basis of orthogonal rows; rows of zeros give zero."""
    squared = (basis**2).sum(axis=1)
    return (faces @ basis.T) / np.where(squared > 0, squared, np.inf)


def _shapes(
    faces: np.ndarray, labels: np.ndarray, count: int, at_rest: np.ndarray | None
) -> np.ndarray:
    def means_of(own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return _label_means(faces, own, count), np.bincount(own[own >= 0], minlength=count)

    def squares_from(shapes: np.ndarray) -> np.ndarray:
        return ((faces - shapes[labels]) ** 2).sum(axis=1)

    return resting_shapes(labels, at_rest, means_of, squares_from)


def resting_shapes(
    labels: Int[np.ndarray, " N"],
    at_rest: Bool[np.ndarray, " N"] | None,
    means_of: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    squares_from: Callable[[np.ndarray], np.ndarray],
) -> Float[np.ndarray, "K r"]:
    """The shape of each label: at rest as far as that is known, else a mean.

    Faces beside the ones at rest count as at rest as well, labelled or not, in a few rounds.

    Args:
        labels: -1 where unlabelled.
        at_rest: which faces are neutral, known for some; None takes means over all faces.
        means_of: the mean (K, r) of the faces of each label, and their number (K,), of labels
            like those above.
        squares_from: squared distance (N,) of each face from the shape (K, r) of its label.
    """
    means, _ = means_of(labels)
    if at_rest is None or not (at_rest & (labels >= 0)).any():
        return means
    calm = at_rest
    for step in range(REST_ROUNDS + 1):
        rested, counts = means_of(np.where(calm, labels, -1))
        shapes = shapes_at_rest(means, rested, counts > 0)
        if step < REST_ROUNDS:
            calm = calm | near_rest(squares_from(shapes), labels)
    return shapes


def near_rest(
    squares: Float[np.ndarray, " N"], labels: Int[np.ndarray, " N"]
) -> Bool[np.ndarray, " N"]:
    """Which faces are next to the shape of their label, and so at rest as well, labelled or not.

    Args:
        squares: squared distance of each face from the shape of its label.
        labels: -1 where unlabelled.
    """
    known = labels >= 0
    counts = np.bincount(labels[known])
    spread = np.bincount(labels[known], squares[known]) / np.maximum(counts, 1)
    return known & (squares < NEAR_REST**2 * spread[np.where(known, labels, 0)])


def shapes_at_rest(
    means: Float[np.ndarray, "K r"],
    rested: Float[np.ndarray, "K r"],
    known: Bool[np.ndarray, " K"],
) -> Float[np.ndarray, "K r"]:
    """Each label's shape: at rest where it was seen so, else its mean less what that differs.

    Args:
        means: of all faces of each label.
        rested: of its faces at rest.
        known: which labels have any.
    """
    offset = (means - rested)[known].mean(axis=0)
    return np.where(known[:, None], rested, means - offset)


def _label_means(faces: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Mean face of each label (K, r); a label without faces has the mean of the others."""
    means = np.zeros((count, faces.shape[1]))
    present = np.unique(labels[labels >= 0])
    for label in present:
        means[label] = faces[labels == label].mean(axis=0)
    missing = np.setdiff1d(np.arange(count), present)
    if len(present):
        means[missing] = means[present].mean(axis=0)
    return means


def _span(means: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Basis (d, r) of label means about zero, and their codes."""
    axes = _principal_axes(means, size)
    basis = np.zeros((size, means.shape[1]))
    basis[: len(axes)] = axes
    return basis, project(means, basis)


def _principal_axes(faces: np.ndarray, count: int) -> np.ndarray:
    """Principal directions about zero, each as long as the deviation along it; at most the rank."""
    values, vectors = np.linalg.eigh(faces.T @ faces / max(len(faces), 1))
    keep = np.argsort(values)[::-1][:count]
    keep = keep[values[keep] > max(values.max(), 1e-300) * WEAKEST]
    return np.sqrt(values[keep])[:, None] * vectors[:, keep].T
