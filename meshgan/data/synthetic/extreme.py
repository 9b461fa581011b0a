"""Expressions that no data set of default faces holds: for judging models on what they never saw.

Half of them blend emotions that are learned one at a time, at full strength; the other half use
muscles that no emotion uses: puffed cheeks, a jaw pushed aside, pursed lips, a wink.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from meshgan.data.synthetic.expressions import Expressions
from meshgan.data.synthetic.recipes import Recipe
from meshgan.errors import InputError
from meshgan.seeding import generator

JITTER = 0.1  # of the logarithm of each weight: nobody shows an expression twice alike

BLENDS: dict[str, Recipe] = {
    "laugh in surprise": {
        "mouthSmile*": 0.9,
        "cheekSquint*": 0.7,
        "jawOpen": 0.75,
        "browInnerUp": 0.9,
        "browOuterUp*": 1.0,
        "eyeWide*": 0.6,
        "mouthUpperUp*": 0.35,
    },
    "scream": {
        "jawOpen": 1.0,
        "eyeSquint*": 0.9,
        "browDown*": 0.9,
        "mouthStretch*": 0.7,
        "mouthLowerDown*": 0.6,
        "mouthUpperUp*": 0.5,
        "noseSneer*": 0.5,
    },
    "bitter smile": {
        "mouthSmile*": 0.8,
        "browInnerUp": 1.0,
        "browDown*": 0.5,
        "mouthFrown*": 0.4,
        "mouthShrugLower": 0.7,
        "mouthPress*": 0.4,
    },
    "horror": {
        "browInnerUp": 1.1,
        "eyeWide*": 1.1,
        "noseSneer*": 0.8,
        "mouthUpperUp*": 0.6,
        "mouthStretch*": 0.9,
        "mouthFrown*": 0.6,
        "jawOpen": 0.35,
    },
    "grin of rage": {
        "browDown*": 1.1,
        "eyeWide*": 0.5,
        "mouthSmile*": 0.7,
        "mouthUpperUp*": 0.7,
        "mouthLowerDown*": 0.8,
        "noseSneer*": 0.9,
    },
    "yawn": {
        "jawOpen": 1.1,
        "eyeBlink*": 0.9,
        "browInnerUp": 0.6,
        "mouthFunnel": 0.3,
        "noseSneer*": 0.3,
    },
}
UNSEEN: dict[str, Recipe] = {
    "puffed cheeks": {"cheekPuff": 1.0, "mouthPress*": 0.4, "browInnerUp": 0.4},
    "kiss": {"mouthPucker": 1.0, "eyeBlink*": 0.7, "browOuterUp*": 0.3},
    "jaw aside": {"jawLeft": 0.9, "jawOpen": 0.25, "mouthLeft": 0.4, "browDownLeft": 0.6},
    "crooked mouth": {"mouthRight": 0.9, "mouthPressRight": 0.4, "browOuterUpRight": 0.9},
    "wink": {
        "eyeBlinkLeft": 1.0,
        "mouthSmileLeft": 0.8,
        "cheekSquintLeft": 0.9,
        "jawOpen": 0.15,
        "browDownLeft": 0.4,
    },
    "long O": {"mouthFunnel": 0.7, "jawOpen": 0.45, "browOuterUp*": 0.7, "eyeWide*": 0.4},
}
EXTREME: dict[str, Recipe] = BLENDS | UNSEEN


@runtime_checkable
class Expressive(Protocol):
    """Shows people with any weights of the facial actions: ``source.FaceSource``."""

    @property
    def action_names(self) -> tuple[str, ...]:
        """The order of the weights."""
        ...

    def express(
        self, seed: int, subject: int, actions: Float[np.ndarray, "b A"]
    ) -> Float[np.ndarray, "b V 3"]:
        """A person with these weights, mm."""
        ...


@dataclass(frozen=True, eq=False)
class ExtremeFaces:
    """Faces, whose they are and what they show, row by row.

    ``vertices`` (B, V, 3) float32, mm; ``subject`` (B,): number of the person in the source;
    ``names``: the expression of each row; ``actions`` (B, A): the true weights.
    """

    vertices: Float[np.ndarray, "B V 3"]
    subject: Int[np.ndarray, " B"]
    names: tuple[str, ...]
    actions: Float[np.ndarray, "B A"]


def extreme_faces(
    source: Expressive,
    people: Sequence[int],
    seed: int = 0,
    expressions: Sequence[str] = tuple(EXTREME),
) -> ExtremeFaces:
    """Each person in each of the expressions; person and expression decide what a row shows.

    Args:
        source: of the default faces.
        people: numbers of persons in the source.
        seed: of the data set whose people they are.
        expressions: names out of ``EXTREME``.

    Raises:
        InputError: nobody, no expression, or one that is not known.
    """
    unknown = [name for name in expressions if name not in EXTREME]
    if unknown or not expressions or not people:
        raise InputError(
            f"extreme faces: {len(people)} people, expressions {', '.join(expressions) or 'none'}; "
            f"give at least one of each, out of {', '.join(EXTREME)}"
        )
    weights = Expressions(source.action_names)
    typical = np.stack([weights.weights(EXTREME[name]) for name in expressions])
    rows, shown = [], []
    for person in people:
        spread = [
            generator(seed, "extreme", person, name).normal(size=typical.shape[1])
            for name in expressions
        ]
        actions = typical * np.exp(JITTER * np.stack(spread))
        rows.append(actions)
        shown.append(source.express(seed, person, actions.astype(np.float32)))
    return ExtremeFaces(
        np.concatenate(shown),
        np.repeat(np.asarray(people, dtype=np.int64), len(expressions)),
        tuple(expressions) * len(people),
        np.concatenate(rows),
    )
