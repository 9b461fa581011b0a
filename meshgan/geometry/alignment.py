"""Rigid and similarity alignment of corresponding points, in closed form."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from meshgan.errors import InputError, ShapeError

MESHES_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Similarity:
    """``x -> scale * rotation @ x + translation``.

    Args:
        rotation: (3, 3), proper (determinant 1).
        translation: (3,), mm.
        scale: 1.0 for a rigid motion.
    """

    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]
    scale: float = 1.0

    def apply(self, points: Float[np.ndarray, "*P 3"]) -> Float[np.ndarray, "*P 3"]:
        """Move points (..., 3); keeps their float type."""
        moved = self.scale * (points @ self.rotation.T) + self.translation
        return moved.astype(points.dtype)

    def inverse(self) -> "Similarity":
        """The transform that undoes this one."""
        rotation, scale = self.rotation.T, 1 / self.scale
        return Similarity(rotation, -scale * (rotation @ self.translation), scale)


def procrustes(
    source: Float[np.ndarray, "P 3"],
    target: Float[np.ndarray, "P 3"],
    weights: Float[np.ndarray, " P"] | None = None,
    scale: bool = False,
) -> Similarity:
    """The motion that brings ``source`` closest to ``target``.

    minimise ``sum_p w_p |s R x_p + t - y_p|^2`` over rotations R, translations t and, if
    ``scale``, over s > 0 (else s = 1). Reflections are never chosen.

    Args:
        source: points x (P, 3), at least three that are not on one line.
        target: corresponding points y (P, 3).
        weights: (P,), not negative; all equal by default.
        scale: solve for the scale too.

    Raises:
        ShapeError: the point sets differ in length.
        InputError: fewer than three points with weight, or negative weights.

    Source: Umeyama 1991, Eqs. 34-43.
    """
    if source.shape != target.shape:
        raise ShapeError(f"procrustes: {len(source):,} source and {len(target):,} target points")
    share = checked_weights(weights, len(source))
    rotations, translations, scales = solve_similarities(source[None], target, share, scale)
    return Similarity(rotations[0], translations[0], float(scales[0]))


def robust_procrustes(
    source: Float[np.ndarray, "P 3"],
    target: Float[np.ndarray, "P 3"],
    width_mm: float,
    weights: Float[np.ndarray, " P"] | None = None,
    scale: bool = False,
    rounds: int = 5,
) -> Similarity:
    """``procrustes`` in which points that are far off by accident or mistake count little.

    Args:
        source: points (P, 3).
        target: corresponding points (P, 3), mm.
        width_mm: points much farther off than this hardly count.
        weights: (P,), not negative; all equal by default.
        scale: solve for the scale too.
        rounds: of reweighting.

    Raises:
        ShapeError: the point sets differ in length.
        InputError: fewer than three points with weight, or negative weights.

    Source: Umeyama 1991, Eqs. 34-43, reweighted by Geman and McClure 1987.
    """
    trust = checked_weights(weights, len(source))
    pose, robust = None, trust
    for _ in range(rounds):
        pose = procrustes(source, target, robust, scale)
        squared = ((pose.apply(source) - target) ** 2).sum(axis=1)
        robust = trust / (1 + squared / width_mm**2) ** 2 + 1e-6 * trust
    return procrustes(source, target, trust, scale) if pose is None else pose


def align_batch(
    vertices: Float[np.ndarray, "N V 3"],
    reference: Float[np.ndarray, "V 3"],
    weights: Float[np.ndarray, " V"] | None = None,
) -> Float[np.ndarray, "N V 3"]:
    """Bring each mesh rigidly onto the reference; sizes stay as they are.

    Args:
        vertices: (N, V, 3), mm.
        reference: (V, 3), mm.
        weights: (V,), for instance 1 on stable vertices and 0 elsewhere; all equal by default.

    Returns:
        (N, V, 3) of the same float type.

    Raises:
        ShapeError: the reference has another number of vertices.
        InputError: fewer than three vertices with weight, or negative weights.
    """
    if vertices.shape[1:] != reference.shape:
        raise ShapeError(
            f"align: meshes of {vertices.shape[1]:,} vertices, reference of {len(reference):,}"
        )
    share = checked_weights(weights, len(reference))
    aligned = np.empty_like(vertices)
    for start in range(0, len(vertices), MESHES_AT_ONCE):
        part = slice(start, start + MESHES_AT_ONCE)
        rotations, translations, _ = solve_similarities(
            vertices[part], reference, share, scale=False
        )
        aligned[part] = vertices[part] @ rotations.transpose(0, 2, 1) + translations[:, None]
    return aligned


def solve_similarities(
    sources: Float[np.ndarray, "N P 3"],
    target: Float[np.ndarray, "P 3"],
    weights: Float[np.ndarray, "*N P"],
    scale: bool,
) -> tuple[Float[np.ndarray, "N 3 3"], Float[np.ndarray, "N 3"], Float[np.ndarray, " N"]]:
    """``procrustes`` for many sources at once: rotations, translations and scales.

    Args:
        sources: (N, P, 3), finite also where the weight is 0.
        target: (P, 3).
        weights: (P,) for all sources alike, or (N, P); at least three positive in each row.
        scale: solve for the scales too, else they are 1.

    Source: Umeyama 1991, Eqs. 34-43.
    """
    share = np.atleast_2d(weights / weights.sum(axis=-1, keepdims=True))
    target = np.asarray(target, dtype=np.float64)
    source_mean = np.einsum("npi,np->ni", sources, np.broadcast_to(share, sources.shape[:2]))
    target_mean = share @ target
    centred_target = (target - target_mean[:, None]) * share[:, :, None]
    # sum_p w (y - mean y) x^T; the mean of x drops out, since the weighted y are centred
    covariance = np.matmul(
        centred_target.transpose(0, 2, 1), sources - source_mean[:, None]
    )  # Eq. 38
    left, values, right = np.linalg.svd(covariance)
    signs = np.ones_like(values)
    signs[:, 2] = np.sign(np.linalg.det(left) * np.linalg.det(right))  # Eq. 39: no reflection
    rotations = np.matmul(left * signs[:, None], right)  # Eq. 40
    if scale:
        distances = ((sources - source_mean[:, None]) ** 2).sum(axis=2)
        variance = (distances * share).sum(axis=1)
        scales = (values * signs).sum(axis=1) / variance  # Eq. 42
    else:
        scales = np.ones(len(sources))
    moved_mean = np.einsum("nij,nj->ni", rotations, source_mean)
    return rotations, target_mean - scales[:, None] * moved_mean, scales  # Eq. 41


def checked_weights(weights: Float[np.ndarray, " _"] | None, count: int) -> Float[np.ndarray, " _"]:
    """Weights of ``count`` points as float64; ones by default.

    Raises:
        ShapeError: another number of weights.
        InputError: a negative one, or fewer than three positive ones.
    """
    shares = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    if len(shares) != count:
        raise ShapeError(f"align: {len(shares):,} weights for {count:,} points")
    if (shares < 0).any() or int((shares > 0).sum()) < 3:
        raise InputError(
            f"align: {int((shares > 0).sum())} of {count:,} points have a positive weight and "
            f"{int((shares < 0).sum())} a negative one; at least three positive ones are needed"
        )
    return shares
