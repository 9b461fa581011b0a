"""Pose and expression of a known person in a scan: few unknowns, found anew in every frame."""

from dataclasses import dataclass

import igl
import numpy as np
from jaxtyping import Float, Int

from meshgan.arrays import Faces, VertexIds, Vertices
from meshgan.geometry.alignment import Similarity
from meshgan.geometry.closest_point import SurfaceIndex
from meshgan.geometry.operators import mass_matrix
from meshgan.geometry.rigid_icp import rotation_from_vector

WIDTHS_MM = (6.0, 4.0, 3.0, 2.0, 1.5, 1.5, 1.5, 1.5)  # of the robust function, one per step
FIRST_VERTICES, LAST_VERTICES = 1_000, 4_000  # used in the first and the second half of the steps
LEAST_COSINE = 0.5
PATCH_MM2 = 25.0  # surface whose mean distance is known to within
NOISE_MM = 0.5  # this
DAMPING = 0.02  # weight of motions along the surface, which distances to planes leave free
LANDMARK_NOISE_MM = 5.0
LARGEST_COEFFICIENT = 6.0


@dataclass(frozen=True, eq=False)
class PointTargets:
    """Vertices that should lie at given points: landmarks.

    Args:
        vertex_ids: (L,).
        points: (L, 3), the scan's frame, mm.
    """

    vertex_ids: VertexIds
    points: Float[np.ndarray, "L 3"]


class ExpressionModel:
    """A person's face that moves by modes: ``neutral + sum_e c_e modes[e]``, c_e ~ N(0, 1).

    Args:
        neutral: (V, 3), mm, in the head's frame.
        faces: its triangles (F, 3).
        modes: (E, V, 3), mm, in standard deviations; E may be 0.
    """

    def __init__(self, neutral: Vertices, faces: Faces, modes: Float[np.ndarray, "E V 3"]) -> None:
        self.neutral, self.faces, self.modes = neutral, faces, modes
        self._flat = modes.reshape(len(modes), -1)
        self._by_axis = np.ascontiguousarray(modes.transpose(2, 1, 0))
        self._areas = mass_matrix(neutral, faces).diagonal()

    @property
    def mode_count(self) -> int:
        """E."""
        return len(self.modes)

    def face(self, coefficients: Float[np.ndarray, " E"]) -> Vertices:
        """The person with an expression (V, 3), float64, the head's frame."""
        return self.neutral + (coefficients @ self._flat).reshape(-1, 3)

    def fit(
        self,
        scan: SurfaceIndex,
        pose: Similarity,
        coefficients: Float[np.ndarray, " E"] | None = None,
        targets: PointTargets | None = None,
    ) -> tuple[Similarity, Float[np.ndarray, " E"]]:
        """Find rigid pose and coefficients, from a start that is nearly right.

        minimise ``sum_v a_v rho(n_v . (x_v - y_v)) / s^2 + |c|^2`` over pose and coefficients c,
        with the closest points y of the scan, normals n there, the vertices' share a of the
        surface and the Geman-McClure function rho, whose width falls. One Gauss-Newton step per
        width. The prior |c|^2 is the only memory, and it is of the person at rest: whatever the
        frames before were, a frame is fitted to the same place.

        Args:
            scan: what to reach.
            pose: rigid, takes the head's frame to the scan's.
            coefficients: where to begin (E,); rest if None.
            targets: landmarks that pull too.

        Source: Salazar et al. 2014, Sec. 3.2. Differs: the identity is known.
        """
        c = np.zeros(self.mode_count) if coefficients is None else coefficients.copy()
        for step, width in enumerate(WIDTHS_MM):
            wanted = FIRST_VERTICES if 2 * step < len(WIDTHS_MM) else LAST_VERTICES
            stride = max(1, len(self.neutral) // wanted)
            ids = np.arange(step % stride, len(self.neutral), stride)
            pose, c = self._step(scan, pose, c, width, ids, targets)
        return pose, c

    def _step(
        self,
        scan: SurfaceIndex,
        pose: Similarity,
        c: np.ndarray,
        width: float,
        ids: Int[np.ndarray, " P"],
        targets: PointTargets | None,
    ) -> tuple[Similarity, np.ndarray]:
        moved = pose.apply(self.face(c))
        normals = np.nan_to_num(igl.per_vertex_normals(moved, self.faces))[ids]
        found = scan.closest(moved[ids])
        cosine = (normals * found.normal).sum(axis=1)
        good = (cosine > LEAST_COSINE) & ~found.on_boundary
        offset = moved[ids] - found.point
        robust = good * (1 + (offset**2).sum(axis=1) / width**2) ** -2.0
        area = self._areas[ids] * (self._areas.sum() / self._areas[ids].sum())
        weight = area * robust / (PATCH_MM2 * NOISE_MM**2)
        centre = moved.mean(axis=0)
        along = self._motion_along(moved, centre, pose, found.normal, ids)
        system = along.T @ (weight[:, None] * along)
        right = -along.T @ (weight * (offset * found.normal).sum(axis=1))
        _damp(system, moved[ids] - centre, weight)
        if targets is not None:
            self._pull(system, right, moved, centre, pose, targets)
        system[6:, 6:] += np.eye(len(c))
        right[6:] -= c
        system += 1e-6 * np.eye(len(system))
        solution = np.linalg.solve(system, right)
        turn = rotation_from_vector(solution[:3])
        shift = centre + turn @ (pose.translation - centre) + solution[3:6]
        limit = LARGEST_COEFFICIENT
        return Similarity(turn @ pose.rotation, shift), np.clip(c + solution[6:], -limit, limit)

    def _motion_along(
        self,
        moved: Vertices,
        centre: np.ndarray,
        pose: Similarity,
        directions: Float[np.ndarray, "P 3"],
        ids: Int[np.ndarray, " P"],
    ) -> Float[np.ndarray, "P U"]:
        """How far vertices move along directions with each unknown: turn, shift, coefficients."""
        own = directions @ pose.rotation
        shape = sum(self._by_axis[axis][ids] * own[:, axis, None] for axis in range(3))
        return np.concatenate(
            [np.cross(moved[ids] - centre, directions), directions, shape], axis=1
        )

    def _pull(
        self,
        system: np.ndarray,
        right: np.ndarray,
        moved: Vertices,
        centre: np.ndarray,
        pose: Similarity,
        targets: PointTargets,
    ) -> None:
        ids = targets.vertex_ids
        offset = moved[ids] - targets.points
        robust = (1 + (offset**2).sum(axis=1) / (3 * LANDMARK_NOISE_MM) ** 2) ** -2.0
        weight = robust / LANDMARK_NOISE_MM**2
        for axis, direction in enumerate(np.eye(3)):
            directions = np.broadcast_to(direction, offset.shape)
            along = self._motion_along(moved, centre, pose, directions, ids)
            system += along.T @ (weight[:, None] * along)
            right -= along.T @ (weight * offset[:, axis])


def _damp(system: np.ndarray, arms: np.ndarray, weight: np.ndarray) -> None:
    """Keep turns and shifts along the surface determined; in place."""
    small = DAMPING * weight
    system[:3, :3] += np.eye(3) * (small @ (arms**2).sum(axis=1)) - (arms.T * small) @ arms
    system[3:6, 3:6] += small.sum() * np.eye(3)
