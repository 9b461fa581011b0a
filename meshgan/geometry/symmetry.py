"""Finding the left-right map of a mesh from its shape."""

import numpy as np
from scipy.spatial import cKDTree

from meshgan.arrays import Faces, VertexIds, Vertices


def find_mirror(vertices: Vertices, faces: Faces, tolerance: float = 1e-3) -> VertexIds | None:
    """The vertex that lies where each vertex would be after a reflection left to right.

    Args:
        vertices: positions (V, 3); the mirror plane is normal to x, through the middle.
        faces: triangles (F, 3); the reflection must take triangles to triangles.
        tolerance: how far off a partner may be, as a share of the mesh's extent.

    Returns:
        (V,), its own inverse; None if the mesh is not symmetric.
    """
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    reflected = vertices.copy()
    reflected[:, 0] = low[0] + high[0] - vertices[:, 0]
    distance, partner = cKDTree(vertices).query(reflected)
    ids = np.arange(len(vertices))
    if distance.max() > tolerance * (high - low).max() or (partner[partner] != ids).any():
        return None
    if _as_set(partner[faces][:, ::-1]) != _as_set(faces):
        return None
    return partner.astype(np.int64)


def _as_set(faces: Faces) -> set[tuple[int, ...]]:
    """Oriented triangles, wherever each begins."""
    start = faces.argmin(axis=1)
    turned = np.take_along_axis(faces, (start[:, None] + np.arange(3)) % 3, axis=1)
    return set(map(tuple, turned.tolist()))
