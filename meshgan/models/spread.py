"""How much an additive model's faces differ, made equal to how much the data's do."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from meshgan.models.baselines.additive import AdditiveModel

PAIRS, VERTICES = 2000, 1500
ROUNDS = 4  # of the fixed point; each leaves a hundredth of the error


def match_diversity(
    model: AdditiveModel,
    anyone_mm: float,
    same_mm: Mapping[str, float],
    rng: np.random.Generator,
) -> AdditiveModel:
    """The model, its spreads scaled such that pairs of faces differ as pairs of the data do.

    Spreads taken from variances are right for faces drawn from a Gaussian; but faces rest more
    often, and people differ in how strongly they move. So two numbers are adjusted: everything
    but the main factor, by the mean distance of two faces that share the main factor's label;
    then the main factor, by the mean distance of any two faces.

    Args:
        model: fitted to the data; ``samples`` are its codes of real faces.
        anyone_mm: mean vertex distance of two random faces of the data, mm.
        same_mm: by factor, of two that share its label.
        rng: of the pairs.
    """
    own = [name for name in model.bases if name not in model.shared]
    main, others = own[0], own[1:]
    if main not in same_mm:
        return model
    count = len(model.mean) // 3
    seen = rng.permutation(count)[: min(count, VERTICES)]
    some = {
        name: basis.reshape(len(basis), count, 3)[:, seen].reshape(len(basis), -1)
        for name, basis in model.bases.items()
    }
    first, second = rng.integers(0, len(model.samples), (2, PAIRS))
    shared = np.concatenate([some[name] for name in model.shared])
    apart = (model.samples[first] - model.samples[second]) @ shared
    apart = apart + sum(_differences(some[name], rng) for name in others)
    if (measured := _mean_distance(apart)) == 0:
        return model
    between, inner, outer = _differences(some[main], rng), same_mm[main] / measured, 1.0
    for _ in range(ROUNDS):
        outer *= anyone_mm / _mean_distance(outer * between + inner * apart)
    scales = {main: outer, **dict.fromkeys(others, inner)}
    bases, codes = dict(model.bases), dict(model.codes)
    for name, scale in scales.items():
        bases[name], codes[name] = scale * bases[name], codes[name] / scale
    return replace(model, bases=bases, codes=codes, samples=inner * model.samples)


def _differences(
    basis: Float[np.ndarray, "d W"], rng: np.random.Generator
) -> Float[np.ndarray, "n W"]:
    """Of pairs of faces with other codes (mm)."""
    first, second = rng.normal(size=(2, PAIRS, len(basis)))
    return (first - second) @ basis


def _mean_distance(differences: Float[np.ndarray, "n W"]) -> float:
    parts = np.array_split(differences, max(1, len(differences) // 200))
    lengths = [
        np.linalg.norm(part.reshape(len(part), -1, 3), axis=2).mean(axis=1) for part in parts
    ]
    return float(np.concatenate(lengths).mean())
