"""fit_meshes: the closed form over all vertices, and known codes of a bent model."""

import pytest
import torch

from meshgan.errors import InputError, ShapeError
from meshgan.fitting.meshes import fit_meshes
from tests.fitting.linear_faces import LinearFaces


def test_linear_model_reaches_the_closed_form():
    model = LinearFaces(vertices=700)  # more than the part that shows the curvature
    noise = torch.randn(3, 700, 3, generator=torch.Generator().manual_seed(2)).double()
    truth = model.decode(model.sample_codes(3, torch.Generator().manual_seed(4))) + noise
    fit = fit_meshes(model, truth, regularisation=5.0)
    everything = torch.arange(700)
    expected = model.ridge(
        truth, everything, torch.full((10,), 5.0).double(), torch.ones(3, 700).double()
    )
    best = (model.decode(model.split(expected)) - truth).square().sum((1, 2))
    best = best + 5.0 * expected.square().sum(1)
    assert (fit.objective <= best * 1.001).all()
    torch.testing.assert_close(model.join(fit.codes), expected, atol=0.02, rtol=0)
    assert fit.landmarks.shape == (3, 700, 3)


def test_codes_of_a_bent_model_are_found():
    model = LinearFaces(vertices=500, bend=0.7)
    codes = model.sample_codes(6, torch.Generator().manual_seed(8))
    fit = fit_meshes(model, model.decode(codes), regularisation=0.0)
    torch.testing.assert_close(model.join(fit.codes), model.join(codes), atol=1e-2, rtol=0)
    assert fit.converged.all()


def test_meshes_do_not_depend_on_those_beside_them():
    model = LinearFaces(vertices=300, bend=0.7)
    truth = model.decode(model.sample_codes(4, torch.Generator().manual_seed(8)))
    together, alone = fit_meshes(model, truth), fit_meshes(model, truth[:2])
    torch.testing.assert_close(together.objective[:2], alone.objective, rtol=1e-9, atol=1e-9)


def test_refuses_another_topology_and_broken_meshes():
    model = LinearFaces()
    with pytest.raises(ShapeError, match="meshes of 39 vertices, the model has 40"):
        fit_meshes(model, torch.zeros(2, 39, 3))
    with pytest.raises(InputError, match="not finite"):
        fit_meshes(model, torch.full((1, 40, 3), torch.inf))
