"""``meshgan fit``: one batch of files in, meshes, codes, poses, numbers and a sheet out."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from meshgan.apps.face_model import FaceModel
from meshgan.apps.fit import FitSettings, fit_files
from meshgan.apps.fit_pictures import PICTURE_PX
from meshgan.apps.fit_results import surface_rms
from meshgan.cli.main import parse
from meshgan.data.code_files import read_codes
from meshgan.data.landmarks import LandmarkSet, write_landmarks
from meshgan.data.mesh_io import read_mesh, write_mesh
from meshgan.data.npz import read_npz
from meshgan.data.point_lists import write_points
from meshgan.data.synthetic.scanner import scan_face
from meshgan.errors import InputError, ShapeError
from meshgan.fitting.cameras import Camera, Cameras
from meshgan.fitting.poses import Poses, rotations
from meshgan.geometry.mesh import TriMesh


@pytest.fixture(scope="module")
def model(tiny_run) -> FaceModel:
    return FaceModel.load(tiny_run)


@pytest.fixture(scope="module")
def files(model, tmp_path_factory):
    """Two faces of the model, turned and moved: meshes, landmarks, places in triangles."""
    folder = tmp_path_factory.mktemp("faces")
    turn = rotations(torch.tensor([[0.2, 2.5, 0.1], [-0.3, 0.1, 0.6]]))
    poses = Poses(turn, torch.tensor([[9.0, 80.0, -700.0], [0.0, 5.0, 30.0]]), torch.ones(2))
    faces = poses.apply(model.decode(model.codes(2, seed=5))).numpy()
    for name, face in zip(("anna", "bea"), faces, strict=True):
        write_mesh(folder / f"{name}.ply", model.template.mesh.with_vertices(face))
        write_points(folder / f"{name}.pts", face[model.template.landmarks["ibug68"]])
    return folder, faces


def test_landmarks_of_two_people_with_the_truth(tiny_run, model, files, tmp_path):
    folder, faces = files
    paths = [folder / "anna.pts", folder / "bea.pts"]
    truth = [path.with_suffix(".ply") for path in paths]
    how = FitSettings(regularisation=0.01)
    found = fit_files(tiny_run, tmp_path / "out", landmarks=paths, truth=truth, settings=how)
    for k, row in enumerate(found["inputs"]):
        assert row["input"] == str(paths[k])
        assert row["landmark_rms_mm"] < 0.2
        written = read_mesh(row["mesh"])
        rms = np.sqrt(((written.vertices - faces[k]) ** 2).sum(axis=1).mean())
        assert rms < 0.5
        np.testing.assert_allclose(row["surface_rms_mm"], rms, rtol=1e-3)
    codes = read_codes(tmp_path / "out/codes.npz", model.model.code_sizes)
    poses = json.loads((tmp_path / "out/poses.json").read_text())
    assert list(poses) == ["anna", "bea"]
    shown = model.decode(codes)[1].numpy() @ np.array(poses["bea"]["rotation"]).T
    shown = shown + np.array(poses["bea"]["translation_mm"])
    np.testing.assert_allclose(shown, read_mesh(tmp_path / "out/bea.ply").vertices, atol=0.01)
    assert json.loads((tmp_path / "out/fit.json").read_text()) == found
    assert (tmp_path / "out/sheet.png").stat().st_size > 10_000


def test_meshes_and_scans(tiny_run, model, files, tmp_path):
    folder, faces = files
    found = fit_files(tiny_run, tmp_path / "a", meshes=[folder / "anna.ply"])
    assert found["landmark_rms_mm"] < 0.1
    scan = scan_face(faces[1], model.template.mesh.faces, np.random.default_rng(0),
                     landmarks=model.template.landmarks["ibug68"])  # fmt: skip
    write_mesh(tmp_path / "scan.ply", scan.mesh)
    write_points(tmp_path / "scan.pts", scan.landmarks)
    truth = [folder / "bea.ply"]
    found = fit_files(tiny_run, tmp_path / "b", scans=[tmp_path / "scan.ply"], truth=truth)
    (row,) = found["inputs"]
    assert row["scan_rms_mm"] < 0.5
    assert row["matched"] > 0.8
    assert "landmark_rms_mm" not in row


def test_places_in_triangles_instead_of_an_order(tiny_run, model, files, tmp_path):
    faces = model.template.mesh.faces
    chosen = np.arange(0, len(faces), 60)
    weights = np.random.default_rng(0).dirichlet([1, 1, 1], len(chosen))
    marks = LandmarkSet.in_faces("mine", chosen, weights, faces)
    write_landmarks(tmp_path / "mine.toml", [marks])
    write_points(tmp_path / "a.csv", marks.points(files[1][0]))
    how = FitSettings(regularisation=0.01, places=tmp_path / "mine.toml")
    found = fit_files(tiny_run, tmp_path / "out", landmarks=[tmp_path / "a.csv"], settings=how)
    assert found["landmark_rms_mm"] < 0.2
    np.savetxt(tmp_path / "ids.txt", marks.vertex_ids, fmt="%d")
    write_points(tmp_path / "b.json", files[1][0][marks.vertex_ids])
    how = FitSettings(regularisation=0.01, places=tmp_path / "ids.txt")
    found = fit_files(tiny_run, tmp_path / "c", landmarks=[tmp_path / "b.json"], settings=how)
    assert found["landmark_rms_mm"] < 0.2


def test_a_picture_in_shares_of_its_size(tiny_run, model, tmp_path):
    """MediaPipe's numbers: shares of the picture, and 478 points of which 70 have a place."""
    face = model.decode(model.codes(1, seed=8))
    pose = Poses(rotations(torch.tensor([[0.1, 0.3, 0.0]])), torch.tensor([[20.0, 0.0, -600.0]]),
                 torch.ones(1))  # fmt: skip
    camera = Cameras("pinhole", torch.tensor([1100.0]), torch.tensor([[400.0, 300.0]]))
    pixels = camera.project(pose.apply(face))[0].numpy()
    from meshgan.fitting.named_points import find_points

    known = find_points("mediapipe478", model.template)
    points = np.full((478, 3), 0.5)
    points[known.rows, :2] = pixels[known.points.corners[:, 0]] / [800.0, 600.0]
    write_points(tmp_path / "a.json", points)
    how = FitSettings(
        regularisation=0.1,
        order="mediapipe478",
        jaw_weight=1.0,
        camera=Camera("pinhole", focal_px=1100.0, size_px=(800, 600)),
    )
    found = fit_files(tiny_run, tmp_path / "out", landmarks=[tmp_path / "a.json"], settings=how)
    assert found["inputs"][0]["focal_px"] == pytest.approx(1100.0)
    assert found["landmark_rms_mm"] < 0.3
    truth = pose.apply(face)[0].numpy()
    rms, how = surface_rms(read_mesh(tmp_path / "out/a.ply").vertices,
                           model.template.mesh.with_vertices(truth), model.template)  # fmt: skip
    assert how == "vertices"
    assert Image.open(tmp_path / "out/sheet.png").width > 3 * PICTURE_PX  # picture and two views
    assert rms < 6.0  # the distance to the camera is what one picture says least about


