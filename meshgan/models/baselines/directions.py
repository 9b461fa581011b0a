"""Principal directions of rows, and how far rows that nobody has seen lie along them."""

import numpy as np
from jaxtyping import Float

ENOUGH_LABELS = 20  # for spreads measured on labels left out


def principal_directions(
    rows: Float[np.ndarray, "N W"], count: int
) -> tuple[Float[np.ndarray, "k W"], Float[np.ndarray, " k"]]:
    """Leading principal directions (k, W) of rows about zero, and standard deviations along them.

    Computed from the N x N Gram matrix: rows are fewer than columns here. k is at most the rank.
    """
    gram = (rows @ rows.T).astype(np.float64) / len(rows)
    values, vectors = np.linalg.eigh(gram)
    keep = np.argsort(values)[::-1][:count]
    keep = keep[values[keep] > max(values.max(), 1e-300) * 1e-9]
    deviations = np.sqrt(values[keep])
    weights = vectors[:, keep].T / (deviations * np.sqrt(len(rows)))[:, None]
    directions = weights.astype(rows.dtype) @ rows  # not a float64 copy of all rows
    return directions, deviations


def held_out_deviations(
    rows: Float[np.ndarray, "N W"],
    count: int,
    folds: int = 10,
    siblings: int = 1,
    whole: bool = False,
) -> Float[np.ndarray, " k"]:
    """Standard deviations along the leading principal directions, as rows left out show them.

    Few rows in many dimensions point their principal directions at themselves: along these, new
    rows vary less. Each fold's rows are measured along the directions of the others, rank by
    rank; the result never rises from one rank to the next. Rows come in groups of ``siblings``,
    which are left out together. With ``whole``, all are enlarged alike, such that they hold the
    variance that the directions miss as well.
    """
    squares, seen, total = np.zeros(count), np.zeros(count), 0.0
    part = np.arange(len(rows)) // siblings % folds
    for fold in range(folds):
        directions, _ = principal_directions(rows[part != fold], count)
        along = rows[part == fold] @ directions.T
        squares[: len(directions)] += (along**2).sum(axis=0)
        seen[: len(directions)] += len(along)
        total += float((rows[part == fold].astype(np.float64) ** 2).sum())
    variances = np.minimum.accumulate(squares / np.maximum(seen, 1))
    if whole and variances.sum() > 0:
        variances *= total / len(rows) / variances.sum()
    return np.sqrt(variances)


def further_directions(
    rows: Float[np.ndarray, "N W"], after: int, count: int, siblings: int = 1
) -> Float[np.ndarray, "k W"]:
    """Principal directions of rows about zero after the first few, as long as rows are along them.

    Args:
        rows: one per label.
        after: how many to leave out.
        count: how many to give, at most.
        siblings: rows come in groups of this many, which belong together.
    """
    directions, deviations = principal_directions(rows, after + count)
    if len(rows) >= ENOUGH_LABELS * siblings:
        deviations = held_out_deviations(rows, len(directions), siblings=siblings)
    return (directions * deviations[: len(directions), None])[after:]
