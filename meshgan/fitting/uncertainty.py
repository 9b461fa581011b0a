"""How sure a fit of landmarks is of every vertex: Laplace's approximation, and its calibration."""

from dataclasses import dataclass
from statistics import NormalDist

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from meshgan.errors import InputError, ShapeError
from meshgan.fitting.cameras import PicturePoints
from meshgan.fitting.fit import Fit
from meshgan.fitting.landmarks import fit_landmarks
from meshgan.fitting.meshes import fit_meshes
from meshgan.fitting.objective import LeastSquares, ModelPoints, point_jacobian
from meshgan.fitting.points import SurfacePoints
from meshgan.fitting.poses import PosedPoints
from meshgan.models.base import MeshModel

LEVEL = 0.9
NUMBERS_AT_ONCE = 20_000_000  # of derivatives: 80 MB in float32
LEAST_NOISE_MM = 0.05
FEWEST_FACES = 10


@dataclass(frozen=True, eq=False)
class Calibration:
    """What a model's intervals need to be right, learnt from faces that it never saw.

    Args:
        misfit_mm: (V,): deviation along an axis that the best fit of the whole face leaves.
        scale: factor on the deviations after which 90 % of the true coordinates lie inside the
            90 % intervals.
    """

    misfit_mm: Float[Tensor, " V"]
    scale: float = 1.0


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Standard deviation of every vertex of fitted faces.

    Args:
        deviation_mm: (B, V, 3), along each axis of the frame of ``Fit.vertices``.
        noise_mm: (B,): deviation of a landmark along an axis, the model's misfit included.
        calibrated: whether held-out faces had a say.
    """

    deviation_mm: Float[Tensor, "B V 3"]
    noise_mm: Float[Tensor, " B"]
    calibrated: bool

    @property
    def vertex_mm(self) -> Float[Tensor, "B V"]:
        """Root mean square distance that each vertex is expected to be off."""
        return self.deviation_mm.square().sum(dim=2).sqrt()

    def half_width(self, level: float = LEVEL) -> Float[Tensor, "B V 3"]:
        """Half of the interval (mm) in which a coordinate lies with probability ``level``.

        Raises:
            InputError: the level is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise InputError(f"uncertainty: level {level}, expected between 0 and 1")
        return self.deviation_mm * NormalDist().inv_cdf(0.5 + level / 2)

    def covers(
        self,
        fitted: Float[Tensor, "B V 3"],
        truth: Float[Tensor, "B V 3"],
        level: float = LEVEL,
    ) -> Bool[Tensor, "B V 3"]:
        """Which true coordinates lie inside their intervals."""
        return (truth.to(fitted) - fitted).abs() <= self.half_width(level)


def fit_uncertainty(
    model: MeshModel,
    fit: Fit,
    noise_mm: float | None = None,
    calibration: Calibration | None = None,
) -> Uncertainty:
    """Standard deviations of all vertices behind a fit of landmarks.

    Around the optimum the posterior of the unknowns is taken for a normal distribution: its
    precision is ``J^T W J / s^2`` from the landmarks, J their derivatives and s^2 the variance of
    a landmark, plus 1 for each component of the codes, which are standard normal. The derivatives
    of the vertices carry it to the surface; the model's own misfit is added. s^2 is the variance
    of the measurement plus that of the misfit, or, where the former is not given, what the
    residuals say.

    In pictures, where the place of the whole face along the view is hardly known at all, only the
    uncertainty of the shape is given.

    Args:
        model: that was fitted.
        fit: of ``fit_landmarks`` or ``fit_pictures``.
        noise_mm: deviation of the measurement along each axis; estimated from the residuals of
            each face if None.
        calibration: of the model; without it the misfit is taken from the residuals too.

    Raises:
        InputError: the fit is not one of landmarks, or the noise is negative.
        ShapeError: the calibration is another model's.

    Source: MacKay 1992, Bayesian Interpolation, Sec. 3 (Laplace's approximation with the
    Gauss-Newton curvature); effective number of parameters: the same, Eq. 4.9.
    """
    if fit.solved is None:
        raise InputError("uncertainty: the fit keeps no curvature; give a fit of landmarks")
    if noise_mm is not None and not noise_mm >= 0:
        raise InputError(f"uncertainty: noise of {noise_mm} mm, expected 0 or more")
    count = len(model.template_vertices)
    if calibration is not None and len(calibration.misfit_mm) != count:
        raise ShapeError(
            f"uncertainty: a calibration of {len(calibration.misfit_mm):,} vertices, the model has "
            f"{count:,}"
        )
    problem, x = fit.solved
    codes = sum(model.code_sizes.values())
    data = problem.curvatures(x) - torch.diag(problem.penalties.double())
    prior = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device)
    prior[:codes] = 1
    hidden = problem.penalties[codes:] > 0  # an unknown that no picture tells
    prior[codes:][hidden] = 1
    estimated = _residual_variance(problem, x, data)
    if calibration is not None:
        misfit = calibration.misfit_mm.to(x).double().square()
        own = _at_landmarks(problem, misfit)
    else:
        misfit = None
        own = torch.zeros_like(estimated)
    variance = estimated if noise_mm is None else own + noise_mm**2
    variance = variance.clamp_min(LEAST_NOISE_MM**2)
    precision = data / variance[:, None, None] + torch.diag(prior)
    covariance = torch.linalg.inv(precision)
    spread = _vertex_variance(model, problem.function, x, covariance, count)
    if misfit is None:
        rest = variance if noise_mm is None else (estimated - noise_mm**2).clamp_min(0)
        spread = spread + rest[:, None, None].to(spread)
    else:
        spread = spread + misfit[None, :, None].to(spread)
    scale = 1.0 if calibration is None else calibration.scale
    return Uncertainty(scale * spread.sqrt(), variance.sqrt(), calibration is not None)


