"""Cleaning of raw triangles: what is not finite, doubled or without area."""

import numpy as np
from jaxtyping import Float, Int

from meshgan.arrays import Faces, Vertices
from meshgan.errors import InputError

NO_AREA = 1e-7  # twice the area of a triangle, relative to the square of the median side
HASH = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)


def merge_duplicates(
    vertices: Vertices, faces: Faces, notes: list[str]
) -> tuple[Float[np.ndarray, "W 3"], Int[np.ndarray, "G 3"], Int[np.ndarray, " W"]]:
    """Drop vertices that are not finite, then make one of vertices at exactly one place.

    Args:
        vertices: (V, 3), float64.
        faces: (F, 3); those of a dropped vertex go with it.
        notes: gets a sentence for each kind of change.

    Returns:
        Vertices (W, 3), faces (G, 3) over them, and the id that each vertex had.

    Raises:
        InputError: a face names a vertex that does not exist.
    """
    if len(faces) and not (0 <= faces.min() and faces.max() < len(vertices)):
        worst = int(faces.max() if faces.max() >= len(vertices) else faces.min())
        raise InputError(f"scan: a face names vertex {worst:,}, but there are {len(vertices):,}")
    finite = np.asarray(np.isfinite(vertices).all(axis=1))
    if not finite.all():
        notes.append(f"{int((~finite).sum()):,} of {len(vertices):,} vertices were not finite")
        faces = faces[finite[faces].all(axis=1)]
    ids = np.flatnonzero(finite)
    places = vertices[ids] + 0.0  # -0 and 0 are one place
    bits = np.ascontiguousarray(places).view(np.uint64).reshape(-1, 3)
    _, first, merged = np.unique(_mixed(bits), return_index=True, return_inverse=True)
    if len(first) == len(ids):
        position = np.cumsum(finite) - 1
        return places, position[faces], ids
    notes.append(f"{len(ids) - len(first):,} vertices were doubles of others")
    position = np.zeros(len(vertices), dtype=np.int64)
    position[ids] = merged
    return places[first], position[faces], ids[first]


def drop_useless_faces(
    vertices: Vertices, faces: Faces, ids: Int[np.ndarray, " V"], notes: list[str]
) -> tuple[Float[np.ndarray, "W 3"], Int[np.ndarray, "G 3"], Int[np.ndarray, " W"]]:
    """Drop triangles without area and doubled ones, then vertices that no triangle uses.

    Returns:
        Vertices (W, 3), faces (G, 3) over them, and their ``ids``.
    """
    area = np.linalg.norm(_area_vectors(vertices, faces), axis=1)
    sides = np.linalg.norm(vertices[faces[:, 0]] - vertices[faces[:, 1]], axis=1)
    flat = ~(area > NO_AREA * np.median(sides[sides > 0]) ** 2) if sides.any() else area >= 0
    if flat.any():
        notes.append(f"{int(flat.sum()):,} of {len(faces):,} triangles had no area")
        faces = faces[~flat]
    ordered = np.sort(faces, axis=1).astype(np.uint64)
    _, first = np.unique(_mixed(ordered), return_index=True)
    if len(first) < len(faces):
        notes.append(f"{len(faces) - len(first):,} triangles were doubles of others")
        faces = faces[np.sort(first)]
    used = np.zeros(len(vertices), dtype=bool)
    used[faces] = True
    position = np.cumsum(used) - 1
    return vertices[used], position[faces], ids[used]


def normals_and_areas(
    vertices: Vertices, faces: Faces
) -> tuple[Float[np.ndarray, "V 3"], Float[np.ndarray, " V"]]:
    """Area-weighted unit normals (V, 3) and a third of the surface around each vertex (V,)."""
    vectors = _area_vectors(vertices, faces)
    corner = faces.ravel()
    normals = np.stack(
        [np.bincount(corner, np.repeat(vectors[:, axis], 3), len(vertices)) for axis in range(3)],
        axis=1,
    )
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    doubled = np.repeat(np.linalg.norm(vectors, axis=1), 3)
    areas = np.bincount(corner, doubled, len(vertices)) / 6
    return normals / np.maximum(lengths, 1e-300), areas


def _area_vectors(vertices: Vertices, faces: Faces) -> Float[np.ndarray, "F 3"]:
    first, second, third = (vertices[faces[:, corner]] for corner in range(3))
    return np.cross(second - first, third - first)


def _mixed(rows: np.ndarray) -> np.ndarray:
    """One number per row of three: far quicker to sort than rows; doubles by chance: 1e-9."""
    mixed = np.zeros(len(rows), dtype=np.uint64)
    for column in range(3):
        part = rows[:, column] * HASH[column]
        part ^= part >> np.uint64(29)
        mixed = (mixed ^ part) * HASH[(column + 1) % 3]
        mixed ^= mixed >> np.uint64(32)
    return mixed
