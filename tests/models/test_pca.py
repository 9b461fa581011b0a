"""Additive faces: decode is mean + codes times bases; parts of it are the same numbers."""

import numpy as np
import pytest
import torch

from meshgan.errors import ShapeError
from meshgan.models.baselines.factor_spaces import fit_factor_spaces
from meshgan.models.baselines.pca import AdditiveFaces
from meshgan.models.baselines.subspace import principal_subspace
from tests.models.linear_faces import MadeFaces

SIZES = {"identity": 5, "expression": 4}
TEMPLATE = torch.from_numpy(np.random.default_rng(9).normal(size=(20, 3)) * 10).float()
FACES = torch.tensor([[0, 1, 2], [2, 3, 4]])


def names(counts):
    return {name: tuple(f"{name}{k}" for k in range(count)) for name, count in counts.items()}


@pytest.fixture(scope="module")
def made():
    return MadeFaces(labelled=0.3)


@pytest.fixture(scope="module")
def model(made):
    subspace = principal_subspace(made.chunks, len(made.faces), np.random.default_rng(0))
    spaces = fit_factor_spaces(
        subspace.coefficients, made.labels, made.counts, SIZES, made.labels["expression"] == 0
    )
    model = AdditiveFaces(TEMPLATE, FACES, names(made.counts), SIZES)
    model.set_spaces(spaces, subspace)
    return model


def test_label_codes_give_the_true_faces(model, made):
    codes = {name: model.label_codes(name)[torch.from_numpy(made.truth[name])] for name in SIZES}
    expected = TEMPLATE + torch.from_numpy(made.faces).float().unflatten(1, (-1, 3))
    torch.testing.assert_close(model.decode(codes), expected, atol=1e-3, rtol=0)


def test_samples_have_the_covariance_of_the_data(model, made):
    """All people with all expressions: their covariance is the sum of the factors' own."""
    codes = model.sample_codes(40_000, torch.Generator().manual_seed(0))
    drawn = np.cov(model.decode(codes).flatten(1).double().numpy().T)
    expected = np.cov(made.faces.T, bias=True)
    assert np.linalg.norm(drawn - expected) < 0.03 * np.linalg.norm(expected)


def test_some_vertices_are_rows_of_all(model):
    codes = model.sample_codes(6, torch.Generator().manual_seed(1))
    ids = torch.tensor([7, 0, 19, 7])
    torch.testing.assert_close(
        model.decode_at(codes, ids), model.decode(codes)[:, ids], atol=1e-5, rtol=0
    )


def test_any_batch_gives_the_same_rows(model):
    codes = model.sample_codes(6, torch.Generator().manual_seed(1))
    one_by_one = [model.decode({n: c[k : k + 1] for n, c in codes.items()}) for k in range(6)]
    torch.testing.assert_close(torch.cat(one_by_one), model.decode(codes), atol=1e-5, rtol=0)


def test_an_expression_moves_every_person_alike(model):
    codes = model.sample_codes(4, torch.Generator().manual_seed(2))
    still = model.decode({**codes, "expression": torch.zeros(4, 4)})
    moved = model.decode({**codes, "expression": torch.ones(4, 4)}) - still
    torch.testing.assert_close(moved, moved[:1].expand_as(moved), atol=1e-4, rtol=0)


def test_wrong_codes_are_refused(model):
    codes = model.sample_codes(2, torch.Generator().manual_seed(0))
    with pytest.raises(ShapeError, match="expression missing"):
        model.decode({"identity": codes["identity"]})
