"""Codes of whole registered meshes: every vertex is a landmark."""

import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.errors import InputError, ShapeError
from meshgan.fitting.codes import Fit, check_targets, draw_starts, penalties_of, summarise
from meshgan.fitting.objective import LeastSquares, ModelPoints
from meshgan.fitting.points import SurfacePoints
from meshgan.fitting.solvers import Solution, levenberg_marquardt
from meshgan.models.base import Codes, MeshModel

SAMPLED = 256  # vertices that show how the face bends: three numbers each, for some 85 unknowns
COORDINATES_AT_ONCE = 3_000_000
FIRST_STEPS, LAST_STEPS = 40, 20
ROUGH, FINE = 1e-3, 1e-4  # relative decrease below which a face has settled, on the part and on all


def fit_meshes(
    model: MeshModel,
    vertices: Float[Tensor, "B W 3"],
    regularisation: float | dict[str, float] = 1.0,
    restarts: int = 1,
    rng: torch.Generator | None = None,
    start: Codes | None = None,
) -> Fit:
    """Minimise sum_v |v(z) - target_v|^2 + lambda |z|^2 over the codes z of each mesh.

    First on a random part of the vertices, then on all, where the curvature is still that of the
    part: a step costs little more than decoding the face, and a linear model is solved by the
    first few.

    Args:
        model: decodes codes.
        vertices: registered meshes, in the model's pose, mm.
        regularisation: lambda, mm^2 (sum over all vertices) per squared unit of code.
        restarts: starts per mesh; the first is the mean face, the others are random.
        rng: of the random starts and of the part of the vertices; seed 0 if None.
        start: codes to start from instead.

    Raises:
        ShapeError: the meshes are not on the model's topology.
        InputError: a vertex is not finite, or lambda is negative.

    Source: Fernández Abrevaya et al. 2019, Eq. 13, with every vertex a landmark.
    """
    count = len(model.template_vertices)
    if vertices.shape[1] != count:
        raise ShapeError(
            f"fit: meshes of {vertices.shape[1]:,} vertices, the model has {count:,}; "
            "register them to the model's template first (meshgan register)"
        )
    if restarts < 1:
        raise InputError(f"fit: {restarts} starts, expected 1 or more")
    device = model.template_vertices.device
    rng = torch.Generator().manual_seed(0) if rng is None else rng
    everything = SurfacePoints.at_vertices(torch.arange(count, device=device))
    weights = check_targets(vertices, everything, None)
    order = torch.randperm(count, generator=rng, device=rng.device).to(device)
    part = order[: min(count, SAMPLED)].sort().values
    share = count / len(part)
    first = draw_starts(model, len(vertices), restarts, rng, start)
    if start is None:
        first[::restarts] = 0
    each = len(first) // len(vertices)
    penalties = penalties_of(model, regularisation).to(first)
    whole = LeastSquares(
        ModelPoints(model, everything), vertices.to(first), weights.to(first), penalties
    )
    sampled = LeastSquares(
        ModelPoints(model, SurfacePoints.at_vertices(part)),
        vertices[:, part].to(first),
        share * weights[:, part].to(first),
        penalties,
    )
    size = max(1, COORDINATES_AT_ONCE // (3 * count))
    found = [
        _fit_some(whole.take(rows), sampled.take(rows), first[each * k : each * (k + size)])
        for k in range(0, len(vertices), size)
        for rows in [slice(k, k + size)]
    ]
    solution = Solution(
        torch.cat([part.unknowns for part in found]),
        torch.cat([part.objective for part in found]),
        torch.cat([part.converged for part in found]),
        max(part.iterations for part in found),
    )
    return summarise(model, whole, solution)


def _fit_some(whole: LeastSquares, sampled: LeastSquares, start: Tensor) -> Solution:
    each = len(start) // len(whole)
    faces = torch.arange(len(whole), device=start.device)
    rough = levenberg_marquardt(
        sampled.take(faces.repeat_interleave(each)), start, FIRST_STEPS, tolerance=ROUGH
    )
    best = each * faces + rough.objective.view(len(whole), each).argmin(dim=1)
    fine = levenberg_marquardt(whole, rough.unknowns[best], LAST_STEPS, sampled, FINE)
    return Solution(
        fine.unknowns, fine.objective, fine.converged, rough.iterations + fine.iterations
    )
