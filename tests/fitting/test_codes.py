"""fit_codes: the closed form on linear models, independent faces, clear about bad targets."""

import pytest
import torch

from meshgan.errors import InputError, ShapeError
from meshgan.fitting.codes import fit_codes
from meshgan.fitting.points import SurfacePoints
from meshgan.models.generator import DecoupledGenerator
from tests.fitting.linear_faces import LinearFaces

IDS = torch.tensor([0, 3, 7, 11, 12, 20, 31, 39])


@pytest.fixture(scope="module")
def model() -> LinearFaces:
    return LinearFaces()


@pytest.fixture(scope="module")
def faces(model):
    codes = model.sample_codes(4, torch.Generator().manual_seed(5))
    noise = torch.randn(4, 40, 3, generator=torch.Generator().manual_seed(6))
    return codes, model.decode(codes), model.decode(codes) + noise.double()


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@pytest.mark.parametrize("solver", ["adam", "lm", "adam+lm"])
@pytest.mark.parametrize("value", [0.0, 0.01, 10.0])
def test_linear_model_reaches_the_ridge_solution(model, faces, solver, value):
    targets = faces[2][:, IDS]
    fit = fit_codes(model, targets, IDS, value, rng=rng(), solver=solver)
    expected = model.ridge(
        targets, IDS, torch.full((10,), value).double(), torch.ones(4, 8).double()
    )
    torch.testing.assert_close(model.join(fit.codes), expected, atol=2e-3, rtol=2e-3)
    assert fit.converged.all()
    at_best = (model.decode_at(model.split(expected), IDS) - targets).square().sum((1, 2))
    lowest = at_best + value * expected.square().sum(1)
    torch.testing.assert_close(fit.objective, lowest, rtol=1e-5, atol=1e-6)


def test_known_codes_are_recovered_exactly(model, faces):
    codes, exact, _ = faces
    fit = fit_codes(model, exact[:, IDS], IDS, rng=rng(), solver="lm")
    torch.testing.assert_close(model.join(fit.codes), model.join(codes), atol=1e-6, rtol=0)
    assert fit.landmark_rms_mm.max() < 1e-6


def test_weights_and_a_lambda_per_factor(model, faces):
    targets = faces[2][:, IDS].clone()
    weights = torch.rand(4, 8, generator=rng()).double()
    weights[1, 2] = 0
    targets[1, 2] = torch.nan  # missing: its target is never looked at
    fit = fit_codes(
        model, targets, IDS, {"identity": 2.0, "noise": 7.0}, weights, rng=rng(), solver="lm"
    )
    penalty = torch.tensor([2.0] * 5 + [0.0] * 3 + [7.0] * 2).double()
    expected = model.ridge(targets.nan_to_num(0.0), IDS, penalty, weights)
    torch.testing.assert_close(model.join(fit.codes), expected, atol=1e-6, rtol=1e-6)
    distance = (fit.landmarks - targets)[1, weights[1] > 0].square().sum(1).mean().sqrt()
    torch.testing.assert_close(fit.landmark_rms_mm[1], distance)


