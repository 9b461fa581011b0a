"""Discrete differential operators as sparse matrices, float64.

All Laplacians here have a positive diagonal, rows that sum to zero, and are positive semi-definite
(the mean-value one, not symmetric, shares the sign): ``x^T L x`` is a Dirichlet energy.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy import sparse

from meshgan.arrays import Faces, Vertices
from meshgan.errors import InputError
from meshgan.geometry.topology import vertex_adjacency

FLATTEST = 1e-10  # smallest double area over squared edge lengths: keeps cotangents finite


def cotangent_laplacian(vertices: Vertices, faces: Faces) -> sparse.csr_matrix:
    """Cotangent Laplacian (V, V): off-diagonal -(cot a + cot b) / 2, a and b opposite the edge.

    Independent of the unit: cotangents have none. ``L x = 0`` at inner vertices of a plane mesh
    for any linear x. Triangles without area count as very flat ones.

    Source: Pinkall & Polthier 1993, Sec. 2.
    """
    halves = 0.5 * _corner_cotangents(vertices, faces)
    rows = faces[:, [1, 2, 0]].ravel()
    columns = faces[:, [2, 0, 1]].ravel()
    weights = _edge_matrix(len(vertices), rows, columns, halves.ravel())
    return _laplacian(weights + weights.T)


def uniform_laplacian(vertex_count: int, faces: Faces) -> sparse.csr_matrix:
    """Graph Laplacian (V, V): degree on the diagonal, -1 per edge.

    Source: Tutte 1963 (its harmonic maps into a convex outline never flip a triangle).
    """
    return _laplacian(vertex_adjacency(vertex_count, faces))


def mean_value_laplacian(vertices: Vertices, faces: Faces) -> sparse.csr_matrix:
    """Mean-value Laplacian (V, V), 1/mm; positive weights, not symmetric.

    Row i holds -(tan(a/2) + tan(b/2)) / |e| for the edge e = (i, j), with a and b the angles at i
    on its two sides. Positive weights: a harmonic map into a convex outline cannot flip.

    Source: Floater 2003, "Mean value coordinates", Eq. 2.
    """
    points = np.asarray(vertices, dtype=np.float64)[faces]
    rows, columns, values = [], [], []
    for k in range(3):
        here, after, before = k, (k + 1) % 3, (k + 2) % 3
        forward, backward = points[:, after] - points[:, here], points[:, before] - points[:, here]
        forward_length, backward_length = _lengths(forward), _lengths(backward)
        # tan(a/2) = (1 - cos a) / sin a, written with the cross product to stay exact when flat
        double_area = _lengths(np.cross(forward, backward))
        inner = (forward * backward).sum(axis=1)
        tangent = double_area / np.maximum(forward_length * backward_length + inner, 1e-300)
        for target, length in ((after, forward_length), (before, backward_length)):
            rows.append(faces[:, here])
            columns.append(faces[:, target])
            values.append(tangent / np.maximum(length, 1e-300))
    joined = (np.concatenate(part) for part in (rows, columns, values))
    return _laplacian(_edge_matrix(len(vertices), *joined))


def mass_matrix(
    vertices: Vertices, faces: Faces, kind: Literal["voronoi", "barycentric"] = "voronoi"
) -> sparse.csr_matrix:
    """Diagonal (V, V) matrix of the area that belongs to each vertex, mm^2; sums to the surface.

    Args:
        vertices: positions (V, 3), mm.
        faces: vertex ids (F, 3).
        kind: "voronoi" (mixed cells: obtuse triangles give half to the obtuse corner, a quarter to
            the others) or "barycentric" (a third each).

    Raises:
        InputError: ``kind`` is neither.

    Source: Meyer, Desbrun, Schröder, Barr 2003, Sec. 3.3 (voronoi).
    """
    areas = face_areas(vertices, faces)
    if kind == "barycentric":
        shares = np.repeat(areas[:, None] / 3, 3, axis=1)
    elif kind == "voronoi":
        shares = _mixed_voronoi_shares(vertices, faces, areas)
    else:
        raise InputError(f'mass_matrix: kind is "{kind}", expected "voronoi" or "barycentric"')
    masses = np.bincount(faces.ravel(), weights=shares.ravel(), minlength=len(vertices))
    return sparse.csr_matrix(sparse.diags_array(masses))


def gradient_operator(vertices: Vertices, faces: Faces) -> sparse.csr_matrix:
    """Gradient of a function that is linear on each face: (3F, V), 1/mm.

    Rows 0 to F-1 hold the x components, then F rows of y, then F rows of z. With A the face areas
    repeated three times on a diagonal, ``G^T A G`` is the cotangent Laplacian.
    """
    points = np.asarray(vertices, dtype=np.float64)[faces]
    area_vectors = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    squared = (area_vectors**2).sum(axis=1)
    face_count = len(faces)
    rows, columns, values = [], [], []
    for k in range(3):
        opposite = points[:, (k + 2) % 3] - points[:, (k + 1) % 3]
        # the hat function of corner k rises across the opposite edge: n x e / |n|^2
        slope = np.cross(area_vectors, opposite) / np.maximum(squared, 1e-300)[:, None]
        for axis in range(3):
            rows.append(np.arange(face_count) + axis * face_count)
            columns.append(faces[:, k])
            values.append(slope[:, axis])
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_matrix(entries, shape=(3 * face_count, len(vertices)))


def face_areas(vertices: Vertices, faces: Faces) -> Float[np.ndarray, " F"]:
    """Area of every face, mm^2, float64."""
    points = np.asarray(vertices, dtype=np.float64)[faces]
    return 0.5 * _lengths(np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]))


def _lengths(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt((vectors**2).sum(axis=-1))


def _corner_cotangents(vertices: Vertices, faces: Faces) -> np.ndarray:
    """Cotangent of the angle at each corner (F, 3)."""
    points = np.asarray(vertices, dtype=np.float64)[faces]
    edges = np.roll(points, -1, axis=1) - points  # corner k to the next
    double_area = _lengths(np.cross(edges[:, 0], edges[:, 1]))
    floor = FLATTEST * np.maximum((edges**2).sum(axis=(1, 2)), 1e-300)
    inner = -(edges * np.roll(edges, 1, axis=1)).sum(axis=2)
    return inner / np.maximum(double_area, floor)[:, None]


def _mixed_voronoi_shares(vertices: Vertices, faces: Faces, areas: np.ndarray) -> np.ndarray:
    points = np.asarray(vertices, dtype=np.float64)[faces]
    opposite = np.roll(points, -2, axis=1) - np.roll(points, -1, axis=1)
    # cot(k) |e_k|^2 / 8 of the edge opposite corner k goes to both ends of that edge
    cotangents = _corner_cotangents(vertices, faces)
    spread = cotangents * (opposite**2).sum(axis=2) / 8
    shares = np.roll(spread, 1, axis=1) + np.roll(spread, 2, axis=1)
    obtuse = cotangents < 0
    halves = np.where(obtuse, areas[:, None] / 2, areas[:, None] / 4)
    return np.where(obtuse.any(axis=1, keepdims=True), halves, shares)


def _edge_matrix(
    count: int, rows: np.ndarray, columns: np.ndarray, values: np.ndarray
) -> sparse.csr_matrix:
    return sparse.csr_matrix((values, (rows, columns)), shape=(count, count))


def _laplacian(weights: sparse.csr_matrix) -> sparse.csr_matrix:
    degree = np.asarray(weights.sum(axis=1)).ravel()
    return sparse.csr_matrix(sparse.diags_array(degree) - weights)
