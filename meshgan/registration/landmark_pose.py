"""Pose from measured landmarks: robust, and aware of a scan whose left and right are exchanged."""

import numpy as np
from jaxtyping import Float, Int

from meshgan.geometry.alignment import Similarity, robust_procrustes

JAW, BROWS = 17, 27  # iBUG: 0-16 the jaw line, 17-26 the brows
TRUST = np.concatenate([np.full(JAW, 0.1), np.full(BROWS - JAW, 0.4), np.full(68 - BROWS, 1.0)])
WIDTH_MM = 8.0  # landmarks that are farther off count less
CLEARLY = 0.7


def pose_from_landmarks(
    model: Float[np.ndarray, "L 3"],
    measured: Float[np.ndarray, "L 3"],
    numbers: Int[np.ndarray, " L"],
    scale: bool = False,
) -> Similarity:
    """Similarity or rigid motion that takes a face's landmarks to measured ones.

    Landmarks along the jaw and the brows, which slide, count less; those that are far off by
    accident or mistake count little.

    Args:
        model: of the mean face (L, 3), mm; at least three.
        measured: (L, 3), mm.
        numbers: which of the 68 iBUG landmarks they are (L,).
        scale: solve for the scale too.

    Source: see ``robust_procrustes``.
    """
    return robust_procrustes(model, measured, WIDTH_MM, TRUST[numbers], scale)


def is_mirrored(
    model: Float[np.ndarray, "L 3"],
    measured: Float[np.ndarray, "L 3"],
    numbers: Int[np.ndarray, " L"],
) -> bool:
    """True if the landmarks fit a mirror image of the face clearly better than the face."""
    flipped = measured * [-1.0, 1.0, 1.0]
    misfits = []
    for points in (measured, flipped):
        moved = pose_from_landmarks(model, points, numbers, scale=True).apply(model)
        misfits.append(np.median(np.linalg.norm(moved - points, axis=1)))
    return bool(misfits[1] < CLEARLY * misfits[0])
