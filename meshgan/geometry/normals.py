"""Normals of batched meshes on one topology, differentiable in the vertices."""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize


def face_normals(
    vertices: Float[Tensor, "B V 3"], faces: Int[Tensor, "F 3"]
) -> Float[Tensor, "B F 3"]:
    """Area vectors of the faces: direction = normal, length = twice the area.

    Args:
        vertices: positions (B, V, 3), mm.
        faces: vertex ids (F, 3), counter-clockwise seen from outside.

    Returns:
        (B, F, 3), mm^2, not normalised; a face without area gives zeros.
    """
    first, second, third = (vertices.index_select(1, faces[:, k]) for k in range(3))
    return torch.linalg.cross(second - first, third - first)


def vertex_normals(
    vertices: Float[Tensor, "B V 3"], faces: Int[Tensor, "F 3"]
) -> Float[Tensor, "B V 3"]:
    """Unit normals of the vertices: the sum of the area vectors around each, normalised.

    Args:
        vertices: positions (B, V, 3), mm.
        faces: vertex ids (F, 3), counter-clockwise seen from outside.

    Returns:
        (B, V, 3), unit length; a vertex in no face, or whose faces cancel, gives zeros.
    """
    area_vectors = face_normals(vertices, faces)
    sums = torch.zeros_like(vertices)
    for k in range(3):
        sums = sums.index_add(1, faces[:, k], area_vectors)
    return normalize(sums, dim=-1, eps=1e-12)
