"""How sure a number is: its spread when the faces behind it are drawn again."""

from collections.abc import Callable, Sequence

import numpy as np

from meshgan.errors import InputError

PERCENTILES = (2.5, 97.5)


def bootstrap(
    values: np.ndarray | Sequence[np.ndarray],
    statistic: Callable[[np.ndarray], float | np.floating],
    rng: np.random.Generator,
    draws: int = 1000,
) -> tuple[float, float]:
    """95 % interval of a statistic.

    What was drawn together stays together: give one row, or one array, for each unit that was
    drawn independently (a face with all its companions, a person with all his meshes). Units are
    drawn again with replacement, as many as there are.

    Args:
        values: an array whose first axis counts the units, or one array for each unit, of any
            lengths; the statistic then sees them end to end.
        statistic: of such an array, for example ``np.mean``.
        rng: of the draws.
        draws: repetitions.

    Returns:
        The 2.5th and 97.5th percentile of the statistic over the repetitions.

    Raises:
        InputError: there is no unit, or ``draws`` is below 1.

    Source: Efron and Tibshirani 1993, An Introduction to the Bootstrap, Sec. 13.3 (percentiles).
    """
    if len(values) == 0 or draws < 1:
        raise InputError(
            f"bootstrap: {len(values)} units and {draws} draws, expected at least one of each"
        )
    units = values if isinstance(values, np.ndarray) else list(values)
    repeated = []
    for _ in range(draws):
        chosen = rng.integers(0, len(units), len(units))
        again = (
            units[chosen]
            if isinstance(units, np.ndarray)
            else np.concatenate([units[k] for k in chosen])
        )
        repeated.append(float(statistic(again)))
    low, high = np.percentile(repeated, PERCENTILES)
    return float(low), float(high)
