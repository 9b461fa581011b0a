"""Tracks of points over time without jitter, and without rounding off what was really quick."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import sparse
from scipy.spatial.transform import Rotation

from meshgan.geometry.alignment import Similarity

AT_ONCE = 4_000_000  # numbers in work arrays of one solve
LEAST_NOISE_MM = 1e-3
NOISIEST = 4.0  # noise of a vertex beside the usual one; more is motion
BY_CHANCE = 2.0  # squares this many times larger than noise makes them may be chance
WINDOW = 2  # frames on either side over which squares are averaged
MEDIAN_OF_SQUARES = 0.789  # median of chi squared with three degrees of freedom, by its mean
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
    tangential: float = 0.3

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


def adaptive_stiffness(
    tracks: Float[np.ndarray, "K N 3"], largest: float, around: sparse.csr_matrix | None = None
) -> Float[np.ndarray, "M N"]:
    """Stiffness g of the M = K - 2 inner frames: as much as the noise of each track demands.

    White noise of variance n makes second differences of mean square 6 n, and fourth ones of
    70 n, in which motion hardly counts. Where second differences are larger than noise makes
    them, the rest q is motion, and a stiffness of n / q would be best (Wiener); where they are
    not, the largest is taken.

    Args:
        tracks: (K, N, 3), K at least 3.
        largest: stiffness where nothing but noise is seen.
        around: means over the neighbourhood of each track (N, N): motion has neighbours.
    """
    noise = np.maximum(_noise(tracks), LEAST_NOISE_MM**2)
    squares = (np.diff(tracks, 2, axis=0) ** 2).sum(axis=2)
    if around is not None:
        noise = np.minimum(around @ noise, NOISIEST * np.median(noise))
        squares = np.stack([around @ one for one in squares])
    squares = _window_means(squares)
    motion = np.maximum(squares - 6 * BY_CHANCE * noise, 0)
    return (largest / (1 + largest * motion / noise)).astype(squares.dtype)


def _noise(tracks: Float[np.ndarray, "K N 3"]) -> Float[np.ndarray, " N"]:
    """Variance of white noise in each track, from differences of the highest order up to 4."""
    order = min(4, len(tracks) - 1)
    gain = {2: 6.0, 3: 20.0, 4: 70.0}[order]
    squares = (np.diff(tracks, order, axis=0) ** 2).sum(axis=2)
    return np.median(squares, axis=0) / (MEDIAN_OF_SQUARES * gain)


def _window_means(values: Float[np.ndarray, "M N"]) -> Float[np.ndarray, "M N"]:
    """Means over each frame and those beside it, fewer at the ends."""
    total, count = np.zeros_like(values), np.zeros((len(values), 1), dtype=values.dtype)
    for shift in range(-WINDOW, WINDOW + 1):
        to = slice(max(0, -shift), len(values) - max(0, shift))
        source = slice(max(0, shift), len(values) - max(0, -shift))
        if to.start < to.stop:
            total[to] += values[source]
            count[to] += 1
    return total / count


def smooth_displacements(
    displacements: Float[np.ndarray, "K V 3"],
    weights: Float[np.ndarray, "K V"],
    normals: Float[np.ndarray, "V 3"],
    around: sparse.csr_matrix,
    settings: Smoothing,
) -> Float[np.ndarray, "K V 3"]:
    """Smooth the motion of a mesh; fewer than three frames stay as they are.

    Where vertices move more quickly than noise would make them, they are smoothed less.

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
    stiffness = adaptive_stiffness(displacements, settings.stiffness, around)
    across = np.array([settings.tangential, settings.tangential, 1.0])
    part = max(1, AT_ONCE // (3 * len(displacements)))
    for begin in range(0, len(normals), part):
        here = slice(begin, begin + part)
        local = np.einsum("kvc,vac->kva", displacements[:, here].astype(np.float64), frames[here])
        known = weights[:, here, None].astype(np.float64) * across
        stiff = np.repeat(stiffness[:, here, None], 3, axis=2)
        shape = local.shape
        smooth = solve_tracks(
            local.reshape(shape[0], -1),
            known.reshape(shape[0], -1),
            stiff.reshape(shape[0] - 2, -1).astype(np.float64),
        ).reshape(shape)
        moved[:, here] = np.einsum("kva,vac->kvc", smooth, frames[here])
    return moved


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
    stiff = adaptive_stiffness(tracks, settings.stiffness).min(axis=1)
    width = np.ones((1, 6))
    smooth = solve_tracks(
        tracks.reshape(len(poses), 6), weights[:, None] * width, stiff[:, None] * width
    ).reshape(-1, 2, 3)
    turned = Rotation.from_rotvec(smooth[:, 0] / TURN_ARM_MM) * middle
    return [
        Similarity(rotation, shift, pose.scale)
        for rotation, shift, pose in zip(turned.as_matrix(), smooth[:, 1], poses, strict=True)
    ]
