"""People of a blendshape model who act as those of the default faces do."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from meshgan.data.synthetic.expressions import EMOTION_NAMES, Expressions
from meshgan.data.synthetic.motion import record_emotion
from meshgan.data.synthetic.people import STYLE_CONCENTRATION, PeopleSettings, Person
from meshgan.data.synthetic.phenotype import Phenotype
from meshgan.data.synthetic.plan import PlannedTake
from meshgan.data.synthetic.recipes import EMOTIONS, IDLE, MUSCLE_GROUPS, both_sides
from meshgan.errors import InputError
from meshgan.seeding import generator

_SIDES = {"_L": "Left", "_R": "Right"}
ACTIONS = tuple(
    sorted(
        {name for styles in EMOTIONS.values() for style in styles for name in style}
        | set(both_sides(IDLE))
    )
)
"""The facial actions (ARKit) that emotions are made of, in the order of all weights here."""


@dataclass(frozen=True, eq=False)
class Performance:
    """What a person does in one take.

    ``actions`` (f, A): weights of ``ACTIONS``. ``labels``: per frame the expression, or "" if it
    is unlabelled.
    """

    actions: Float[np.ndarray, "f A"]
    labels: tuple[str, ...]


def perform(take: PlannedTake, seed: int) -> Performance:
    """What the person of a take does; depends on person, take and seed alone."""
    person = _actor(seed, take.subject)
    rng = generator(seed, "expression", take.subject, take.take)
    if take.kind == "static":
        return _stills(take, person, rng)
    recorded = record_emotion(_EXPRESSIONS, person, take.emotion, take.rows, rng)
    labels = [""] * take.rows
    for frame in recorded.order[: take.labelled].tolist():
        labels[frame] = EMOTION_NAMES[recorded.expression[frame]]
    return Performance(recorded.actions, tuple(labels))


def action_matrix(names: Sequence[str]) -> Float[np.ndarray, "A E"]:
    """Weights of ``ACTIONS`` -> weights of a model's shapes.

    A model may call sides ``xLeft`` and ``xRight`` or ``x_L`` and ``x_R``, and split an action
    of both sides in two.

    Args:
        names: the model's shapes.

    Raises:
        InputError: an action has no shape.
    """
    arkit = [name[:-2] + _SIDES[name[-2:]] if name[-2:] in _SIDES else name for name in names]
    matrix = np.zeros((len(ACTIONS), len(names)))
    for row, action in enumerate(ACTIONS):
        for column, name in enumerate(arkit):
            if name in (action, f"{action}Left", f"{action}Right"):
                matrix[row, column] = 1.0
    if missing := [action for row, action in zip(matrix, ACTIONS, strict=True) if not row.any()]:
        raise InputError(f"expressions: the model has no shape for {', '.join(missing)}")
    return matrix


_EXPRESSIONS = Expressions(ACTIONS)


def _stills(take: PlannedTake, person: Person, rng: np.random.Generator) -> Performance:
    """All expressions once; an incomplete round leaves out others for each person."""
    count = len(EMOTION_NAMES)
    shown = np.sort((np.arange(count) + take.subject)[: take.rows] % count)
    faces = np.stack([_EXPRESSIONS.emotion(person, name, rng) for name in EMOTION_NAMES])
    labelled = np.roll(np.arange(take.rows), take.subject)[: take.labelled]
    labels = [EMOTION_NAMES[k] if row in labelled else "" for row, k in enumerate(shown.tolist())]
    return Performance(faces[shown], tuple(labels))


def _actor(seed: int, subject: int) -> Person:
    """How a person moves; looks are the model's business and stay empty."""
    rng = generator(seed, "manner", subject)
    styles = np.zeros((len(EMOTIONS), 3))
    for row, known in zip(styles, EMOTIONS.values(), strict=True):
        row[: len(known)] = rng.dirichlet([STYLE_CONCENTRATION] * len(known))
    return Person(
        phenotype=Phenotype(),
        local=np.zeros(0),
        asymmetry=np.zeros(0),
        head_type=np.zeros(7),
        gains=np.exp(rng.normal(0, PeopleSettings().gain, len(MUSCLE_GROUPS))),
        imbalance=float(rng.normal(0, 0.07)),
        styles=styles,
        tissue=0.5,
    )
