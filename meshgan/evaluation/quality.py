"""Mesh quality: does the surface fold, and is it as smooth as real faces are?

The Laplacian residual of generated meshes should equal the training data's: more is noise, less is
ironed skin. Inverted triangles count folds; closing lids turn a few in real faces too, so this
number also needs the training data's beside it.
"""

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import ShapeError
from meshgan.evaluation.estimate import Estimate
from meshgan.geometry.normals import face_normals
from meshgan.geometry.operators import cotangent_laplacian, mass_matrix
from meshgan.geometry.topology import boundary_loops


class QualityMeter:
    """Measures meshes of one topology against their template.

    Args:
        template_vertices: reference positions (V, 3), mm.
        faces: triangles (F, 3).

    Source: the residual is that of the regulariser, Fernández Abrevaya et al. 2019, Eq. 12.
    Differs: divided by the vertex areas, so that it does not depend on the resolution; the rim of
    the template is left out.
    """

    def __init__(self, template_vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]) -> None:
        self.template = template_vertices.detach().cpu().double()
        self.faces = faces.cpu()
        positions, triangles = self.template.numpy(), self.faces.numpy()
        self.laplacian = cotangent_laplacian(positions, triangles)
        areas = mass_matrix(positions, triangles).diagonal()
        # at the rim the Laplacian holds the flux through the cut, not a curvature
        rim = np.concatenate([[], *boundary_loops(triangles)]).astype(np.int64)
        self.inner = np.setdiff1d(np.arange(len(positions)), rim)
        self.areas = areas[self.inner]
        self.template_normals = face_normals(self.template[None], self.faces)[0]

    def inverted_triangles(self, vertices: Float[Tensor, "B V 3"]) -> Int[Tensor, " B"]:
        """Triangles whose normal is turned by more than 90 degrees from the template's."""
        self._check(vertices)
        normals = face_normals(vertices.cpu(), self.faces)
        cosines = (normals * self.template_normals.to(normals)).sum(dim=-1)
        return (cosines < 0).sum(dim=1)

    def laplacian_residual(self, vertices: Float[Tensor, "B V 3"]) -> Float[Tensor, " B"]:
        """Root mean square over the inner surface of M^-1 L (v - v_ref), in 1/mm, float64.

        L is the cotangent Laplacian and M the vertex areas of the template; for small
        displacements along the normal this is twice the change of the mean curvature.
        """
        self._check(vertices)
        displacement = vertices.detach().cpu().double() - self.template
        stacked = displacement.permute(1, 0, 2).reshape(len(self.template), -1).numpy()
        residual = (self.laplacian @ stacked)[self.inner]
        squared = (residual**2 / self.areas[:, None]).sum(axis=0) / self.areas.sum()
        return torch.from_numpy(np.sqrt(squared.reshape(-1, 3).sum(axis=1)))

    def measure(self, batches: Iterable[Float[Tensor, "_ V 3"]]) -> dict[str, Estimate]:
        """Mean of both numbers over all meshes of ``batches``.

        Keys: ``inverted_triangles`` (triangles per mesh), ``laplacian_residual`` (1/mm).
        """
        inverted, residual = [], []
        for vertices in batches:
            inverted.append(self.inverted_triangles(vertices).double())
            residual.append(self.laplacian_residual(vertices))
        nothing = [torch.zeros(0, dtype=torch.float64)]
        return {
            "inverted_triangles": Estimate.of(torch.cat(inverted or nothing)),
            "laplacian_residual": Estimate.of(torch.cat(residual or nothing)),
        }

    def _check(self, vertices: Tensor) -> None:
        if vertices.shape[1] != len(self.template):
            raise ShapeError(
                f"quality: the mesh has {vertices.shape[1]:,} vertices, the template "
                f"{len(self.template):,}; register it to the template first (meshgan register)"
            )
