"""Bosphorus .bnt: a grid of measured points, as a structured-light scanner gives them."""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from meshgan.arrays import Faces, Vertices
from meshgan.errors import FileFormatError

LONGEST_EDGE = 6.0
_HEADER = struct.Struct("<HHdH")  # rows, columns, depth of the background, length of the name
_COUNT = struct.Struct("<I")
_COLUMNS = 5  # x, y, z, u, v


@dataclass(frozen=True, eq=False)
class PointGrid:
    """Measured points on a grid; row 0 is the lowest, column 0 the leftmost of the image.

    Args:
        points: (rows, columns, 3), the file's unit (mm); anything where not ``measured``.
        measured: (rows, columns), False on the background.
        image: name of the picture taken with it.
    """

    points: Float[np.ndarray, "rows columns 3"]
    measured: Bool[np.ndarray, "rows columns"]
    image: str = ""


def read_bnt(path: Path) -> PointGrid:
    """Read a ``.bnt`` file; the size of the file must be what its header announces.

    Raises:
        FileFormatError: the file is missing, empty, cut short, or its header contradicts itself.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(_HEADER.size)
            if len(head) < _HEADER.size:
                raise FileFormatError(f"{path}: {size} bytes are too few for the header of a .bnt")
            rows, columns, background, name_length = _HEADER.unpack(head)
            name = file.read(name_length)
            count_bytes = file.read(_COUNT.size)
            count = _COUNT.unpack(count_bytes)[0] if len(count_bytes) == _COUNT.size else -1
            _check_header(path, rows, columns, count)
            expected = file.tell() + 8 * count
            if size != expected:
                raise FileFormatError(
                    f"{path}: {size:,} bytes, but its header announces {rows} x {columns} points, "
                    f"which is {expected:,} bytes"
                )
            content = file.read()
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file") from error
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read ({error})") from error
    values = np.frombuffer(content, "<f8").astype(np.float64)
    points = values.reshape(_COLUMNS, rows, columns)[:3].transpose(1, 2, 0)
    measured = (points[:, :, 2] != background) & np.isfinite(points).all(axis=2)
    return PointGrid(points, measured, name.decode("latin-1").strip("\0 "))


def grid_mesh(grid: PointGrid, longest_edge: float = LONGEST_EDGE) -> tuple[Vertices, Faces]:
    """Triangles between neighbouring points, seen from the side of the scanner.

    Four points of a cell give two triangles along the shorter diagonal, three give one. A triangle
    with an edge over ``longest_edge`` times the median distance of neighbours would bridge a step
    in depth and is left out; so are points in no triangle. The rest keep the order of the grid.

    Args:
        grid: points with z towards the viewer; the triangles are counter-clockwise from there,
            whichever way rows and columns run.
        longest_edge: in medians.

    Returns:
        vertices (V, 3) and faces (F, 3); both empty if there are no neighbours.
    """
    ids = np.where(grid.measured, np.arange(grid.measured.size).reshape(grid.measured.shape), -1)
    points = np.where(grid.measured[..., None], grid.points, 0).reshape(-1, 3)
    faces = _triangles(ids, points)
    edges = _distance(points, faces, np.roll(faces, 1, axis=1))
    faces = faces[(edges <= longest_edge * _median_step(ids, points)).all(axis=1)]
    used, faces = np.unique(faces, return_inverse=True)
    vertices, faces = points[used], faces.reshape(-1, 3).astype(np.int64)
    return vertices, faces if _signed_area(vertices[faces]) >= 0 else faces[:, ::-1].copy()


def _check_header(path: Path, rows: int, columns: int, count: int) -> None:
    if count < 0:
        raise FileFormatError(f"{path}: cut short inside the header")
    if rows * columns == 0 or count != rows * columns * _COLUMNS:
        raise FileFormatError(
            f"{path}: announces {rows} x {columns} points but {count:,} values, expected "
            f"{_COLUMNS} per point"
        )


def _triangles(ids: np.ndarray, points: np.ndarray) -> Faces:
    """Two triangles per cell, those with a missing corner left out."""
    a, b, c, d = ids[:-1, :-1], ids[:-1, 1:], ids[1:, 1:], ids[1:, :-1]  # around the cell
    missing = [(corner < 0) for corner in (a, b, c, d)]
    shorter_bd = _distance(points, b, d) < _distance(points, a, c)
    along_bd = np.where(missing[0] | missing[2], True, shorter_bd & ~missing[1] & ~missing[3])
    along_bd = along_bd[..., None, None]
    split_bd = np.stack([np.stack([a, b, d], axis=-1), np.stack([b, c, d], axis=-1)], axis=-2)
    split_ac = np.stack([np.stack([a, b, c], axis=-1), np.stack([a, c, d], axis=-1)], axis=-2)
    faces = np.where(along_bd, split_bd, split_ac).reshape(-1, 3)
    return faces[(faces >= 0).all(axis=1)].astype(np.int64)


def _median_step(ids: np.ndarray, points: np.ndarray) -> float:
    pairs = [(ids[:, :-1], ids[:, 1:]), (ids[:-1], ids[1:])]
    steps = [_distance(points, a, b)[(a >= 0) & (b >= 0)] for a, b in pairs]
    together = np.concatenate(steps)
    return float(np.median(together)) if len(together) else 0.0


def _distance(points: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):  # a damaged file may hold any number
        return np.linalg.norm(points[a] - points[b], axis=-1)


def _signed_area(corners: np.ndarray) -> float:
    """Sum over the triangles (F, 3, 3) of twice the area as seen along z."""
    with np.errstate(over="ignore", invalid="ignore"):
        ab, ac = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        return float((ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]).sum())
