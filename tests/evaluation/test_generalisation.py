"""Generalisation: exact for faces in reach, the true remainder for the others."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from meshgan.errors import InputError, ShapeError
from meshgan.evaluation import estimate
from meshgan.evaluation.generalisation import generalisation, span_generalisation
from meshgan.evaluation.specificity import sample_faces
from tests.fakes import AdditiveModel


@pytest.fixture(scope="module")
def model():
    return AdditiveModel(side=10)


def least_squares(model, meshes):
    """The fit of an additive model, in closed form."""
    stacked = torch.cat([model.modes[name] for name in model.code_sizes]).flatten(1)
    moved = (meshes.double() - model.template_vertices.double()).flatten(1)
    joined = torch.linalg.lstsq(stacked.T, moved.T).solution.T
    parts = joined.split(list(model.code_sizes.values()), dim=1)
    return SimpleNamespace(codes=dict(zip(model.code_sizes, parts, strict=True)))


def test_own_faces_are_shown_again(model):
    faces = sample_faces(model, 9, seed=4)
    found = generalisation(model, faces, least_squares)
    assert found.estimate.mean < 1e-4
    assert found.estimate.count == 9
    torch.testing.assert_close(found.reconstruction, faces, atol=1e-3, rtol=0)
    assert {name: tuple(code.shape) for name, code in found.codes.items()} == {
        "identity": (9, 6), "expression": (9, 4), "noise": (9, 2)
    }  # fmt: skip


def test_what_no_code_can_show_is_left(model):
    faces = sample_faces(model, 5, seed=4)
    stacked = torch.cat([model.modes[name] for name in model.code_sizes]).flatten(1)
    basis = torch.linalg.qr(stacked.T).Q
    extra = torch.randn(5, 300, generator=torch.Generator().manual_seed(0)).double()
    extra = (extra - extra @ basis @ basis.T).view(5, 100, 3)
    found = generalisation(model, faces + extra.float(), least_squares)
    expected = extra.norm(dim=-1).mean(dim=-1)
    torch.testing.assert_close(found.distance, expected, atol=1e-3, rtol=0)


def test_batches_do_not_matter(model, monkeypatch):
    faces = sample_faces(model, 7, seed=4) + 1
    at_once = generalisation(model, faces, least_squares).distance
    monkeypatch.setattr(estimate, "VALUES_AT_ONCE", 3 * 100 * 2)
    by_twos = generalisation(model, faces, least_squares).distance
    torch.testing.assert_close(by_twos, at_once)


def test_span_shows_faces_once_it_has_all_directions(model):
    samples, faces = sample_faces(model, 60, seed=1), sample_faces(model, 20, seed=2)
    found = span_generalisation(samples, faces, (0, 1, 6, 12, 50))
    assert list(found) == [0, 1, 6, 12]  # there are no more than 12 directions
    means = [value.mean for value in found.values()]
    assert means == sorted(means, reverse=True)
    assert means[-1] < 1e-3
    centre = samples.double().mean(dim=0)
    expected = (faces.double() - centre).norm(dim=-1).mean()
    assert means[0] == pytest.approx(float(expected), rel=1e-5)


def test_span_equals_the_projection():
    rng = torch.Generator().manual_seed(3)
    samples, faces = torch.randn(2, 15, 8, 3, generator=rng)
    flat = samples.double().flatten(1).numpy()
    _, _, directions = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)
    found = span_generalisation(samples, faces, (4,))
    moved = faces.double().flatten(1).numpy() - flat.mean(axis=0)
    left = moved - moved @ directions[:4].T @ directions[:4]
    expected = np.linalg.norm(left.reshape(15, 8, 3), axis=2).mean()
    assert found[4].mean == pytest.approx(expected, rel=1e-4)


def test_refuses_bad_input(model):
    faces = sample_faces(model, 2)
    with pytest.raises(ShapeError, match="99 vertices, the model has 100"):
        generalisation(model, faces[:, 1:], least_squares)
    with pytest.raises(InputError, match="0 faces"):
        generalisation(model, faces[:0], least_squares)
    with pytest.raises(InputError, match="all of them finite"):
        span_generalisation(faces, faces * float("nan"))
    with pytest.raises(InputError, match="1 samples"):
        span_generalisation(faces[:1], faces)
