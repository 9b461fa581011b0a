"""Faces drawn from a linear model: who they are, what they are called, and each one alone."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from meshgan.data.importers.base import SourceItem
from meshgan.data.importers.linear_model import LinearModel

MOST_FACES = 100_000
NEUTRAL = "neutral"


@dataclass(frozen=True)
class Draw:
    """Face ``face`` of person ``person``; face 0 of everybody is neutral."""

    person: int
    face: int

    @property
    def name(self) -> str:
        """What reports call it; ``read_name`` understands it."""
        return f"person{self.person:05d}/{self.face:04d}"

    @property
    def stream(self) -> int:
        """Number of its expression among all of all people."""
        return self.person * MOST_FACES + self.face

    @classmethod
    def read_name(cls, name: str) -> "Draw":
        """The inverse of ``name``."""
        person, face = name.removeprefix("person").split("/")
        return cls(int(person), int(face))


def draws(count: int, subjects: int) -> list[Draw]:
    """``count`` faces of ``subjects`` people (fewer if there are fewer faces), by person."""
    subjects = min(subjects, count)
    each, more = divmod(count, subjects)
    return [
        Draw(person, face) for person in range(subjects) for face in range(each + (person < more))
    ]


def model_items(count: int, subjects: int, expressive: bool) -> list[SourceItem]:
    """The faces to draw; the first of each person is labelled neutral, the others are not.

    Args:
        count: of faces.
        subjects: of people.
        expressive: the model has expressions; if not, there is one face per person.
    """
    planned = draws(count, subjects if expressive else count)
    return [
        SourceItem(
            where=draw.name,
            subject=draw.name.partition("/")[0],
            labels={} if draw.face else {"expression": NEUTRAL},
        )
        for draw in planned
    ]


def draw_face(
    model: LinearModel,
    draw: Draw,
    seed: int,
    expression_mean: Float[np.ndarray, "V 3"] | None = None,
) -> tuple[Float[np.ndarray, "V 3"], dict[str, np.ndarray]]:
    """Vertices of a drawn face, and its coefficients as extras.

    Args:
        model: with sigmas for its expressions.
        draw: whose face and which.
        seed: with it, a face depends on ``draw`` alone.
        expression_mean: displacement of the mean expression from neutral, if it is not 0.

    Returns:
        (V, 3) in the model's unit; ``identity_coefficients`` (K,) and ``expression_coefficients``
        (E,), in standard deviations (of the neutral face all 0).
    """
    identity = model.draw_identity(seed, draw.person)
    expression = np.zeros(model.expression_count)
    vertices = model.face(identity)
    if draw.face and model.expression_count:
        expression = model.draw_expression(seed, draw.stream)
        vertices = model.face(identity, expression)
        if expression_mean is not None:
            vertices = vertices + expression_mean
    return vertices, {
        "identity_coefficients": identity.astype(np.float32),
        "expression_coefficients": expression.astype(np.float32),
    }
