"""Uncertainty: the exact posterior of a linear model, right intervals, honest without knowledge."""

import pytest
import torch

from meshgan.errors import InputError, ShapeError
from meshgan.fitting.cameras import Camera, Cameras
from meshgan.fitting.landmarks import fit_landmarks
from meshgan.fitting.pictures import fit_pictures
from meshgan.fitting.points import SurfacePoints
from meshgan.fitting.posed_meshes import fit_posed_meshes
from meshgan.fitting.poses import Poses, rotations
from meshgan.fitting.uncertainty import Calibration, calibrate, fit_uncertainty, quantile
from tests.fakes import face_like_mesh
from tests.fitting.linear_faces import LinearFaces

IDS = torch.arange(0, 40, 3)
POINTS = SurfacePoints.at_vertices(IDS)
NOISE_MM = 0.8
FACES = 60


@pytest.fixture(scope="module")
def model() -> LinearFaces:
    return LinearFaces(seed=3)


def observed(model, seed=1, ids=IDS, noise=NOISE_MM):
    rng = torch.Generator().manual_seed(seed)
    truth = model.decode(model.sample_codes(FACES, rng))
    return truth, truth[:, ids] + noise * torch.randn(FACES, len(ids), 3, generator=rng).double()


def test_it_is_the_exact_posterior_of_a_linear_model(model):
    _, targets = observed(model)
    fit = fit_landmarks(model, POINTS, targets, NOISE_MM**2, pose=False)
    found = fit_uncertainty(model, fit, NOISE_MM, Calibration(torch.zeros(40)))
    rows = model.basis[:, IDS].flatten(1).T
    covariance = torch.linalg.inv(rows.T @ rows / NOISE_MM**2 + torch.eye(10).double())
    expected = torch.einsum("kvc,kl,lvc->vc", model.basis, covariance, model.basis).sqrt()
    torch.testing.assert_close(found.deviation_mm[5].double(), expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found.vertex_mm[5].double(), expected.square().sum(1).sqrt(),
                               rtol=1e-4, atol=1e-6)  # fmt: skip
    assert found.calibrated


def test_intervals_hold_what_they_say_with_poses_solved_for(model):
    truth, targets = observed(model)
    fit = fit_landmarks(model, POINTS, targets, NOISE_MM**2)
    for noise in (NOISE_MM, None):  # known, and told by the residuals
        found = fit_uncertainty(model, fit, noise, Calibration(torch.zeros(40)))
        for level in (0.5, 0.9):
            share = found.covers(fit.vertices(model), truth, level).double().mean()
            assert abs(float(share) - level) < 0.03
    assert float(found.noise_mm.mean()) == pytest.approx(NOISE_MM, rel=0.05)


def test_calibration_makes_up_for_what_the_model_cannot_show(model):
    """True faces have three more fields: raw intervals are too narrow, calibrated ones right."""
    rng = torch.Generator().manual_seed(7)
    fields = 0.8 * torch.randn(3, 40, 3, generator=rng, dtype=torch.float64)

    def faces(seed):
        truth, _ = observed(model, seed)
        more = torch.randn(FACES, 3, generator=torch.Generator().manual_seed(seed)).double()
        return truth + torch.einsum("bk,kvc->bvc", more, fields)

    calibration = calibrate(model, faces(2), POINTS, NOISE_MM)
    assert calibration.misfit_mm.mean() > 0.3
    truth = faces(3)
    noise = NOISE_MM * torch.randn(FACES, len(IDS), 3, generator=rng).double()
    fit = fit_landmarks(model, POINTS, truth[:, IDS] + noise, 2.0)
    ours = fit_uncertainty(model, fit, NOISE_MM, calibration)
    naive = fit_uncertainty(model, fit, NOISE_MM, Calibration(torch.zeros(40)))
    shown = fit.vertices(model)
    assert abs(float(ours.covers(shown, truth).double().mean()) - 0.9) < 0.03
    assert float(naive.covers(shown, truth).double().mean()) < 0.8
    plain = fit_uncertainty(model, fit)
    assert not plain.calibrated
    assert float(plain.covers(shown, truth).double().mean()) > 0.85


def test_points_far_from_landmarks_are_less_sure():
    """On a dome with landmarks on its right half, the left half is a guess."""
    dome = LinearFaces(vertices=576)
    dome.template_vertices.copy_(torch.from_numpy(face_like_mesh()[0]))
    x = dome.template_vertices[:, 0].double()
    bumps = torch.exp(-(((x[None] - torch.linspace(-70, 70, 10)[:, None]) / 20) ** 2))
    dome.basis = 3 * bumps[..., None] * torch.tensor([0.0, 0.0, 1.0]).double()
    ids = (x < 0).nonzero()[::7, 0]
    truth, targets = observed(dome, ids=ids)
    fit = fit_landmarks(dome, SurfacePoints.at_vertices(ids), targets, NOISE_MM**2, pose=False)
    found = fit_uncertainty(dome, fit, NOISE_MM, Calibration(torch.zeros(576)))
    assert found.vertex_mm[0, x > 30].mean() > 3 * found.vertex_mm[0, x < -10].mean()
    error = (fit.vertices(dome) - truth).norm(dim=2)
    ratio = error.square().mean().sqrt() / found.vertex_mm.square().mean().sqrt()
    assert 0.75 < ratio < 1.25  # five wide bumps of sixty faces


def test_pictures_give_the_uncertainty_of_the_shape():
    """Across the picture the shape is sure, along the view it is not."""
    dome = LinearFaces(vertices=576, seed=3)
    dome.template_vertices.copy_(torch.from_numpy(face_like_mesh()[0]))
    codes = dome.sample_codes(2, torch.Generator().manual_seed(5))
    pose = Poses(rotations(torch.zeros(2, 3)).double(), torch.tensor([[0.0, 0, -600]] * 2).double(),
                 torch.ones(2).double())  # fmt: skip
    camera = Cameras(
        "pinhole", torch.full((2,), 900.0).double(), torch.full((2, 2), 300.0).double()
    )
    ids = torch.arange(3, 576, 31)
    pixels = camera.project(pose.apply(dome.decode(codes)))[:, ids]
    for known in (Camera(), Camera("pinhole", size_px=(600, 600))):
        fit = fit_pictures(dome, SurfacePoints.at_vertices(ids), pixels, known, 1.0)
        found = fit_uncertainty(dome, fit, 1.0, Calibration(torch.zeros(576)))
        deviation = found.deviation_mm.square().mean(dim=(0, 1)).sqrt()
        assert found.deviation_mm.isfinite().all()
        assert deviation[2] > deviation[:2].max() * 0.9


def test_refuses(model):
    truth, targets = observed(model)
    whole = fit_posed_meshes(model, truth[:1])
    with pytest.raises(InputError, match="the fit keeps no curvature"):
        fit_uncertainty(model, whole)
    fit = fit_landmarks(model, POINTS, targets[:1], 1.0)
    with pytest.raises(InputError, match=r"noise of -1\.0 mm"):
        fit_uncertainty(model, fit, -1.0)
    with pytest.raises(ShapeError, match="a calibration of 39 vertices, the model has 40"):
        fit_uncertainty(model, fit, 1.0, Calibration(torch.zeros(39)))
    with pytest.raises(InputError, match="9 faces to calibrate with, expected 10 or more"):
        calibrate(model, truth[:9], POINTS)
    with pytest.raises(InputError, match=r"level 1\.5, expected between 0 and 1"):
        fit_uncertainty(model, fit).half_width(1.5)
    assert quantile(torch.arange(1.0, 101.0), 0.9) == 90.0
