"""Least squares with weights between bounds, for a whole sequence at once."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import solveh_banded

from meshgan.errors import JobError

STEPS, HALVINGS = 200, 40
SETTLED = 1e-8  # largest move that a step may still want, in weights
NEAR_BOUND = 1e-6


def bounded_sequence(
    gram: Float[np.ndarray, "K K"],
    linear: Float[np.ndarray, "T K"],
    stiffness: Float[np.ndarray, " K"],
    start: Float[np.ndarray, "T K"] | None = None,
) -> Float[np.ndarray, "T K"]:
    """Minimise over weights w in [0, 1], all frames t together:

    ``sum_t (w_t' G w_t / 2 - g_t' w_t) + sum_t sum_k s_k (w_tk - w_(t-1)k)^2 / 2``.

    A projected Newton method: weights that a bound holds back are left out, the others take a
    Newton step, whose matrix is banded because only neighbouring frames are coupled.

    Args:
        gram: G, positive definite.
        linear: g, one row per frame.
        stiffness: s >= 0, what a change from frame to frame costs; zeros for frames on their own.
        start: weights to start from.

    Raises:
        JobError: it did not settle.

    Source: Bertsekas 1982, Projected Newton methods, Sec. 2.
    """
    frames, count = linear.shape
    weights = np.full((frames, count), 0.5) if start is None else np.clip(start, 0.0, 1.0)
    band = _banded(gram, stiffness, frames)

    def slope(at: np.ndarray) -> np.ndarray:
        return at @ gram - linear + _coupled(at, stiffness)

    def value(at: np.ndarray) -> float:
        change = np.diff(at, axis=0)
        return float(
            0.5 * np.sum((at @ gram) * at)
            - np.sum(linear * at)
            + 0.5 * np.sum(change * change * stiffness)
        )

    now = value(weights)
    for _ in range(STEPS):
        gradient = slope(weights)
        wanted = np.abs(weights - np.clip(weights - gradient / np.diag(gram), 0, 1)).max()
        if wanted < SETTLED:
            return weights
        near = min(NEAR_BOUND, wanted)
        held = (weights <= near) & (gradient > 0) | (weights >= 1 - near) & (gradient < 0)
        step = _newton_step(band, gradient, held, np.diag(gram))
        size = 1.0
        for _ in range(HALVINGS):
            moved = np.clip(weights - size * step, 0, 1)
            then = value(moved)
            if then < now:
                break
            size /= 2
        else:
            return weights  # rounding: no step lowers the value any further
        weights, now = moved, then
    raise JobError(f"weights: not settled after {STEPS} steps; are two shapes the same?")


def _coupled(weights: np.ndarray, stiffness: np.ndarray) -> np.ndarray:
    change = np.diff(weights, axis=0) * stiffness
    coupled = np.zeros_like(weights)
    coupled[1:] += change
    coupled[:-1] -= change
    return coupled


def _banded(gram: np.ndarray, stiffness: np.ndarray, frames: int) -> Float[np.ndarray, "D N"]:
    """The matrix, lower diagonals as rows ``band[i - j, j]``: K diagonals, and the coupling."""
    count = len(gram)
    neighbours = np.full(frames, 2.0)
    neighbours[[0, -1]] -= 1
    if frames == 1:
        neighbours[:] = 0
    band = np.zeros((count + 1, frames, count))
    for offset in range(count):
        band[offset, :, : count - offset] = np.diagonal(gram, -offset)
    band[0] += neighbours[:, None] * stiffness
    band[count, :-1] = -stiffness
    return band.reshape(count + 1, -1)


def _newton_step(
    band: np.ndarray,
    gradient: np.ndarray,
    held: Bool[np.ndarray, "T K"],
    scale: np.ndarray,
) -> np.ndarray:
    """Newton's step for the weights that are free; a scaled gradient step for those held."""
    free = ~held.ravel()
    reduced = band.copy()
    for offset in range(1, len(band)):
        both = free[offset:] & free[: len(free) - offset]
        reduced[offset, : len(free) - offset] *= both
    right = np.where(free, gradient.ravel(), 0)
    step = solveh_banded(reduced, right, lower=True, check_finite=False)
    return np.where(free, step, (gradient / scale).ravel()).reshape(gradient.shape)
