"""fit_landmarks: known poses and codes come back; mistakes are outvoted or refused by name."""

import logging

import pytest
import torch

from meshgan.errors import InputError
from meshgan.fitting.landmarks import fit_landmarks
from meshgan.fitting.points import SurfacePoints
from meshgan.models.generator import DecoupledGenerator
from tests.fitting.linear_faces import LinearFaces
from tests.fitting.test_poses import some_poses

POINTS = SurfacePoints.at_vertices(torch.arange(0, 40, 2))


@pytest.fixture(scope="module")
def model() -> LinearFaces:
    faces = LinearFaces(seed=3)
    faces.template_vertices *= torch.tensor([1.0, 1.4, 0.6])  # no symmetry left
    return faces


@pytest.fixture(scope="module")
def truth(model):
    codes = model.sample_codes(3, torch.Generator().manual_seed(5))
    return codes, model.decode(codes)


@pytest.mark.parametrize("solver", ["lm", "adam+lm"])
@pytest.mark.parametrize("scale", [False, True])
def test_known_poses_and_codes_are_recovered(model, truth, scale, solver):
    codes, faces = truth
    poses = some_poses(3)
    if not scale:
        poses = type(poses)(poses.rotation, poses.translation, torch.ones(3).double())
    targets = poses.apply(faces)[:, ::2]
    fit = fit_landmarks(model, POINTS, targets, 0.0, scale=scale, solver=solver)
    assert fit.poses is not None
    assert fit.converged.all()
    torch.testing.assert_close(fit.poses.rotation, poses.rotation, atol=1e-4, rtol=0)
    torch.testing.assert_close(fit.poses.translation, poses.translation, atol=1e-4, rtol=0)
    torch.testing.assert_close(fit.poses.scale, poses.scale, atol=1e-4, rtol=0)
    torch.testing.assert_close(model.join(fit.codes), model.join(codes), atol=1e-4, rtol=0)
    torch.testing.assert_close(fit.vertices(model), poses.apply(faces), atol=1e-3, rtol=0)


def test_without_a_pose_it_is_the_ridge_solution(model, truth):
    targets = truth[1][:, ::2]
    fit = fit_landmarks(model, POINTS, targets, {"identity": 2.0, "noise": 1.0}, pose=False)
    penalty = torch.tensor([2.0] * 5 + [0.0] * 3 + [1.0] * 2).double()
    weights = torch.ones(3, 20).double()
    expected = model.ridge(targets, torch.arange(0, 40, 2), penalty, weights)
    torch.testing.assert_close(model.join(fit.codes), expected, atol=1e-6, rtol=0)
    assert fit.poses is None


def test_a_face_does_not_depend_on_those_beside_it(model, truth):
    targets = some_poses(3).apply(truth[1])[:, ::2]
    together = fit_landmarks(model, POINTS, targets, 1.0, scale=True, robust_mm=5.0)
    alone = fit_landmarks(model, POINTS, targets[1:2], 1.0, scale=True, robust_mm=5.0)
    torch.testing.assert_close(together.landmarks[1:2], alone.landmarks, atol=1e-6, rtol=0)


def test_outliers_are_outvoted(model, truth):
    """Four of twenty points are 40 mm off: exact codes with rho, far off without."""
    faces = truth[1]
    targets = some_poses(3).apply(faces)[:, ::2].clone()
    targets[:, 3:7] += 40 * torch.randn(3, 4, 3, generator=torch.Generator().manual_seed(1))
    robust = fit_landmarks(model, POINTS, targets, 1e-6, scale=True, robust_mm=2.0)
    plain = fit_landmarks(model, POINTS, targets, 1e-6, scale=True)
    exact = some_poses(3).apply(faces)
    error = (robust.vertices(model) - exact).norm(dim=2).mean(dim=1)
    assert (error < 0.05).all()
    assert (error < 0.01 * (plain.vertices(model) - exact).norm(dim=2).mean(dim=1)).all()
    assert robust.trust is not None
    assert (robust.trust[:, 3:7] < 0.1).all()
    assert (robust.trust[:, 8:] > 0.9).all()


