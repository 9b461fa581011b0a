"""Faces from landmarks measured anywhere: pose, size and codes in one solve."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.fitting.checks import judge_landmarks
from meshgan.fitting.fit import Fit, summarise
from meshgan.fitting.objective import LeastSquares, ModelPoints
from meshgan.fitting.points import SurfacePoints
from meshgan.fitting.poses import PosedPoints, Poses
from meshgan.fitting.solvers import SolverName, check_solver, solve
from meshgan.fitting.unknowns import check_determined, check_targets, draw_starts, penalties_of
from meshgan.geometry.alignment import robust_procrustes
from meshgan.models.base import Codes, MeshModel

log = logging.getLogger(__name__)

NOISE_MM2 = 1.0  # lambda by default: landmarks are good to 1 mm
START_WIDTH_MM = 12.0  # people differ from the mean face by less; mistakes by more


def fit_landmarks(
    model: MeshModel,
    points: SurfacePoints,
    targets: Float[Tensor, "B L 3"],
    regularisation: float | Mapping[str, float] = NOISE_MM2,
    weights: Float[Tensor, "... _"] | None = None,
    pose: bool = True,
    scale: bool = False,
    missing: bool = False,
    robust_mm: float | None = None,
    restarts: int = 1,
    solver: SolverName = "lm",
    iterations: int | None = None,
    rng: torch.Generator | None = None,
    start: Codes | None = None,
) -> Fit:
    """Minimise sum_i w_i rho(|s R v_i(z) + t - target_i|^2) + lambda |z|^2 over z, R, t and s.

    Only the vertices that the points touch are computed, whatever the size of the model. All
    faces of a batch are solved together, and none depends on another. The first start is the
    mean face, further ones are random; each begins at the pose that brings the mean face's
    points closest to the targets.

    Args:
        model: decodes codes.
        points: which points of the surface.
        targets: where they were measured, mm.
        regularisation: lambda (mm^2 per squared unit of code): the variance of the landmarks'
            noise along each axis; one for all or one per code, a code not named has 0.
        weights: w, 0 or more, per point or per face and point; 0 = missing, whatever its target.
        pose: solve for a rotation R and a translation t of each face; else R = 1, t = 0.
        scale: solve for a size s of each face too; else s = 1.
        missing: take targets that are not finite for missing points; else they are refused.
        robust_mm: width of the Geman-McClure function rho: points much farther off hardly count;
            None for rho(e) = e.
        restarts: how many starts per face; the lowest objective is kept.
        solver: "lm", Levenberg-Marquardt on the rows of the Jacobian that the points need;
            "adam", the paper's; "adam+lm", both in turn.
        iterations: steps of the solver; its usual number if None.
        rng: of the random starts; a generator of seed 0 if None.
        start: codes to start from instead.

    Raises:
        InputError: fewer than three points, points on one line while a pose is solved for, too
            few for the unknowns where lambda is 0, another unit than mm, left and right
            exchanged, a vertex id out of range, a target that is not finite, or a negative
            weight or lambda.
        ShapeError: targets or weights do not fit the points, or codes to start from the faces.

    Source: Fernández Abrevaya et al. 2019, Sec. 5.5, Eq. 13. Differs: pose and size are solved
    together with the codes; rho; Levenberg-Marquardt by default.
    """
    check_solver(solver)
    setup = prepare(model, points, targets, regularisation, weights, missing, restarts, rng, start)
    function, first, penalties = setup.function, setup.first, setup.penalties
    notes = _judge(model, setup.mean, targets, setup.importance, pose)
    if pose:
        poses = start_poses(setup.mean, setup.known, setup.importance, scale)
        function = PosedPoints(function, poses, setup.mean.mean(dim=0), scale)
        free = first.new_zeros(function.extra)
        penalties = torch.cat([penalties, free])
        first = torch.cat([first, free.expand(len(first), -1)], dim=1)
    check_determined(setup.importance, penalties)
    problem = LeastSquares(function, setup.known, setup.importance, penalties, robust_mm)
    found = solve(problem, first, solver, iterations)
    return replace(summarise(model, problem, found), notes=tuple(notes))


@dataclass(frozen=True, eq=False)
class Setup:
    """What every fit of landmarks begins with.

    Args:
        function: the points of the model's faces.
        first: codes to start from (n, d), those of the first face first.
        mean: the points on the mean face (L, 3), mm.
        known: targets (B, L, C); 0 where they are missing.
        importance: weights (B, L); 0 where the target is missing.
        penalties: lambda of each component of the codes (d,).
    """

    function: ModelPoints
    first: Float[Tensor, "n d"]
    mean: Float[Tensor, "L 3"]
    known: Float[Tensor, "B L C"]
    importance: Float[Tensor, "B L"]
    penalties: Float[Tensor, " d"]


def prepare(
    model: MeshModel,
    points: SurfacePoints,
    targets: Float[Tensor, "B L C"],
    regularisation: float | Mapping[str, float],
    weights: Float[Tensor, "... _"] | None,
    missing: bool,
    restarts: int,
    rng: torch.Generator | None,
    start: Codes | None,
) -> Setup:
    """Check what a fit of landmarks was given; arguments as for ``fit_landmarks``.

    Raises:
        InputError: fewer than three points, a vertex id out of range, a target that is not
            finite, or a negative weight or lambda.
        ShapeError: targets or weights do not fit the points, or codes to start from the faces.
    """
    points = points.to(model.template_vertices.device)
    points.check_range(len(model.template_vertices))
    if missing and targets.ndim == 3:
        astray = ~targets.isfinite().all(dim=2)
        given = torch.ones_like(targets[..., 0]) if weights is None else weights.to(targets)
        weights = torch.where(astray, 0.0, given)
    importance = check_targets(targets, points, weights)
    first = draw_starts(model, len(targets), restarts, rng, start)
    if start is None:
        first[::restarts] = 0
    known = torch.where(importance[..., None] > 0, targets, torch.zeros_like(targets)).to(first)
    penalties = penalties_of(model, regularisation).to(first)
    check_determined(importance, penalties, targets.shape[-1])
    function = ModelPoints(model, points)
    with torch.no_grad():
        mean = function(torch.zeros_like(first[:1]))[0]
    return Setup(function, first, mean, known, importance.to(first), penalties)


def start_poses(
    mean: Float[Tensor, "L 3"],
    targets: Float[Tensor, "B L 3"],
    weights: Float[Tensor, "B L"],
    scale: bool = False,
) -> Poses:
    """Poses that bring the mean face's points closest to the targets, mistakes left aside.

    Args:
        mean: points in the model's frame, mm.
        targets: finite, also where the weight is 0.
        weights: of the points.
        scale: let the size change.
    """
    source = mean.detach().cpu().double().numpy()
    measured = targets.detach().cpu().double().numpy()
    shares = weights.detach().cpu().double().numpy()
    return Poses.of(
        [
            robust_procrustes(source, face, START_WIDTH_MM, share, scale)
            for face, share in zip(measured, shares, strict=True)
        ],
        like=mean,
    )


def _judge(
    model: MeshModel, mean: Tensor, targets: Tensor, weights: Tensor, pose: bool
) -> list[str]:
    template = model.template_vertices
    face_mm = float((template.amax(dim=0) - template.amin(dim=0)).norm())
    known = torch.where(weights[..., None] > 0, targets, torch.nan)
    known = known.detach().cpu().double().numpy()
    place = mean.detach().cpu().double().numpy()
    notes: list[str] = []
    for number, face in enumerate(known):
        where = f"landmarks of face {number}" if len(known) > 1 else "landmarks"
        notes += judge_landmarks(place, np.asarray(face), face_mm, pose, where)
    for note in notes:
        log.warning("fit: %s", note)
    return notes
