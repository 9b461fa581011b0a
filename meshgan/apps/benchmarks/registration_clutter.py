"""What stands around a face in a scan, and what is missing from it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from meshgan.arrays import Faces, Vertices

Part = tuple[np.ndarray, np.ndarray]  # vertices (V, 3) in mm, triangles (F, 3)


def random_rotation(rng: np.random.Generator) -> Float[np.ndarray, "3 3"]:
    """A rotation matrix, uniform over all of SO(3)."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else q * [1, 1, -1]


def ellipsoid(
    middle: Float[np.ndarray, " 3"],
    offset: Float[np.ndarray, " 3"] | Sequence[float | int],
    radii: Float[np.ndarray, " 3"] | Sequence[float | int],
    rng: np.random.Generator | None = None,
    bumps_mm: float = 0.0,
    rows: int = 40,
) -> Part:
    """A closed ellipsoid at ``middle + offset``, bumpy like hair if ``rng`` is given; mm."""
    latitude = np.linspace(0, np.pi, rows + 2)[1:-1]
    longitude = np.linspace(0, 2 * np.pi, 2 * rows, endpoint=False)
    a, b = np.meshgrid(latitude, longitude, indexing="ij")
    unit = np.stack([np.sin(a) * np.sin(b), np.cos(a), np.sin(a) * np.cos(b)], axis=-1)
    unit = unit.reshape(-1, 3)
    points = unit * radii
    if rng is not None:
        points = points + unit * bumps_mm * rng.normal(size=(len(unit), 1))
    columns = 2 * rows
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij")
    here, right = row * columns + column, row * columns + (column + 1) % columns
    quads = np.stack([here, here + columns, right + columns, right], axis=-1).reshape(-1, 4)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return points + middle + np.asarray(offset), faces.astype(np.int64)


def wall(
    middle: Float[np.ndarray, " 3"],
    offset: Sequence[float | int],
    size_mm: float | int,
    rows: int = 40,
) -> Part:
    """A flat square at ``middle + offset`` that faces +z."""
    line = np.linspace(-size_mm / 2, size_mm / 2, rows)
    x, y = np.meshgrid(line, line)
    points = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1) + middle + np.asarray(offset)
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(rows - 1), indexing="ij")
    here = row * rows + column
    quads = np.stack([here, here + 1, here + rows + 1, here + rows], axis=-1).reshape(-1, 4)
    return points, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int64)


def clutter_around(face: Vertices, rng: np.random.Generator) -> list[Part]:
    """Back of the head with hair, ears, neck, shoulders, and at times a wall or a ball.

    Args:
        face: (V, 3), mm, looking along +z.
        rng: decides what stands there.
    """
    middle = (face.min(axis=0) + face.max(axis=0)) / 2
    solid = [
        ellipsoid(middle, [0, 45, -70], [85, 118, 98], rng, rng.uniform(0, 3)),
        ellipsoid(middle, [0, -150, -75], [55, 90, 55]),
        ellipsoid(middle, [0, -270, -85], [rng.uniform(180, 240), 75, 90], rng, 1.0),
        ellipsoid(middle, [92, 10, -75], [8, 30, 18]),
        ellipsoid(middle, [-92, 10, -75], [8, 30, 18]),
    ]
    parts = [_outside(part, face) for part in solid]
    if rng.random() < 0.5:
        parts.append(wall(middle, [0, 0, -220], 600))
    if rng.random() < 0.3:
        parts.append(ellipsoid(middle + 40 * rng.normal(size=3), [220, 0, 0], [60, 60, 60]))
    return parts


def _outside(part: Part, face: Float[np.ndarray, "N 3"]) -> Part:
    """What a scanner would see of it: nothing in or right behind the face."""
    points, faces = part
    distance, _ = cKDTree(face).query(points)
    low, high = face.min(axis=0), face.max(axis=0)
    inside = ((points > low + 10) & (points < high))[:, :2].all(axis=1) & (points[:, 2] < high[2])
    inside &= (points[:, 2] > low[2] - 60) | (distance < 30)
    keep = ~(inside & (points[:, 2] > low[2] - 100))
    return points, faces[keep[faces].all(axis=1)]


def facing(points: Vertices, faces: Faces, view: Float[np.ndarray, " 3"]) -> Int[np.ndarray, "K 3"]:
    """The triangles that face a viewer who stands far away in the direction ``view`` (unit)."""
    corners = points[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return faces[normals @ view > 0.15 * np.linalg.norm(normals, axis=1)]
