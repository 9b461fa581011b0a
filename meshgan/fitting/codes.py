"""Codes of faces from a few of their points: landmarks in, a whole face out."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from meshgan.errors import InputError, ShapeError
from meshgan.fitting.objective import LeastSquares, ModelPoints, split_codes
from meshgan.fitting.points import SurfacePoints
from meshgan.fitting.solvers import (
    ADAM_ITERATIONS,
    LM_ITERATIONS,
    Solution,
    descend,
    levenberg_marquardt,
)
from meshgan.models.base import Codes, MeshModel

log = logging.getLogger(__name__)

SolverName = Literal["adam", "lm", "adam+lm"]
LEAST_POINTS = 3
ROWS_AT_ONCE = 512
ITERATIONS: dict[str, int] = {
    "adam": ADAM_ITERATIONS,
    "lm": LM_ITERATIONS,
    "adam+lm": ADAM_ITERATIONS // 2,
}
POLISHING = 40


@dataclass(frozen=True, eq=False)
class Fit:
    """Codes that explain what was observed, and how well.

    Args:
        codes: by name (B, d).
        landmarks: the fitted points (B, L, 3), mm.
        landmark_rms_mm: root mean square distance to the targets over the points with weight (B,).
        objective: what was minimised (B,), mm^2.
        converged: whether it has settled (B,).
        iterations: steps of the solver.
    """

    codes: Codes
    landmarks: Float[Tensor, "B L 3"]
    landmark_rms_mm: Float[Tensor, " B"]
    objective: Float[Tensor, " B"]
    converged: Bool[Tensor, " B"]
    iterations: int


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
    if solver not in ITERATIONS:
        raise InputError(f"fit: solver {solver!r}; choose one of {', '.join(ITERATIONS)}")
    chosen = points if isinstance(points, SurfacePoints) else SurfacePoints.at_vertices(points)
    chosen = chosen.to(device)
    chosen.check_range(len(model.template_vertices))
    importance = check_targets(targets, chosen, weights)
    penalties = penalties_of(model, regularisation)
    _check_determined(importance, penalties)
    if restarts < 1:
        raise InputError(f"fit: {restarts} starts, expected 1 or more")
    function = ModelPoints(model, chosen)
    first = draw_starts(model, len(targets), restarts, rng, start)
    copies = torch.arange(len(targets), device=device).repeat_interleave(
        len(first) // max(len(targets), 1)
    )
    known = torch.where(importance[..., None] > 0, targets, torch.zeros_like(targets))
    problem = LeastSquares(
        function, known.to(first), importance.to(first), penalties.to(first)
    ).take(copies)
    solution = _solve(problem, first, solver, iterations or ITERATIONS[solver])
    best = _best_of(solution, len(targets))
    kept = Solution(
        solution.unknowns[best],
        solution.objective[best],
        solution.converged[best],
        solution.iterations,
    )
    if solver == "adam+lm":
        kept = levenberg_marquardt(problem.take(best), kept.unknowns, POLISHING)
    return summarise(model, problem.take(best), kept)


def _solve(problem: LeastSquares, start: Tensor, solver: SolverName, iterations: int) -> Solution:
    method = levenberg_marquardt if solver == "lm" else descend
    parts = [
        method(problem.take(rows), start[rows], iterations)
        for k in range(0, len(start), ROWS_AT_ONCE)
        for rows in [slice(k, k + ROWS_AT_ONCE)]
    ]
    return Solution(
        torch.cat([part.unknowns for part in parts]),
        torch.cat([part.objective for part in parts]),
        torch.cat([part.converged for part in parts]),
        max(part.iterations for part in parts),
    )


def _best_of(solution: Solution, faces: int) -> Int[Tensor, " B"]:
    """Row of the lowest objective of each face."""
    table = solution.objective.view(faces, -1)
    first = torch.arange(faces, device=table.device) * table.shape[1]
    return first + table.argmin(dim=1)


def summarise(model: MeshModel, problem: LeastSquares, solution: Solution) -> Fit:
    """A solution in the words of faces; warns of those that have not settled."""
    with torch.no_grad():
        found = problem.function(solution.unknowns)
    counted = (problem.weights > 0).to(found)
    squared = (found - problem.targets).square().sum(dim=2)
    rms = ((counted * squared).sum(dim=1) / counted.sum(dim=1)).sqrt()
    if waiting := int((~solution.converged).sum()):
        log.warning(
            "fit: %d of %d faces had not settled after %d iterations",
            waiting,
            len(found),
            solution.iterations,
        )
    return Fit(
        split_codes(solution.unknowns, model),
        found,
        rms,
        solution.objective,
        solution.converged,
        solution.iterations,
    )


def draw_starts(
    model: MeshModel, faces: int, restarts: int, rng: torch.Generator | None, start: Codes | None
) -> Float[Tensor, "n d"]:
    """Codes side by side to start from; those of the first faces do not depend on the others.

    Raises:
        ShapeError: ``start`` does not fit the model or the faces.
    """
    if start is not None:
        wrong = [
            f"{name} {tuple(start[name].shape) if name in start else 'missing'}"
            for name, size in model.code_sizes.items()
            if name not in start or tuple(start[name].shape) != (faces, size)
        ]
        if wrong:
            raise ShapeError(f"fit: codes to start from: {', '.join(wrong)}, for {faces} faces")
        return torch.cat([start[name] for name in model.code_sizes], dim=1)
    rng = torch.Generator().manual_seed(0) if rng is None else rng
    drawn = [model.sample_codes(1, rng) for _ in range(faces * restarts)]
    return torch.cat([torch.cat([one[name] for name in model.code_sizes], dim=1) for one in drawn])


def check_targets(
    targets: Tensor, points: SurfacePoints, weights: Tensor | None
) -> Float[Tensor, "B L"]:
    """Weights of all points, once targets and weights have been found to make sense.

    Raises:
        ShapeError: they do not fit the points.
        InputError: a weight is negative, or a target with weight is not finite.
    """
    faces, count = len(targets), points.count
    if targets.shape != (faces, count, 3) or faces == 0:
        raise ShapeError(
            f"fit: targets {tuple(targets.shape)} for {count} points; expected (faces, {count}, 3) "
            "with at least one face"
        )
    given = targets.new_ones(faces, count) if weights is None else weights
    if given.shape not in ((count,), (faces, count)):
        raise ShapeError(
            f"fit: weights {tuple(given.shape)}, expected ({count},) or ({faces}, {count})"
        )
    given = given.expand(faces, count)
    if not bool((given.isfinite() & (given >= 0)).all()):
        raise InputError("fit: weights must be finite and 0 or more")
    astray = ~targets.isfinite().all(dim=2) & (given > 0)
    if bool(astray.any()):
        face, point = astray.nonzero()[0].tolist()
        raise InputError(
            f"fit: {int(astray.sum()):,} of {astray.numel():,} targets are not finite (first: "
            f"point {point} of face {face}); give missing points the weight 0"
        )
    return given


def penalties_of(
    model: MeshModel, regularisation: float | Mapping[str, float]
) -> Float[Tensor, " d"]:
    """Lambda of each component of the codes, side by side.

    Raises:
        InputError: it is negative or not finite, or names a code that the model does not have.
    """
    given = (
        dict(regularisation)
        if isinstance(regularisation, Mapping)
        else dict.fromkeys(model.code_sizes, regularisation)
    )
    unknown = [name for name in given if name not in model.code_sizes]
    bad = [f"{name}={value}" for name, value in given.items() if not 0 <= value < float("inf")]
    if unknown or bad:
        raise InputError(
            f"fit: regularisation {', '.join(unknown + bad)}; expected numbers of 0 or more for "
            f"{', '.join(model.code_sizes)}"
        )
    sizes = model.code_sizes.items()
    return torch.cat([torch.full((size,), float(given.get(name, 0))) for name, size in sizes])


def _check_determined(weights: Tensor, penalties: Tensor) -> None:
    fewest = int((weights > 0).sum(dim=1).min())
    free = int((penalties == 0).sum())
    if fewest < LEAST_POINTS:
        raise InputError(
            f"fit: a face has {fewest} points with weight, expected {LEAST_POINTS} or more"
        )
    if 3 * fewest < free:
        raise InputError(
            f"fit: {fewest} points give {3 * fewest} numbers for {free} components of the codes; "
            "give more points, or a regularisation above 0"
        )
