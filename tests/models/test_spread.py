"""Spreads: pairs of the model's faces differ as much as they were told to."""

from dataclasses import replace

import numpy as np
import pytest

from meshgan.models.baselines.additive import AdditiveModel
from meshgan.models.spread import match_diversity

VERTICES = 30


@pytest.fixture
def model() -> AdditiveModel:
    rng = np.random.default_rng(0)
    sizes = {"identity": 4, "viseme": 2, "expression": 3}
    bases = {name: rng.normal(size=(size, 3 * VERTICES)) for name, size in sizes.items()}
    codes = {name: rng.normal(size=(6, size)) for name, size in sizes.items()}
    resting = rng.normal(size=(5000, 3)) * (rng.random((5000, 1)) < 0.3)
    return AdditiveModel(np.zeros(3 * VERTICES), bases, codes, ("expression",), resting)


def distance(model: AdditiveModel, same: bool) -> float:
    """Mean vertex distance of 4,000 pairs, written out."""
    rng = np.random.default_rng(7)
    faces = []
    identity = rng.normal(size=(2, 4000, 4))
    for side in (0, 1):
        rows = rng.integers(0, len(model.samples), 4000)
        codes = {
            "identity": identity[0 if same else side],
            "viseme": rng.normal(size=(4000, 2)),
            "expression": model.samples[rows],
        }
        faces.append(model.displacements(codes).reshape(4000, VERTICES, 3))
    return float(np.linalg.norm(faces[0] - faces[1], axis=2).mean())


def test_pairs_differ_as_asked(model):
    matched = match_diversity(model, 6.0, {"identity": 2.0}, np.random.default_rng(1))
    assert distance(matched, same=True) == pytest.approx(2.0, rel=0.03)
    assert distance(matched, same=False) == pytest.approx(6.0, rel=0.03)


def test_labels_keep_their_faces(model):
    matched = match_diversity(model, 6.0, {"identity": 2.0}, np.random.default_rng(1))
    for name in ("identity", "viseme"):
        np.testing.assert_allclose(
            matched.codes[name] @ matched.bases[name], model.codes[name] @ model.bases[name]
        )


def test_nothing_to_go_by_changes_nothing(model):
    rng = np.random.default_rng(1)
    assert match_diversity(model, 6.0, {}, rng) is model
    still = replace(model, bases={**model.bases, "viseme": np.zeros((2, 3 * VERTICES))})
    still = replace(still, samples=np.zeros_like(model.samples))
    assert match_diversity(still, 6.0, {"identity": 2.0}, rng) is still
