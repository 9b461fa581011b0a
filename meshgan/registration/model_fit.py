"""The statistical face fitted to a scan: pose and coefficients together, robustly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from meshgan.arrays import VertexIds, Vertices
from meshgan.geometry.alignment import Similarity
from meshgan.geometry.rigid_icp import rotation_from_vector
from meshgan.registration.prior import FacePrior
from meshgan.registration.scan import Scan
from meshgan.registration.scan_cleaning import normals_and_areas

LEAST_COSINE = 0.4
DAMPING = 0.05  # weight of motions along the surface, which point-to-plane leaves free
NOISE_MM = 1.0  # typical distance of the model from a real face
INDEPENDENT_MM = 15.0  # misfits closer together than this are one and the same
CORE_WEIGHT = 3.0  # the core of a face has finer detail
LANDMARK_NOISE_MM = 5.0  # of given landmarks: people do not agree what "the same place" is
LARGEST_COEFFICIENT = 3.5
JUDGED_MM = 4.0  # distances count less and less beyond this when fits are compared
EXACT_STEPS = 5  # the last steps go to the surface itself, those before to oriented vertices
SCHEDULE = tuple(np.geomspace(12.0, 2.5, 14).tolist()) + (2.5,) * 4


@dataclass(frozen=True, eq=False)
class ModelFit:
    """A face of the prior laid over a scan.

    Args:
        pose: takes the prior's frame to the scan's.
        coefficients: (K,), in standard deviations.
        matched: share of the face's area with scan within 2.5 mm and the same direction.
        explained: 1 is a perfect fit of the mean face, 0 no fit at all: one minus the negative
            logarithm of the posterior as a share of what it is where nothing matches.
        distance: of each coarse vertex to the scan (C,), mm; infinite where nothing matches.
    """

    pose: Similarity
    coefficients: Float[np.ndarray, " K"]
    matched: float
    explained: float
    distance: Float[np.ndarray, " C"]

    def vertices(self, prior: FacePrior) -> Vertices:
        """The fitted face in the scan's frame (V, 3), float64."""
        return self.pose.apply(prior.face(self.coefficients))


@dataclass(frozen=True, eq=False)
class PointTargets:
    """Vertices of the prior that should lie at given points: landmarks.

    Args:
        vertex_ids: of the prior that is fitted (L,).
        points: (L, 3), the scan's frame, mm.
        trust: weight of each (L,), 1 where nothing speaks against it.
    """

    vertex_ids: VertexIds
    points: Float[np.ndarray, "L 3"]
    trust: Float[np.ndarray, " L"]


def fit_model(
    prior: FacePrior,
    scan: Scan,
    start: Similarity,
    schedule_mm: Sequence[float] = SCHEDULE,
    coefficients: Float[np.ndarray, " K"] | None = None,
    targets: PointTargets | None = None,
    scale: bool = False,
) -> ModelFit:
    """Fit a prior, best a coarse one, to a scan.

    minimise ``sum_v w_v rho(r_v) / sigma^2 + |c|^2`` over pose and coefficients c, where r_v is
    the distance of the posed vertex v to its match on the scan along the scan's normal there,
    and rho the Geman-McClure function whose width falls along the schedule. Vertices whose closest
    point lies on the rim of the scan, or faces another way, count nothing. One Gauss-Newton step
    per entry of the schedule.

    Args:
        prior: the Gaussian.
        scan: a cleaned scan, mm.
        start: pose that is roughly right; its scale is kept unless ``scale``.
        schedule_mm: width of rho at each step.
        coefficients: where to begin (K,); the mean face if None.
        targets: landmarks that pull too, with the weight of their noise.
        scale: solve for the scale too; sizes of people are in the prior already.

    Source: Salazar et al. 2014, Sec. 3.2 (fit of a statistical model before the template fit).
    Differs: pose, identity and expression in one solve; robust weights instead of rejection.
    """
    problem = _Problem(prior, scan, targets, scale)
    pose = start
    c = np.zeros(prior.mode_count) if coefficients is None else coefficients.copy()
    for step, width in enumerate(schedule_mm):
        stiffness = max(1.0, 6.0 * 0.6**step)  # few coefficients move before the pose is right
        exact = step >= len(schedule_mm) - EXACT_STEPS
        pose, c = problem.step(pose, c, width, stiffness, exact)
    distance = problem.distances(pose, c)
    matched = float(problem.share @ (distance < 2.5))
    return ModelFit(pose, c, matched, problem.explained(distance, c), distance)


