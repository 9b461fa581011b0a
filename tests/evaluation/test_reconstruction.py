"""Sparse reconstruction: zero for a model's own faces, the ridge solution's error for others."""

import numpy as np
import pytest
import torch

from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.reconstruction import sparse_reconstruction
from tests.fitting.linear_faces import LinearFaces

IDS = torch.arange(0, 40, 4)


@pytest.fixture(scope="module")
def model() -> LinearFaces:
    return LinearFaces()


def truth_of(model: LinearFaces, count: int, noise_mm: float) -> torch.Tensor:
    faces = model.decode(model.sample_codes(count, torch.Generator().manual_seed(2)))
    return faces + noise_mm * torch.randn(
        faces.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64
    )


def test_own_faces_come_back(model):
    found = sparse_reconstruction(model, truth_of(model, 4, 0.0), IDS, (0.0,), solver="lm")
    assert found[0.0].estimate.mean < 1e-5


@pytest.mark.parametrize("value", [0.01, 10.0])
def test_error_is_that_of_the_closed_form(model, value):
    truth = truth_of(model, 5, 1.0)
    people = np.array([0, 0, 1, 1, 2])
    result = sparse_reconstruction(model, truth, IDS, (value,), people, solver="lm")[value]
    codes = model.ridge(
        truth[:, IDS], IDS, torch.full((10,), value).double(), torch.ones(5, 10).double()
    )
    distance = (model.decode(model.split(codes)) - truth).norm(dim=2)
    expected = distance.square().mean(dim=1).sqrt()
    torch.testing.assert_close(result.surface_mm, expected, rtol=1e-4, atol=1e-5)
    assert result.estimate.mean == pytest.approx(float(expected.mean()), rel=1e-4)
    assert result.estimate.count == 5
    low, high = result.interval
    means = [float(expected[people == k].mean()) for k in range(3)]
    assert min(means) - 1e-3 <= low <= result.estimate.mean <= high <= max(means) + 1e-3


def test_all_lambdas_and_repeatable(model):
    truth = truth_of(model, 3, 1.0)
    first, second = (
        sparse_reconstruction(model, truth, IDS, iterations=40, restarts=1) for _ in range(2)
    )
    assert list(first) == [0.0, 0.01, 10.0]
    for value in first:
        assert torch.equal(first[value].surface_mm, second[value].surface_mm)
        assert first[value].interval == second[value].interval


def test_refuses_other_faces(model):
    with pytest.raises(ShapeError, match="faces of 39 vertices, the model has 40"):
        sparse_reconstruction(model, torch.zeros(2, 39, 3), IDS)
    with pytest.raises(InputError, match="0 faces at 3 lambdas"):
        sparse_reconstruction(model, torch.zeros(0, 40, 3), IDS)
    with pytest.raises(ShapeError, match="2 people for 3 faces"):
        sparse_reconstruction(model, truth_of(model, 3, 0.0), IDS, people=np.arange(2))
