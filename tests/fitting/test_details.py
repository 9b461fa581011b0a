"""Details: a fit with them is the joint fit of codes and weights, written out."""

import pytest
import torch

from meshgan.fitting.details import Details, details_of
from meshgan.fitting.meshes import fit_meshes
from meshgan.fitting.objective import LeastSquares, ModelPoints, differentiate
from meshgan.fitting.points import SurfacePoints
from tests.fitting.linear_faces import LinearFaces

EVERY = torch.arange(40)


def directions(count=4, vertices=40, size=3.0):
    rng = torch.Generator().manual_seed(5)
    return size * torch.randn(count, vertices, 3, generator=rng, dtype=torch.float64)


def problem_of(model, targets, ids, weight=1.0):
    points = ModelPoints(model, SurfacePoints.at_vertices(ids))
    weights = torch.full(targets.shape[:2], weight).double()
    return LeastSquares(points, targets, weights, torch.full((points.size,), 2.0).double())


@pytest.mark.parametrize("weight", [1.0, 2.5])
@pytest.mark.parametrize("ids", [EVERY, torch.tensor([3, 17, 20, 31, 8])])
def test_the_objective_is_that_of_the_best_weights(weight, ids):
    model, found = LinearFaces(bend=0.5), directions()
    rng = torch.Generator().manual_seed(1)
    targets = 5 * torch.randn(3, len(ids), 3, generator=rng).double()
    targets = targets + model.template_vertices[ids].double()
    codes = torch.randn(3, 10, generator=rng).double()
    plain = problem_of(model, targets, ids, weight)
    loose = Details(found, 7.0).let_pass(plain, ids)
    left = (targets - plain.function(codes)).flatten(1)
    columns = torch.cat([weight**0.5 * found[:, ids].flatten(1).T, 7.0**0.5 * torch.eye(4)])
    right = torch.cat([weight**0.5 * left, torch.zeros(3, 4)], dim=1)
    weights = torch.linalg.lstsq(columns, right.T).solution
    best = (columns @ weights - right.T).square().sum(dim=0) + 2.0 * codes.square().sum(dim=1)
    torch.testing.assert_close(loose.values(codes), best)


def test_derivatives_are_those_of_the_points():
    model = LinearFaces(bend=0.5)
    targets = torch.zeros(2, 40, 3).double()
    loose = Details(directions(), 7.0).let_pass(problem_of(model, targets, EVERY), EVERY).function
    codes = torch.randn(2, 10, generator=torch.Generator().manual_seed(1)).double()
    torch.testing.assert_close(loose.jacobian(codes), differentiate(loose, codes))


def test_a_detail_does_not_pass_for_an_expression():
    model = LinearFaces(vertices=600)
    rng = torch.Generator().manual_seed(3)
    # half a person's feature beyond the codes, half what the expression does
    field = torch.randn(1, 600, 3, generator=rng).double() + model.basis[5:6] / 2
    codes = {name: code / 10 for name, code in model.sample_codes(4, rng).items()}
    amount = torch.tensor([2.0, -1.0, 3.0, 1.0]).double()[:, None, None]
    seen = model.decode(codes) + amount * field
    known = fit_meshes(model, seen, 1.0, details=Details(3 * field, 1.0))
    unknown = fit_meshes(model, seen, 1.0)
    torch.testing.assert_close(known.codes["expression"], codes["expression"], atol=0.05, rtol=0)
    assert float((unknown.codes["expression"] - codes["expression"]).abs().max()) > 0.3
    # what is left over is said of the codes alone, without the details
    assert (known.landmark_rms_mm > unknown.landmark_rms_mm).all()
    off = (model.decode(known.codes) - seen).square().sum(dim=2).mean(dim=1).sqrt()
    torch.testing.assert_close(known.landmark_rms_mm, off)


def test_without_directions_nothing_changes():
    model = LinearFaces(bend=0.5)
    seen = model.decode(model.sample_codes(3, torch.Generator().manual_seed(4)))
    nothing = Details(torch.zeros(3, 40, 3).double(), 1.0)
    first, second = fit_meshes(model, seen), fit_meshes(model, seen, details=nothing)
    torch.testing.assert_close(first.codes, second.codes)


def test_only_models_that_know_any_have_details():
    model = LinearFaces()
    assert details_of(model) is None
    model.details = torch.zeros(3, 40, 3)
    assert details_of(model) is None  # room, and nothing in it
    model.details = directions()
    assert details_of(model) is model.details
