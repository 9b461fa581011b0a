"""Independent axes: found again, and the space of faces stays what it was."""

import numpy as np
import pytest

from meshgan.models.baselines.additive import AdditiveModel
from meshgan.models.independent_axes import independent_axes, with_independent_axes


def rare_movements(count: int = 4000) -> np.ndarray:
    """Three movements, each rare, one-sided and independent; mean 0, deviation 1."""
    rng = np.random.default_rng(0)
    amount = np.where(rng.random((count, 3)) < 0.2, rng.exponential(size=(count, 3)), 0)
    return (amount - amount.mean(axis=0)) / amount.std(axis=0)


def random_rotation(size: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(1).normal(size=(size, size)))[0]


def test_mixed_movements_are_found_again():
    sources, mixing = rare_movements(), random_rotation(3)
    found = independent_axes(sources @ mixing) @ mixing.T  # rows: axes, in terms of the sources
    assert np.allclose(found @ found.T, np.eye(3), atol=1e-12)
    order = found.argmax(axis=1)  # plus, not minus: skewed to the plus side
    assert sorted(order) == [0, 1, 2]
    assert found[np.arange(3), order].min() > 0.99


@pytest.fixture
def model() -> AdditiveModel:
    rng = np.random.default_rng(2)
    samples = np.concatenate([rare_movements() @ random_rotation(3), np.zeros((4000, 1))], axis=1)
    samples = np.concatenate([samples, rng.normal(size=(4000, 2))], axis=1)
    sizes = {"identity": 3, "expression": 4, "noise": 2}
    bases = {name: rng.normal(size=(size, 12)) for name, size in sizes.items()}
    bases["expression"][3] = 0
    codes = {"identity": rng.normal(size=(5, 3)), "expression": rng.normal(size=(3, 4))}
    codes["expression"][:, 3] = 0
    return AdditiveModel(np.zeros(12), bases, codes, ("expression", "noise"), samples)


def test_faces_of_labels_and_samples_stay(model):
    turned = with_independent_axes(model)
    for before, after in ((model, turned),):
        labels = [one.codes["expression"] @ one.bases["expression"] for one in (before, after)]
        np.testing.assert_allclose(*labels, atol=1e-10)
        faces = [
            one.samples @ np.concatenate([one.bases["expression"], one.bases["noise"]])
            for one in (before, after)
        ]
        np.testing.assert_allclose(*faces, atol=1e-10)
    assert not np.allclose(turned.bases["expression"], model.bases["expression"])
    covariance = [one.bases["expression"].T @ one.bases["expression"] for one in (model, turned)]
    np.testing.assert_allclose(*covariance, atol=1e-10)  # Gaussian codes give the same faces


def test_identity_noise_and_unused_components_are_left_alone(model):
    turned = with_independent_axes(model)
    for name in ("identity", "noise"):
        assert np.array_equal(turned.bases[name], model.bases[name])
    assert np.array_equal(turned.bases["expression"][3], model.bases["expression"][3])
    assert np.array_equal(turned.samples[:, 3:], model.samples[:, 3:])
