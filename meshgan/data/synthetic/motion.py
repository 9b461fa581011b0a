"""An emotion over time: onset, apex, offset, each action at its own pace."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from meshgan.data.synthetic.expressions import EMOTION_NAMES, LARGEST_WEIGHT, Expressions
from meshgan.data.synthetic.people import Person

BLINK_CHANCE, BLINK_WIDTH = 0.5, 0.02
TREMOR = 0.02
FALL = 1.2  # offsets are slower than onsets
LONGEST_RISE = 0.4


@dataclass(frozen=True, eq=False)
class Take:
    """Frames of one recording.

    ``actions`` (f, A): weights. ``expression`` (f,): what each frame should be labelled if it is.
    ``order``: frames, the most telling first; a recording with k labels has them on the first k.
    ``viseme`` and ``viseme_order``: the same for speech, None without.
    """

    actions: Float[np.ndarray, "f A"]
    expression: Int[np.ndarray, " f"]
    order: Int[np.ndarray, " f"]
    viseme: Int[np.ndarray, " f"] | None = None
    viseme_order: Int[np.ndarray, " f"] | None = None


def smooth_step(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, a smooth rise between."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def record_emotion(
    expressions: Expressions,
    person: Person,
    emotion: str,
    frames: int,
    rng: np.random.Generator,
) -> Take:
    """A sequence from rest to an emotion and back.

    The first and the last frame are neutral, the frame at the apex shows the emotion most. Labels
    go to the first, the apex and the last frame, then to those nearest the apex.
    """
    rest = expressions.emotion(person, "neutral", rng)
    apex = expressions.emotion(person, emotion, rng)
    envelope = _envelope(frames, len(rest), rng)
    actions = rest + (apex - rest) * envelope
    steps = rng.normal(size=actions.shape)
    actions += TREMOR / np.sqrt(frames) * np.cumsum(steps, axis=0) * (np.abs(apex) > 0.05)
    add_blink(expressions, actions, rng)
    level = envelope.mean(axis=1)
    expression, order = labels_by_level(level, emotion, rng)
    return Take(np.clip(actions, 0, LARGEST_WEIGHT), expression, order)


def labels_by_level(
    level: Float[np.ndarray, " f"], emotion: str, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " f"], Int[np.ndarray, " f"]]:
    """Labels of frames, and the order they are given in, from how much of the emotion they show.

    The apex comes before or after the neutral ends by chance, so that both are seen where
    recordings have fewer than three labels.
    """
    expression = np.full(len(level), EMOTION_NAMES.index(emotion), dtype=np.int64)
    expression[[0, -1]] = EMOTION_NAMES.index("neutral")
    inner = 1 + np.argsort(-level[1:-1], kind="stable")
    ends = np.array([0, len(level) - 1][: len(level)])
    begin = [inner[:1], ends] if rng.random() < 0.5 else [ends, inner[:1]]
    order = np.concatenate([*begin, inner[1:]])
    return expression, order.astype(np.int64)


def add_blink(
    expressions: Expressions, actions: Float[np.ndarray, "f A"], rng: np.random.Generator
) -> None:
    """Close both eyes for a frame or two, in some recordings; in place."""
    blinks, centre = rng.random() < BLINK_CHANCE, rng.uniform(0.1, 0.9)
    if blinks:
        time = np.linspace(0, 1, len(actions))
        closing = np.exp(-(((time - centre) / BLINK_WIDTH) ** 2))
        for side in ("Left", "Right"):
            column = actions[:, expressions.index[f"eyeBlink{side}"]]
            np.maximum(column, closing, out=column)


def _envelope(frames: int, actions: int, rng: np.random.Generator) -> np.ndarray:
    """Share of the emotion per frame and action: 0 in the first and the last frame."""
    time = np.linspace(0, 1, frames)[:, None]
    onset = rng.uniform(0.08, 0.2) + 0.06 * rng.normal(size=actions)
    rise = rng.uniform(0.12, 0.3) * np.exp(0.25 * rng.normal(size=actions))
    offset = rng.uniform(0.72, 0.88) + 0.05 * rng.normal(size=actions)
    onset, rise = np.maximum(onset, 0), np.minimum(rise, LONGEST_RISE)
    offset = np.minimum(offset, 1 - FALL * rise)  # everyone is back at rest in the end
    envelope = smooth_step((time - onset) / rise)
    envelope *= 1 - smooth_step((time - offset) / (FALL * rise))
    envelope[[0, -1]] = 0  # also of a single frame, and against rounding
    return envelope
