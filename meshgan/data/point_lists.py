"""Measured landmarks of one scan or picture: lists of points in 3D or 2D.

Own formats are .pts, .csv, .json and .npy; .npz, .bnd (BU-3DFE), .lm3 (Bosphorus) and .pp (MeshLab)
are read as well.
"""

import json
from pathlib import Path

import numpy as np
from jaxtyping import Float

from meshgan.data.npz import read_npz
from meshgan.data.point_formats import parse_bnd, parse_lm3, parse_pp, read_small
from meshgan.errors import FileFormatError, InputError, ShapeError
from meshgan.files import atomic_path, write_json, write_text

POINT_FORMATS = ("pts", "csv", "json", "npy")
READABLE_POINT_FORMATS = (*POINT_FORMATS, "bnd", "lm3", "pp", "npz")
_ARRAY_NAMES = ("points", "landmarks")


def check_points(
    points: Float[np.ndarray, "L C"], where: str, count: int | None = None
) -> Float[np.ndarray, "L C"]:
    """Refuse a point list of the wrong length or with values that are not finite.

    Args:
        points: (L, 3) or (L, 2), any unit.
        where: file or argument that messages name.
        count: expected L, if known.

    Raises:
        ShapeError: another number of points.
        InputError: a coordinate is not finite; all such points in one message.
    """
    if count is not None and len(points) != count:
        raise ShapeError(f"{where}: {len(points)} landmarks, expected {count}")
    bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(bad):
        raise InputError(f"{where}: landmarks {bad.tolist()} are not finite")
    return points


def read_points(
    path: Path | str, count: int | None = None, axes: int = 3, missing: bool = False
) -> Float[np.ndarray, "L C"]:
    """Read a point list: .pts, .csv, .json, .npy, .npz, .bnd, .lm3 or .pp, as float64.

    The points stand in the file's order; names in the file are passed over. JSON is a list of
    [x, y, z], or an object with exactly one such list (``points``, ``landmarks``, ...) or of
    names with [x, y, z] each. CSV may have a header line and a first column of names. NPZ holds
    one array, or one named ``points`` or ``landmarks``. The unit is the file's own.

    Args:
        path: its suffix names the format.
        count: expected number of points, if known.
        axes: C: 3, or 2 for points in a picture, where a third number of a file (a detector's
            depth) is passed over.
        missing: let points through that are not finite.

    Raises:
        FileFormatError: missing, not of that format, or not C numbers per point.
        InputError: wrong count or not finite.
    """
    path = Path(path)
    kind = path.suffix[1:].lower()
    if kind not in READABLE_POINT_FORMATS:
        known = ", ".join(READABLE_POINT_FORMATS)
        raise FileFormatError(f"{path}: unknown point format; known are {known}")
    number = {2: "two", 3: "three"}[axes]
    try:
        points = _POINT_READERS[kind](path)
    except FileFormatError:
        raise
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file") from error
    except (OSError, ValueError, TypeError, EOFError, SyntaxError) as error:
        raise FileFormatError(f"{path}: not {number} numbers per point ({error})") from error
    if points.ndim == 2 and axes == 2 and points.shape[1] == 3:
        points = points[:, :2]
    if points.ndim != 2 or points.shape[1] != axes or not len(points):
        raise FileFormatError(f"{path}: holds an array {points.shape}, expected (L, {axes})")
    if missing and (count is None or len(points) == count):
        return points
    return check_points(points, str(path), count)


def write_points(path: Path | str, points: Float[np.ndarray, "L 3"]) -> None:
    """Write a point list as .pts, .csv, .json or .npy; reading gives the same numbers."""
    path = Path(path)
    rows = points.astype(np.float64).tolist()
    match path.suffix[1:].lower():
        case "pts":
            lines = ["version: 1", f"n_points: {len(rows)}", "{"]
            lines += [" ".join(map(repr, row)) for row in rows]
            write_text(path, "\n".join([*lines, "}", ""]))
        case "csv":
            write_text(path, "\n".join(["x,y,z", *(",".join(map(repr, row)) for row in rows), ""]))
        case "json":
            write_json(path, {"points": rows})
        case "npy":
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.save(file, points, allow_pickle=False)
        case _:
            raise InputError(f"{path}: unknown point format; use {', '.join(POINT_FORMATS)}")


def _read_pts(path: Path) -> np.ndarray:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    if "{" in lines:
        stop = lines.index("}") if "}" in lines else None
        if stop is None:
            raise ValueError("no closing brace")
        announced = [line.split(":")[1] for line in lines if line.startswith("n_points")]
        lines = lines[lines.index("{") + 1 : stop]
        points = _rows([line.split() for line in lines if line])
        if announced and int(announced[0]) != len(points):
            raise ValueError(f"announces {announced[0].strip()} points but has {len(points)}")
        return points
    return _rows([line.split() for line in lines if line and not line.startswith("#")])


def _read_csv(path: Path) -> np.ndarray:
    text = path.read_text(encoding="utf-8-sig").replace(";", ",")
    lines = [line for line in text.splitlines() if line.strip()]
    rows = [[cell.strip() for cell in line.split(",")] for line in lines]
    if rows and not _is_number(rows[0][-1]):
        rows = rows[1:]
    named = any(row and not _is_number(row[0]) for row in rows)
    return _rows([row[1:] if named or len(row) == 4 else row for row in rows])


def _read_json(path: Path) -> np.ndarray:
    value = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(value, dict):
        lists = [item for item in value.values() if isinstance(item, list)]
        nested = [item for item in lists if item and isinstance(item[0], list)]
        if len(nested) == 1:
            value = nested[0]
        elif lists and len(lists) == len(value):
            value = lists
        else:
            raise ValueError("expected one list of points")
    return np.array(value, dtype=np.float64)


def _read_npy(path: Path) -> np.ndarray:
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(mapped, np.ndarray) or mapped.dtype.kind not in "fiu":
        raise ValueError("not an array of numbers")
    return np.array(mapped, dtype=np.float64)


def _read_npz(path: Path) -> np.ndarray:
    arrays = read_npz(path)
    named = [name for name in _ARRAY_NAMES if name in arrays]
    chosen = named[:1] or list(arrays)
    if len(chosen) != 1:
        raise ValueError(f"holds {', '.join(arrays) or 'nothing'}; name one of them points")
    if arrays[chosen[0]].dtype.kind not in "fiu":
        raise ValueError("not an array of numbers")
    return arrays[chosen[0]].astype(np.float64)


def _rows(rows: list[list[str]]) -> np.ndarray:
    width = 2 if rows and len(rows[0]) == 2 else 3
    for number, row in enumerate(rows):
        if len(row) != width:
            raise ValueError(f"point {number} has {len(row)} values")
    return np.array(rows, dtype=np.float64).reshape(-1, width)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


_POINT_READERS = {
    "pts": _read_pts,
    "csv": _read_csv,
    "json": _read_json,
    "npy": _read_npy,
    "npz": _read_npz,
    "bnd": lambda path: parse_bnd(read_small(path)).points,
    "lm3": lambda path: parse_lm3(read_small(path)).points,
    "pp": lambda path: parse_pp(read_small(path)).points,
}
