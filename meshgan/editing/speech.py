"""Speech from phonemes: visemes over time, co-articulated, in a mood, with blinks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from meshgan.data.importers.phonemes import SILENCE, Alignment, viseme_of
from meshgan.data.synthetic.recipes import VISEME_SOUNDS, VOWELS
from meshgan.data.synthetic.speech import dominance
from meshgan.errors import InputError
from meshgan.models.base import Codes, MeshModel

VISEME = "viseme"
VOWEL_S, CONSONANT_S, PAUSE_S = 0.16, 0.11, 0.22
STRESSED = 1.25  # a vowel marked 1 (primary stress) is longer by this
PAUSES = (",", ".", ";", ":", "!", "?", "|")
BLINK_EVERY_S, BLINK_S = 3.2, 0.22
FIRM = {"E": 5.0, "G": 3.0}  # lips that must meet (p, b, m), or meet the teeth (f, v), do meet
LEAD_S = 0.25  # silence before and after


@dataclass(frozen=True, eq=False)
class Speech:
    """Codes of a face that says something.

    Args:
        codes: by name (T, d).
        times_s: of the frames (T,), seconds.
        weights: of each viseme of the model, per frame (T, K); rows sum to 1.
        visemes: names of the K visemes.
        blinks: how far the eyes are closed (T,), 0 to 1.
    """

    codes: Codes
    times_s: Float[np.ndarray, " T"]
    weights: Float[np.ndarray, "T K"]
    visemes: tuple[str, ...]
    blinks: Float[np.ndarray, " T"]


def phonemes_in_time(phonemes: str | Sequence[str], speed: float = 1.0) -> Alignment:
    """Give phonemes usual durations, and silence before and after.

    Args:
        phonemes: ARPAbet or TIMIT, "HH AH0 L OW1" or a list; stress digits lengthen vowels; a
            comma or another stop is a pause.
        speed: 2 is twice as fast.

    Raises:
        InputError: none, an unknown one, or a speed that is not positive.
    """
    words = phonemes.replace("/", " ").split() if isinstance(phonemes, str) else list(phonemes)
    words = [part for word in words for part in _with_stops(word)]
    if not words or not speed > 0:
        raise InputError(
            f"speech: {len(words)} phonemes at speed {speed:g}; expected some, such as "
            '"HH AH0 L OW1", and a positive speed'
        )
    unknown, lengths, names = [], [LEAD_S], [SILENCE]
    for word in words:
        if word in PAUSES:
            names.append(SILENCE)
            lengths.append(PAUSE_S / speed)
            continue
        try:
            viseme = viseme_of(word)
        except KeyError:
            unknown.append(word)
            continue
        names.append(word)
        lengths.append(_usual_length(word, viseme) / speed)
    if unknown:
        raise InputError(
            f"speech: unknown phonemes {', '.join(unknown[:10])}; expected ARPAbet or TIMIT, such "
            'as "HH AH0 L OW1" for hello: this takes phonemes, not text'
        )
    ends = np.cumsum([*lengths, LEAD_S])
    return Alignment(ends - [*lengths, LEAD_S], ends, (*names, SILENCE))


def speech_codes(
    model: MeshModel,
    person: Codes,
    spoken: Alignment,
    frames_per_second: float = 25.0,
    strength: float = 1.0,
    blinks: bool = True,
    rng: np.random.Generator | None = None,
) -> Speech:
    """A person says something: codes of every frame.

    Every sound pulls the viseme code towards that of its class, with a weight that reaches into
    the time of its neighbours; the code is the weighted mean of the model's labelled ones. All
    other codes stay: a mood is an expression code that ``person`` has already.

    Args:
        model: with the factor "viseme", labelled as ``data.synthetic.recipes.VISEME_SOUNDS``.
        person: codes of one face, by name (1, d).
        spoken: which sounds when: from ``phonemes_in_time`` or a file (``read_alignment``).
        frames_per_second: of the animation.
        strength: how far the mouth goes from silence, 1 as labelled.
        blinks: close the eyes now and then.
        rng: of the blinks; a generator of seed 0 if None.

    Raises:
        InputError: the model cannot speak, or a rate or strength makes no sense.

    Source: Cohen and Massaro 1993 (co-articulation by dominance functions).
    """
    labels, silence = _visemes(model)
    if not (frames_per_second > 0 and np.isfinite(strength)):
        raise InputError(f"speech: {frames_per_second:g} frames a second at strength {strength:g}")
    names = [viseme_of(phoneme) or SILENCE for phoneme in spoken.phonemes]
    if missing := sorted(set(names) - set(labels)):
        raise InputError(
            f"speech: the model has no viseme {', '.join(missing)}; it has {', '.join(labels)}"
        )
    long = spoken.end_s > spoken.start_s
    columns = np.array([labels.index(name) for name in names])[long]
    lengths = (spoken.end_s - spoken.start_s)[long]
    middles = 0.5 * (spoken.end_s + spoken.start_s)[long]
    count = max(2, int(np.ceil(spoken.end_s[-1] * frames_per_second)))
    times = np.arange(count) / frames_per_second
    weights = np.zeros((count, len(labels)))
    firmness = np.array([FIRM.get(labels[k], 1.0) for k in columns])
    np.add.at(weights.T, columns, dominance(times, middles, lengths, firmness).T)
    full = model.label_codes(VISEME)
    calm = full[silence : silence + 1]
    mixed = torch.from_numpy(weights).to(full) @ (full - calm)
    codes = {name: code.expand(count, -1) for name, code in person.items()}
    codes[VISEME] = calm + strength * mixed
    closed = blink_times(times, rng or np.random.default_rng(0)) if blinks else np.zeros(count)
    return Speech(codes, times, weights, labels, closed)


def blink_times(
    times_s: Float[np.ndarray, " T"], rng: np.random.Generator
) -> Float[np.ndarray, " T"]:
    """How far the eyes are closed at each time: a blink every three seconds or so.

    Args:
        times_s: of the frames.
        rng: of the pauses between the blinks.
    """
    closed = np.zeros(len(times_s))
    at = BLINK_EVERY_S * rng.uniform(0.25, 0.5)
    while at < times_s[-1]:
        off = np.abs(times_s - at) / (BLINK_S / 2)
        np.maximum(closed, np.clip(1.25 * (1 - off**2), 0, 1), out=closed)
        at += BLINK_EVERY_S * np.exp(0.35 * rng.normal())
    return closed


def _visemes(model: MeshModel) -> tuple[tuple[str, ...], int]:
    if VISEME not in model.factors:
        raise InputError(
            f"speech: the model has no factor viseme (it has {', '.join(model.factors)}), so it "
            "cannot speak; train one on data with visemes (meshgan data build --factors "
            "identity,expression,viseme)"
        )
    labels = tuple(model.factors[VISEME])
    if SILENCE not in labels:
        known = ", ".join(VISEME_SOUNDS)
        raise InputError(
            f"speech: the model's visemes are {', '.join(labels)}, without {SILENCE}; expected "
            f"names of {known}"
        )
    return labels, labels.index(SILENCE)


def _with_stops(word: str) -> list[str]:
    """A word and the stop that hangs on it."""
    found = re.fullmatch(r"(.*?)([,.;:!?|]?)", word)
    return [part for part in (found.groups() if found else (word,)) if part]


def _usual_length(phoneme: str, viseme: str | None) -> float:
    if viseme in (None, SILENCE):
        return PAUSE_S
    if viseme in VOWELS:
        return VOWEL_S * (STRESSED if phoneme.rstrip("0123456789") + "1" == phoneme else 1.0)
    return CONSONANT_S
