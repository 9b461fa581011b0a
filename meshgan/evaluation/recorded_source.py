"""A source known by what it recorded: faces with the coefficients that they were made from.

Linear face models (and whatever is nearly linear) leave the coefficients of person and expression
beside every mesh of a data set. From these the model itself is found again by least squares, and
with it the truth about new people: what the oracle asks of a source.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from meshgan.data.rows import FaceRows
from meshgan.data.synthetic.plan import Plan
from meshgan.errors import InputError
from meshgan.evaluation.estimate import FaceCollection, batch_size
from meshgan.seeding import generator

PERSON = ("identity_coefficients",)
EXPRESSION = ("actions", "expression_coefficients")
UNEXPLAINED_MM = 0.5
_FEWEST_PER_COEFFICIENT = 3
_RIDGE = 1e-6  # of the mean variance: decides where coefficients say the same


@runtime_checkable
class RecordedFaces(FaceCollection, Protocol):
    """Meshes with further arrays, for example ``data.store.Store``."""

    @property
    def manifest(self) -> Any:
        """Names the further arrays in ``extras``."""
        ...

    def extras(self, name: str) -> np.ndarray:
        """A further array, one row per mesh."""
        ...


@dataclass(frozen=True, eq=False)
class RecordedSource:
    """A linear face model, and how its people and expressions are spread.

    Args:
        mean: face of coefficients 0 (V, 3), mm.
        person_modes: displacements (K, V, 3), mm per unit.
        expression_modes: displacements (E, V, 3), mm per unit.
        person_mean: (K,), of the recorded people.
        person_spread: (K, K), a square root of their covariance.
        expressions: recorded expressions (N, E); new people show these.
        unexplained_mm: mean vertex distance between the recorded meshes and the model.
    """

    mean: Float[np.ndarray, "V 3"]
    person_modes: Float[np.ndarray, "K V 3"]
    expression_modes: Float[np.ndarray, "E V 3"]
    person_mean: Float[np.ndarray, " K"]
    person_spread: Float[np.ndarray, "K K"]
    expressions: Float[np.ndarray, "N E"]
    unexplained_mm: float

    @classmethod
    def fit(cls, faces: RecordedFaces) -> "RecordedSource":
        """Find the model of a data set again; its meshes are read twice, in batches.

        Args:
            faces: with ``identity_coefficients``, and ``actions`` or ``expression_coefficients``.

        Raises:
            InputError: nothing is recorded, there are too few meshes, or the meshes are not linear
                in what is (0.5 mm and more remain on average).
        """
        person = _recorded(faces, PERSON)
        expression = _recorded(faces, EXPRESSION)
        known = np.isfinite(person).all(axis=1) & np.isfinite(expression).all(axis=1)
        rows = np.flatnonzero(known)
        columns = 1 + person.shape[1] + expression.shape[1]
        if len(rows) < _FEWEST_PER_COEFFICIENT * columns:
            raise InputError(
                f"the truth of {len(rows):,} meshes is recorded, too few for {columns - 1} "
                "coefficients"
            )
        inputs = np.column_stack([np.ones(len(rows)), person[rows], expression[rows]])
        modes = _least_squares(faces, rows, inputs)
        unexplained = _unexplained(faces, rows, inputs, modes)
        if unexplained > UNEXPLAINED_MM:
            raise InputError(
                f"the meshes are not linear in the coefficients that are recorded with them: "
                f"{unexplained:.2f} mm remain"
            )
        people = np.unique(person[rows], axis=0)
        centred = people - people.mean(axis=0)
        covariance = centred.T @ centred / max(1, len(people) - 1)
        values, vectors = np.linalg.eigh(covariance)
        split = 1 + person.shape[1]
        return cls(
            mean=modes[0],
            person_modes=modes[1:split],
            expression_modes=modes[split:],
            person_mean=people.mean(axis=0),
            person_spread=vectors * np.sqrt(np.maximum(values, 0)),
            expressions=expression[rows],
            unexplained_mm=unexplained,
        )

    def neutral(self, seed: int, subject: int) -> Float[np.ndarray, "V 3"]:
        """A new person with the mean of all expressions' coefficients at 0, mm."""
        rng = generator(seed, "recorded person", subject)
        drawn = self.person_spread @ rng.standard_normal(len(self.person_mean))
        return self.mean + np.tensordot(self.person_mean + drawn, self.person_modes, axes=1)

    def express(
        self, seed: int, subject: int, actions: Float[np.ndarray, "b E"]
    ) -> Float[np.ndarray, "b V 3"]:
        """A new person with these expression coefficients, mm, float32."""
        moved = np.tensordot(actions.astype(np.float64), self.expression_modes, axes=1)
        return (self.neutral(seed, subject) + moved).astype(np.float32)

    def stream(self, plan: Plan, seed: int = 0) -> Iterator[FaceRows]:
        """As many faces of each person as the plan says, each with a recorded expression."""
        counts = np.zeros(plan.subjects, dtype=np.int64)
        for take in plan.takes:
            counts[take.subject] += take.rows
        for subject, count in enumerate(counts.tolist()):
            number = plan.first_subject + subject
            rng = generator(seed, "recorded expressions", number)
            chosen = rng.integers(0, len(self.expressions), count)
            ids = np.full(count, subject)
            yield FaceRows(
                vertices=self.express(seed, number, self.expressions[chosen]),
                labels={},
                subject=ids,
                sequence=np.full(count, -1),
                frame=np.arange(count),
                extras={"actions": self.expressions[chosen].astype(np.float32)},
            )


def _recorded(faces: RecordedFaces, names: tuple[str, ...]) -> Float[np.ndarray, "N _"]:
    extras = faces.manifest.extras
    found = next((name for name in names if name in extras), None)
    if found is None:
        raise InputError(f"no {' or '.join(names)} are recorded with the meshes")
    values = np.asarray(faces.extras(found), dtype=np.float64)
    if values.ndim != 2:
        raise InputError(f"{found} have shape {values.shape}, expected one row of numbers per mesh")
    return values


def _least_squares(
    faces: RecordedFaces, rows: Int[np.ndarray, " r"], inputs: Float[np.ndarray, "r C"]
) -> Float[np.ndarray, "C V 3"]:
    """Displacements per coefficient, of the normal equations that are summed batch by batch."""
    gram = inputs.T @ inputs
    right = 0.0
    for part, meshes in _batches(faces, rows):
        right = right + np.tensordot(inputs[part].T, meshes.astype(np.float64), axes=1)
    gram += _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    right = np.asarray(right)
    return np.linalg.solve(gram, right.reshape(len(gram), -1)).reshape(right.shape)


def _unexplained(
    faces: RecordedFaces,
    rows: Int[np.ndarray, " r"],
    inputs: Float[np.ndarray, "r C"],
    modes: Float[np.ndarray, "C V 3"],
) -> float:
    total = 0.0
    for part, meshes in _batches(faces, rows):
        expected = np.tensordot(inputs[part], modes, axes=1)
        total += float(np.linalg.norm(meshes - expected, axis=2).mean(axis=1).sum())
    return total / len(rows)


def _batches(
    faces: RecordedFaces, rows: Int[np.ndarray, " r"]
) -> Iterator[tuple[slice, Float[np.ndarray, "b V 3"]]]:
    size = batch_size(faces.vertices(rows[:1]).shape[1])
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        yield part, np.asarray(faces.vertices(rows[part]))
