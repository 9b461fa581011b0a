"""``bench specificity``: the pruned nearest mesh beside comparing every pair."""

from typing import Any

import numpy as np
from jaxtyping import Float

from meshgan import seeding
from meshgan.apps.benchmarks.disk import delaunay_disk
from meshgan.apps.benchmarks.timing import alternate
from meshgan.arrays import UV
from meshgan.geometry.proximity import brute_force_nearest, nearest_mesh

MODES = 60  # smooth ways to vary, the long waves strongest, as in faces


def run(rounds: int = 3, small: bool = False, size: str = "quick") -> dict[str, Any]:
    """Time the nearest reference of every query; artificial smooth meshes, 5,500 vertices.

    ``size="paper"``: default faces on disk instead, as many and as large as the paper's.
    """
    if size == "paper":
        from meshgan.apps.benchmarks import specificity_paper

        return specificity_paper.run(rounds, small)
    vertices, references, queries = (300, 64, 4) if small else (5_500, 2_000, 64)
    mesh = delaunay_disk(vertices)
    assert mesh.uv is not None
    modes = _modes(mesh.uv)
    many = mesh.vertices + _random_faces(modes, references, "references")
    few = mesh.vertices + _random_faces(modes, queries, "queries")
    timing = alternate(
        lambda: nearest_mesh(few, many), lambda: brute_force_nearest(few, many), rounds=rounds
    )
    return {
        "what": f"nearest of {references:,} meshes of {vertices:,} vertices to each of {queries} "
        "others, exactly, beside comparing all pairs",
        **timing.as_dict(),
    }


def _modes(uv: UV) -> Float[np.ndarray, "M V 3"]:
    """Smooth displacement fields: products of cosines, amplitude falling with the frequency."""
    rng = seeding.generator(0, "bench specificity", "modes")
    frequency = np.arange(1, MODES + 1)[:, None] ** 0.5 * rng.random((MODES, 2)) * 2 * np.pi
    waves = np.cos(uv @ frequency.T + 2 * np.pi * rng.random(MODES)).T
    amplitude = 3 / np.arange(1, MODES + 1) ** 0.7
    directions = rng.normal(size=(MODES, 1, 3)) * amplitude[:, None, None]
    return (waves[..., None] * directions).astype(np.float32)


def _random_faces(modes: np.ndarray, count: int, name: str) -> Float[np.ndarray, "N V 3"]:
    rng = seeding.generator(0, "bench specificity", name)
    codes = rng.normal(size=(count, len(modes))).astype(np.float32)
    return np.tensordot(codes, modes, axes=1)
