"""Tucker models of partly labelled faces: multilinear in the codes, fitted to every face."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
from jaxtyping import Float

from meshgan.errors import InputError
from meshgan.models.baselines.factor_spaces import FactorSpaces, Labels, project
from meshgan.models.baselines.tucker_steps import (
    moments_by_label,
    products_of,
    solve_core,
    solve_face_codes,
    solve_label_codes,
    with_one,
)

log = logging.getLogger(__name__)
LARGEST = 4000
"""Entries of the core per coordinate, at most: the side of the largest system to be solved."""
NOISE_FLOOR = 1e-14  # of the variance of the faces


@dataclass(frozen=True, eq=False)
class TuckerModel:
    """face = core x_1 [1, code_1] x_2 [1, code_2] ..., codes of mean 0 and deviation 1.

    Args:
        core: (1 + d_1, 1 + d_2, ..., r): an axis per factor, then the coordinates of a face.
        label_codes: by factor (K, d), in the order of the axes.
        deviation: root mean square of what is left of a coordinate, mm.
    """

    core: Float[np.ndarray, "*axes r"]
    label_codes: dict[str, Float[np.ndarray, "_ _"]]
    deviation: float

    def faces(self, codes: Mapping[str, Float[np.ndarray, "B _"]]) -> Float[np.ndarray, "B r"]:
        """Faces of codes."""
        flat = self.core.reshape(-1, self.core.shape[-1])
        return products_of([with_one(codes[name]) for name in self.label_codes]) @ flat


def fit_tucker(
    faces: Float[np.ndarray, "N r"],
    labels: Labels,
    start: FactorSpaces,
    interaction: float = 0.03,
    iterations: int = 20,
) -> TuckerModel:
    """Alternate least squares over the core, the codes of labels, and the codes of faces.

    All factors but ``start.last`` have one code per label, which all its faces share; the last
    has one code per face, whether it has a label or not. So a set in which every person but only
    a few expressions are known is used whole, and no table of all combinations is needed. The
    solution is the maximum of the posterior under standard normal codes, Gaussian noise of the
    size found, and interactions (entries of the core of two or more factors) that are small: in
    sum, ``interaction`` times as large as the last factor's own effect, and spread over pairs of
    directions in proportion to what these do alone.

    Args:
        faces: in any orthonormal coordinates, mm.
        labels: of every factor; faces without a label of a factor but the last are not used.
        start: the additive fit to begin with.
        interaction: 0 or more; 0 stays additive, large numbers let few people be learnt by heart:
            of 144 default people with 65 + 20 directions, 0.03 leaves the least error on people
            of the validation split (0.399 mm; 0: 0.402; 0.1: 0.418; 100: 0.511), whose own code
            was found from other faces of theirs.
        iterations: rounds of the alternation.

    Raises:
        InputError: there is one factor only, no face has labels of all factors but the last, or
            a setting is out of range.

    Source: Tucker 1966, Some Mathematical Notes on Three-Mode Factor Analysis; De Lathauwer et
    al. 2000, On the Best Rank-1 and Rank-(R1, ..., RN) Approximation of Higher-Order Tensors
    (alternating least squares); for faces Vlasic et al. 2005 and Brunton et al. 2014.
    """
    if start.last is None:
        raise InputError("a multilinear model needs two factors or more; use the additive one")
    if interaction < 0 or iterations < 1:
        raise InputError(
            f"multilinear model: interaction {interaction}, {iterations} iterations; expected 0 "
            "or more, and 1 or more"
        )
    shared = [name for name in start.bases if name != start.last]
    used = np.all([labels[name] >= 0 for name in shared], axis=0)
    if not used.any():
        raise InputError(f"no face has labels of {' and '.join(shared)}; leave a factor out")
    fit = _Alternation(faces[used], {n: labels[n][used] for n in labels}, start, shared)
    for _ in range(iterations):
        fit.round(interaction)
    log.info(
        "multilinear model: %s directions; %.3f mm left of a coordinate",
        " x ".join(str(size) for size in fit.ranks.values()),
        np.sqrt(fit.noise),
    )
    return fit.model(list(start.label_codes))


class _Alternation:
    """The state of the fit; axes of the core are the shared factors', the last, coordinates."""

    def __init__(
        self, faces: np.ndarray, labels: Labels, start: FactorSpaces, shared: list[str]
    ) -> None:
        assert start.last is not None
        self.faces, self.labels, self.shared, self.last = faces, labels, shared, start.last
        self.names = [*shared, start.last]
        self.last_labels = len(start.label_codes[start.last])
        self.ranks = _ranks(start, self.names)
        self.codes = {name: start.label_codes[name][:, : self.ranks[name]] for name in shared}
        self.core = np.zeros((*(1 + self.ranks[name] for name in self.names), faces.shape[1]))
        self.core[(0,) * len(self.names)] = start.mean
        for axis, name in enumerate(self.names):
            self._effects(axis)[:] = start.bases[name][: self.ranks[name]]
        self._groups = np.unique(
            np.stack([labels[name] for name in shared]), axis=1, return_inverse=True
        )[1].ravel()
        by_labels = sum(
            (self.codes[name] @ start.bases[name][: self.ranks[name]])[labels[name]]
            for name in shared
        )
        basis = start.bases[self.last][: self.ranks[self.last]]
        self.face_codes = project(faces - start.mean - by_labels, basis)
        shown = start.mean + by_labels + self.face_codes @ basis
        self.floor = NOISE_FLOOR * float(faces.var(axis=0).sum())
        self.noise = max(float(((faces - shown) ** 2).mean()), self.floor)

    def round(self, interaction: float) -> None:
        """Core, codes of labels, codes of faces, each given the others."""
        for turn, name in enumerate(self.shared):
            others = [self._of_faces(n) for n in self.names if n != name]
            count = len(self.codes[name])
            moments = moments_by_label(products_of(others), self.faces, self.labels[name], count)
            axis = self.names.index(name)
            moved = np.moveaxis(self.core, axis, 0)
            if turn == 0:
                penalty = np.moveaxis(self._penalty(interaction), axis, 0)
                flat = solve_core(
                    with_one(self.codes[name]), moments, penalty.reshape(len(penalty), -1)
                )
                moved = flat.reshape(moved.shape)
                self.core = np.moveaxis(moved, 0, axis)
            flat = moved.reshape(len(moved), -1, moved.shape[-1])
            self.codes[name] = solve_label_codes(flat, moments, self.noise)
        products = products_of([self._of_faces(name) for name in self.shared])
        flat = self.core.reshape(-1, *self.core.shape[-2:])
        self.face_codes, left = solve_face_codes(
            flat, products, self.faces, self._groups, self.noise
        )
        self.noise = max(left / self.faces.size, self.floor)
        for name in self.names:
            self._centre(name)
        for name in self.names:
            self._scale(name)

    def model(self, order: list[str]) -> TuckerModel:
        """The model with its axes in the order of the factors."""
        codes = {}
        for name in order:
            if name != self.last:
                codes[name] = self.codes[name]
                continue
            own = self.labels[name]
            codes[name] = np.zeros((self.last_labels, self.ranks[name]))
            for label in np.unique(own[own >= 0]):
                codes[name][label] = self.face_codes[own == label].mean(axis=0)
        axes = [*(self.names.index(name) for name in order), len(self.names)]
        return TuckerModel(self.core.transpose(axes), codes, float(np.sqrt(self.noise)))

    def _of_faces(self, name: str) -> np.ndarray:
        own = self._own(name)
        return with_one(own if name == self.last else own[self.labels[name]])

    def _effects(self, axis: int) -> np.ndarray:
        """The entries (d, r) of the core that belong to one factor alone; a view."""
        index: list[int | slice] = [0] * len(self.names)
        index[axis] = slice(1, None)
        return self.core[tuple(index)]

    def _penalty(self, interaction: float) -> np.ndarray:
        """Of each entry of the core: noise over the variance expected of it; 0 if of one factor."""
        lengths = [np.linalg.norm(self._effects(axis), axis=1) for axis in range(len(self.names))]
        scale = interaction * float(np.linalg.norm(lengths[-1]))
        expected, order = np.array(scale), np.array(0)
        for length in lengths:
            relative = length / max(float(np.linalg.norm(length)), 1e-300)
            expected = expected[..., None] * np.concatenate([[1.0], relative])
            order = order[..., None] + np.concatenate([[0], np.ones(len(length), dtype=int)])
        variance = expected**2 / self.core.shape[-1]
        penalty = self.noise / np.maximum(variance, 1e-12 * self.noise + 1e-300)
        return np.where(order > 1, penalty, 0.0)

    def _centre(self, name: str) -> None:
        """Same faces, with codes of mean 0: the rest moves into the effects of the others."""
        centre = self._own(name).mean(axis=0)
        change = np.eye(1 + len(centre))
        change[0, 1:] = centre
        self._change(name, change, self._own(name) - centre)

    def _scale(self, name: str) -> None:
        """Same faces, with codes of unit deviation along falling effects; after all centres."""
        codes = self._own(name)
        values, vectors = np.linalg.eigh(codes.T @ codes / len(codes))
        deviations = np.sqrt(np.maximum(values, max(values.max(initial=0), 1e-300) * 1e-10))
        spread = deviations[:, None] * vectors.T  # codes = standard @ spread
        turn, _, _ = np.linalg.svd(spread @ self._effects(self.names.index(name)))
        change = np.eye(1 + len(turn))
        change[1:, 1:] = turn.T @ spread
        self._change(name, change, (codes @ vectors / deviations) @ turn)

    def _own(self, name: str) -> np.ndarray:
        return self.face_codes if name == self.last else self.codes[name]

    def _change(self, name: str, change: np.ndarray, codes: np.ndarray) -> None:
        """Put [1, codes] @ change for [1, codes] before."""
        axis = self.names.index(name)
        moved = np.tensordot(change, np.moveaxis(self.core, axis, 0), 1)
        self.core = np.ascontiguousarray(np.moveaxis(moved, 0, axis))
        if name == self.last:
            self.face_codes = codes
        else:
            self.codes[name] = codes


def _ranks(start: FactorSpaces, names: list[str]) -> dict[str, int]:
    """Directions of each factor: those that vary, less the weakest where the core is too large."""
    lengths = {
        name: [x for x in np.linalg.norm(start.bases[name], axis=1) if x > 0] for name in names
    }
    while prod(1 + len(of) for of in lengths.values()) > LARGEST:
        weakest = min((n for n in names if len(lengths[n]) > 1), key=lambda n: lengths[n][-1])
        lengths[weakest].pop()
    return {name: len(of) for name, of in lengths.items()}
