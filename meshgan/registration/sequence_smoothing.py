"""Tracks of points over time without jitter, and without rounding off what was really quick."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import sparse
from scipy.spatial.transform import Rotation

from meshgan.geometry.alignment import Similarity

AT_ONCE = 4_000_000  # numbers in work arrays of one solve
QUICK = 3.0  # second differences beyond this many times the usual one are motion, not noise
LEAST_NOISE_MM = 1e-4
TURN_ARM_MM = 80.0  # a turn by an angle counts like the way of a point this far from the middle


@dataclass(frozen=True)
class Smoothing:
    """How smooth tracks are made.

    Args:
        period_frames: noise with a shorter period than this is taken out.
        tangential: weight of a position along the surface beside 1 across it; the smaller, the
            smoother the motion along the surface, which scans hardly show.
    """

    period_frames: float = 8.0
    tangential: float = 0.1

    @property
    def stiffness(self) -> float:
        """Of second differences: halves motions of the period in one frame's weight."""
        return float((2 * np.sin(np.pi / max(self.period_frames, 2.0))) ** -4)


def solve_tracks(
    values: Float[np.ndarray, "K N"],
    weights: Float[np.ndarray, "K N"],
    stiffness: Float[np.ndarray, "M N"],
) -> Float[np.ndarray, "K N"]:
    """Smooth N tracks of K frames.

    minimise ``sum_k w_k (x_k - y_k)^2 + sum_k g_k (x_{k-1} - 2 x_k + x_{k+1})^2`` for each track.
    The systems have five diagonals and are factored for all tracks at once.

    Args:
        values: y, (K, N), K at least 3.
        weights: w, (K, N); at least two positive in each track.
        stiffness: g of the M = K - 2 inner frames, (M, N).
    """
    main, first, second = _five_diagonals(weights, stiffness)
    count = len(values)
    solved = weights * values
    # L D L^T: main becomes D, first and second the diagonals of L below it.
    for k in range(count):
        if k >= 1:
            solved[k] -= first[k - 1] * solved[k - 1]
        if k >= 2:
            solved[k] -= second[k - 2] * solved[k - 2]
        if k + 1 < count:
            ahead = first[k].copy()
            first[k] /= main[k]
            main[k + 1] -= first[k] * ahead
            if k + 2 < count:
                first[k + 1] -= first[k] * second[k]
                main[k + 2] -= second[k] ** 2 / main[k]
                second[k] /= main[k]
    for k in range(count - 1, -1, -1):
        solved[k] /= main[k]
        if k + 1 < count:
            solved[k] -= first[k] * solved[k + 1]
        if k + 2 < count:
            solved[k] -= second[k] * solved[k + 2]
    return solved


