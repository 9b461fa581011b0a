"""Robust rigid ICP: points with normals onto a surface, from coarse to fine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from meshgan.geometry.alignment import Similarity

LEAST_COSINE = 0.5  # normals that differ by more than 60 degrees do not match
TANGENTIAL = 0.01  # weight of the point-to-point term beside point-to-plane
FEWEST = 12


@dataclass(frozen=True, eq=False)
class Matches:
    """Where points went on a surface: positions (P, 3), normals (P, 3), validity weights (P,)."""

    points: Float[np.ndarray, "P 3"]
    normals: Float[np.ndarray, "P 3"]
    weights: Float[np.ndarray, " P"]


Matcher = Callable[[Float[np.ndarray, "P 3"]], Matches]


@dataclass(frozen=True, eq=False)
class RigidFit:
    """Result of ``rigid_icp``.

    Args:
        pose: takes the source points to the surface.
        inlier_share: share of the source's weight within two of the last scales, normals alike.
        rms: root mean square distance of these, along the surface normal, mm.
    """

    pose: Similarity
    inlier_share: float
    rms: float


def rigid_icp(
    points: Float[np.ndarray, "P 3"],
    normals: Float[np.ndarray, "P 3"],
    match: Matcher,
    start: Similarity,
    scales_mm: Sequence[float],
    weights: Float[np.ndarray, " P"] | None = None,
    scale: bool = False,
) -> RigidFit:
    """Move points onto a surface, from a start that is roughly right.

    minimise ``sum_p w_p rho(n_p . (s R x_p + t - y_p))`` over R, t and, if ``scale``, s; y_p is
    the match of x_p, n_p its normal and rho the Geman-McClure function, whose width falls from
    the first scale to the last. One Gauss-Newton step per scale. Points whose match has another
    normal direction count nothing.

    Args:
        points: source x (P, 3).
        normals: of the source, unit (P, 3).
        match: closest points on the surface.
        start: the first guess; its scale is kept if ``scale`` is False.
        scales_mm: width of rho at each step, falling.
        weights: of the source points; all equal by default.
        scale: solve for the scale too.

    Returns:
        The pose and how well it fits. With fewer than 12 matches the pose stays where it is.

    Source: Chen and Medioni 1992 (point to plane); Geman and McClure 1987 (rho); Low 2004
    (linearised rotation).
    """
    share = np.ones(len(points)) if weights is None else np.asarray(weights, dtype=np.float64)
    pose = start
    for width in scales_mm:
        moved = pose.apply(points)
        found, compatible = _compatible(moved, normals, pose, match)
        offset = moved - found.points
        squared = (offset**2).sum(axis=1)
        robust = share * compatible / (1 + squared / width**2) ** 2
        if int((robust > 0.05 * share).sum()) < FEWEST:
            break
        pose = _step(moved, offset, found.normals, robust, scale).after(pose)
    found, compatible = _compatible(pose.apply(points), normals, pose, match)
    along = ((pose.apply(points) - found.points) * found.normals).sum(axis=1)
    inside = np.linalg.norm(pose.apply(points) - found.points, axis=1) < 2 * scales_mm[-1]
    counted = share * compatible * inside
    rms = np.sqrt((counted * along**2).sum() / max(counted.sum(), 1e-12))
    return RigidFit(pose, float(counted.sum() / share.sum()), float(rms))


@dataclass(frozen=True, eq=False)
class _Increment:
    rotation: np.ndarray
    translation: np.ndarray
    scale: float

    def after(self, pose: Similarity) -> Similarity:
        return Similarity(
            self.rotation @ pose.rotation,
            self.scale * self.rotation @ pose.translation + self.translation,
            self.scale * pose.scale,
        )


def _compatible(
    moved: np.ndarray, normals: np.ndarray, pose: Similarity, match: Matcher
) -> tuple[Matches, np.ndarray]:
    found = match(moved)
    cosine = ((normals @ pose.rotation.T) * found.normals).sum(axis=1)
    return found, found.weights * (cosine > LEAST_COSINE) * np.clip(cosine, 0, 1)


def _step(
    moved: np.ndarray, offset: np.ndarray, normals: np.ndarray, weights: np.ndarray, scale: bool
) -> _Increment:
    """Gauss-Newton step of the weighted point-to-plane distance, about the weighted centre."""
    centre = weights @ moved / weights.sum()
    arms = moved - centre
    columns = [np.cross(arms, normals), normals]
    if scale:
        columns.append((arms * normals).sum(axis=1, keepdims=True))
    plane = np.concatenate(columns, axis=1)
    size = plane.shape[1]
    system = plane.T @ (weights[:, None] * plane)
    right = -plane.T @ (weights * (offset * normals).sum(axis=1))
    small = TANGENTIAL * weights  # keeps rotations and shifts along the surface determined
    system[:3, :3] += np.eye(3) * (small @ (arms**2).sum(axis=1)) - (arms.T * small) @ arms
    system[3:6, 3:6] += np.eye(3) * small.sum()
    right[:3] -= small @ np.cross(arms, offset)
    right[3:6] -= small @ offset
    if scale:
        system[6, 6] += small @ (arms**2).sum(axis=1)
        right[6] -= small @ (arms * offset).sum(axis=1)
    solution = np.linalg.solve(system + 1e-9 * np.trace(system) / size * np.eye(size), right)
    rotation = rotation_from_vector(solution[:3])
    factor = float(np.exp(np.clip(solution[6], -0.1, 0.1))) if scale else 1.0
    return _Increment(rotation, centre + solution[3:6] - factor * (rotation @ centre), factor)


def rotation_from_vector(vector: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """Rotation about ``vector`` by its length in radians (Rodrigues' formula)."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
