"""Carrying what the face prior found in a scan over to a template of another topology.

The prior is laid over the template once, just as it is laid over a scan. A vertex of the template
then has a place on the prior's surface, and wherever the prior lies on a scan, that place says
where the vertex belongs. What the prior and the template disagree about (where a jaw line runs,
say) cancels out.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from meshgan.arrays import Faces, VertexIds, Vertices
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.geometry.closest_point import SurfaceIndex
from meshgan.geometry.simplify import collapse_edges
from meshgan.registration.prior import FacePrior
from meshgan.registration.scan import prepare_scan
from meshgan.registration.start import find_start

GUIDES = 250  # vertices of the template that are led
NEAR_MM = 2.5  # a vertex farther from the prior's surface is not led by it


@dataclass(frozen=True, eq=False)
class Guides:
    """Vertices of a template with their places on the prior's surface.

    Args:
        vertex_ids: of the template (K,), ascending.
        corners: vertices of the prior (K, 3).
        weights: barycentric (K, 3).
    """

    vertex_ids: VertexIds
    corners: Int[np.ndarray, "K 3"]
    weights: Float[np.ndarray, "K 3"]

    def places(self, prior_vertices: Vertices) -> Float[np.ndarray, "K 3"]:
        """Where the vertices belong when the prior lies like this (P, 3): (K, 3), mm."""
        return np.einsum("kic,ki->kc", prior_vertices[self.corners], self.weights)


def lay_over(prior: FacePrior, template: Template) -> Guides:
    """Find the places of some well distributed vertices of a template on the prior.

    Raises:
        InputError: the prior finds no face in the template.
    """
    vertices = template.mesh.vertices.astype(np.float64)
    some = _spread(vertices, template.mesh.faces)
    if (
        template.mesh.faces.shape == prior.faces.shape
        and (template.mesh.faces == prior.faces).all()
    ):
        corners = np.repeat(some[:, None], 3, axis=1)
        return Guides(some, corners, np.tile([1.0, 0.0, 0.0], (len(some), 1)))
    # Without the template's landmarks, as with a scan: the same errors on both sides cancel.
    start = find_start(prepare_scan(template.mesh, unit="mm"), prior)
    if start.status in ("no_face", "unusable"):
        raise InputError(
            f"template {template.name}: no face found in it ({start.message}); "
            "scans without landmarks cannot be registered to it"
        )
    found = SurfaceIndex(start.vertices, prior.faces).closest(vertices[some])
    near = (found.distance < NEAR_MM) & ~found.on_boundary
    return Guides(some[near], prior.faces[found.face[near]], found.weights[near])


def _spread(vertices: Vertices, faces: Faces) -> VertexIds:
    return collapse_edges(vertices, faces, min(GUIDES, len(vertices))).kept
