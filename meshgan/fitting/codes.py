"""Codes of faces from a few of their points: landmarks in, a whole face out."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.fitting.fit import Fit, summarise
from meshgan.fitting.objective import LeastSquares, ModelPoints
from meshgan.fitting.points import SurfacePoints
from meshgan.fitting.solvers import SolverName, check_solver, solve
from meshgan.fitting.unknowns import check_determined, check_targets, draw_starts, penalties_of
from meshgan.models.base import Codes, MeshModel


def fit_codes(
    model: MeshModel,
    targets: Float[Tensor, "B L 3"],
    points: SurfacePoints | Int[Tensor, " _"],
    regularisation: float | Mapping[str, float] = 0.0,
    weights: Float[Tensor, "... _"] | None = None,
    iterations: int | None = None,
    rng: torch.Generator | None = None,
    restarts: int = 1,
    solver: SolverName = "adam",
    start: Codes | None = None,
) -> Fit:
    """Minimise sum_i w_i |v_i(z) - target_i|^2 + lambda |z|^2 over the codes z of each face.

    Only the vertices that the points touch are computed, whatever the size of the model. Faces
    are in the model's pose. Face k depends on ``rng``, and on how many faces come before it.

    Args:
        model: decodes codes.
        targets: where the points should be, mm.
        points: which points: vertex ids, or any ``SurfacePoints``.
        regularisation: lambda (mm^2 per squared unit of code), one for all or one per code; a code
            not named has 0.
        weights: w, 0 or more, per point or per face and point; 0 = missing, whatever its target.
        iterations: steps of the solver; its usual number if None.
        rng: of the random codes to start from; a generator of seed 0 if None.
        restarts: how many random starts per face; the lowest objective is kept.
        solver: "adam", the paper's; "lm", Levenberg-Marquardt: fewer, dearer steps; "adam+lm":
            Adam chooses the valley, and Levenberg-Marquardt walks to its bottom, which Adam alone
            is slow to reach where lambda is near 0.
        start: codes to start from instead of random ones.

    Raises:
        InputError: fewer than three points, too few for the unknowns where lambda is 0, a vertex
            id out of range, a target that is not finite, or a negative weight or lambda.
        ShapeError: targets or weights do not fit the points, or codes to start from the faces.

    Source: Fernández Abrevaya et al. 2019, Sec. 5.5, Eq. 13.
    """
    device = model.template_vertices.device
    check_solver(solver)
    chosen = points if isinstance(points, SurfacePoints) else SurfacePoints.at_vertices(points)
    chosen = chosen.to(device)
    chosen.check_range(len(model.template_vertices))
    importance = check_targets(targets, chosen, weights)
    penalties = penalties_of(model, regularisation)
    check_determined(importance, penalties)
    first = draw_starts(model, len(targets), restarts, rng, start)
    known = torch.where(importance[..., None] > 0, targets, torch.zeros_like(targets))
    problem = LeastSquares(
        ModelPoints(model, chosen), known.to(first), importance.to(first), penalties.to(first)
    )
    return summarise(model, problem, solve(problem, first, solver, iterations))