class _Problem:
    """What stays the same during the steps of a fit."""

    def __init__(
        self,
        prior: FacePrior,
        scan: Scan,
        targets: PointTargets | None,
        scale: bool,
    ) -> None:
        self.prior, self.scan, self.targets, self.scale = prior, scan, targets, scale
        self.mean = prior.mean.astype(np.float64)
        self.flat_modes = prior.modes.reshape(prior.mode_count, -1).astype(np.float64)
        self.axis_modes = np.ascontiguousarray(prior.modes.transpose(2, 1, 0).astype(np.float64))
        _, areas = normals_and_areas(self.mean, prior.faces)
        areas = areas * prior.trusted
        self.share = areas / areas.sum()
        self.weight = areas * np.where(prior.core, CORE_WEIGHT, 1) / INDEPENDENT_MM**2 / NOISE_MM**2

    def face(self, c: np.ndarray) -> np.ndarray:
        return self.mean + (c @ self.flat_modes).reshape(-1, 3)

    def distances(self, pose: Similarity, c: np.ndarray) -> np.ndarray:
        """Of each vertex to the closest point of the scan, infinite where that is no match."""
        moved = pose.apply(self.face(c))
        normals, _ = normals_and_areas(moved, self.prior.faces)
        found = self.scan.index.closest(moved)
        cosine = (normals * found.normal).sum(axis=1)
        return np.where((cosine > LEAST_COSINE) & ~found.on_boundary, found.distance, np.inf)

    def explained(self, distance: np.ndarray, c: np.ndarray) -> float:
        with np.errstate(divide="ignore"):
            loss = 1 / (1 / JUDGED_MM**2 + 1 / distance**2)
        return float(1 - (self.weight @ loss + c @ c) / (self.weight.sum() * JUDGED_MM**2))

    def step(
        self, pose: Similarity, c: np.ndarray, width: float, stiffness: float, exact: bool
    ) -> tuple[Similarity, np.ndarray]:
        face = self.face(c)
        moved = pose.apply(face)
        normals, _ = normals_and_areas(moved, self.prior.faces)
        if exact:
            found = self.scan.index.closest(moved)
        else:
            found = self.scan.oriented.closest(moved, normals)
        cosine = (normals * found.normal).sum(axis=1)
        good = (cosine > LEAST_COSINE) & ~found.on_boundary
        offset = moved - found.point
        squared = (offset**2).sum(axis=1) / width**2
        weight = self.weight * good * np.clip(cosine, 0, 1) / (1 + squared) ** 2
        used = np.flatnonzero(weight > 1e-3 * self.weight)
        along = self._motion_along(moved, pose, found.normal, used)
        along *= np.sqrt(weight[used])[:, None]
        gap = (offset * found.normal).sum(axis=1)[used] * np.sqrt(weight[used])
        system = along.T @ along
        right = -along.T @ gap
        self._damp(moved, weight, system)
        if self.targets is not None:
            self._pull(moved, pose, system, right)
        first = len(system) - len(c)
        system[first:, first:] += stiffness * np.eye(len(c))
        right[first:] -= stiffness * c
        system[:first, :first] += 1e-6 * np.eye(first)
        solution = np.linalg.solve(system, right)
        return self._moved_on(pose, c, face, solution)

    def _motion_along(
        self, moved: np.ndarray, pose: Similarity, normals: np.ndarray, ids: np.ndarray
    ) -> np.ndarray:
        """How far each vertex moves along its normal (u, P) with each unknown.

        The unknowns are turn (3), shift (3), size (if it is solved for) and coefficients.
        """
        normal = normals[ids]
        arms = moved[ids] - moved.mean(axis=0)
        own = pose.scale * (normal @ pose.rotation)  # in the prior's frame
        shape = sum(self.axis_modes[axis][ids] * own[:, axis, None] for axis in range(3))
        parts = [np.cross(arms, normal), normal]
        if self.scale:
            parts.append((arms * normal).sum(axis=1, keepdims=True))
        return np.concatenate([*parts, shape], axis=1)

    def _damp(self, moved: np.ndarray, weight: np.ndarray, system: np.ndarray) -> None:
        arms = moved - moved.mean(axis=0)
        turning = np.eye(3) * (weight @ (arms**2).sum(axis=1)) - (arms.T * weight) @ arms
        system[:3, :3] += DAMPING * turning
        system[3:6, 3:6] += DAMPING * weight.sum() * np.eye(3)

    def _pull(
        self, moved: np.ndarray, pose: Similarity, system: np.ndarray, right: np.ndarray
    ) -> None:
        assert self.targets is not None
        ids, points = self.targets.vertex_ids, self.targets.points
        squared = ((moved[ids] - points) ** 2).sum(axis=1)
        weight = self.targets.trust / LANDMARK_NOISE_MM**2
        weight = weight / (1 + squared / (3 * LANDMARK_NOISE_MM) ** 2) ** 2
        for axis in np.eye(3):
            along = self._motion_along(moved, pose, np.broadcast_to(axis, moved.shape), ids)
            system += along.T @ (weight[:, None] * along)
            right -= along.T @ (weight * ((moved[ids] - points) @ axis))

    def _moved_on(
        self, pose: Similarity, c: np.ndarray, face: np.ndarray, solution: np.ndarray
    ) -> tuple[Similarity, np.ndarray]:
        turn = rotation_from_vector(solution[:3])
        factor = float(np.exp(np.clip(solution[6], -0.05, 0.05))) if self.scale else 1.0
        middle = pose.apply(face).mean(axis=0)
        translation = middle + factor * turn @ (pose.translation - middle) + solution[3:6]
        new = Similarity(turn @ pose.rotation, translation, factor * pose.scale)
        change = solution[len(solution) - len(c) :]
        return new, np.clip(c + change, -LARGEST_COEFFICIENT, LARGEST_COEFFICIENT)
