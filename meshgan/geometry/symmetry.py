"""Finding the left-right map of a mesh from its shape."""

from itertools import pairwise

import numpy as np
from scipy.spatial import cKDTree

from meshgan.arrays import Faces, VertexIds, Vertices

Triangle = tuple[int, int, int]


def find_mirror(vertices: Vertices, faces: Faces, tolerance: float = 1e-3) -> VertexIds | None:
    """The vertex that lies where each vertex would be after a reflection left to right.

    Triangles go to triangles, or to the same quad cut along its other diagonal: meshes of quads
    are often cut one way on both sides of the face.

    Args:
        vertices: positions (V, 3); the mirror plane is normal to x, through the middle.
        faces: triangles (F, 3), oriented.
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
    if not _same_quads(faces, partner):
        return None
    return partner.astype(np.int64)


def _same_quads(faces: Faces, mirror: np.ndarray) -> bool:
    """Whether the reflection differs in nothing but the diagonals of quads."""
    reflected, own = _as_set(mirror[faces][:, ::-1]), _as_set(faces)
    left, wanted = own - reflected, reflected - own
    corner_opposite = {
        (start, end): opposite
        for face in left
        for (start, end), opposite in zip(_edges(face), (face[2], face[0], face[1]), strict=True)
    }
    for face in sorted(left):
        for a, c in _edges(face):
            b, d = corner_opposite[a, c], corner_opposite.get((c, a))
            if face not in left or d is None:
                continue
            pair = {_turned((a, c, b)), _turned((c, a, d))}  # the quad a, d, c, b cut along a, c
            cut_along_bd = {_turned((a, d, b)), _turned((d, c, b))}
            if pair <= left and cut_along_bd <= wanted:
                left -= pair
                wanted -= cut_along_bd
    return not left and not wanted


def _edges(face: Triangle) -> list[tuple[int, int]]:
    return list(pairwise((*face, face[0])))


def _turned(face: Triangle) -> Triangle:
    """The same oriented triangle, its smallest id first."""
    start = face.index(min(face))
    return face[start], face[(start + 1) % 3], face[(start + 2) % 3]


def _as_set(faces: Faces) -> set[Triangle]:
    """Oriented triangles, wherever each begins."""
    return {_turned((a, b, c)) for a, b, c in faces.tolist()}