def calibrate(
    model: MeshModel,
    faces: Float[Tensor, "N V 3"],
    points: SurfacePoints,
    noise_mm: float = 1.0,
    rng: torch.Generator | None = None,
) -> Calibration:
    """Learn misfit and scale of a model's intervals from faces that it never saw.

    The faces are fitted as a whole, which shows the misfit; then through noisy landmarks, and
    the scale is the one with which the 90 % intervals hold 90 % of the true coordinates.

    Args:
        model: to be calibrated.
        faces: registered and aligned like the training data, mm.
        points: the landmarks that will be used.
        noise_mm: deviation of their measurement along each axis.
        rng: of the noise; seed 0 if None.

    Raises:
        InputError: fewer than ten faces.
        ShapeError: another topology.
    """
    if len(faces) < FEWEST_FACES:
        raise InputError(
            f"uncertainty: {len(faces)} faces to calibrate with, expected {FEWEST_FACES} or more"
        )
    faces = faces.to(model.template_vertices)
    whole = fit_meshes(model, faces)
    misfit = (whole.landmarks - faces).square().mean(dim=(0, 2)).sqrt()
    raw = Calibration(misfit.cpu())
    rng = torch.Generator().manual_seed(0) if rng is None else rng
    fit, truth = fit_noisy_landmarks(model, faces, points, noise_mm, raw, rng)
    found = fit_uncertainty(model, fit, noise_mm, raw)
    relative = (fit.vertices(model) - truth).abs() / found.deviation_mm
    wanted = NormalDist().inv_cdf(0.5 + LEVEL / 2)
    return Calibration(misfit.cpu(), quantile(relative.flatten(), LEVEL) / wanted)


def fit_noisy_landmarks(
    model: MeshModel,
    faces: Float[Tensor, "N V 3"],
    points: SurfacePoints,
    noise_mm: float,
    calibration: Calibration,
    rng: torch.Generator,
) -> tuple[Fit, Float[Tensor, "N V 3"]]:
    """Landmarks of true faces with noise, fitted as well as can be; and the true faces.

    Lambda is the variance of the noise and of the misfit at the landmarks together.
    """
    points = points.to(model.template_vertices.device)
    exact = (faces[:, points.corners] * points.weights.to(faces)[..., None]).sum(dim=2)
    noise = torch.randn(exact.shape, generator=rng, device=rng.device).to(exact)
    own = (calibration.misfit_mm.to(faces)[points.corners].square() * points.weights).sum(dim=1)
    fit = fit_landmarks(model, points, exact + noise_mm * noise, float(own.mean() + noise_mm**2))
    return fit, faces


def quantile(values: Float[Tensor, " n"], share: float) -> float:
    """A quantile of any number of values."""
    place = min(len(values), max(1, round(share * len(values))))
    return float(values.kthvalue(place).values)


def _residual_variance(
    problem: LeastSquares, x: Tensor, data: Float[Tensor, "B p p"]
) -> Float[Tensor, " B"]:
    """Variance of a landmark along an axis: residuals over the numbers that are left free."""
    with torch.no_grad():
        weights = (problem.weights * problem.trust(x)).double()
        squared = (problem.function(x) - problem.targets).square().sum(dim=2).double()
    numbers = problem.targets.shape[2] * weights.sum(dim=1)
    whole = data + torch.diag(problem.penalties.double())
    used = torch.linalg.solve(whole + 1e-9 * torch.eye(x.shape[1]).to(whole), data)
    free = numbers - used.diagonal(dim1=1, dim2=2).sum(dim=1)
    return (weights * squared).sum(dim=1) / free.clamp_min(0.1 * numbers)


def _at_landmarks(problem: LeastSquares, misfit: Float[Tensor, " V"]) -> Float[Tensor, " B"]:
    """Mean variance of the misfit at the landmarks with weight."""
    points = _inner(problem.function).points
    own = (misfit[points.corners] * points.weights).sum(dim=1)
    weights = problem.weights.double()
    return (weights * own).sum(dim=1) / weights.sum(dim=1)


def _inner(function: object) -> ModelPoints:
    """The model's points behind poses and cameras."""
    while not isinstance(function, ModelPoints):
        function = function.posed if isinstance(function, PicturePoints) else function.inner  # type: ignore[union-attr]
    return function


def _vertex_variance(
    model: MeshModel,
    function: object,
    x: Float[Tensor, "B p"],
    covariance: Float[Tensor, "B p p"],
    count: int,
) -> Float[Tensor, "B V 3"]:
    """Variances of all vertices along the axes, some vertices at a time."""
    codes = sum(model.code_sizes.values())
    posed = function.posed if isinstance(function, PicturePoints) else function
    root = torch.linalg.cholesky(0.5 * (covariance + covariance.transpose(1, 2)))
    if isinstance(function, PicturePoints) or not isinstance(posed, PosedPoints):
        root = torch.linalg.cholesky(covariance[:, :codes, :codes])
    size = max(1, NUMBERS_AT_ONCE // (3 * x.shape[0] * x.shape[1]))
    parts = []
    for start in range(0, count, size):
        ids = torch.arange(start, min(count, start + size), device=x.device)
        inner = ModelPoints(model, SurfacePoints.at_vertices(ids))
        if isinstance(posed, PosedPoints):
            rows = point_jacobian(posed.with_inner(inner), x[:, : posed.size])
            if isinstance(function, PicturePoints):
                scale = posed.poses(x[:, : posed.size]).scale[:, None, None, None]
                rows = rows[..., :codes] / scale
        else:
            rows = point_jacobian(inner, x)
        parts.append((rows @ root[:, None].to(rows)).square().sum(dim=3))
    return torch.cat(parts, dim=1)