def _five_diagonals(
    weights: np.ndarray, stiffness: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Main diagonal, and the two above it, of diag(w) + D^T diag(g) D."""
    main, first = weights.astype(np.float64), np.zeros((len(weights) - 1, weights.shape[1]))
    main[:-2] += stiffness
    main[1:-1] += 4 * stiffness
    main[2:] += stiffness
    first[:-1] -= 2 * stiffness
    first[1:] -= 2 * stiffness
    return main, first, stiffness.astype(np.float64)


def calm_share(
    second_differences: Float[np.ndarray, "M N 3"], noise: float | None = None
) -> Float[np.ndarray, "M N"]:
    """1 where second differences are as large as noise makes them, towards 0 where larger."""
    size = np.linalg.norm(second_differences, axis=2)
    if noise is None:
        noise = max(1.4826 * float(np.median(size)), LEAST_NOISE_MM)
    return (1 + (size / (QUICK * noise)) ** 2) ** -2.0


def smooth_displacements(
    displacements: Float[np.ndarray, "K V 3"],
    weights: Float[np.ndarray, "K V"],
    normals: Float[np.ndarray, "V 3"],
    around: sparse.csr_matrix,
    settings: Smoothing,
) -> Float[np.ndarray, "K V 3"]:
    """Smooth the motion of a mesh; fewer than three frames stay as they are.

    Where all vertices around one move quickly together, that is motion, and it stays.

    Args:
        displacements: (K, V, 3), mm, without the motion of the head.
        weights: how well each position is known (K, V), positive.
        normals: unit normals of the resting mesh (V, 3).
        around: means over the neighbourhood of each vertex (V, V), rows sum to 1.
        settings: how smooth.

    Returns:
        (K, V, 3), of the same float type.
    """
    if len(displacements) < 3:
        return displacements
    frames = _frames_of(normals)
    moved = np.empty_like(displacements)
    calm = _calm(displacements, weights, around)
    across = np.array([settings.tangential, settings.tangential, 1.0])
    part = max(1, AT_ONCE // (3 * len(displacements)))
    for begin in range(0, len(normals), part):
        here = slice(begin, begin + part)
        local = np.einsum("kvc,vac->kva", displacements[:, here].astype(np.float64), frames[here])
        known = weights[:, here, None].astype(np.float64) * across
        stiff = settings.stiffness * np.repeat(calm[:, here, None], 3, axis=2)
        shape = local.shape
        smooth = solve_tracks(
            local.reshape(shape[0], -1),
            known.reshape(shape[0], -1),
            stiff.reshape(shape[0] - 2, -1).astype(np.float64),
        ).reshape(shape)
        moved[:, here] = np.einsum("kva,vac->kvc", smooth, frames[here])
    return moved


def _calm(
    displacements: np.ndarray, weights: np.ndarray, around: sparse.csr_matrix
) -> Float[np.ndarray, "M V"]:
    local = np.stack(
        [
            around @ (around @ (one - 2 * two + three)).astype(np.float32)
            for one, two, three in zip(
                displacements[:-2], displacements[1:-1], displacements[2:], strict=True
            )
        ]
    )
    known = np.minimum(np.minimum(weights[:-2], weights[1:-1]), weights[2:]) > 0.5
    size = np.linalg.norm(local, axis=2)
    usual = 1.4826 * float(np.median(size[known])) if known.any() else 0.0
    return calm_share(local, max(usual, LEAST_NOISE_MM)).astype(np.float32)


def _frames_of(normals: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "V 3 3"]:
    """An orthonormal basis per vertex, rows: two tangents, then the normal."""
    helper = np.where(np.abs(normals[:, :1]) < 0.8, [[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]])
    first = np.cross(normals, helper)
    first /= np.linalg.norm(first, axis=1, keepdims=True) + 1e-12
    return np.stack([first, np.cross(normals, first), normals], axis=1)


def smooth_poses(
    poses: list[Similarity], weights: Float[np.ndarray, " K"], settings: Smoothing
) -> list[Similarity]:
    """Rigid poses without jitter; jumps stay jumps. Fewer than three stay as they are.

    Args:
        poses: rotations and translations; scales are kept.
        weights: how well each is known (K,), positive.
        settings: how smooth.
    """
    if len(poses) < 3:
        return poses
    rotations = Rotation.from_matrix(np.stack([pose.rotation for pose in poses]))
    middle = rotations.mean()
    turns = (rotations * middle.inv()).as_rotvec()
    shifts = np.stack([pose.translation for pose in poses])
    tracks = np.stack([TURN_ARM_MM * turns, shifts], axis=1)
    stiff = settings.stiffness * calm_share(np.diff(tracks, 2, axis=0)).min(axis=1)
    width = np.ones((1, 6))
    smooth = solve_tracks(
        tracks.reshape(len(poses), 6), weights[:, None] * width, stiff[:, None] * width
    ).reshape(-1, 2, 3)
    turned = Rotation.from_rotvec(smooth[:, 0] / TURN_ARM_MM) * middle
    return [
        Similarity(rotation, shift, pose.scale)
        for rotation, shift, pose in zip(turned.as_matrix(), smooth[:, 1], poses, strict=True)
    ]
