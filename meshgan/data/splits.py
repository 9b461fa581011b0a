"""Who trains and who is kept back: splits by subject, never by frame.

Frames of one person are nearly alike, so a split by frame would test on what was trained on.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Int

from meshgan.errors import FileFormatError, InputError
from meshgan.files import read_json, write_json
from meshgan.seeding import generator

Split = Literal["train", "validation", "test"]
SPLIT_NAME = "split.json"


def split_subjects(
    subjects: Sequence[str], validation: float = 0.1, test: float = 0.1, seed: int = 0
) -> dict[Split, tuple[str, ...]]:
    """Hold out a share of the people, at random but always the same ones.

    A share above zero holds out at least one person, as long as one is left to train on: one
    person gives no held-out set, two give a test set.

    Args:
        subjects: names; their order does not matter.
        validation: share of them for choosing settings.
        test: share of them for the final numbers.
        seed: of the choice.

    Raises:
        InputError: a share is out of range, or they leave nobody to train on.
    """
    if not (0 <= validation < 1 and 0 <= test < 1 and validation + test < 1):
        raise InputError(
            f"split: shares validation {validation} and test {test}; expected 0 or more, "
            "together below 1"
        )
    people = sorted(subjects)
    shuffled = [people[k] for k in generator(seed, "split").permutation(len(people))]
    tested = _held_out(len(people), test, left=len(people) - 1)
    validated = _held_out(len(people), validation, left=len(people) - 1 - tested)
    return {
        "train": tuple(sorted(shuffled[tested + validated :])),
        "validation": tuple(sorted(shuffled[tested : tested + validated])),
        "test": tuple(sorted(shuffled[:tested])),
    }


def write_split(folder: Path | str, split: Mapping[Split, Sequence[str]]) -> None:
    """Fix the split of a DATA folder: from now on it is read, not computed."""
    write_json(Path(folder) / SPLIT_NAME, {name: list(people) for name, people in split.items()})


def read_split(folder: Path | str, subjects: Sequence[str]) -> dict[Split, tuple[str, ...]] | None:
    """The stored split of a DATA folder, or None.

    Raises:
        FileFormatError: the file is damaged, names a person twice or an unknown one, or leaves
            one of ``subjects`` out.
    """
    path = Path(folder) / SPLIT_NAME
    if not path.exists():
        return None
    values = read_json(path)
    if not isinstance(values, dict) or values.keys() != set(get_args(Split)):
        raise FileFormatError(f"{path}: expected lists of names for train, validation and test")
    named = [name for people in values.values() for name in people]
    repeated = {name for name in named if named.count(name) > 1}
    problems = [f"{name!r} stands twice" for name in sorted(repeated)]
    problems += [f"{name!r} is not in the data set" for name in sorted(set(named) - set(subjects))]
    problems += [f"{name!r} is in no part" for name in sorted(set(subjects) - set(named))]
    if problems:
        raise FileFormatError(f"{path}: {'; '.join(problems)}; delete it or split again")
    return {name: tuple(values[name]) for name in get_args(Split)}


def rows_of(
    subject: Int[np.ndarray, " N"], subjects: Sequence[str], chosen: Sequence[str]
) -> Int[np.ndarray, " b"]:
    """Row numbers of the chosen people, in order."""
    wanted = np.array([name in set(chosen) for name in subjects], dtype=bool)
    return np.flatnonzero(wanted[subject])


def _held_out(count: int, share: float, left: int) -> int:
    return 0 if share == 0 else min(max(1, round(count * share)), left)
