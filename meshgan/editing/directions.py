"""Directions of a code space: which few sliders move a face the most."""

import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.errors import InputError
from meshgan.fitting.objective import point_jacobian
from meshgan.fitting.points import SurfacePoints
from meshgan.models.base import Codes, MeshModel

FACES, VERTICES = 8, 600  # where the derivative is averaged: more change the order of near ties


def leading_directions(
    model: MeshModel, factor: str, count: int, rng: torch.Generator
) -> Float[Tensor, "count d"]:
    """Unit directions of one code, ordered by how far a step along each moves the surface.

    Codes are standard normal, so a step of length 1 is one standard deviation whatever its
    direction; but most directions hardly show. With J the derivative of the vertices by the code,
    a step u moves them by sqrt(u^T J^T J u / V) mm (root mean square). The directions are the
    eigenvectors of the mean of J^T J over faces that the model draws: what PCA would find, for
    models that are not linear too.

    Args:
        model: decodes codes.
        factor: whose code; ``noise`` is one as well.
        count: how many, at most the length d of the code.
        rng: chooses the faces and the vertices where the derivative is taken.

    Returns:
        Orthonormal rows, the largest movement first. Of u and -u the one whose largest entry is
        positive.

    Raises:
        InputError: the model has no such code, or it is shorter than ``count``.
    """
    if factor not in model.code_sizes:
        raise InputError(f"{factor}: the model has the codes {', '.join(model.code_sizes)}")
    size = model.code_sizes[factor]
    if not 1 <= count <= size:
        raise InputError(f"{factor}: {count} directions of a code of {size}; expected 1 to {size}")
    known = len(model.template_vertices)
    chosen = torch.randperm(known, generator=rng, device=rng.device)[:VERTICES]
    codes = model.sample_codes(FACES, rng)
    points = SurfacePoints.at_vertices(chosen.to(model.template_vertices.device))
    jacobian = point_jacobian(_PointsByOneCode(model, points, codes, factor), codes[factor])
    rows = jacobian.flatten(0, 2).double()
    _, vectors = torch.linalg.eigh(rows.T @ rows)  # ascending
    directions = vectors.T.flip(0)[:count]
    largest = directions.gather(1, directions.abs().argmax(dim=1, keepdim=True))
    return (directions * largest.sign()).to(codes[factor])


def movements_mm(
    model: MeshModel, factor: str, directions: Float[Tensor, "n d"], length: float = 1.0
) -> Float[Tensor, " n"]:
    """How far a step from the mean face moves the vertices, root mean square, mm.

    Args:
        model: decodes codes.
        factor: whose code takes the step.
        directions: one step per row.
        length: factor on each step.
    """
    rest = {
        name: directions.new_zeros(len(directions) + 1, d) for name, d in model.code_sizes.items()
    }
    steps = torch.cat([directions.new_zeros(1, directions.shape[1]), length * directions])
    with torch.no_grad():
        vertices = model.decode({**rest, factor: steps})
    moved = (vertices[1:] - vertices[:1]).square().sum(dim=2)
    return moved.mean(dim=1).sqrt()


class _PointsByOneCode:
    """Points of faces as a function of one code; the others stay."""

    def __init__(self, model: MeshModel, points: SurfacePoints, codes: Codes, factor: str) -> None:
        self.model, self.points, self.codes, self.factor = model, points, codes, factor
        self.size = model.code_sizes[factor]

    def __call__(self, unknowns: Float[Tensor, "B p"]) -> Float[Tensor, "B L 3"]:
        return self.points.locate(self.model, {**self.codes, self.factor: unknowns})
