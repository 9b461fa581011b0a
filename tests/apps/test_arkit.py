"""ARKit's weights from files and to files: people of the source, whose weights are known."""

import json

import numpy as np
import pytest

from meshgan.apps.arkit import drive_arkit, read_arkit
from meshgan.apps.face_model import FaceModel
from meshgan.cli.command import run
from meshgan.cli.main import parse
from meshgan.data.code_files import read_codes, write_codes
from meshgan.data.mesh_formats.morph_glb import read_morph_glb
from meshgan.data.mesh_formats.pc2 import PointCache, read_pc2, write_pc2
from meshgan.data.mesh_io import read_mesh, write_mesh
from meshgan.data.synthetic.source import open_source
from meshgan.data.weight_files import ARKIT_NAMES, WeightTrack, read_weights, write_weights
from meshgan.errors import FileFormatError, InputError
from meshgan.geometry.alignment import align_batch
from meshgan.geometry.mesh import TriMesh

JAW, BLINK, SMILE = (ARKIT_NAMES.index(n) for n in ("jawOpen", "eyeBlinkLeft", "mouthSmileRight"))


@pytest.fixture(scope="module")
def model(tiny_run) -> FaceModel:
    return FaceModel.load(tiny_run)


@pytest.fixture(scope="module")
def source():
    return open_source("low")


@pytest.fixture(scope="module")
def weights() -> np.ndarray:
    weights = np.zeros((4, 52))
    weights[:, JAW] = (0.0, 0.2, 0.5, 0.3)
    weights[:, BLINK] = (0.0, 0.0, 0.9, 0.4)
    weights[:, SMILE] = (0.0, 0.3, 0.3, 0.7)
    return weights


@pytest.fixture(scope="module")
def performance(source, weights) -> np.ndarray:
    """A person of the source, posed by the source."""
    order = [ARKIT_NAMES.index(name) for name in source.action_names]
    return source.express(21, 0, weights[:, order])


def test_weights_of_a_sequence_with_its_neutral(model, performance, weights, tmp_path):
    write_pc2(tmp_path / "walk.pc2", PointCache(performance))
    write_mesh(tmp_path / "rest.ply", model.template.mesh.with_vertices(performance[0]))
    said = read_arkit(
        model, [tmp_path / "walk.pc2"], tmp_path / "w.csv", neutral=tmp_path / "rest.ply", fps=25.0
    )
    found = read_weights(tmp_path / "w.csv")
    assert np.abs(found.weights - weights).max() < 0.05
    assert (said["frames"], said["people"], said["absent"]) == (4, 1, ["tongueOut"])
    assert said["residual_mm"] < 0.1
    assert set(list(said["strongest"])[:3]) == {"jawOpen", "eyeBlinkLeft", "mouthSmileRight"}


def test_weights_of_meshes_whose_neutral_nobody_gives(model, performance, weights, tmp_path):
    """A model of a few iterations guesses the person at rest: the large actions are there."""
    (tmp_path / "frames").mkdir()
    for k, face in enumerate(performance):
        turned = face[:, [2, 1, 0]] * (1, 1, -1) + (30, 0, 400)
        mesh = model.template.mesh.with_vertices(turned.astype(np.float32))
        write_mesh(tmp_path / "frames" / f"{k}.ply", mesh)
    read_arkit(model, [tmp_path / "frames"], tmp_path / "w.json")
    found = read_weights(tmp_path / "w.json").weights
    np.testing.assert_allclose(found[2:, JAW] - found[0, JAW], weights[2:, JAW], atol=0.12)
    np.testing.assert_allclose(found[2, BLINK] - found[0, BLINK], 0.9, atol=0.2)


def test_codes_say_who_is_who(model, tmp_path):
    codes = model.codes(3, seed=1)
    for name in codes:
        codes[name][2] = codes[name][0]
    codes["expression"][2] = model.label_code("expression", "neutral")
    write_codes(tmp_path / "codes.npz", codes)
    said = read_arkit(model, [tmp_path / "codes.npz"], tmp_path / "w.csv")
    assert (said["frames"], said["people"]) == (3, 2)
    found = read_weights(tmp_path / "w.csv").weights
    assert found[2].max() < 0.02  # at rest
    assert found[0].max() > 0.1


