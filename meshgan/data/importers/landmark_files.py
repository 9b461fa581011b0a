"""Landmarks that scan sets ship beside their meshes, in one fixed order per set."""

import string
from collections.abc import Callable, Mapping
from logging import getLogger
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np

from meshgan.data.importers.base import MeasuredLandmarks
from meshgan.data.point_formats import PointList, parse_bnd, parse_lm3, read_small
from meshgan.errors import FileFormatError

logger = getLogger(__name__)

BU83_GROUPS: dict[str, range] = {
    "right eye": range(0, 8),
    "left eye": range(8, 16),
    "right brow": range(16, 26),
    "left brow": range(26, 36),
    "right nose side": range(36, 39),
    "left nose side": range(39, 42),
    "nostrils": range(42, 48),
    "outer mouth": range(48, 60),
    "inner mouth": range(60, 68),
    "jaw": range(68, 83),
}
"""The 83 points of the Binghamton sets (order "bu83"), as they count them, from 0."""

BOSPHORUS24 = (
    "Outer left eyebrow",
    "Middle left eyebrow",
    "Inner left eyebrow",
    "Inner right eyebrow",
    "Middle right eyebrow",
    "Outer right eyebrow",
    "Outer left eye corner",
    "Inner left eye corner",
    "Inner right eye corner",
    "Outer right eye corner",
    "Nose saddle left",
    "Nose saddle right",
    "Left nose peak",
    "Nose tip",
    "Right nose peak",
    "Left mouth corner",
    "Upper lip outer middle",
    "Right mouth corner",
    "Upper lip inner middle",
    "Lower lip inner middle",
    "Lower lip outer middle",
    "Chin middle",
    "Ear lobe left",
    "Ear lobe right",
)
"""The points of Bosphorus (order "bosphorus24"); left and right are the subject's here."""

_BU83_COUNT = 83
_OTHER_SIDE = {"left": "right", "right": "left"}
_PRINTABLE = string.printable.encode()
_BINARY_KINDS = {_BU83_COUNT * 3 * width: f"<f{width}" for width in (4, 8)}


def read_bu83(path: Path) -> MeasuredLandmarks:
    """The 83 points of a Binghamton ``.bnd`` file, in its unit (mm).

    Text has a line ``vertex x y z`` per point. Some releases hold bare numbers instead: 83 x 3
    float32 or float64, little endian, known by the size of the file.

    Raises:
        FileFormatError: the file is missing, or is not 83 points.
    """
    points = _read(path, _text_or_binary).points
    if len(points) != _BU83_COUNT:
        raise FileFormatError(f"{path}: holds {len(points)} points, expected {_BU83_COUNT}")
    return MeasuredLandmarks("bu83", points)


def read_lm3(path: Path, left: Literal["viewer", "subject"] = "viewer") -> MeasuredLandmarks:
    """The points of a Bosphorus ``.lm3`` file in the order ``BOSPHORUS24``, in its unit (mm).

    A point that the file does not list (it was hidden) is a row of NaN. Names are compared
    without case or order of words; unknown ones are named in a warning and passed over.

    Args:
        path: of the file.
        left: whose left the file means. In the set itself it is the viewer's: along the grid of a
            scan, which runs to the right of its image, left names come first.

    Raises:
        FileFormatError: the file is missing, damaged, or names none of the points.
    """
    listed = _read(path, parse_lm3)
    rows = {_words(name): row for row, name in enumerate(BOSPHORUS24)}
    sides = _OTHER_SIDE if left == "viewer" else {}
    places = [rows.get(_words(label, sides), -1) for label in listed.labels]
    unknown = [name for name, row in zip(listed.labels, places, strict=True) if row < 0]
    if len(unknown) == len(listed.labels):
        raise FileFormatError(f"{path}: names none of the {len(BOSPHORUS24)} Bosphorus landmarks")
    if unknown:
        logger.warning("%s: unknown landmarks passed over: %s", path, ", ".join(unknown))
    points = np.full((len(BOSPHORUS24), 3), np.nan)
    for row, point in zip(places, listed.points, strict=True):
        if row >= 0:
            points[row] = point
    return MeasuredLandmarks("bosphorus24", points, BOSPHORUS24)


def _read(path: Path, parse: Callable[[bytes], PointList]) -> PointList:
    try:
        return parse(read_small(path))
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file") from error
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read ({error})") from error
    except ValueError as error:
        raise FileFormatError(f"{path}: not a list of landmarks ({error})") from error


def _text_or_binary(content: bytes) -> PointList:
    if not content.translate(None, _PRINTABLE):
        return parse_bnd(content)
    if len(content) not in _BINARY_KINDS:
        sizes = " or ".join(f"{size:,}" for size in _BINARY_KINDS)
        raise ValueError(
            f"neither text nor {_BU83_COUNT} binary points: {len(content):,} bytes, "
            f"expected {sizes}"
        )
    values = np.frombuffer(content, _BINARY_KINDS[len(content)]).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("some binary values are not finite")
    return PointList(values.reshape(-1, 3))


def _words(name: str, sides: Mapping[str, str] = MappingProxyType({})) -> frozenset[str]:
    words = name.lower().replace("_", " ").split()
    return frozenset(sides.get(word, word) for word in words)
