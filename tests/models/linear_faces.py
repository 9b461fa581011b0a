"""Faces whose truth is known: a mean, effects of each factor, and products of two of them."""

from collections.abc import Mapping

import numpy as np

WIDTH = 60  # 20 vertices


class MadeFaces:
    """face = mean + person effects + (1 + person) x expression effects, labels partly missing.

    Args:
        people, expressions: numbers of labels.
        person_rank, expression_rank: directions of each factor.
        product: size of what person and expression do together; 0 is additive.
        labelled: share of faces with an expression label.
        without: cells (person, expression) that do not occur.
    """

    def __init__(
        self, people=14, expressions=5, person_rank=3, expression_rank=2, product=0.0,
        labelled=1.0, per_cell=2, without=(), seed=0,
    ):  # fmt: skip
        rng = np.random.default_rng(seed)
        self.counts = {"identity": people, "expression": expressions}
        person = rng.normal(size=(people, person_rank))
        self.person = person - person.mean(axis=0)
        expression = rng.normal(size=(expressions, expression_rank))
        self.expression = expression - expression.mean(axis=0)
        self.mean = rng.normal(size=WIDTH)
        self.of_person = 5 * rng.normal(size=(person_rank, WIDTH))
        self.of_expression = 3 * rng.normal(size=(expression_rank, WIDTH))
        self.of_both = product * rng.normal(size=(person_rank, expression_rank, WIDTH))
        cells = [(k, j) for k in range(people) for j in range(expressions) if (k, j) not in without]
        order = rng.permutation(per_cell * len(cells))
        truth = np.tile(cells, (per_cell, 1))[order]
        self.truth = {"identity": truth[:, 0], "expression": truth[:, 1]}
        self.faces = self.of(truth[:, 0], truth[:, 1])
        seen = rng.random(len(truth)) < labelled
        self.labels = {
            "identity": truth[:, 0],
            "expression": np.where(seen, truth[:, 1], -1),
        }

    def of(self, people: np.ndarray, expressions: np.ndarray) -> np.ndarray:
        """The true faces of some labels."""
        a, b = self.person[people], self.expression[expressions]
        both = np.einsum("nk,nj,kjw->nw", a, b, self.of_both)
        return self.mean + a @ self.of_person + b @ self.of_expression + both

    def chunks(self, size=16):
        for start in range(0, len(self.faces), size):
            rows = np.arange(start, min(start + size, len(self.faces)))
            yield rows, self.faces[rows].astype(np.float32)


def additive_faces(
    mean: np.ndarray, bases: Mapping[str, np.ndarray], codes: Mapping[str, np.ndarray]
) -> np.ndarray:
    """mean + sum of code @ basis, written out."""
    shown = np.tile(mean, (len(next(iter(codes.values()))), 1))
    for name, code in codes.items():
        for row, one in enumerate(code):
            for weight, direction in zip(one, bases[name], strict=True):
                shown[row] += weight * direction
    return shown
