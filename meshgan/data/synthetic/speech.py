"""Speech as visemes over time: random syllables, co-articulated, said in a mood."""

import numpy as np
from jaxtyping import Float

from meshgan.data.synthetic.expressions import EMOTION_NAMES, LARGEST_WEIGHT, Expressions
from meshgan.data.synthetic.motion import Take, add_blink, labels_by_level, smooth_step
from meshgan.data.synthetic.people import Person
from meshgan.data.synthetic.recipes import CONSONANTS, VISEMES, VOWELS

VISEME_NAMES = tuple(VISEMES)
FRAMES_PER_SOUND = 3.5  # about 140 ms at 25 frames a second
PAUSE_FRAMES = 3.0
PAUSE_CHANCE = 0.08
OVERLAP = 0.65  # reach of a sound beyond its own time, in its durations
MOOD_IN_MOUTH = 0.35  # what speech leaves of an emotion's mouth
EFFORT = 0.15


def record_speech(
    expressions: Expressions,
    person: Person,
    emotion: str,
    frames: int,
    rng: np.random.Generator,
) -> Take:
    """A person says something, in a mood that comes and goes.

    Every sound pulls the mouth towards its viseme with a bell-shaped weight that reaches into its
    neighbours' time; the mouth is at the weighted mean. The mood acts in full outside the mouth
    and damped inside. Viseme labels go to the frames nearest the middles of the sounds first.

    Source: Cohen and Massaro 1993 (dominance functions of co-articulation).
    """
    visemes, middles, lengths = _say_something(frames, rng)
    targets = np.stack([expressions.weights(VISEMES[VISEME_NAMES[k]]) for k in visemes])
    effort = np.exp(EFFORT * rng.normal(size=len(visemes)))[:, None]
    spoken = targets * effort * expressions.habits(person)
    time = np.arange(frames) + 0.5
    mouth = dominance(time, middles, lengths) @ spoken

    rest = expressions.emotion(person, "neutral", rng)
    mood = expressions.emotion(person, emotion, rng)
    level = _mood_level(frames, rng)
    in_mouth = np.array([name.startswith(("mouth", "jaw")) for name in expressions.action_names])
    share = np.where(in_mouth, MOOD_IN_MOUTH, 1.0)
    actions = mouth + rest + share * (mood - rest) * level[:, None]
    add_blink(expressions, actions, rng)
    expression, order = labels_by_level(level, emotion, rng)
    if emotion == EMOTION_NAMES[0]:
        expression[:] = 0
    return Take(
        np.clip(actions, 0, LARGEST_WEIGHT),
        expression,
        order,
        viseme=visemes[np.argmin(np.abs(time[:, None] - middles) / lengths, axis=1)],
        viseme_order=np.argsort(
            np.min(np.abs(time[:, None] - middles) / lengths, axis=1), kind="stable"
        ),
    )


def dominance(
    times: Float[np.ndarray, " T"],
    middles: Float[np.ndarray, " P"],
    lengths: Float[np.ndarray, " P"],
    magnitudes: Float[np.ndarray, " P"] | float = 1.0,
    overlap: float = OVERLAP,
) -> Float[np.ndarray, "T P"]:
    """How much each sound has of the mouth at each time; rows sum to 1.

    Args:
        times: of the frames, in any unit.
        middles: of the sounds, in the same unit.
        lengths: of the sounds.
        magnitudes: how strongly each sound asserts itself beside its neighbours.
        overlap: reach of a sound beyond its own time, in its lengths.

    Source: Cohen and Massaro 1993, Sec. 3 (dominance functions).
    Differs: one bell of power 1.6 for all sounds, instead of rates of their own.
    """
    pull = magnitudes * np.exp(-(np.abs((times[:, None] - middles) / (overlap * lengths)) ** 1.6))
    return pull / pull.sum(axis=1, keepdims=True)


def _say_something(
    frames: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Visemes of a random utterance with their middles and lengths in frames.

    It begins and ends in silence; consonants and vowels alternate, with a pause now and then.
    """
    names, lengths = ["silence"], [PAUSE_FRAMES]
    while sum(lengths) + PAUSE_FRAMES < frames:
        if rng.random() < PAUSE_CHANCE and names[-1] != "silence":
            names.append("silence")
            lengths.append(PAUSE_FRAMES * rng.uniform(0.7, 1.3))
        else:
            kind = VOWELS if names[-1] in CONSONANTS else CONSONANTS
            names.append(kind[rng.integers(len(kind))])
            lengths.append(FRAMES_PER_SOUND * np.exp(0.2 * rng.normal()))
    names.append("silence")
    lengths.append(PAUSE_FRAMES)
    durations = np.array(lengths) * frames / sum(lengths)
    middles = np.cumsum(durations) - durations / 2
    return np.array([VISEME_NAMES.index(name) for name in names]), middles, durations


def _mood_level(frames: int, rng: np.random.Generator) -> np.ndarray:
    time = np.linspace(0, 1, frames)
    onset, offset = rng.uniform(0.05, 0.2), rng.uniform(0.8, 0.95)
    level = smooth_step((time - onset + 0.1) / 0.2) * (1 - smooth_step((time - offset) / 0.1))
    swell = 1 - 0.15 * (1 + np.sin(2 * np.pi * (time * rng.uniform(0.5, 1.5) + rng.random())))
    level = level * swell
    level[[0, -1]] = 0
    return level
