"""fit_scan: faces come back from noisy scans with holes, in any pose; no face is no fit."""

from pathlib import Path

import numpy as np
import pytest

from meshgan.apps.benchmarks.registration_clutter import ellipsoid, random_rotation
from meshgan.apps.face_model import FaceModel
from meshgan.data.importers.base import MeasuredLandmarks
from meshgan.data.mesh_io import read_mesh
from meshgan.data.point_lists import read_points
from meshgan.data.synthetic.scanner import scan_face
from meshgan.errors import InputError, ShapeError
from meshgan.fitting.fit import join_fits
from meshgan.fitting.scans import fit_scan
from meshgan.geometry.mesh import TriMesh

REAL = Path(__file__).parents[2] / "../shared/data/scans"


@pytest.fixture(scope="module")
def model(tiny_run) -> FaceModel:
    return FaceModel.load(tiny_run)


@pytest.fixture(scope="module")
def scanned(model):
    """A face of the model as another triangulation with noise and holes, turned anywhere."""
    rng = np.random.default_rng(5)
    face = model.decode(model.codes(1, seed=2))[0].numpy()
    marks = model.template.landmarks["ibug68"]
    found = scan_face(face, model.template.mesh.faces, rng, landmarks=marks)
    turn = random_rotation(rng)
    mesh = TriMesh(found.mesh.vertices @ turn.T + 300, found.mesh.faces)
    return mesh, found.vertices @ turn.T + 300, found.landmarks @ turn.T + 300


def surface_rms(fit, model, truth) -> float:
    found = fit.vertices(model.model)[0].numpy()
    return float(np.sqrt(((found - truth) ** 2).sum(axis=1).mean()))


def test_a_face_is_found_and_fitted_without_landmarks(model, scanned):
    mesh, truth, _ = scanned
    found = fit_scan(model.model, model.template, mesh)
    assert found.scan_rms_mm < 0.5  # the noise of the scan
    assert found.matched > 0.8
    assert surface_rms(found.fit, model, truth) < 2.0
    np.testing.assert_allclose(found.fit.landmark_rms_mm.item(), found.scan_rms_mm, rtol=1e-5)


def test_landmarks_in_metres_give_the_same_face(model, scanned):
    mesh, truth, marks = scanned
    marks = marks.copy()
    marks[[3, 40]] = np.nan
    metres = TriMesh(mesh.vertices / 1000, mesh.faces)
    fit = model.fit_scan(metres, MeasuredLandmarks("ibug68", marks / 1000))
    assert surface_rms(fit, model, truth) < 2.0
    assert any("unit seems to be m" in note for note in fit.notes)


def test_no_face_no_fit(model, scanned):
    points, faces = ellipsoid(np.zeros(3), [0, 0, 0], [90, 120, 100])
    with pytest.raises(InputError, match="no face found in it"):
        model.fit_scan(TriMesh(points, faces))
    corners = np.array([[x, y, z] for x in (0, 9) for y in (0, 9) for z in (0, 9)], float)
    triangles = np.array([[0, 1, 2], [1, 3, 2], [4, 6, 5], [5, 6, 7]])
    with pytest.raises(InputError, match="scan too_small: 8 vertices"):
        model.fit_scan(TriMesh(corners, triangles))
    with pytest.raises(ShapeError, match="2 sets of landmarks for 1 scans"):
        model.fit_scan(scanned[0], [None, None])
    with pytest.raises(InputError, match="nothing to fit"):
        model.fit_scan([])


@pytest.mark.skipif(not REAL.is_dir(), reason="no real scans beside the repository")
def test_a_real_head_with_hair_and_holes(model):
    """The tiny model knows 12 people: it comes within some millimetres of a thirteenth."""
    scan = read_mesh(REAL / "james.ply")
    marks = MeasuredLandmarks("ibug68", read_points(REAL / "james_landmarks68.json"))
    found = fit_scan(model.model, model.template, scan, marks)
    assert found.scan_rms_mm < 2.5
    assert found.matched > 0.6
    ids = model.template.landmarks["ibug68"][17:]
    away = np.linalg.norm(
        found.fit.vertices(model.model)[0].numpy()[ids] - marks.points[17:], axis=1
    )
    assert np.median(away) < 6.0


def test_join(model, scanned):
    ids = model.template.landmarks["fit85"]
    one = model.fit_landmarks("fit85", scanned[1][ids])
    both = join_fits([one, one])
    assert len(both) == 2
    assert both.vertices(model.model).shape == (2, model.template.vertex_count, 3)
    assert both.trust is None
