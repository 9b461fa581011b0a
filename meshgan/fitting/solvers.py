"""Two ways to the same minimum, for many faces at once: Adam, and Levenberg-Marquardt."""

from dataclasses import dataclass, replace
from math import cos, pi
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from meshgan.errors import InputError
from meshgan.fitting.objective import LeastSquares

SolverName = Literal["adam", "lm", "adam+lm"]
ADAM_RATE = 0.1  # codes are standard normal: the first steps are a tenth of their deviation
ADAM_ITERATIONS = 1500
LM_ITERATIONS = 100
STILL = 1e-3  # relative decrease over the last tenth of the steps that Adam may still make
SETTLED = 1e-7  # relative decrease that a step still promises when Levenberg-Marquardt stops
MOST_REFUSED = 8  # steps in a row that bring no decrease: a kink of the model, or rounding
FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-4, 1e-9, 1e9
LOOSER, TIGHTER = 0.1, 6.0
LONGEST_STEP = 1.5
ITERATIONS: dict[str, int] = {
    "adam": ADAM_ITERATIONS,
    "lm": LM_ITERATIONS,
    "adam+lm": ADAM_ITERATIONS // 2,
}
POLISHING = 40
ROWS_AT_ONCE = 512
WIDER = (8.0, 3.0)  # times the width of a robust fit: with these it begins, roughly
ROUGH, ROUGH_SHARE = 1e-3, 4


@dataclass(frozen=True, eq=False)
class Solution:
    """Unknowns (B, p), the objective there (B,), whether it has settled (B,), steps made."""

    unknowns: Float[Tensor, "B p"]
    objective: Float[Tensor, " B"]
    converged: Bool[Tensor, " B"]
    iterations: int


def check_solver(name: str) -> None:
    """Refuse a name that is none.

    Raises:
        InputError: there is no such solver.
    """
    if name not in ITERATIONS:
        raise InputError(f"fit: solver {name!r}; choose one of {', '.join(ITERATIONS)}")