def test_barycentric_points(model, faces):
    corners = torch.tensor([[0, 3, 7], [11, 12, 20], [31, 39, 5], [8, 9, 10], [1, 2, 4]])
    shares = torch.rand(5, 3, generator=rng()) + 0.1
    points = SurfacePoints(corners, shares / shares.sum(1, keepdim=True))
    targets = torch.einsum("blkc,lk->blc", faces[1][:, corners], points.weights.double())
    fit = fit_codes(model, targets, points, rng=rng(), solver="lm")
    torch.testing.assert_close(model.join(fit.codes), model.join(faces[0]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("solver", ["adam", "lm"])
def test_a_face_does_not_depend_on_those_after_it(solver):
    bent = LinearFaces(bend=0.6)
    targets = bent.decode(bent.sample_codes(5, torch.Generator().manual_seed(9)))[:, IDS]
    together = fit_codes(bent, targets, IDS, 0.1, rng=rng(), restarts=2, solver=solver)
    alone = fit_codes(bent, targets[:2], IDS, 0.1, rng=rng(), restarts=2, solver=solver)
    torch.testing.assert_close(
        bent.join(together.codes)[:2], bent.join(alone.codes), atol=1e-9, rtol=0
    )


def test_same_generator_same_fit(model, faces):
    first, second = (fit_codes(model, faces[2][:, IDS], IDS, 1.0, rng=rng()) for _ in range(2))
    assert torch.equal(model.join(first.codes), model.join(second.codes))


def test_restarts_never_make_it_worse():
    bent = LinearFaces(bend=1.6)  # z + 1.6 sin z turns back: many local minima
    targets = bent.decode(bent.sample_codes(6, torch.Generator().manual_seed(3)))[:, IDS]
    more = fit_codes(bent, targets[:1], IDS, rng=rng(), restarts=6)
    one = fit_codes(bent, targets[:1], IDS, rng=rng(), restarts=1)
    assert more.objective[0] <= one.objective[0]


def test_second_order_ends_no_higher_on_a_generator():
    torch.manual_seed(2)
    generator = DecoupledGenerator(
        torch.randn(60, 3) * 40,
        torch.tensor([[0, 1, 2]]),
        {"identity": ("a", "b"), "expression": ("x",)},
        {"identity": 6, "expression": 4, "noise": 2},
        hidden=64,
        scale=8.0,
    )
    truth = generator.decode(generator.sample_codes(5, rng())).detach()
    ids = torch.arange(0, 60, 4)
    adam = fit_codes(generator, truth[:, ids], ids, 0.1, rng=rng(), restarts=3)
    start = {name: code.clone() for name, code in adam.codes.items()}
    polished = fit_codes(generator, truth[:, ids], ids, 0.1, start=start, solver="lm")
    both = fit_codes(generator, truth[:, ids], ids, 0.1, rng=rng(), restarts=3, solver="adam+lm")
    second = fit_codes(generator, truth[:, ids], ids, 0.1, rng=rng(), restarts=3, solver="lm")
    assert (polished.objective <= adam.objective).all()
    assert second.objective.mean() <= 1.01 * adam.objective.mean()
    assert both.objective.mean() <= 1.01 * adam.objective.mean()


def test_only_the_landmarks_are_computed(faces):
    fresh = LinearFaces()
    fit_codes(fresh, faces[2][:, IDS], IDS, 1.0, iterations=3)
    assert fresh.asked == len(IDS)


def test_refuses_what_cannot_be_fitted(model, faces):
    targets = faces[2][:, IDS]
    broken = targets.clone()
    broken[2, 5, 1] = torch.nan
    with pytest.raises(InputError, match="first: point 5 of face 2"):
        fit_codes(model, broken, IDS)
    with pytest.raises(InputError, match="up to 40, but the model has 40 \\(0 to 39\\)"):
        fit_codes(model, targets, IDS + 1)
    with pytest.raises(InputError, match="vertex -1"):
        fit_codes(model, targets, IDS - 1)
    with pytest.raises(InputError, match="3 points give 9 numbers for 10 unknowns"):
        fit_codes(model, targets[:, :3], IDS[:3])
    with pytest.raises(InputError, match="2 points with weight"):
        fit_codes(model, targets[:, :2], IDS[:2], 1.0)
    with pytest.raises(ShapeError, match=r"expected \(faces, 8, 3\)"):
        fit_codes(model, targets[:, :7], IDS)
    with pytest.raises(InputError, match="pose, identity=-1"):
        fit_codes(model, targets, IDS, {"identity": -1.0, "pose": 1.0})
    with pytest.raises(InputError, match="0 or more"):
        fit_codes(model, targets, IDS, weights=-torch.ones(8))
    start = {name: code for name, code in faces[0].items() if name != "noise"}
    with pytest.raises(ShapeError, match="noise missing"):
        fit_codes(model, targets, IDS, start=start)
