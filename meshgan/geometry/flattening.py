"""Solvers behind the UV map: the inside of a disk laid out flat, its outline given."""

import logging
from collections.abc import Callable

import igl
import numpy as np
from jaxtyping import Float
from scipy import sparse
from scipy.sparse.linalg import splu

from meshgan.arrays import UV, Faces, VertexIds, Vertices
from meshgan.geometry.distortion import flipped_triangles
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.operators import face_areas, mean_value_laplacian, uniform_laplacian

log = logging.getLogger(__name__)

SLIM_ITERATIONS = 20
PINNED = 1e8  # SLIM's weight on the outline: moves it by less than 1e-8 of the square


def _cotangent(vertices: Vertices, faces: Faces, outline: np.ndarray, fixed: np.ndarray) -> UV:
    uv = igl.harmonic(np.asarray(vertices, dtype=np.float64), faces, outline, fixed, 1)
    return np.asarray(uv)


def _intrinsic_delaunay(
    vertices: Vertices, faces: Faces, outline: np.ndarray, fixed: np.ndarray
) -> UV:
    laplacian, _, _ = igl.intrinsic_delaunay_cotmatrix(
        np.asarray(vertices, dtype=np.float64), faces
    )
    return _harmonic(-laplacian.tocsr(), outline, fixed)


def _mean_value(vertices: Vertices, faces: Faces, outline: np.ndarray, fixed: np.ndarray) -> UV:
    return _harmonic(mean_value_laplacian(vertices, faces), outline, fixed)


def _uniform(vertices: Vertices, faces: Faces, outline: np.ndarray, fixed: np.ndarray) -> UV:
    return _harmonic(uniform_laplacian(len(vertices), faces), outline, fixed)


WEIGHTS: dict[str, Callable[[Vertices, Faces, np.ndarray, np.ndarray], UV]] = {
    "cotangent": _cotangent,
    "intrinsic_delaunay": _intrinsic_delaunay,
    "mean_value": _mean_value,
    "uniform": _uniform,
}
"""Name of the weights -> harmonic map from vertices, faces, outline (L,) and its UVs (L, 2)."""


def _harmonic(laplacian: sparse.csr_matrix, outline: np.ndarray, fixed: np.ndarray) -> UV:
    """Solve ``L uv = 0`` at the inner vertices, with the outline's UVs given."""
    uv = np.zeros((laplacian.diagonal().size, 2))
    uv[outline] = fixed
    inner = np.setdiff1d(np.arange(len(uv)), outline)
    if not len(inner):
        return uv
    rows = laplacian[inner]
    # every row is diagonally dominant, so the ordering need not pivot (ten times quicker)
    options = {"SymmetricMode": True}
    solver = splu(
        rows[:, inner].tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options
    )
    uv[inner] = solver.solve(-(rows[:, outline] @ fixed))
    return uv


def slim_map(
    mesh: TriMesh, start: UV, outline: VertexIds, fixed: Float[np.ndarray, "L 2"], weights: str
) -> tuple[str, UV]:
    """Lower the symmetric Dirichlet energy from a bijective start; unit area on both sides.

    Args:
        mesh: a disk.
        start: UVs (V, 2) without flips.
        outline: vertex ids (L,) that stay where they are.
        fixed: their UVs (L, 2).
        weights: how the start was made.

    Returns:
        What the map came from, and its UVs (V, 2): the start itself if SLIM flips triangles.

    Source: Rabinovich et al. 2017, Scalable locally injective mappings (SLIM).
    """
    vertices = np.asarray(mesh.vertices, dtype=np.float64)
    vertices = vertices / np.sqrt(face_areas(vertices, mesh.faces).sum())
    energy = igl.MappingEnergyType.SYMMETRIC_DIRICHLET
    state = igl.slim_precompute(vertices, mesh.faces, start, energy, outline, fixed, PINNED)
    uv = np.asarray(igl.slim_solve(state, SLIM_ITERATIONS))[:, :2].copy()
    uv[outline] = fixed
    if flipped := int(flipped_triangles(uv, mesh.faces).sum()):
        log.warning(
            "uv: %d of %d triangles flip under SLIM; its start with %s weights used instead",
            *(flipped, mesh.face_count, weights.replace("_", " ")),
        )
        return weights, start
    return f"slim from {weights}", uv