def solve(
    problem: LeastSquares,
    start: Float[Tensor, "n p"],
    solver: SolverName,
    iterations: int | None = None,
) -> Solution:
    """The best minimum of each face that is found from its starts.

    A robust problem is first solved with wider ranges, in which no point is out of reach.

    Args:
        problem: B of them.
        start: n = B times the number of starts, those of the first face first.
        solver: "adam", "lm", or "adam+lm": the second walks on from where the first ends.
        iterations: largest number of steps; the usual one if None.
    """
    check_solver(solver)
    faces, steps = len(problem), iterations or ITERATIONS[solver]
    each = len(start) // max(faces, 1)
    copies = torch.arange(faces, device=start.device).repeat_interleave(each)
    many = problem.take(copies) if each > 1 else problem
    widths = [] if problem.width_mm is None else [w * problem.width_mm for w in WIDER]
    for width in widths:
        wide = replace(many, width_mm=width)
        start = _solve_rows(wide, start, solver, max(1, steps // ROUGH_SHARE), ROUGH).unknowns
    found = _solve_rows(many, start, solver, steps, SETTLED)
    first = each * torch.arange(faces, device=start.device)
    best = first + found.objective.view(faces, each).argmin(dim=1)
    kept = Solution(
        found.unknowns[best], found.objective[best], found.converged[best], found.iterations
    )
    if solver == "adam+lm":
        return levenberg_marquardt(problem, kept.unknowns, POLISHING)
    return kept


def _solve_rows(
    problem: LeastSquares, start: Tensor, solver: SolverName, iterations: int, tolerance: float
) -> Solution:
    parts = []
    for k in range(0, len(start), ROWS_AT_ONCE):
        rows = slice(k, k + ROWS_AT_ONCE)
        some, x = problem.take(rows), start[rows]
        if solver == "lm":
            parts.append(levenberg_marquardt(some, x, iterations, tolerance=tolerance))
        else:
            parts.append(descend(some, x, iterations))
    return Solution(
        torch.cat([part.unknowns for part in parts]),
        torch.cat([part.objective for part in parts]),
        torch.cat([part.converged for part in parts]),
        max(part.iterations for part in parts),
    )


def descend(
    problem: LeastSquares,
    start: Float[Tensor, "B p"],
    iterations: int = ADAM_ITERATIONS,
    rate: float = ADAM_RATE,
) -> Solution:
    """Adam, with steps that shrink to nothing along half a cosine.

    Every row takes all the steps, so that no row depends on another. The best value that a row
    passed through is kept.

    Args:
        problem: B of them.
        start: where to begin.
        iterations: how many steps.
        rate: size of the first steps, in units of the unknowns.

    Source: Fernández Abrevaya et al. 2019, Sec. 5.5 (Adam from random codes). Differs: the
    paper is silent on its rate; the schedule lets any model end at its own optimum.
    """
    x = start.detach().clone()
    best, lowest = x.clone(), torch.full_like(problem.values(x).detach(), torch.inf)
    late, before = iterations - max(1, iterations // 10), lowest
    optimiser = torch.optim.Adam([x], lr=rate)
    for iteration in range(iterations):
        for group in optimiser.param_groups:
            group["lr"] = rate * 0.5 * (1 + cos(pi * iteration / iterations))
        value, x.grad = problem.gradients(x)
        best, lowest = _keep_better(best, lowest, x, value)
        if iteration == late:
            before = lowest
        optimiser.step()
    with torch.no_grad():
        best, lowest = _keep_better(best, lowest, x, problem.values(x))
    still = before - lowest <= STILL * before + torch.finfo(lowest.dtype).eps
    return Solution(best, lowest, still, iterations)


def levenberg_marquardt(
    problem: LeastSquares,
    start: Float[Tensor, "B p"],
    iterations: int = LM_ITERATIONS,
    curvatures: Float[Tensor, "B p p"] | None = None,
    tolerance: float = SETTLED,
) -> Solution:
    """Damped Gauss-Newton steps; each face has its own damping and stops when it has settled.

    Args:
        problem: B of them.
        start: where to begin.
        iterations: the largest number of steps tried.
        curvatures: to use in every step instead of computing them anew; need only be roughly
            right, the gradient decides where the steps end.
        tolerance: a face has settled when a step promises no larger relative decrease.

    Source: Marquardt 1963, An algorithm for least-squares estimation of nonlinear parameters
    (damping in proportion to the diagonal). Differs: no unknown moves by more than
    ``LONGEST_STEP``, so that a flat direction cannot throw a face out of the model's range.
    """
    x = start.detach().clone()
    known = curvatures is not None
    value, gradient = _look(problem, x, with_gradient=known)
    empty = x.new_zeros(*x.shape, x.shape[1], dtype=torch.float64)
    curvature = empty if curvatures is None else curvatures
    damping = torch.full(value.shape, FIRST_DAMPING, dtype=torch.float64, device=x.device)
    refused = torch.zeros_like(value)
    moving = torch.ones_like(value, dtype=torch.bool)
    moved = moving.clone()  # since gradient and curvature were taken
    done = 0
    while done < iterations and bool(moving.any()):
        if not known and bool((anew := moving & moved).any()):
            gradient[anew], curvature[anew] = problem.take(anew.nonzero()[:, 0]).linearised(x[anew])
        rows = moving.nonzero()[:, 0]
        step, expected = _damped_step(curvature[rows], gradient[rows], damping[rows])
        tried = x[rows] + step.to(x)
        new_value, new_gradient = _look(problem.take(rows), tried, with_gradient=known)
        better = new_value < value[rows]
        still = expected <= tolerance * value[rows]
        x[rows] = torch.where(better[:, None], tried, x[rows])
        gradient[rows] = torch.where(better[:, None], new_gradient, gradient[rows])
        value[rows] = torch.where(better, new_value, value[rows])
        moved[rows] = better
        factor = torch.where(better, LOOSER, TIGHTER).double()
        damping[rows] = (damping[rows] * factor).clamp(LEAST_DAMPING, MOST_DAMPING)
        refused[rows] = torch.where(better, 0.0, refused[rows] + 1)
        moving[rows] = ~(still | (refused[rows] >= MOST_REFUSED))
        done += 1
    return Solution(x, value, ~moving, done)


def _look(
    problem: LeastSquares, x: Float[Tensor, "B p"], with_gradient: bool
) -> tuple[Float[Tensor, " B"], Float[Tensor, "B p"]]:
    """Objective and gradient; zeros for the gradient where a Jacobian will give it, if needed."""
    if with_gradient:
        return problem.gradients(x)
    with torch.no_grad():
        return problem.values(x), torch.zeros_like(x)


def _damped_step(
    curvature: Float[Tensor, "B p p"], gradient: Float[Tensor, "B p"], damping: Float[Tensor, " B"]
) -> tuple[Float[Tensor, "B p"], Float[Tensor, " B"]]:
    """Solve (A + mu diag(A)) step = -g / 2, and the decrease that the quadratic model expects."""
    slope = gradient.double()
    diagonal = torch.diagonal(curvature, dim1=1, dim2=2)
    floor = 1e-12 * diagonal.amax(dim=1, keepdim=True).clamp_min(1e-300)
    damped = curvature + torch.diag_embed(damping[:, None] * diagonal + floor)
    step = torch.linalg.solve(damped, -0.5 * slope[..., None])[..., 0]
    longest = step.abs().amax(dim=1, keepdim=True).clamp_min(1e-300)
    step = step * (LONGEST_STEP / longest).clamp_max(1.0)
    bent = torch.einsum("bp,bpq,bq->b", step, curvature, step)
    return step, -(slope * step).sum(dim=1) - bent


def _keep_better(best: Tensor, lowest: Tensor, x: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    better = value < lowest
    return torch.where(better[:, None], x, best), torch.where(better, value, lowest)
