"""Axes along which faces move one at a time, in place of principal directions.

Principal directions mix the ways in which faces move: a smile is a bit of each. Along independent
axes most faces rest and a few go far, one way at a time. The space of faces is the same; but a
map of Gaussian codes to faces that stretches such an axis where few faces are gives a strong
expression a short code, so that fits to landmarks find it although long codes cost them.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from meshgan.models.baselines.additive import AdditiveModel

ITERATIONS, SETTLED = 300, 1e-5


def with_independent_axes(model: AdditiveModel) -> AdditiveModel:
    """The same model, with the codes of each factor that shares directions turned to such axes.

    Codes stay uncorrelated and of the same length, so Gaussian codes give the same faces.
    """
    bases, codes, samples = dict(model.bases), dict(model.codes), model.samples.copy()
    first = 0
    for name in model.shared:
        size = len(bases[name])
        used = first + np.flatnonzero(samples[:, first : first + size].std(axis=0) > 0)
        mine = used - first
        first += size
        if name not in codes or len(used) < 2:
            continue
        turn = independent_axes(samples[:, used])
        samples[:, used] = samples[:, used] @ turn.T
        bases[name], codes[name] = bases[name].copy(), codes[name].copy()
        bases[name][mine] = turn @ bases[name][mine]
        codes[name][:, mine] = codes[name][:, mine] @ turn.T
    return replace(model, bases=bases, codes=codes, samples=samples)


def independent_axes(samples: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "d d"]:
    """Rotation to axes whose components are as little Gaussian as can be, skewed to the plus side.

    Args:
        samples: uncorrelated components of equal deviation.

    Source: Hyvärinen 1999, Fast and robust fixed-point algorithms for independent component
    analysis, Sec. V (symmetric decorrelation, contrast log cosh). It begins at the axes as they
    are, so the result depends on the samples alone.
    """
    centred = samples - samples.mean(axis=0)
    centred = centred / np.sqrt((centred**2).mean())
    turn = np.eye(samples.shape[1])
    for _ in range(ITERATIONS):
        contrast = np.tanh(centred @ turn.T)
        slope = (1 - contrast**2).mean(axis=0)
        left, _, right = np.linalg.svd(contrast.T @ centred / len(samples) - slope[:, None] * turn)
        before, turn = turn, left @ right
        if np.abs(np.abs((turn * before).sum(axis=1)) - 1).max() < SETTLED:
            break
    skewness = ((centred @ turn.T) ** 3).mean(axis=0)
    return turn * np.where(skewness < 0, -1.0, 1.0)[:, None]