def test_missing_points_count_nothing(model, truth):
    targets = some_poses(3).apply(truth[1])[:, ::2].clone()
    kept = [k for k in range(20) if k not in (4, 9)]
    fewer = SurfacePoints.at_vertices(2 * torch.tensor(kept))
    expected = fit_landmarks(model, fewer, targets[:, kept], 1.0, scale=True)
    targets[:, [4, 9]] = torch.nan
    found = fit_landmarks(model, POINTS, targets, 1.0, scale=True, missing=True)
    torch.testing.assert_close(model.join(found.codes), model.join(expected.codes), atol=1e-6,
                               rtol=0)  # fmt: skip
    torch.testing.assert_close(found.landmark_rms_mm, expected.landmark_rms_mm)
    with pytest.raises(InputError, match="6 of 60 targets are not finite"):
        fit_landmarks(model, POINTS, targets, 1.0, scale=True)


def test_restarts_never_make_it_worse():
    bent = LinearFaces(bend=1.6)  # z + 1.6 sin z turns back: many local minima
    codes = bent.sample_codes(4, torch.Generator().manual_seed(3))
    targets = some_poses(4).apply(bent.decode(codes))[:, ::2]
    one = fit_landmarks(bent, POINTS, targets, 0.1, scale=True)
    more = fit_landmarks(bent, POINTS, targets, 0.1, scale=True, restarts=8)
    assert (more.objective <= one.objective * (1 + 1e-6)).all()
    assert more.objective.sum() < one.objective.sum()


def test_closed_form_jacobian_of_the_generator():
    """W diag(slopes) H against automatic derivatives, at vertices and inside triangles."""
    from meshgan.fitting.objective import ModelPoints, differentiate, point_jacobian

    torch.manual_seed(2)
    sizes = {"identity": 6, "expression": 4, "noise": 2}
    generator = DecoupledGenerator(
        torch.randn(30, 3), torch.tensor([[0, 1, 2], [4, 8, 20]]),
        {"identity": ("a",), "expression": ("x",)}, sizes, hidden=16, scale=8.0,
    ).double()  # fmt: skip
    x = torch.randn(5, 12, dtype=torch.float64)
    inside = SurfacePoints.in_faces(
        torch.tensor([1, 0]), torch.tensor([[0.2, 0.3, 0.5], [0.6, 0.4, 0.0]]), generator.faces
    )
    for points in (SurfacePoints.at_vertices(torch.tensor([3, 29, 3])), inside):
        function = ModelPoints(generator, points)
        torch.testing.assert_close(point_jacobian(function, x), differentiate(function, x))


def test_refuses_what_cannot_be_a_face(model, truth):
    posed = some_poses(3).apply(truth[1])[:, ::2]
    with pytest.raises(InputError, match="2 points with weight, expected 3 or more"):
        fit_landmarks(model, POINTS.take(slice(2)), posed[:, :2])
    line = torch.zeros_like(posed)
    line[..., 0] = torch.linspace(0, 100, 20)
    with pytest.raises(InputError, match="face 0: the 20 points lie on one line and fix no pose"):
        fit_landmarks(model, POINTS, line)
    with pytest.raises(InputError, match=r"are these m\? give the unit"):
        fit_landmarks(model, POINTS, posed / 1000)
    with pytest.raises(InputError, match="left and right are exchanged, or the scan is mirrored"):
        fit_landmarks(model, POINTS, posed * torch.tensor([-1.0, 1.0, 1.0]))
    shuffled = posed[:, torch.randperm(20, generator=torch.Generator().manual_seed(0))]
    with pytest.raises(InputError, match="is it another order, or no face"):
        fit_landmarks(model, POINTS, shuffled)
    with pytest.raises(InputError, match="5 points give 15 numbers for 16 unknowns"):
        fit_landmarks(model, POINTS.take(slice(5)), posed[:, :5], 0.0)
    with pytest.raises(InputError, match="up to 58, but the model has 40"):
        fit_landmarks(model, SurfacePoints.at_vertices(torch.arange(20) + 39), posed)


def test_says_what_landmarks_do_not_determine(model, truth, caplog):
    faces = truth[1][:, ::2]
    with caplog.at_level(logging.WARNING):
        fit = fit_landmarks(model, POINTS.take(slice(5)), faces[:1, :5])
    assert "5 points say little" in fit.notes[0]
    assert "5 points say little" in caplog.text
    near = (model.template_vertices - model.template_vertices[0]).norm(dim=1).argsort()[:6]
    fit = fit_landmarks(model, SurfacePoints.at_vertices(near), truth[1][:1, near])
    assert any("the rest of the face is a guess" in note for note in fit.notes)
    fit = fit_landmarks(model, POINTS, faces[:1] + 100, pose=False)
    assert "which a pose would explain" in fit.notes[0]
