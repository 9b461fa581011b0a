"""The table of a folder of meshes: ``path,subject,expression,...`` as a CSV file."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from meshgan.data.importers.base import SourceItem
from meshgan.data.importers.labels import common_expression
from meshgan.errors import FileFormatError

SPLITS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
_RESERVED = ("path", "subject", "sequence", "frame", "split", "landmarks")
_FACTOR = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, eq=False)
class FaceTable:
    """What a table says of its faces.

    Args:
        items: one per line, in order.
        landmarks: item -> its file of measured landmarks, where the table names one.
        split: subject -> part, if the table has that column; people without an entry train.
    """

    items: tuple[SourceItem, ...]
    landmarks: Mapping[str, str]
    split: Mapping[str, str]


def find_table(folder: Path, name: str | None) -> Path:
    """The CSV file of a folder.

    Raises:
        FileFormatError: there is none of that name, or, without a name, not exactly one.
    """
    if name is not None:
        if not (folder / name).is_file():
            raise FileFormatError(f"{folder / name}: no such table")
        return folder / name
    tables = sorted(folder.glob("*.csv"))
    tables = [path for path in tables if not path.stem.endswith("_landmarks")]
    if len(tables) == 1:
        return tables[0]
    found = ", ".join(path.name for path in tables) or "no CSV file"
    raise FileFormatError(
        f"{folder}: {found} in it, expected one table with the columns path,subject,expression,"
        "viseme,sequence,frame,split (or choose with --set table=NAME.csv)"
    )


def read_table(path: Path) -> FaceTable:
    """Read a table of faces.

    ``path`` and ``subject`` are needed; ``sequence``, ``frame``, ``split`` and ``landmarks`` have
    their meaning; every other column is a factor. An empty cell is unlabelled. Frames without a
    number are counted in the order of the lines.

    Raises:
        FileFormatError: not a table, a column is missing or its name is no factor's, a frame is
            no number, or a subject stands in two parts; all problems in one message.
    """
    columns, rows = _cells(path)
    problems = list(_column_problems(columns))
    if problems:
        raise FileFormatError(f"{path}: " + "; ".join(problems))
    lines = [(number, dict(zip(columns, row, strict=True))) for number, row in rows]
    problems = [*_frame_problems(lines), *_split_problems(lines)]
    if problems:
        raise FileFormatError(f"{path}: " + "; ".join(problems))
    factors = [name for name in columns if name not in _RESERVED]
    counted: dict[tuple[str, str], int] = {}
    items = []
    for _, line in lines:
        recording = (line["subject"], line.get("sequence", ""))
        place = counted.get(recording, 0) if recording[1] else 0
        frame = int(line.get("frame") or place)
        counted[recording] = frame + 1
        items.append(
            SourceItem(
                where=line["path"],
                subject=line["subject"],
                labels={name: _word(name, line[name]) for name in factors if line[name]},
                sequence=recording[1],
                frame=frame,
            )
        )
    return FaceTable(
        items=tuple(items),
        landmarks={line["path"]: line["landmarks"] for _, line in lines if line.get("landmarks")},
        split={
            line["subject"]: SPLITS[line["split"].lower()] for _, line in lines if line.get("split")
        },
    )


def _word(factor: str, word: str) -> str:
    return (common_expression("folder", word) or word) if factor == "expression" else word


def _cells(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Column names, and the stripped cells of every line with its number."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path}: cannot be read as a table ({error})") from error
    first = text.partition("\n")[0]
    comma = max(",;\t", key=first.count)
    reader = csv.reader(text.splitlines(), delimiter=comma)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    except csv.Error as error:
        raise FileFormatError(f"{path}: line {reader.line_num} is damaged ({error})") from error
    if len(lines) < 2:
        raise FileFormatError(f"{path}: no lines below the names of the columns")
    (_, names), *rows = lines
    columns = [name.lower() for name in names]
    for number, row in rows:
        if len(row) != len(columns):
            raise FileFormatError(
                f"{path}: line {number} has {len(row)} cells, expected {len(columns)}"
            )
    return columns, rows


def _column_problems(columns: Sequence[str]) -> Iterator[str]:
    for name in ("path", "subject"):
        if name not in columns:
            yield f"has no column {name!r} (it has {', '.join(columns)})"
    for name in sorted({name for name in columns if columns.count(name) > 1}):
        yield f"has the column {name!r} twice"
    for name in columns:
        if not _FACTOR.fullmatch(name) or name == "identity":
            yield f"a column cannot be called {name!r}: use a-z, 0-9 and _, and not identity"


def _frame_problems(lines: Sequence[tuple[int, Mapping[str, str]]]) -> Iterator[str]:
    for number, line in lines:
        frame = line.get("frame", "")
        if frame and not (frame.isascii() and frame.isdigit()):
            yield f"line {number}: frame is {frame!r}, expected a whole number from 0"


def _split_problems(lines: Sequence[tuple[int, Mapping[str, str]]]) -> Iterator[str]:
    parts: dict[str, str] = {}
    for number, line in lines:
        part = line.get("split", "").lower()
        if part and part not in SPLITS:
            yield f"line {number}: split is {part!r}, expected train, validation or test"
        elif part:
            before = parts.setdefault(line["subject"], SPLITS[part])
            if before != SPLITS[part]:
                yield (
                    f"line {number}: subject {line['subject']!r} is in {SPLITS[part]} and in "
                    f"{before}; people are in one part"
                )
