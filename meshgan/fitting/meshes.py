"""Codes of whole registered meshes: every vertex is a landmark."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import ShapeError
from meshgan.fitting.details import Details
from meshgan.fitting.fit import Fit, summarise
from meshgan.fitting.objective import LeastSquares, ModelPoints
from meshgan.fitting.points import SurfacePoints
from meshgan.fitting.solvers import Solution, levenberg_marquardt
from meshgan.fitting.unknowns import check_targets, draw_starts, penalties_of
from meshgan.models.base import Codes, MeshModel

FEW, MANY = 256, 1024  # vertices of the first steps, and of the curvature of the last ones
COORDINATES_AT_ONCE = 3_000_000
FIRST_STEPS, LAST_STEPS, ROUNDS = 40, 8, 12
ROUGH, FINE = 1e-3, 1e-4  # relative decrease of a round, and of a step, of a face that has settled


def fit_meshes(
    model: MeshModel,
    vertices: Float[Tensor, "B W 3"],
    regularisation: float | Mapping[str, float] = 1.0,
    restarts: int = 1,
    rng: torch.Generator | None = None,
    start: Codes | None = None,
    details: Details | None = None,
) -> Fit:
    """Minimise sum_v |v(z) - target_v|^2 + lambda |z|^2 over the codes z of each mesh.

    First on a few random vertices, then on all, with a curvature that more of them give now and
    then: most steps cost little more than decoding the face. A linear model is solved by the
    first few.

    Args:
        model: decodes codes.
        vertices: registered meshes, in the model's pose, mm.
        regularisation: lambda, mm^2 (sum over all vertices) per squared unit of code.
        restarts: starts per mesh; the first is the mean face, the others are random.
        rng: of the random starts and of the part of the vertices; seed 0 if None.
        start: codes to start from instead.
        details: how the meshes may differ from the model's faces, without its codes making up
            for it. Then the residuals are larger, and the codes nearer to the true ones.

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
    device = model.template_vertices.device
    draws = torch.Generator().manual_seed(0) if rng is None else rng
    everything = SurfacePoints.at_vertices(torch.arange(count, device=device))
    weights = check_targets(vertices, everything, None)
    order = torch.randperm(count, generator=draws, device=draws.device).to(device)
    first = draw_starts(model, len(vertices), restarts, draws, start)
    if start is None:
        first[::restarts] = 0
    each = len(first) // len(vertices)
    penalties = penalties_of(model, regularisation).to(first)
    whole = LeastSquares(
        ModelPoints(model, everything), vertices.to(first), weights.to(first), penalties
    )
    few, many = (_part_of(whole, model, order[:size], details) for size in (FEW, MANY))
    solved = whole if details is None else details.let_pass(whole, torch.arange(count))
    size = max(1, COORDINATES_AT_ONCE // (3 * count))
    found = [
        _fit_some(
            solved.take(rows), few.take(rows), many.take(rows), first[each * k : each * (k + size)]
        )
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


def _part_of(
    whole: LeastSquares, model: MeshModel, ids: Int[Tensor, " L"], details: Details | None
) -> LeastSquares:
    """The problem on some vertices, weighed such that they stand for all."""
    share = whole.targets.shape[1] / len(ids)
    part = LeastSquares(
        ModelPoints(model, SurfacePoints.at_vertices(ids)),
        whole.targets[:, ids],
        share * whole.weights[:, ids],
        whole.penalties,
    )
    return part if details is None else details.let_pass(part, ids)


def _fit_some(
    whole: LeastSquares, few: LeastSquares, many: LeastSquares, start: Float[Tensor, "n p"]
) -> Solution:
    each = len(start) // len(whole)
    faces = torch.arange(len(whole), device=start.device)
    rough = levenberg_marquardt(
        few.take(faces.repeat_interleave(each)), start, FIRST_STEPS, tolerance=ROUGH
    )
    best = each * faces + rough.objective.view(len(whole), each).argmin(dim=1)
    x, steps = rough.unknowns[best].clone(), rough.iterations
    value = x.new_full((len(x),), torch.inf)
    converged = torch.zeros_like(value, dtype=torch.bool)
    for _ in range(ROUNDS):
        rows = (~converged).nonzero()[:, 0]
        if len(rows) == 0:
            break
        curvatures = many.take(rows).curvatures(x[rows])
        fine = levenberg_marquardt(whole.take(rows), x[rows], LAST_STEPS, curvatures, FINE)
        still = value[rows] - fine.objective <= ROUGH * fine.objective  # false in the first round
        x[rows], value[rows] = fine.unknowns, fine.objective
        converged[rows] = fine.converged | still
        steps += fine.iterations
    return Solution(x, value, converged, steps)
