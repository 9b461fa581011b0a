"""Landmark files of other tools: BU-3DFE .bnd, Bosphorus .lm3, MeshLab .pp; bytes -> points.

Each parser raises ValueError with what is wrong; its callers add the name of the file.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

import numpy as np
from jaxtyping import Float

_ANNOUNCED = re.compile(r"(\d{1,5})\s+landmarks?\s*:?", re.IGNORECASE | re.ASCII)
LARGEST_FILE = 2**18  # bytes; a list of landmarks has a few kilobytes


@dataclass(frozen=True, eq=False)
class PointList:
    """Points in the order of a file.

    Args:
        points: (L, 3), the file's own unit; finite.
        labels: a name per point, or empty.
    """

    points: Float[np.ndarray, "L 3"]
    labels: tuple[str, ...] = ()


def read_small(path: Path) -> bytes:
    """The bytes of a landmark file.

    Raises:
        ValueError: it is empty, or far too large for one.
        OSError: it is missing or cannot be read.
    """
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise ValueError(f"has {size:,} bytes, too many for a list of landmarks")
    content = path.read_bytes()
    if not content.strip():
        raise ValueError("the file is empty")
    return content


def parse_bnd(content: bytes) -> PointList:
    """BU-3DFE: a line ``vertex x y z`` per point, any blanks or commas between; blank lines pass.

    The vertex ids are not kept, the positions say the same; lines ``x y z`` are read as well.

    Raises:
        ValueError: a line has another form.
    """
    lines = content.decode("latin-1").replace(",", " ").splitlines()
    rows = [(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    width = 3 if rows and len(rows[0][1]) == 3 else 4
    for number, row in rows:
        if len(row) != width:
            raise ValueError(f"line {number} has {len(row)} numbers, expected {width}")
    return PointList(_finite([row[-3:] for _, row in rows]))


def parse_lm3(content: bytes) -> PointList:
    """Bosphorus: a header with ``22 landmarks``, then per point a line of its name and ``x y z``.

    Raises:
        ValueError: a name without a position or the reverse, a name that stands twice, or another
            number of points than the file announces.
    """
    text = content.decode("utf-8-sig", errors="replace")
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    first = next((place for place, line in enumerate(lines) if _is_position(line)), len(lines))
    header, lines = lines[: max(first - 1, 0)], lines[max(first - 1, 0) :]
    counts = [int(found[1]) for line in header if (found := _ANNOUNCED.fullmatch(line))]
    labels, positions = lines[::2], lines[1::2]
    for label, position in zip(labels, positions, strict=False):
        if _is_position(label) or not _is_position(position):
            raise ValueError(f'"{label}" is followed by "{position}", expected a name and x y z')
    if len(labels) != len(positions):
        raise ValueError(f'cut short: "{labels[-1]}" has no position')
    if counts and counts[0] != len(labels):
        raise ValueError(f"announces {counts[0]} landmarks but has {len(labels)}")
    label, count = Counter(labels).most_common(1)[0] if labels else ("", 0)
    if count > 1:
        raise ValueError(f'"{label}" stands {count} times')
    return PointList(_finite([position.split() for position in positions]), tuple(labels))


def parse_pp(content: bytes) -> PointList:
    """MeshLab PickedPoints: XML with ``<point x= y= z= name= active=/>``.

    The file may declare no entities: they could name other files or grow without bound.

    Raises:
        ValueError: not such XML, a point lacks a coordinate, or is listed but was never picked.
    """
    found: list[dict[str, str]] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda tag, values: found.append(values) if tag == "point" else 0
    parser.EntityDeclHandler = _refuse_entities
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise ValueError(f"not XML: {error}") from error
    for number, values in enumerate(found):
        if missing := [axis for axis in "xyz" if axis not in values]:
            raise ValueError(f"point {number} has no {' and no '.join(missing)}")
        if values.get("active", "1").lower() in ("0", "false"):
            raise ValueError(f'point {number} ("{values.get("name", "")}") is not picked')
    labels = tuple(values.get("name", "") for values in found)
    points = _finite([[values[axis] for axis in "xyz"] for values in found])
    return PointList(points, labels if all(labels) else ())


def _refuse_entities(name: str, *_: object) -> None:
    raise ValueError(f'declares the entity "{name}"; entities are not read')


def _is_position(line: str) -> bool:
    words = line.split()
    return len(words) == 3 and all(map(_is_number, words))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _finite(rows: list[list[str]]) -> Float[np.ndarray, "L 3"]:
    points = np.array([[float(word) for word in row] for row in rows], dtype=np.float64)
    points = points.reshape(-1, 3)
    if bad := np.flatnonzero(~np.isfinite(points).all(axis=1)).tolist():
        raise ValueError(f"points {bad} are not finite")
    return points