def test_drives_a_given_face_as_the_source_would(model, performance, weights, tmp_path):
    write_weights(tmp_path / "w.csv", WeightTrack(weights, fps=30.0))
    write_mesh(tmp_path / "rest.ply", model.template.mesh.with_vertices(performance[0]))

    def drive(name):
        return drive_arkit(
            model, tmp_path / "w.csv", tmp_path / name, neutral=tmp_path / "rest.ply"
        )

    drive("walk.pc2")
    moved = read_pc2(tmp_path / "walk.pc2").vertices
    aligned = align_batch(moved, model.template.mesh.vertices)
    assert np.sqrt(((aligned - performance) ** 2).sum(axis=2).mean()) < 0.15
    top = performance[0][:, 1].argmax()
    assert np.abs(moved[:, top] - moved[0, top]).max() < 0.3  # the head is still
    said = drive("walk.glb")
    back = read_morph_glb(tmp_path / "walk.glb")
    assert list(back.targets) == said["morph_targets"] == list(ARKIT_NAMES[:-1])
    np.testing.assert_allclose(back.animation.weights, weights[:, :51], atol=1e-6)
    np.testing.assert_allclose(back.animation.times_s, [0, 1 / 30, 2 / 30, 0.1], atol=1e-6)
    drive("frames")
    third = read_mesh(tmp_path / "frames" / "face_0002.obj").vertices
    np.testing.assert_allclose(third, moved[2], atol=1e-3)


def test_drives_the_model_and_keeps_the_person(model, weights, tmp_path):
    write_weights(tmp_path / "w.json", WeightTrack(weights))
    said = drive_arkit(model, tmp_path / "w.json", tmp_path / "walk.npz", seed=4)
    codes = read_codes(tmp_path / "walk.npz", model.model.code_sizes)
    person = model.codes(1, seed=4)["identity"]
    assert codes["identity"].allclose(person.expand(4, -1))
    faces = model.decode(codes).numpy()
    assert said["fit_rms_mm"] < 1.5
    chin = faces[:, model.template.landmarks["ibug68"][8], 1]
    assert chin[2] < chin[0] - 5
    drive_arkit(model, tmp_path / "w.json", tmp_path / "m.pc2", seed=4, through_model=True)
    shown = align_batch(read_pc2(tmp_path / "m.pc2").vertices, model.template.mesh.vertices)
    faces = align_batch(faces, model.template.mesh.vertices)
    np.testing.assert_allclose(shown, faces, atol=1e-3)


def test_face_model_gives_a_face_to_drive(model, performance, weights):
    face = model.arkit(model.template.mesh.with_vertices(performance[0]))
    found = face.weights_of(performance).weights
    assert np.abs(found - weights).max() < 0.05


def test_names_what_is_wrong(model, weights, tmp_path):
    write_weights(tmp_path / "w.csv", WeightTrack(weights))
    with pytest.raises(InputError, match=r"\.csv or \.json"):
        read_arkit(model, [tmp_path], tmp_path / "w.txt")
    square = TriMesh(np.eye(3), np.array([[0, 1, 2]]))
    write_mesh(tmp_path / "other.ply", square)
    with pytest.raises(InputError, match=r"other\.ply: 3 vertices, the template .* 4,999"):
        read_arkit(model, [tmp_path / "other.ply"], tmp_path / "a.csv")
    with pytest.raises(InputError, match=r"one face, but .* has 4"):
        drive_arkit(model, tmp_path / "w.csv", tmp_path / "a.obj")
    with pytest.raises(InputError, match="leave codes, seed"):
        drive_arkit(model, tmp_path / "w.csv", tmp_path / "a.pc2", seed=1, neutral=tmp_path)
    with pytest.raises(FileFormatError, match="no such file"):
        drive_arkit(model, tmp_path / "none.csv", tmp_path / "a.pc2")
    assert not list(tmp_path.glob("a.*"))


def test_commands(tiny_run, weights, tmp_path, capsys):
    write_weights(tmp_path / "w.csv", WeightTrack(weights))
    words = ["arkit", "drive", str(tmp_path / "w.csv"), "--run", str(tiny_run)]
    assert run(parse([*words, "--out", str(tmp_path / "walk.pc2"), "--json"])) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 4
    words = ["arkit", "weights", str(tmp_path / "walk.pc2"), "--run", str(tiny_run)]
    assert (
        run(parse([*words, "--out", str(tmp_path / "back.csv"), "--smooth", "0.1", "--json"])) == 0
    )
    assert json.loads(capsys.readouterr().out)["people"] == 1
