"""``meshgan uv``: files that can be used again, numbers that agree with them, clear refusals."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from meshgan.apps.benchmarks.disk import delaunay_disk
from meshgan.apps.uv import make_uv, read_lookup
from meshgan.cli.main import main
from meshgan.data.mesh_io import write_mesh
from meshgan.errors import FileFormatError, InputError
from meshgan.geometry.mesh import TriMesh
from meshgan.models.geometry_map import GeometryMap


@pytest.fixture
def face(tmp_path):
    mesh = delaunay_disk(200)
    write_mesh(tmp_path / "face.ply", mesh)
    return tmp_path / "face.ply", mesh


def test_writes_a_map_that_maps(face, tmp_path):
    path, mesh = face
    summary = make_uv(path, tmp_path / "out" / "uv.npz", size_px=24)
    uv, lookup = read_lookup(summary["file"])
    u, v = GeometryMap(lookup)(torch.from_numpy(uv)[None])[0].numpy()
    steps = (np.arange(24) + 0.5) / 24
    np.testing.assert_allclose(u, np.tile(steps, (24, 1)), atol=1e-9)
    np.testing.assert_allclose(v, np.tile(steps[::-1, None], 24), atol=1e-9)
    assert lookup.vertex_count == len(uv) == mesh.vertex_count == summary["vertices"]
    assert (summary["flipped"], summary["covered"], summary["size_px"]) == (0, 1.0, 24)
    assert 1 <= summary["distortion"]["angle_distortion"]["median"] < 1.5
    picture = np.asarray(Image.open(summary["picture"]))
    assert picture.std() > 10


def test_command_prints_json(face, tmp_path, capsys):
    path, _ = face
    words = ["uv", str(path), "--out", str(tmp_path / "uv.npz"), "--method", "slim", "--json"]
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 0
    summary = json.loads(capsys.readouterr().out)
    assert {"flipped", "covered", "distortion", "seconds"} <= summary.keys()
    assert summary["weights"] == "slim from intrinsic_delaunay"


def test_command_keeps_the_hole_of_a_ring(tmp_path, capsys):
    count = 12
    angle = 2 * np.pi * np.arange(count) / count
    circle = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    k = np.arange(count)
    after = np.roll(k, -1)
    faces = np.concatenate(
        [np.stack([k, k + count, after + count], 1), np.stack([k, after + count, after], 1)]
    )
    write_mesh(tmp_path / "ring.ply", TriMesh(np.concatenate([circle, 2 * circle]), faces))
    with pytest.raises(SystemExit) as stop:
        main(["uv", str(tmp_path / "ring.ply"), "--out", str(tmp_path / "uv.npz"), "--json"])
    assert stop.value.code == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["holes"], summary["covered"]) == (1, 1.0)
    with Image.open(tmp_path / "uv.png") as picture:
        assert (np.asarray(picture)[..., :3].reshape(-1, 3) == 255).all(axis=1).mean() > 0.1


def test_command_refuses_two_pieces(tmp_path, capsys):
    one = delaunay_disk(30)
    far = one.vertices + np.array([5, 0, 0])
    faces = np.concatenate([one.faces, one.faces + one.vertex_count])
    write_mesh(tmp_path / "two.ply", TriMesh(np.concatenate([one.vertices, far]), faces))
    with pytest.raises(SystemExit) as stop:
        main(["uv", str(tmp_path / "two.ply"), "--out", str(tmp_path / "uv.npz")])
    assert stop.value.code == 2
    assert "2 pieces, 2 boundary loops" in capsys.readouterr().err
    assert not (tmp_path / "uv.npz").exists()


def test_refuses_another_suffix(face, tmp_path):
    with pytest.raises(InputError, match=r"uv.txt: expected a name that ends in .npz"):
        make_uv(face[0], tmp_path / "uv.txt")


def test_refuses_files_that_are_no_lookup(face, tmp_path):
    other = tmp_path / "other.npz"
    np.savez(other, uv=np.zeros((4, 2)))
    with pytest.raises(FileFormatError, match="has no array faces_of_pixels, corners, weights"):
        read_lookup(other)
    corners = np.full((2, 2, 3), 4)
    np.savez(
        other,
        uv=np.zeros((4, 2)),
        faces_of_pixels=np.zeros((2, 2), dtype=int),
        corners=corners,
        weights=np.zeros(corners.shape),
    )
    with pytest.raises(FileFormatError, match="do not fit each other"):
        read_lookup(other)
    with pytest.raises(FileFormatError, match="no such file"):
        read_lookup(tmp_path / "absent.npz")
