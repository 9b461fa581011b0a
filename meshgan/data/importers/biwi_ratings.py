"""Which emotion people saw in a recording: a CSV of ratings."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from meshgan.errors import FileFormatError

_NEEDED = ("subject", "sequence", "expression")


def read_ratings(path: Path) -> dict[tuple[str, str], str]:
    """The emotion of each recording by (subject, sequence).

    Columns ``subject,sequence,expression`` and, if a recording has several lines, ``rating``: the
    highest wins; of equal ones the first.

    Raises:
        FileFormatError: missing, columns absent, or lines that cannot be read; all in one message.
    """
    best: dict[tuple[str, str], tuple[float, str]] = {}
    wrong = []
    for line, row in _rows(path):
        subject, sequence, word = (row[name].strip() for name in _NEEDED)
        try:
            rating = float(row.get("rating") or 0)
        except ValueError:
            rating = math.nan
        if not (subject and sequence and word) or math.isnan(rating):
            wrong.append(str(line))
            continue
        if rating > best.get((subject, sequence), (-math.inf, ""))[0]:
            best[subject, sequence] = rating, word.lower()
    if wrong:
        raise FileFormatError(
            f"{path}: lines {', '.join(wrong[:10])} lack a subject, sequence or expression, or "
            "have a rating that is no number"
        )
    return {key: word for key, (_, word) in best.items()}


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path}: cannot be read ({error})") from error
    table = csv.DictReader(lines)
    names = [name.strip().lower() for name in table.fieldnames or []]
    table.fieldnames = names
    if missing := [name for name in _NEEDED if name not in names]:
        raise FileFormatError(
            f"{path}: has no column {', '.join(missing)}; found {', '.join(names) or 'nothing'}"
        )
    for row in table:
        yield table.line_num, {name: value or "" for name, value in row.items() if name in names}
