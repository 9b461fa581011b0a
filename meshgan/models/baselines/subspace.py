"""The few hundred directions in which faces of one data set vary: where linear models are fitted.

A linear or multilinear model of some 85 dimensions needs no more of the data than their leading
principal directions. In their coefficients, 30,000 meshes of 20,000 vertices are 70 MB instead
of 8 GB, and a solver may go over them again and again.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from meshgan.errors import InputError

log = logging.getLogger(__name__)
DIRECTIONS = 300
ROWS = 2500
COLUMNS_AT_ONCE = 4096
WEAKEST = 1e-11  # of the strongest variance: below it stand roundings of float32 data
Passes = Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]]
"""Starts a pass over the data: chunks of (row numbers (b,), displacements (b, 3V) in mm)."""


@dataclass(frozen=True, eq=False)
class Subspace:
    """displacement = mean + coefficients @ directions, as nearly as r directions can.

    Axis letters: N meshes, W = 3V coordinates, r directions.

    Args:
        mean: displacement (W,), mm, float64.
        directions: orthonormal rows (r, W), float32, by falling variance.
        coefficients: of every mesh (N, r), mm, float64.
        share: of the variance of all meshes that the directions hold, 0 to 1.
    """

    mean: Float[np.ndarray, " W"]
    directions: Float[np.ndarray, "r W"]
    coefficients: Float[np.ndarray, "N r"]
    share: float


def principal_subspace(
    chunks: Passes,
    count: int,
    rng: np.random.Generator,
    size: int = DIRECTIONS,
    max_rows: int = ROWS,
) -> Subspace:
    """Principal directions of some meshes and the coefficients of all, streaming them twice.

    Args:
        chunks: starts a pass over the data each time it is called.
        count: number of meshes N.
        rng: chooses the meshes of which the directions are computed.
        size: number of directions r at most; fewer where the data have fewer.
        max_rows: how many meshes are chosen; memory is bounded at this times W floats.

    Raises:
        InputError: all meshes are the same.
    """
    chosen = np.zeros(count, dtype=bool)
    chosen[rng.permutation(count)[:max_rows]] = True
    mean, some = _mean_and_some(chunks, chosen)
    some -= mean.astype(np.float32)
    directions = _orthonormal_directions(some, size)
    del some  # the larger part of the memory
    if not len(directions):
        raise InputError(f"all {count:,} meshes are the same: there is nothing to learn from them")
    coefficients = np.empty((count, len(directions)))
    squares = 0.0
    for rows, values in chunks():
        moved = values.astype(np.float32) - mean.astype(np.float32)
        coefficients[rows] = moved @ directions.T
        squares += float(np.einsum("bw,bw->", moved, moved, dtype=np.float64))
    share = float((coefficients**2).sum()) / squares
    log.info("%d directions hold %.2f %% of the variance", len(directions), 100 * share)
    return Subspace(mean, directions, coefficients, min(share, 1.0))


def _mean_and_some(chunks: Passes, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of all meshes, and the chosen ones, float32, never held twice."""
    total, some, filled = np.zeros(()), np.empty((0, 0), dtype=np.float32), 0
    for rows, values in chunks():
        total = total + values.sum(axis=0, dtype=np.float64)
        if not some.size:
            some = np.empty((int(chosen.sum()), values.shape[1]), dtype=np.float32)
        mine = chosen[rows]
        some[filled : filled + mine.sum()] = values[mine]
        filled += int(mine.sum())
    return total / len(chosen), some


def _orthonormal_directions(rows: np.ndarray, size: int) -> np.ndarray:
    """From the Gram matrix in float64: the weak directions are orthogonal too."""
    gram = np.zeros((len(rows), len(rows)))
    for start in range(0, rows.shape[1], COLUMNS_AT_ONCE):
        part = rows[:, start : start + COLUMNS_AT_ONCE].astype(np.float64)
        gram += part @ part.T
    values, vectors = np.linalg.eigh(gram)
    keep = np.argsort(values)[::-1][:size]
    keep = keep[values[keep] > max(values.max(), 1e-300) * WEAKEST]
    weights = vectors[:, keep] / np.sqrt(values[keep])
    directions = np.empty((len(keep), rows.shape[1]), dtype=np.float32)
    for start in range(0, rows.shape[1], COLUMNS_AT_ONCE):
        part = rows[:, start : start + COLUMNS_AT_ONCE].astype(np.float64)
        directions[:, start : start + COLUMNS_AT_ONCE] = weights.T @ part
    return directions
