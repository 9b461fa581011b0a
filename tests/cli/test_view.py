"""``meshgan view`` as a user types it: pictures of all it can open, and clear refusals."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from meshgan.data.mesh_io import write_mesh
from meshgan.geometry.mesh import TriMesh
from tests.apps.domes import dome_data
from tests.fakes import face_like_mesh

SMALL = ("--size", "200x160", "--renderer", "own")


@pytest.fixture
def mesh(tmp_path):
    vertices, faces = face_like_mesh(12)
    write_mesh(tmp_path / "face.ply", TriMesh(vertices, faces))
    return tmp_path / "face.ply"


def test_picture_of_a_mesh(meshgan, mesh, tmp_path):
    picture = tmp_path / "face.png"
    status, out, _ = meshgan("view", mesh, "--screenshot", picture, *SMALL, "--json")
    assert status == 0
    assert json.loads(out) == {
        "kind": "mesh",
        "vertices": 144,
        "faces": 242,
        "screenshot": str(picture),
        "renderer": "own",
    }
    assert Image.open(picture).size == (200, 160)


def test_pictures_of_a_run_follow_label_and_seed(meshgan, tiny_run, tmp_path):
    pictures = {}
    for name, words in {
        "mean": (),
        "happy": ("--label", "expression=happiness"),
        "random": ("--random", "--seed", 1),
        "again": ("--random", "--seed", 1),
        "other": ("--random", "--seed", 2, "--colour", "mean"),
    }.items():
        path = tmp_path / f"{name}.png"
        status, _, err = meshgan("view", tiny_run, "--screenshot", path, *SMALL, *words)
        assert status == 0, err
        pictures[name] = np.asarray(Image.open(path))
    assert np.array_equal(pictures["random"], pictures["again"])
    seen = [pictures[name] for name in ("mean", "happy", "random", "other")]
    assert all(
        not np.array_equal(one, other) for k, one in enumerate(seen) for other in seen[k + 1 :]
    )


def test_picture_of_the_model_that_comes_with_the_package(meshgan, tmp_path):
    words = ("view", "--screenshot", tmp_path / "a.png", *SMALL, "--label", "expression=happiness")
    status, out, err = meshgan(*words, "--json")
    assert status == 0, err
    assert json.loads(out)["kind"] == "run"
    assert (np.asarray(Image.open(tmp_path / "a.png")) < 200).any()


def test_picture_of_a_data_set(meshgan, tmp_path):
    data = dome_data(tmp_path / "domes")
    words = ("view", data, "--screenshot", tmp_path / "a.png", *SMALL, "--colour", "mean", "--json")
    status, out, _ = meshgan(*words)
    assert status == 0
    assert json.loads(out)["kind"] == "data"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--label", "expression=smile"), "a mesh has no labels"),
        (("--label", "smile"), "factor=label"),
        (("--colour", "neutral"), "choose one of skin"),
        (("--size", "big"), "width x height"),
    ],
)
def test_refuses(meshgan, mesh, tmp_path, words, message):
    size = () if "--size" in words else SMALL
    status, _, err = meshgan("view", mesh, "--screenshot", tmp_path / "a.png", *size, *words)
    assert status == 2
    assert message in err
    assert not (tmp_path / "a.png").exists()


def test_without_a_screen_it_says_what_to_do(mesh, monkeypatch):
    monkeypatch.setattr("meshgan.viewer.view.offscreen_problem", lambda: None)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    from meshgan.errors import MissingExtraError
    from meshgan.viewer.view import view

    with pytest.raises(MissingExtraError, match="--screenshot FILE"):
        view(mesh)


def test_standard_output_is_one_object(mesh, tmp_path):
    """Also where Open3D draws: its native code writes a log to standard output."""
    words = ["view", mesh, "--screenshot", tmp_path / "a.png", "--size", "200x160", "--json"]
    command = [sys.executable, "-m", "meshgan", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["screenshot"] == str(tmp_path / "a.png")
