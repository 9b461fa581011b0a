"""Coarser and coarser meshes by quadric decimation, with the maps between one and the next."""

from dataclasses import dataclass

import igl
import numpy as np
from jaxtyping import Float
from scipy import sparse

from meshgan.arrays import Faces, Vertices
from meshgan.errors import InputError
from meshgan.geometry.closest_point import SurfaceIndex


@dataclass(frozen=True, eq=False)
class CoarseMesh:
    """A mesh with fewer vertices, and how values travel between it and the finer one.

    Each coarse vertex is a point of the finer surface, and each fine vertex projects onto the
    coarse surface; both maps are the barycentric means of three corners. Their rows hold three
    weights, 0 or more, that sum to 1.

    Args:
        vertices: positions (W, 3), mm.
        faces: triangles (G, 3).
        down: values at the V fine vertices to the W coarse ones: csr (W, V).
        up: values at the W coarse vertices to the V fine ones: csr (V, W).
    """

    vertices: Vertices
    faces: Faces
    down: sparse.csr_matrix
    up: sparse.csr_matrix


def decimate(vertices: Vertices, faces: Faces, target: int) -> CoarseMesh:
    """Collapse edges, those first that change the surface least, until few triangles are left.

    Args:
        vertices: positions (V, 3), mm.
        faces: triangles (F, 3) of a manifold, with boundary or without.
        target: triangles that should be left; a disk of T triangles has a little over T / 2
            vertices.

    Raises:
        InputError: the mesh cannot be brought down to ``target`` triangles.

    Source: Garland & Heckbert 1997, Surface simplification using quadric error metrics (through
    libigl); used for pooling by Ranjan et al. 2018, Sec. 3.2. Differs: there a coarse vertex is
    one of the fine ones. Optimal positions keep the surface better; they take barycentric means.
    """
    if not 0 < target < len(faces):
        raise InputError(f"decimate: {target:,} of {len(faces):,} triangles asked for")
    fine = np.asfortranarray(vertices, dtype=np.float64)
    coarse, left, _, _ = igl.qslim(fine, np.asfortranarray(faces, dtype=np.int32), target)
    left = np.asarray(left).astype(np.int64, order="C")
    if not target - 2 <= len(left) <= target:
        raise InputError(
            f"decimate: {len(left):,} triangles are left of {len(faces):,}, asked for were "
            f"{target:,}; the mesh must be a manifold with enough triangles"
        )
    coarse = np.ascontiguousarray(coarse)
    fine = np.ascontiguousarray(fine)
    down = _barycentric_map(fine, faces, coarse)
    return CoarseMesh(coarse, left, down, _barycentric_map(coarse, left, fine))


def decimation_hierarchy(
    vertices: Vertices, faces: Faces, levels: int = 4, factor: float = 4.0
) -> list[CoarseMesh]:
    """A mesh decimated again and again; each level maps to and from the one before it.

    Args:
        vertices: positions (V, 3), mm.
        faces: triangles (F, 3).
        levels: how many coarser meshes.
        factor: triangles of one level over those of the next.

    Raises:
        InputError: there are too few triangles for so many levels.
    """
    if not 1 <= levels or factor <= 1:
        raise InputError(f"decimation: {levels} levels by a factor of {factor}")
    if len(faces) < 8 * factor**levels:
        raise InputError(
            f"decimation: {len(faces):,} triangles are too few for {levels} levels by a factor "
            f"of {factor:g}; at least {8 * factor**levels:,.0f} are needed, or fewer levels"
        )
    found: list[CoarseMesh] = []
    for _ in range(levels):
        found.append(decimate(vertices, faces, round(len(faces) / factor)))
        vertices, faces = found[-1].vertices, found[-1].faces
    return found


def _barycentric_map(
    vertices: Vertices, faces: Faces, points: Float[np.ndarray, "P 3"]
) -> sparse.csr_matrix:
    """Values at the vertices to values at the nearest points of the surface."""
    closest = SurfaceIndex(vertices, faces).closest(points)
    rows = np.repeat(np.arange(len(points)), 3)
    entries = (closest.weights.ravel(), (rows, faces[closest.face].ravel()))
    return sparse.csr_matrix(entries, shape=(len(points), len(vertices)))