def test_distance_to_a_true_surface_of_another_topology(model):
    vertices, faces = model.template.mesh.vertices, model.template.mesh.faces
    other = TriMesh(vertices + np.array([0, 0, 1.0]), faces[:, [1, 2, 0]])
    rms, how = surface_rms(vertices, other, model.template)
    assert how == "surface"
    assert 0.2 < rms < 1.0


def test_refuses_by_the_name_of_the_file(tiny_run, files, tmp_path):
    folder, _ = files
    out = tmp_path / "out"
    with pytest.raises(InputError, match="nothing to fit"):
        fit_files(tiny_run, out)
    with pytest.raises(InputError, match="--mesh: give it alone"):
        fit_files(tiny_run, out, [folder / "anna.pts"], [folder / "anna.ply"])
    with pytest.raises(InputError, match="--truth: 2 meshes for 1 faces"):
        fit_files(tiny_run, out, [folder / "anna.pts"], truth=[folder / "anna.ply"] * 2)
    write_mesh(tmp_path / "small.ply", TriMesh(np.eye(3), np.array([[0, 1, 2]])))
    with pytest.raises(ShapeError, match=r"small.ply: 3 vertices, the model's template"):
        fit_files(tiny_run, out, meshes=[tmp_path / "small.ply"])
    with pytest.raises(InputError, match=r"small.ply: scan too_small"):
        fit_files(tiny_run, out, scans=[tmp_path / "small.ply"])
    write_points(tmp_path / "two.csv", np.eye(3)[:2])
    with pytest.raises(InputError, match=r"two.csv: 2 points; give their order"):
        fit_files(tiny_run, out, [tmp_path / "two.csv"])
    (tmp_path / "ids.txt").write_text("5 99999999")
    how = FitSettings(places=tmp_path / "ids.txt")
    with pytest.raises(InputError, match=r"ids.txt: names vertex 99,999,999"):
        fit_files(tiny_run, out, [tmp_path / "two.csv"], settings=how)
    assert not out.exists()


def test_command_line(tmp_path):
    words = "fit runs/a --landmarks a.pts b.pts --lambda identity=1 expression=4 --out x".split()
    command = parse(words)
    assert command.regularisation == ("identity=1", "expression=4")
    one = parse(["fit", "r", "--scan", "s.ply", "--lambda", "10", "--out", "x"])
    assert one.regularisation == ("10",)
    from meshgan.cli.fit import _penalties

    assert _penalties(("10",)) == 10.0
    assert _penalties(("identity=1", "expression=4")) == {"identity": 1.0, "expression": 4.0}
    with pytest.raises(InputError, match="--lambda much"):
        _penalties(("much",))


def test_uncertainty_calibrated_on_test_people(tiny_run, tiny_data, files, tmp_path):
    """It is written, drawn, and its intervals hold most of a face that the model can show."""
    folder, _ = files
    how = FitSettings(uncertainty=True, calibrate=tiny_data, noise_mm=0.2, regularisation=0.04)
    found = fit_files(tiny_run, tmp_path / "out", [folder / "anna.pts"],
                      truth=[folder / "anna.ply"], settings=how)  # fmt: skip
    (row,) = found["inputs"]
    assert row["inside_90"] > 0.85
    assert row["expected_rms_mm"] > row["surface_rms_mm"]
    written = read_npz(tmp_path / "out/uncertainty.npz")
    rms = np.sqrt((written["deviation_mm"][0] ** 2).sum(axis=1).mean())
    assert rms == pytest.approx(row["expected_rms_mm"], rel=1e-4)
    assert written["misfit_mm"].shape == written["deviation_mm"].shape[1:2]
    assert (tmp_path / "out/uncertainty.png").stat().st_size > 5_000
    with pytest.raises(InputError, match="of landmarks only"):
        fit_files(tiny_run, tmp_path / "no", meshes=[folder / "anna.ply"], settings=how)
    assert not (tmp_path / "no").exists()
