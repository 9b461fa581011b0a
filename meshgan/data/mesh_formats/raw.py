"""What a format reader gives: arrays as the file has them, its own unit, quads already split."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


class BadMesh(Exception):
    """Why a file cannot be read; ``read_mesh`` adds its name and raises FileFormatError."""


@dataclass(frozen=True, eq=False)
class RawMesh:
    """Arrays of a mesh file, not yet checked and in the file's own unit.

    Args:
        vertices: (V, 3), float64 or float32.
        faces: triangles (F, 3), int64; ids may still be out of range.
        uv: one texture coordinate per vertex (V, 2), or None.
    """

    vertices: Float[np.ndarray, "V 3"]
    faces: Int[np.ndarray, "F 3"]
    uv: Float[np.ndarray, "V 2"] | None = None


def split_polygons(
    counts: Int[np.ndarray, " P"], corners: Int[np.ndarray, " C"]
) -> Int[np.ndarray, "F 3"]:
    """Triangles of polygons, each as a fan from its first corner, in the order of the polygons.

    A quad (a, b, c, d) becomes (a, b, c), (a, c, d).

    Args:
        counts: corners of each of P polygons.
        corners: their vertex ids, one polygon after the other.

    Raises:
        BadMesh: a polygon has fewer than three corners.
    """
    if len(counts) and counts.min() < 3:
        first = int(np.argmax(counts < 3))
        raise BadMesh(f"face {first:,} has {int(counts[first])} corners, expected 3 or more")
    triangles = counts - 2
    starts = np.cumsum(counts) - counts
    polygon = np.repeat(np.arange(len(counts)), triangles)
    step = np.arange(len(polygon)) - np.repeat(np.cumsum(triangles) - triangles, triangles)
    first = starts[polygon]
    return corners[np.stack([first, first + step + 1, first + step + 2], axis=1)]


def numbers(rows: list[list[bytes]], what: str) -> Float[np.ndarray, "rows columns"]:
    """Parse text numbers, each row as long as the first; exact to the last bit.

    Raises:
        BadMesh: a row has another length or something that is not a number.
    """
    if not rows:
        return np.empty((0, 0))
    width = len(rows[0])
    for number, row in enumerate(rows):
        if len(row) != width:
            raise BadMesh(f"{what} {number:,} has {len(row)} numbers, expected {width}")
    try:
        values = np.array([token for row in rows for token in row]).astype(np.float64)
    except ValueError as error:
        raise BadMesh(f"a {what} is not made of numbers ({error})") from error
    return values.reshape(-1, width)


def integers(tokens: list[bytes], what: str) -> Int[np.ndarray, " T"]:
    """Parse text integers.

    Raises:
        BadMesh: one is not an integer, or does not fit 64 bits.
    """
    try:
        return np.array([int(token) for token in tokens], dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise BadMesh(f"a {what} is not a whole number ({error})") from error


def exact_text(vertices: Float[np.ndarray, "V C"]) -> list[str]:
    """Rows of numbers as text that reads back to the same bits."""
    return [" ".join(map(repr, row)) for row in vertices.tolist()]


def smallest_exact(values: np.ndarray) -> np.ndarray:
    """``values`` as float32 if that loses nothing, else as float64."""
    narrow = values.astype(np.float32)
    return narrow if np.array_equal(narrow, values) else values.astype(np.float64)
