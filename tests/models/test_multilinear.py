"""Multilinear faces: decode is the Tucker product, written out; parts are the same numbers."""

import numpy as np
import pytest
import torch

from meshgan.errors import InputError
from meshgan.models.baselines.factor_spaces import fit_factor_spaces
from meshgan.models.baselines.multilinear import MultilinearFaces
from meshgan.models.baselines.subspace import principal_subspace
from meshgan.models.baselines.tucker import fit_tucker
from tests.models.linear_faces import MadeFaces
from tests.models.test_pca import FACES, TEMPLATE, names

SIZES = {"expression": 4, "identity": 6}  # not the order of the fit, longer than the truth


@pytest.fixture(scope="module")
def made():
    return MadeFaces(product=2.0, labelled=0.4)


@pytest.fixture(scope="module")
def model(made):
    subspace = principal_subspace(made.chunks, len(made.faces), np.random.default_rng(0))
    sizes = {"expression": 2, "identity": 3}
    start = fit_factor_spaces(
        subspace.coefficients, made.labels, made.counts, sizes, made.labels["expression"] == 0
    )
    fit = fit_tucker(subspace.coefficients, made.labels, start, 1.0, 200)
    ranks, directions = [2, 3], fit.core.shape[-1]
    counts = {name: made.counts[name] for name in SIZES}
    model = MultilinearFaces(TEMPLATE, FACES, names(counts), SIZES, ranks, directions)
    model.set_model(fit, subspace)
    return model


@pytest.fixture(scope="module")
def codes(model):
    return model.sample_codes(5, torch.Generator().manual_seed(0))


def test_label_codes_give_the_true_faces(model, made):
    """Few labels, strong products: each person's own way to show each expression."""
    codes = {name: model.label_codes(name)[torch.from_numpy(made.truth[name])] for name in SIZES}
    expected = TEMPLATE + torch.from_numpy(made.faces).float().unflatten(1, (-1, 3))
    torch.testing.assert_close(model.decode(codes), expected, atol=5e-3, rtol=0)


def test_decode_is_the_tucker_product(model, codes):
    shown = model.decode(codes)
    for row in range(5):
        b = [1.0, *codes["expression"][row, :2].tolist()]
        a = [1.0, *codes["identity"][row, :3].tolist()]
        place = sum(b[j] * a[k] * model.core[j, k] for j in range(3) for k in range(4))
        moved = sum(x * direction for x, direction in zip(place, model.directions, strict=True))
        torch.testing.assert_close(shown[row], model.centre + moved, atol=1e-4, rtol=0)


def test_entries_beyond_the_ranks_do_nothing(model, codes):
    changed = {name: code.clone() for name, code in codes.items()}
    changed["expression"][:, 2:] += 9
    changed["identity"][:, 3:] -= 9
    torch.testing.assert_close(model.decode(changed), model.decode(codes))


def test_samples_have_the_covariance_of_the_data(model, made):
    codes = model.sample_codes(40_000, torch.Generator().manual_seed(0))
    drawn = np.cov(model.decode(codes).flatten(1).double().numpy().T)
    expected = np.cov(made.faces.T, bias=True)
    assert np.linalg.norm(drawn - expected) < 0.03 * np.linalg.norm(expected)


def test_some_vertices_are_rows_of_all(model, codes):
    ids = torch.tensor([7, 0, 19, 7])
    torch.testing.assert_close(
        model.decode_at(codes, ids), model.decode(codes)[:, ids], atol=1e-5, rtol=0
    )


def test_any_batch_gives_the_same_rows(model, codes):
    one_by_one = [model.decode({n: c[k : k + 1] for n, c in codes.items()}) for k in range(5)]
    torch.testing.assert_close(torch.cat(one_by_one), model.decode(codes), atol=1e-5, rtol=0)


def test_gradient_reaches_the_codes(model):
    """What fitting needs: against differences, in float64."""
    double = MultilinearFaces(
        TEMPLATE, FACES, model.factors, SIZES, model.ranks, len(model.directions)
    )
    double.load_state_dict(model.state_dict())
    double = double.double()
    code = torch.randn(2, 10, dtype=torch.float64, requires_grad=True)
    ids = torch.tensor([3, 4])
    assert torch.autograd.gradcheck(lambda z: double.decode_at(double.split(z), ids), code)


def test_ranks_that_do_not_fit_are_refused(made):
    with pytest.raises(InputError, match=r"ranks \[5, 3\] for codes of \[4, 6\]"):
        MultilinearFaces(TEMPLATE, FACES, names({"expression": 2, "identity": 2}), SIZES, [5, 3], 7)
