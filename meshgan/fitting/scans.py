"""Faces from raw scans: where the face is, then codes and pose against the closest surface."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.arrays import Faces, VertexIds
from meshgan.data.importers.base import MeasuredLandmarks
from meshgan.data.mesh_formats.raw import RawMesh
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.fitting.fit import Fit, summarise
from meshgan.fitting.landmarks import fit_landmarks
from meshgan.fitting.objective import LeastSquares, ModelPoints, point_jacobian
from meshgan.fitting.observations import Observed, observe_landmarks
from meshgan.fitting.points import SurfacePoints
from meshgan.fitting.poses import PosedPoints
from meshgan.fitting.solvers import Solution, levenberg_marquardt
from meshgan.fitting.unknowns import penalties_of
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.simplify import collapse_edges
from meshgan.models.base import MeshModel
from meshgan.registration.prediction import Guides, lay_over
from meshgan.registration.prior import default_prior
from meshgan.registration.scan import Scan, prepare_scan
from meshgan.registration.scan_cleaning import normals_and_areas
from meshgan.registration.start import find_start

log = logging.getLogger(__name__)

FEWEST_LANDMARKS = 4
LANDMARK_NOISE_MM2 = 9.0  # people do not agree where a landmark is
SAMPLES = 1_200  # vertices of the model that look for the scan
INDEPENDENT_MM = 15.0  # misfits closer together than this are one and the same
LANDMARK_WIDTH_MM = 10.0  # landmarks farther off are mistakes
ALONG_SURFACE = 0.1  # weight of a step along the surface beside one towards it
LEAST_COSINE = 0.4  # directions that differ by more do not match
WIDTHS_MM = (*np.geomspace(12.0, 2.5, 12).tolist(), *(2.5,) * 6)
EXACT_STEPS = 8  # the last steps go to the surface itself, those before to oriented vertices
STEPS = 2  # of the solver, for each search of the closest points
NEAR_MM = 2.5
LEAST_MATCHED = 0.3


@dataclass(frozen=True, eq=False)
class ScanFit:
    """A face laid over a raw scan.

    Args:
        fit: codes and pose of one face, in the scan's frame, mm; its ``landmarks`` are the
            vertices that looked for the scan, ``trust`` says which of them found it, and
            ``landmark_rms_mm`` is ``scan_rms_mm``.
        scan_rms_mm: root mean square distance to the scan, of the vertices that lie on it.
        matched: share of the face's area that lies on the scan.
        scan: cleaned, in mm.
    """

    fit: Fit
    scan_rms_mm: float
    matched: float
    scan: Scan


def fit_scan(
    model: MeshModel,
    template: Template,
    scan: TriMesh | RawMesh | Scan,
    landmarks: MeasuredLandmarks | None = None,
    regularisation: float | Mapping[str, float] = 1.0,
    scale: bool = False,
    unit: str | None = None,
) -> ScanFit:
    """Minimise sum_v w_v rho(n_v . (s R v(z) + t - y_v)) + lambda |z|^2 over z, R, t and s.

    y_v is the point of the scan closest to vertex v, n_v the normal there; rho is the
    Geman-McClure function, whose width falls from 12 to 2.5 mm while y_v is searched anew.
    Vertices whose closest point lies on the rim of the scan or of a hole in it, or faces another
    way, count nothing: hair, clothes and holes are left out. Begins at measured landmarks, or
    where ``registration.start`` finds a face.

    Args:
        model: decodes codes.
        template: of the model.
        scan: any triangles, in any pose.
        landmarks: measured on it, in its unit; fewer than four count as none.
        regularisation: lambda, the variance (mm^2) of the scan's distance to a real face, where
            each 15 x 15 mm of the surface count as one measurement.
        scale: solve for a size too.
        unit: of the scan; found from its size if None.

    Raises:
        InputError: the scan is unusable or no face is found in it (says why), or the landmarks
            are those of no face.

    Source: Chen and Medioni 1992 (point to plane); Salazar et al. 2014, Sec. 3.2 (model fit).
    """
    prepared = scan if isinstance(scan, Scan) else prepare_scan(scan, unit=unit)
    if prepared.status != "ok":
        raise InputError(f"scan {prepared.status}: {prepared.notes[-1]}")
    seen = _observed(template, prepared, landmarks)
    begun, prepared, doubts = _begin(model, template, prepared, seen, scale)
    samples = _samples(template)
    problem = _ScanProblem(model, samples, prepared, begun, regularisation, scale, seen)
    solution = problem.solve(begun)
    rms, matched = problem.quality(solution.unknowns)
    doubts = list(doubts)
    if matched < LEAST_MATCHED:
        doubts.append(f"only {matched:.0%} of the face lie on the scan")
    for doubt in doubts:
        log.warning("fit: %s", doubt)
    fit = summarise(model, problem.last, solution)
    fit = replace(
        fit,
        landmark_rms_mm=torch.full_like(fit.landmark_rms_mm, rms),
        trust=problem.last.weights / problem.weights,
        notes=(*doubts, *prepared.notes),
    )
    return ScanFit(fit, rms, matched, prepared)


@dataclass(frozen=True, eq=False)
class _Samples:
    """Vertices that stand for the whole face, with triangles over them."""

    ids: VertexIds
    faces: Faces
    inside: np.ndarray  # not on the rim of the face


def _observed(
    template: Template, scan: Scan, landmarks: MeasuredLandmarks | None
) -> Observed | None:
    """Landmarks that are enough to begin with, in mm."""
    if landmarks is None:
        return None
    seen = observe_landmarks(landmarks.order, landmarks.points * scan.mm_per_unit, template)
    usable = int(seen.targets[0].isfinite().all(dim=1).sum())
    if usable >= FEWEST_LANDMARKS:
        return seen
    log.warning("fit: %d usable landmarks fix no pose; the face is searched", usable)
    return None


def _begin(
    model: MeshModel, template: Template, scan: Scan, seen: Observed | None, scale: bool
) -> tuple[Fit, Scan, tuple[str, ...]]:
    """A first face from landmarks, measured or predicted; and what is doubtful about it."""
    if seen is not None:
        fit = fit_landmarks(
            model,
            seen.points,
            seen.targets.to(model.template_vertices.device),
            LANDMARK_NOISE_MM2,
            scale=scale,
            missing=True,
            robust_mm=LANDMARK_WIDTH_MM,
        )
        return fit, scan, fit.notes
    start = find_start(scan, default_prior())
    if start.status in ("no_face", "unusable"):
        raise InputError(f"scan: no face found in it ({start.message}); give landmarks of it")
    guides = _guides(template)
    places = torch.from_numpy(guides.places(start.vertices)).float()[None]
    fit = fit_landmarks(
        model,
        SurfacePoints.at_vertices(torch.from_numpy(guides.vertex_ids)),
        places.to(model.template_vertices),
        LANDMARK_NOISE_MM2,
        scale=scale,
        robust_mm=8.0,
    )
    doubts = []
    if start.status == "uncertain":
        doubts.append(f"it is not certain that this is a face: {start.message}")
    if start.others:
        doubts.append(f"{1 + len(start.others)} faces in the scan; the best one was taken")
    return fit, start.scan, tuple(doubts)


class _ScanProblem:
    """What stays the same while closest points are searched again and again."""

    def __init__(
        self,
        model: MeshModel,
        samples: _Samples,
        scan: Scan,
        begun: Fit,
        regularisation: float | Mapping[str, float],
        scale: bool,
        seen: Observed | None,
    ) -> None:
        assert begun.poses is not None
        self.scan, self.samples = scan, samples
        device = model.template_vertices.device
        points = SurfacePoints.at_vertices(torch.from_numpy(samples.ids).to(device))
        inner = ModelPoints(model, points)
        rest = model.template_vertices[points.corners[:, 0]]
        self.function = PosedPoints(inner, begun.poses, rest.mean(dim=0), scale)
        _, areas = normals_and_areas(rest.cpu().double().numpy(), samples.faces)
        self.areas = areas * samples.inside
        self.weights = torch.from_numpy(areas / INDEPENDENT_MM**2).to(rest)[None]
        free = rest.new_zeros(self.function.extra)
        self.penalties = torch.cat([penalties_of(model, regularisation).to(rest), free])
        self.marks = None if seen is None else _Marks.of(model, seen, self.function)
        self.last = LeastSquares(
            self.function, rest[None], torch.zeros_like(self.weights), self.penalties
        )

    def solve(self, begun: Fit) -> Solution:
        codes = torch.cat(list(begun.codes.values()), dim=1)
        x = torch.cat([codes, codes.new_zeros(1, self.function.extra)], dim=1)
        for step, width in enumerate(WIDTHS_MM):
            problem = self._problem(x, width, exact=step >= len(WIDTHS_MM) - EXACT_STEPS)
            solution = levenberg_marquardt(problem, x, STEPS)
            moved = self._points(solution.unknowns) - self._points(x)
            x = solution.unknowns
        still = torch.tensor([bool(np.abs(moved).max() < 0.5)], device=x.device)
        return Solution(x, solution.objective, still, STEPS * len(WIDTHS_MM))

    def quality(self, unknowns: Tensor) -> tuple[float, float]:
        """Distance of what lies on the scan, and how much of the face that is."""
        moved = self._points(unknowns)
        normals, _ = normals_and_areas(moved, self.samples.faces)
        found = self.scan.index.closest(moved)
        good = ((normals * found.normal).sum(axis=1) > LEAST_COSINE) & ~found.on_boundary
        near = self.areas * (good & (found.distance < 2 * NEAR_MM))
        rms = float(np.sqrt((near * found.distance**2).sum() / max(near.sum(), 1e-12)))
        matched = self.areas * (good & (found.distance < NEAR_MM))
        return rms, float(matched.sum() / self.areas.sum())

    def _points(self, unknowns: Tensor) -> Float[np.ndarray, "L 3"]:
        with torch.no_grad():
            return self.function(unknowns)[0].cpu().double().numpy()

    def _problem(self, unknowns: Tensor, width_mm: float, exact: bool) -> LeastSquares:
        moved = self._points(unknowns)
        normals, _ = normals_and_areas(moved, self.samples.faces)
        if exact:
            found = self.scan.index.closest(moved)
        else:
            found = self.scan.oriented.closest(moved, normals)
        cosine = (normals * found.normal).sum(axis=1)
        good = (cosine > LEAST_COSINE) & ~found.on_boundary & self.samples.inside
        share = torch.from_numpy(good * np.clip(cosine, 0, 1)).to(self.weights)
        target = torch.from_numpy(found.point).to(self.weights)[None]
        direction = torch.from_numpy(found.normal).to(self.weights)[None]
        weights = self.weights * share
        self.last = replace(self.last, targets=target, weights=weights, width_mm=None)
        function = _TowardsSurface(self.function, direction)
        targets = function.components(target)
        if self.marks is not None:
            unit = width_mm / LANDMARK_WIDTH_MM
            function = _WithMarks(function, self.marks.function, unit)
            targets = torch.cat([targets, function.components(self.marks.targets)], dim=1)
            weights = torch.cat([weights, self.marks.weights / unit**2], dim=1)
        return LeastSquares(function, targets, weights, self.penalties, width_mm)


class _TowardsSurface:
    """Points as seen along a normal each, and a little as they are: (B, L, 4)."""

    def __init__(self, inner: PosedPoints, normals: Float[Tensor, "B L 3"]) -> None:
        self.inner, self.normals, self.size = inner, normals, inner.size

    def take(self, rows: Int[Tensor, " b"] | slice) -> "_TowardsSurface":
        return _TowardsSurface(self.inner.take(rows), self.normals[rows])

    def components(self, points: Float[Tensor, "B L 3"]) -> Float[Tensor, "B L 4"]:
        towards = (points * self.normals).sum(dim=2, keepdim=True)
        return torch.cat([towards, ALONG_SURFACE * points], dim=2)

    def __call__(self, unknowns: Float[Tensor, "B p"]) -> Float[Tensor, "B L 4"]:
        return self.components(self.inner(unknowns))

    def jacobian(self, unknowns: Float[Tensor, "B p"]) -> Float[Tensor, "B L 4 p"]:
        rows = point_jacobian(self.inner, unknowns)
        towards = torch.einsum("blc,blcp->blp", self.normals, rows)[:, :, None]
        return torch.cat([towards, ALONG_SURFACE * rows], dim=2)


@dataclass(frozen=True, eq=False)
class _Marks:
    """Landmarks that pull too, each with the weight of its noise."""

    function: PosedPoints
    targets: Float[Tensor, "B K 3"]
    weights: Float[Tensor, "B K"]

    @classmethod
    def of(cls, model: MeshModel, seen: Observed, surface: PosedPoints) -> "_Marks":
        points = seen.points.to(model.template_vertices.device)
        targets = seen.targets.to(model.template_vertices)
        known = targets.isfinite().all(dim=2)
        return cls(
            surface.with_inner(ModelPoints(model, points)),
            torch.where(known[..., None], targets, torch.zeros_like(targets)),
            known.to(targets) / LANDMARK_NOISE_MM2,
        )


class _WithMarks:
    """Rows of a surface and of landmarks; these in a unit in which one width fits both."""

    def __init__(self, surface: _TowardsSurface, marks: PosedPoints, unit: float) -> None:
        self.surface, self.marks, self.unit, self.size = surface, marks, unit, surface.size

    def components(self, points: Float[Tensor, "B K 3"]) -> Float[Tensor, "B K 4"]:
        return torch.nn.functional.pad(self.unit * points, (0, 1))

    def __call__(self, unknowns: Float[Tensor, "B p"]) -> Float[Tensor, "B L 4"]:
        marks = self.components(self.marks(unknowns))
        return torch.cat([self.surface(unknowns), marks], dim=1)

    def jacobian(self, unknowns: Float[Tensor, "B p"]) -> Float[Tensor, "B L 4 p"]:
        marks = self.unit * point_jacobian(self.marks, unknowns)
        padded = torch.nn.functional.pad(marks, (0, 0, 0, 1))
        return torch.cat([point_jacobian(self.surface, unknowns), padded], dim=1)

    def take(self, rows: Int[Tensor, " b"] | slice) -> "_WithMarks":
        return _WithMarks(self.surface.take(rows), self.marks.take(rows), self.unit)


@lru_cache(maxsize=4)
def _guides(template: Template) -> Guides:
    return lay_over(default_prior(), template)


@lru_cache(maxsize=4)
def _samples(template: Template) -> _Samples:
    vertices = template.mesh.vertices.astype(np.float64)
    coarse = collapse_edges(vertices, template.mesh.faces, min(SAMPLES, len(vertices)))
    edges = np.sort(coarse.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    unique, uses = np.unique(edges, axis=0, return_counts=True)
    inside = np.ones(len(coarse.kept), dtype=bool)
    inside[unique[uses == 1]] = False
    return _Samples(coarse.kept, coarse.faces, inside)
