"""Loop subdivision as a sparse matrix, so that a whole basis subdivides with one product."""

import numpy as np
from jaxtyping import Int
from scipy import sparse

from meshgan.arrays import Faces
from meshgan.errors import InputError
from meshgan.geometry.topology import half_edges, vertex_adjacency


def loop_matrix(
    vertex_count: int, faces: Faces
) -> tuple[sparse.csr_matrix, Int[np.ndarray, "4*F 3"]]:
    """One Loop step: each triangle becomes four, positions are smoothed.

    The old vertices keep their ids; edge e gets the new vertex V + e, edges in ascending order.
    The boundary becomes the cubic B-spline of the old boundary, whatever lies inside.

    Args:
        vertex_count: V.
        faces: triangles (F, 3) of an oriented edge-manifold mesh.

    Returns:
        Matrix (V + E, V), rows sum to 1; new faces (4F, 3), four blocks: the three corners'
        triangles in the order of the old corners, then the middle ones.

    Raises:
        InputError: an edge belongs to more than two faces.

    Source: Loop 1987, masks of Sec. 3; boundary masks of Hoppe et al. 1994, Sec. 3.
    Differs: the even-vertex weight is 3/(8 n), 3/16 for valence 3 (Warren), without cosines.
    """
    edges, edge_of_side, sharing = _edges_with_sides(faces)
    if (sharing > 2).any():
        raise InputError(
            f"subdivision: {int((sharing > 2).sum()):,} edges belong to more than two faces; "
            "repair the mesh first"
        )
    blocks = [
        _new_vertex_rows(vertex_count, faces, edges, edge_of_side, sharing == 1),
        _old_vertex_rows(vertex_count, faces, edges[sharing == 1]),
    ]
    rows, columns, weights = (np.concatenate(part) for part in zip(*blocks, strict=True))
    shape = (vertex_count + len(edges), vertex_count)
    matrix = sparse.csr_matrix((weights, (rows, columns)), shape=shape)
    return matrix, _quartered(faces, vertex_count + edge_of_side)


def _edges_with_sides(
    faces: Faces,
) -> tuple[Int[np.ndarray, "E 2"], Int[np.ndarray, "3 F"], Int[np.ndarray, " E"]]:
    """Edges, the edge of every triangle side (01, 12, 20), and how many sides share each edge."""
    sides = np.sort(half_edges(faces), axis=1)
    edges, edge_of_side, sharing = np.unique(sides, axis=0, return_inverse=True, return_counts=True)
    return edges, edge_of_side.reshape(3, len(faces)), sharing


def _new_vertex_rows(vertex_count, faces, edges, edge_of_side, is_boundary):
    """3/8 of both ends and 1/8 of both opposite corners; the middle of a boundary edge."""
    ids = vertex_count + np.arange(len(edges))
    end_weight = np.where(is_boundary, 1 / 2, 3 / 8)
    side = edge_of_side.ravel()
    opposite = faces[:, [2, 0, 1]].T.ravel()
    inside = ~is_boundary[side]
    rows = np.concatenate([ids, ids, vertex_count + side[inside]])
    columns = np.concatenate([edges[:, 0], edges[:, 1], opposite[inside]])
    weights = np.concatenate([end_weight, end_weight, np.full(int(inside.sum()), 1 / 8)])
    return rows, columns, weights


def _old_vertex_rows(vertex_count, faces, boundary_edges):
    """1 - n beta of itself and beta of its n neighbours; 3/4 and 1/8 along the boundary."""
    on_boundary = np.zeros(vertex_count, dtype=bool)
    on_boundary[boundary_edges.ravel()] = True
    adjacency = vertex_adjacency(vertex_count, faces)
    valence = np.diff(adjacency.indptr)
    beta = np.where(valence == 3, 3 / 16, 3 / (8 * np.maximum(valence, 1)))
    row, column = adjacency.nonzero()
    row, column = row[~on_boundary[row]], column[~on_boundary[row]]
    inner, outer = np.flatnonzero(~on_boundary), np.flatnonzero(on_boundary)
    first, second = boundary_edges.T
    along = np.full(len(first), 1 / 8)
    rows = np.concatenate([row, inner, outer, first, second])
    columns = np.concatenate([column, inner, outer, second, first])
    weights = np.concatenate(
        [beta[row], 1 - (valence * beta)[inner], np.full(len(outer), 3 / 4), along, along]
    )
    return rows, columns, weights


def _quartered(faces: Faces, middle: Int[np.ndarray, "3 F"]) -> Int[np.ndarray, "4*F 3"]:
    a, b, c = faces.T
    ab, bc, ca = middle
    corners = [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
    return np.concatenate([np.stack(corner, axis=1) for corner in corners]).astype(np.int64)
