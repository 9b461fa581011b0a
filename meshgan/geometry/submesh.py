"""A part of a mesh: the largest piece, the front of a head."""

import igl
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse.csgraph import connected_components

from meshgan.arrays import Faces, VertexIds, Vertices
from meshgan.geometry.holes import outlines
from meshgan.geometry.operators import face_areas
from meshgan.geometry.topology import vertex_adjacency


def faces_within(faces: Faces, keep: Bool[np.ndarray, " V"]) -> Int[np.ndarray, "K 3"]:
    """The triangles whose three corners are kept, by their old vertex ids."""
    return faces[keep[faces].all(axis=1)]


def largest_piece(vertices: Vertices, faces: Faces) -> VertexIds:
    """Vertices of the connected piece with the largest surface, ascending; none without faces."""
    return np.flatnonzero(_largest(vertices, faces))


def front_of_head(
    vertices: Vertices,
    faces: Faces,
    centre: Float[np.ndarray, "3"],
    radius: float,
    mirror: Int[np.ndarray, " V"] | None = None,
) -> Int[np.ndarray, " K"]:
    """Faces near a point, such that they can be laid out in a square.

    Of the faces within the radius, the largest piece stays. Its outline is then smoothed: a
    triangle with all corners on the outline could collapse on a side of the square, so its corner
    with the fewest triangles goes; and so does a vertex at which two parts merely touch.

    Args:
        vertices: positions (V, 3), mm.
        faces: triangles (F, 3).
        centre: usually the tip of the nose, mm.
        radius: mm.
        mirror: (V,) left-right partners; a vertex stays only if its partner does.

    Returns:
        Ascending face ids; none if nothing is left.
    """
    points = np.asarray(vertices, dtype=np.float64)
    keep = np.linalg.norm(points - centre, axis=1) <= radius
    while True:
        before = int(keep.sum())
        keep = _largest(points, faces_within(faces, keep))
        if mirror is not None:
            keep &= keep[mirror]
        left = faces_within(faces, keep)
        if len(left):
            keep[_in_the_way(points, left)] = False
        if int(keep.sum()) == before:
            return np.flatnonzero(keep[faces].all(axis=1))


def _largest(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """True for the vertices of the piece with the largest surface."""
    count = len(vertices)
    if not len(faces):
        return np.zeros(count, dtype=bool)
    _, piece = connected_components(vertex_adjacency(count, faces), directed=False)
    surface = np.bincount(piece[faces[:, 0]], face_areas(vertices, faces), minlength=count)
    used = np.zeros(count, dtype=bool)
    used[faces.ravel()] = True
    return used & (piece == surface.argmax())


def _in_the_way(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Vertices that keep the outline from being laid on the sides of a square."""
    used, compact = np.unique(faces, return_inverse=True)
    compact = compact.reshape(-1, 3)
    touching = used[~np.asarray(igl.is_vertex_manifold(compact), dtype=bool).ravel()]
    if len(touching):
        return touching
    loops = outlines(vertices, faces)
    on_outline = np.zeros(len(vertices), dtype=bool)
    if loops:
        on_outline[loops[0]] = True
    flat = faces[on_outline[faces].all(axis=1)]
    count = np.bincount(faces.ravel(), minlength=len(vertices))[flat]
    return np.unique(flat[count == count.min(axis=1, keepdims=True)])
