"""Specificity: the smallest of all distances, by a plain loop; copies are found."""

import numpy as np
import pytest
import torch

from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.specificity import model_specificity, sample_faces, specificity
from tests.fakes import AdditiveModel, faces_of_model


@pytest.fixture(scope="module")
def model():
    return AdditiveModel(side=10)


@pytest.fixture(scope="module")
def faces(model):
    return faces_of_model(model, count=90)


def test_equals_the_loop(model, faces):
    queries = sample_faces(model, 7, seed=2)
    found = specificity(queries, faces)
    everything = faces.vertices(np.arange(90)).astype(np.float64)
    for k, query in enumerate(queries.double().numpy()):
        distance = np.linalg.norm(everything - query, axis=-1).mean(axis=-1)
        assert found.nearest[k] == distance.argmin()
        assert float(found.distance[k]) == pytest.approx(distance.min(), rel=1e-5)
    assert found.estimate.mean == pytest.approx(float(found.distance.double().mean()))
    assert found.estimate.count == 7


def test_copies_have_none(faces):
    chosen = np.array([3, 41, 80])
    found = specificity(torch.from_numpy(faces.vertices(chosen)), faces)
    assert found.nearest.tolist() == chosen.tolist()
    assert found.estimate.mean == pytest.approx(0, abs=1e-6)


def test_seed_decides(model, faces):
    first, again, other = (model_specificity(model, faces, 5, seed).distance for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_refuses_what_cannot_be_compared(model, faces):
    with pytest.raises(ShapeError, match="36 vertices against meshes of 100"):
        model_specificity(AdditiveModel(side=6), faces, 2)
    with pytest.raises(InputError, match="0 faces against 90 meshes"):
        specificity(torch.zeros(0, 100, 3), faces)
    with pytest.raises(InputError, match="not finite"):
        specificity(torch.full((1, 100, 3), float("nan")), faces)
