"""Which faces a data set holds: who, doing what, how many frames, how many of them labelled."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from meshgan.data.synthetic.expressions import EMOTION_NAMES
from meshgan.data.synthetic.speech import VISEME_NAMES
from meshgan.errors import InputError

FACTORS = {"identity": (), "expression": EMOTION_NAMES, "viseme": VISEME_NAMES}
FRESH_PEOPLE = 1_000_000
DEFAULT_FRAMES, SHORTEST = 53, 5
SEQUENCES_PER_SUBJECT = 6
NATURAL_LABELS = 3  # first, apex and last frame
SHOWN = len(EMOTION_NAMES)

Kind = Literal["static", "motion", "speech"]


@dataclass(frozen=True)
class PlannedTake:
    """Some rows of one person.

    ``subject``: position among the plan's subjects. ``take``: number among the person's takes.
    ``sequence``: number in the data set. ``emotion``: of a motion or speech. ``labelled`` rows
    get an expression label, ``visemes`` rows a viseme label.
    """

    kind: Kind
    subject: int
    take: int
    sequence: int
    rows: int
    emotion: str = "neutral"
    labelled: int = 0
    visemes: int = 0


@dataclass(frozen=True)
class Plan:
    """A data set to be made, without any face yet.

    ``takes`` in the order of their rows; ``first_subject``: index of the first person in the
    source, ``subjects``: how many people.
    """

    factors: tuple[str, ...]
    takes: tuple[PlannedTake, ...]
    subjects: int
    first_subject: int = 0

    @property
    def count(self) -> int:
        """Number of rows (meshes)."""
        return sum(take.rows for take in self.takes)

    @property
    def subject_names(self) -> tuple[str, ...]:
        """One per subject, numbered as in the source: "person000", "person001", ..."""
        people = range(self.first_subject, self.first_subject + self.subjects)
        return tuple(f"person{index:03d}" for index in people)

    @property
    def label_names(self) -> dict[str, tuple[str, ...]]:
        """The labels of each factor; people are the labels of the identity."""
        names = {**FACTORS, "identity": self.subject_names}
        return {factor: names[factor] for factor in self.factors}

    @property
    def labelled(self) -> dict[str, int]:
        """How many rows have a label, by factor."""
        counts = {
            "identity": self.count,
            "expression": sum(take.labelled for take in self.takes),
            "viseme": sum(take.visemes for take in self.takes),
        }
        return {factor: counts[factor] for factor in self.factors}


def plan_dataset(
    count: int,
    subjects: int | None = None,
    factors: Sequence[str] = ("identity", "expression"),
    labelled: float = 0.07,
    frames: int | None = None,
    *,
    viseme_labelled: float = 0.68,
    first_subject: int = 0,
) -> Plan:
    """Plan a mixture of still faces and recordings with exactly ``count`` meshes.

    Still people show all seven expressions, labelled. Moving people perform the six emotions, one
    sequence each, of which the first and the last frame are labelled neutral and the apex with
    its emotion. The mixture is chosen so that the wanted share of all meshes has an expression
    label; where it cannot be met that way, more or fewer frames are labelled, so that it is met
    exactly. With the factor "viseme", everyone speaks, in all moods.

    Args:
        count: meshes.
        subjects: people; chosen from ``count`` if None.
        factors: "identity" and "expression", and "viseme" for speech.
        labelled: share of the meshes that has an expression label, 0 to 1.
        frames: length of a sequence; about 53 if None, shorter where people have fewer meshes.
        viseme_labelled: share of the meshes that has a viseme label, 0 to 1.
        first_subject: index of the first person; from ``FRESH_PEOPLE`` on they are people that no
            ordinary data set has.

    Raises:
        InputError: a number is out of range, or a factor is not known.
    """
    factors = _checked(count, subjects, factors, labelled, frames, viseme_labelled)
    speech = "viseme" in factors
    wanted = round(labelled * count)
    if subjects is None:
        subjects = _default_subjects(count, wanted, frames, speech)
    subjects = min(subjects, count)
    moving = subjects if speech else _moving_subjects(count, subjects, wanted, frames)
    moving_rows = _moving_rows(count, subjects, moving, wanted, frames)
    still = _still_takes(count - moving_rows, subjects - moving)
    kind: Kind = "speech" if speech else "motion"
    recorded = _recordings(kind, moving_rows, subjects - moving, moving, frames)
    takes = _with_labels([*still, *recorded], wanted)
    if speech:
        takes = _with_visemes(takes, round(viseme_labelled * count))
    return Plan(factors, tuple(takes), subjects, first_subject)


def _checked(count, subjects, factors, labelled, frames, viseme_labelled) -> tuple[str, ...]:
    factors = tuple(factors)
    problems = []
    if count < 1:
        problems.append(f"count is {count}, expected at least 1")
    if subjects is not None and subjects < 1:
        problems.append(f"subjects is {subjects}, expected at least 1")
    if frames is not None and frames < SHORTEST:
        problems.append(f"frames is {frames}, expected at least {SHORTEST}")
    for name, share in (("labelled", labelled), ("viseme_labelled", viseme_labelled)):
        if not 0 <= share <= 1:
            problems.append(f"{name} is {share}, expected 0 to 1")
    if unknown := [factor for factor in factors if factor not in FACTORS]:
        problems.append(
            f"factors {', '.join(unknown)} are not known, expected {', '.join(FACTORS)}"
        )
    if "identity" not in factors or "expression" not in factors:
        problems.append("factors must hold identity and expression")
    if problems:
        raise InputError("data set plan: " + "; ".join(problems))
    return tuple(factor for factor in FACTORS if factor in factors)


def _default_subjects(count: int, wanted: int, frames: int | None, speech: bool) -> int:
    """As many as make every label a natural one, but not just a few."""
    length = frames or DEFAULT_FRAMES
    if speech:
        natural = round(count / (SEQUENCES_PER_SUBJECT * length))
    else:
        inner = SEQUENCES_PER_SUBJECT * (length - NATURAL_LABELS)
        moving = round((count - wanted) / inner)
        still = wanted - SEQUENCES_PER_SUBJECT * NATURAL_LABELS * moving
        natural = moving + max(0, round(still / SHOWN))
    return max(1, natural, min(20, count // 10))


def _moving_subjects(count: int, subjects: int, wanted: int, frames: int | None) -> int:
    """How many of the people are recorded in motion; the others keep still."""
    if wanted == count:
        return 0
    labels = SEQUENCES_PER_SUBJECT * NATURAL_LABELS
    each = count / subjects
    if frames is not None:
        moving = (count - wanted) / (SEQUENCES_PER_SUBJECT * (frames - NATURAL_LABELS))
    elif wanted < SHOWN * subjects:
        moving = subjects  # too few labels for anyone to keep still
    elif wanted <= labels * subjects:
        moving = (wanted - SHOWN * subjects) / (labels - SHOWN)
        longest = SEQUENCES_PER_SUBJECT * (DEFAULT_FRAMES + 7 - NATURAL_LABELS)
        moving = max(moving, (count - wanted) / longest)
    else:
        moving = (count - wanted) / max(each - labels, 1.0)  # all have equally many meshes
    return min(subjects, max(1, round(moving)))


def _moving_rows(count: int, subjects: int, moving: int, wanted: int, frames: int | None) -> int:
    if moving == subjects:
        return count
    if moving == 0:
        return 0
    if frames is not None:
        rows = moving * SEQUENCES_PER_SUBJECT * frames
    else:
        rows = count - wanted + moving * SEQUENCES_PER_SUBJECT * NATURAL_LABELS
    return min(rows, count - (subjects - moving))


def _still_takes(rows: int, people: int) -> list[PlannedTake]:
    """All seven expressions of each person, again and again if there are more rows."""
    takes = []
    for subject in range(people):
        left = rows * (subject + 1) // people - rows * subject // people
        number = 0
        while left > 0:
            takes.append(PlannedTake("static", subject, number, -1, min(SHOWN, left)))
            left -= SHOWN
            number += 1
    return takes


def _recordings(
    kind: Kind, rows: int, first: int, people: int, frames: int | None
) -> list[PlannedTake]:
    """Sequences spread over people; their emotions take turns, so that all are equally common."""
    takes: list[PlannedTake] = []
    moods = EMOTION_NAMES if kind == "speech" else EMOTION_NAMES[1:]
    for index, lengths in enumerate(_sequence_lengths(rows, people, frames)):
        for number, length in enumerate(lengths):
            emotion = moods[(index + number) % len(moods)]
            takes.append(PlannedTake(kind, first + index, number, len(takes), length, emotion))
    return takes


def _sequence_lengths(rows: int, people: int, frames: int | None) -> list[list[int]]:
    """Per person the lengths of their sequences: ``frames`` each, or about equally long."""
    if people == 0:
        return []
    if frames is not None and rows > frames * (people - 1):
        lengths = [frames] * (rows // frames) + [rows % frames] * (rows % frames > 0)
        bounds = [len(lengths) * k // people for k in range(people + 1)]
        return [lengths[a:b] for a, b in pairwise(bounds)]
    each = []
    for person in range(people):
        own = rows * (person + 1) // people - rows * person // people
        sequences = max(1, min(SEQUENCES_PER_SUBJECT, own // SHORTEST))
        sequences = max(sequences, round(own / (2 * DEFAULT_FRAMES)))
        each.append(_parts(own, sequences))
    return each


def _parts(whole: int, parts: int) -> list[int]:
    """``whole`` as a sum of ``parts`` integers that differ by one at most."""
    return [whole * (k + 1) // parts - whole * k // parts for k in range(parts)]


def _with_labels(takes: list[PlannedTake], wanted: int) -> list[PlannedTake]:
    """Give out exactly ``wanted`` expression labels: the natural ones first, evenly over takes."""
    natural = [
        take.rows if take.kind == "static" else min(NATURAL_LABELS, take.rows) for take in takes
    ]
    spare = [take.rows - own for take, own in zip(takes, natural, strict=True)]
    fewer = _share_out(min(wanted, sum(natural)), natural)
    more = _share_out(wanted - sum(fewer), spare)
    return [
        _replace(take, labelled=own + extra)
        for take, own, extra in zip(takes, fewer, more, strict=True)
    ]


def _with_visemes(takes: list[PlannedTake], wanted: int) -> list[PlannedTake]:
    shares = _share_out(wanted, [take.rows for take in takes])
    return [_replace(take, visemes=own) for take, own in zip(takes, shares, strict=True)]


def _share_out(amount: int, capacities: list[int]) -> list[int]:
    """Split ``amount`` in proportion to ``capacities``, none of which is exceeded."""
    total = np.concatenate([[0], np.cumsum(capacities)])
    bounds = total * amount // max(int(total[-1]), 1)
    return np.diff(bounds).tolist()


def _replace(take: PlannedTake, **changes: int) -> PlannedTake:
    return PlannedTake(**{**take.__dict__, **changes})
