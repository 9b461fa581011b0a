"""The faces of a source in numbers: subjects, sequences and labels as a store wants them."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from meshgan.data.importers.base import SourceItem
from meshgan.data.importers.labels import EXPRESSIONS
from meshgan.data.synthetic.speech import VISEME_NAMES

_COMMON = {"expression": EXPRESSIONS, "viseme": VISEME_NAMES}
_FACTOR_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Skipped:
    """A face that is not imported. ``where``: its file; ``reason``: why, in a few words."""

    where: str
    reason: str


@dataclass(frozen=True, eq=False)
class Catalogue:
    """What a source lists, numbered.

    Args:
        items: the faces to read, in the source's order; no two are the same frame.
        refused: faces whose names or table entries are wrong already.
        subjects: names in sorted order; a person's number is their place.
        factors: "identity", then those of the items: "expression" and "viseme" with the common
            names in their order, all others with theirs sorted, numbers by value.
        sequences: (subject, sequence) -> number, in sorted order.
    """

    items: tuple[SourceItem, ...]
    refused: tuple[Skipped, ...]
    subjects: tuple[str, ...]
    factors: Mapping[str, tuple[str, ...]]
    sequences: Mapping[tuple[str, str], int]

    def sequence(self, item: SourceItem) -> int:
        """Number of the item's recording; -1 for a still."""
        return self.sequences.get((item.subject, item.sequence), -1)

    @property
    def found(self) -> int:
        """Faces that the source lists."""
        return len(self.items) + len(self.refused)

    def digest(self) -> str:
        """16 hexadecimal digits that name the list: other files, labels or order, other digits."""
        digest = hashlib.sha256()
        for item in self.items:
            values = [item.where, item.subject, dict(item.labels), item.sequence, item.frame]
            digest.update(json.dumps(values, sort_keys=True).encode())
        return digest.hexdigest()[:16]


def catalogue(items: Iterable[SourceItem], refused: Sequence[Skipped] = ()) -> Catalogue:
    """Number what an importer lists, and set aside what cannot be right.

    Args:
        items: from ``Importer.items``.
        refused: what the importer itself could not make sense of.
    """
    kept: list[SourceItem] = []
    wrong = list(refused)
    names: set[str] = set()
    frames: dict[tuple[str, str, int], str] = {}
    for item in items:
        if reason := _wrong_entry(item, names, frames):
            wrong.append(Skipped(item.where or "(no name)", reason))
            continue
        names.add(item.where)
        if item.sequence:
            frames[item.subject, item.sequence, item.frame] = item.where
        kept.append(item)
    return Catalogue(
        items=tuple(kept),
        refused=tuple(wrong),
        subjects=tuple(sorted({item.subject for item in kept}, key=natural_order)),
        factors=_factors(kept),
        sequences={key: number for number, key in enumerate(sorted(_recordings(kept)))},
    )


def natural_order(name: str) -> list[tuple[bool, int, str]]:
    """Sort key with numbers by value: "take 2" before "take 10"."""
    parts = re.findall(r"\d+|\D+", name)
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def _recordings(items: Sequence[SourceItem]) -> set[tuple[str, str]]:
    return {(item.subject, item.sequence) for item in items if item.sequence}


def _wrong_entry(
    item: SourceItem, names: set[str], frames: Mapping[tuple[str, str, int], str]
) -> str:
    """Why an item cannot be taken, or nothing."""
    return "; ".join(_entry_problems(item, names, frames))


def _entry_problems(
    item: SourceItem, names: set[str], frames: Mapping[tuple[str, str, int], str]
) -> Iterator[str]:
    if not item.where:
        yield "has no name"
    if item.where in names:
        yield "is listed twice"
    if not item.subject:
        yield "has no subject"
    if item.frame < 0:
        yield f"has frame {item.frame}, expected 0 or more"
    for factor, word in item.labels.items():
        if factor == "identity" or not _FACTOR_NAME.fullmatch(factor):
            yield f"has a label of {factor!r}, which is no name of a factor"
        if not word:
            yield f"has an empty label of {factor}"
    twin = frames.get((item.subject, item.sequence, item.frame))
    if item.sequence and twin is not None and item.where not in names:
        yield (
            f"is frame {item.frame} of {item.sequence!r} of subject {item.subject}, as {twin} is"
        )


def _factors(items: Sequence[SourceItem]) -> dict[str, tuple[str, ...]]:
    words: dict[str, set[str]] = {"identity": {item.subject for item in items}}
    for item in items:
        for factor, word in item.labels.items():
            words.setdefault(factor, set()).add(word)
    order = sorted(words, key=lambda name: (name != "identity", name != "expression", name))
    return {factor: _in_order(factor, words[factor]) for factor in order}


def _in_order(factor: str, words: set[str]) -> tuple[str, ...]:
    common = _COMMON.get(factor, ())
    others = sorted(words - set(common), key=natural_order)
    if others:
        return (*(name for name in common if name in words), *others)
    return common  # always all of them, so that sets of several sources agree on the numbers
