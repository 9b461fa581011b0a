"""The motion of a registered template, carried to the mesh that it was registered to."""

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse.linalg import factorized
from scipy.spatial import cKDTree

from meshgan.arrays import Vertices
from meshgan.geometry.closest_point import SurfaceIndex
from meshgan.geometry.operators import cotangent_laplacian, mass_matrix
from meshgan.registration.scan_cleaning import normals_and_areas

NEAR_MM, FAR_MM = 4.0, 25.0
SMOOTH_MM = 2.0
ALIKE = 0.7  # cosine of the angle between normals that still say: the same side
MM_PER_NORMAL = 10.0
LEAST_KNOWN = 1e-6


class DisplacementCarrier:
    """Moves a mesh of another topology as the template on it moves.

    Each vertex takes the displacement of the closest point of the template's surface; where that
    faces another way, as one lip's is on the other lip, of the vertices that are closest in place
    and direction. As far as it lies on it: with a weight that falls from 1 at 4 mm to 0 at 25 mm.
    What is farther (hair, the back of the head) stays; in between, and over small faults, the field
    is smooth: minimise sum_v m_v w_v |u_v - d_v|^2 + l^2 u^T L u over u.

    Args:
        template: the template on the mesh (W, 3), mm.
        template_faces: its triangles (F, 3).
        vertices: the mesh (V, 3), mm.
        faces: its triangles (G, 3).
        smooth_mm: l.
    """

    def __init__(
        self,
        template: Float[np.ndarray, "W 3"],
        template_faces: Int[np.ndarray, "F 3"],
        vertices: Float[np.ndarray, "V 3"],
        faces: Int[np.ndarray, "G 3"],
        smooth_mm: float = SMOOTH_MM,
    ) -> None:
        points = np.asarray(vertices, dtype=np.float64)
        surface = SurfaceIndex(np.asarray(template, np.float64), template_faces)
        found = surface.closest(points)
        normals, _ = normals_and_areas(points, faces)
        corners, weights = _alike(surface, points, normals)
        alike = (found.normal * normals).sum(axis=1) > ALIKE
        corners[alike, :3], weights[alike, :3] = (
            surface.faces[found.face[alike]],
            found.weights[alike],
        )
        weights[alike, 3:] = 0
        self._corners, self._weights = corners, weights
        beyond = np.clip((found.distance - NEAR_MM) / (FAR_MM - NEAR_MM), 0, 1)
        on = np.where(found.on_boundary, np.minimum(1 - beyond, _fade(found.distance)), 1 - beyond)
        self._on = on
        masses = mass_matrix(points, faces).diagonal() + LEAST_KNOWN
        # what is clearly off the template is known too: it does not move
        known = np.where(on <= 0, 1.0, np.maximum(on, 0.05))
        self._known = masses * known
        system = cotangent_laplacian(points, faces) * smooth_mm**2
        system.setdiag(system.diagonal() + self._known)
        self._solve = factorized(system.tocsc())

    def carry(self, displacements: Float[np.ndarray, "W 3"]) -> Float[np.ndarray, "V 3"]:
        """Displacements of the mesh's own vertices, mm, float64."""
        corners = np.asarray(displacements, np.float64)[self._corners]
        wanted = np.einsum("vkc,vk->vc", corners, self._weights) * self._on[:, None]
        return self._solve(self._known[:, None] * wanted)


def _alike(
    surface: SurfaceIndex, points: Vertices, normals: Vertices
) -> tuple[Int[np.ndarray, "V 4"], Float[np.ndarray, "V 4"]]:
    """The four vertices nearest to each point by place and direction, and their weights.

    Source: Feldmar and Ayache 1996, Sec. 4 (closest points in place and normal).
    """
    both = np.concatenate([surface.vertices, MM_PER_NORMAL * surface.vertex_normals], axis=1)
    queries = np.concatenate([points, MM_PER_NORMAL * normals], axis=1)
    distance, ids = cKDTree(both).query(queries, k=4)
    weights = 1 / (distance + LEAST_KNOWN)
    return ids.astype(np.int64), weights / weights.sum(axis=1, keepdims=True)


def _fade(distance: np.ndarray) -> np.ndarray:
    """Beyond the template's rim a motion dies out at once, but without a step."""
    return np.clip(1 - distance / FAR_MM, 0, 1) ** 2
