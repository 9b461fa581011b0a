"""GLB with morph targets: what is written is what the standard says, and reads back the same."""

import contextlib
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.data.mesh_formats.morph_glb import MorphAnimation, read_morph_glb, write_morph_glb
from meshgan.data.mesh_io import read_mesh, write_mesh
from meshgan.errors import FileFormatError, InputError, ShapeError
from meshgan.geometry.mesh import TriMesh
from tests.browser import npm_package, run_node
from tests.fakes import face_like_mesh

VALIDATE = """
const fs = require("fs"), validator = require("gltf-validator");
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])))
  .then(report => console.log(JSON.stringify(report)));
"""


def dome() -> TriMesh:
    vertices, faces = face_like_mesh(side=12)
    low, high = vertices[:, :2].min(axis=0), vertices[:, :2].max(axis=0)
    return TriMesh(vertices, faces, ((vertices[:, :2] - low) / (high - low)).astype(np.float32))


def bump(mesh: TriMesh, x: float = 0.0) -> np.ndarray:
    """Pushes the skin around (x, 0) out by 9 mm; exactly zero elsewhere."""
    away = np.abs(mesh.vertices[:, :2] - (x, 0)).max(axis=1)
    return np.where(away < 30, 9.0, 0.0)[:, None] * np.array([0.0, 0.0, 1.0])


@pytest.fixture
def written(tmp_path):
    mesh = dome()
    targets = {"bumpLeft": bump(mesh, 35), "Größe 2": mesh.vertices * 0.1}
    animation = MorphAnimation(
        np.array([0.0, 0.5, 2.0]), np.array([[0.0, 0.0], [1.0, 0.25], [0.5, 0.0]]), "nod"
    )
    path = tmp_path / "face.glb"
    write_morph_glb(path, mesh, targets, animation=animation)
    return path, mesh, targets, animation


@pytest.mark.parametrize("sparse", [False, True])
def test_reads_back_what_was_written(tmp_path, sparse):
    mesh = dome()
    targets = {"bump": bump(mesh), "grow": mesh.vertices * 0.1, "nothing": 0 * mesh.vertices}
    write_morph_glb(tmp_path / "face.glb", mesh, targets, sparse=sparse)
    back = read_morph_glb(tmp_path / "face.glb")
    np.testing.assert_allclose(back.mesh.vertices, mesh.vertices, atol=1e-5)
    np.testing.assert_array_equal(back.mesh.faces, mesh.faces)
    np.testing.assert_allclose(back.mesh.uv, mesh.uv, atol=1e-6)
    assert list(back.targets) == ["bump", "grow", "nothing"]
    for name, move in targets.items():
        np.testing.assert_allclose(back.targets[name], move, atol=0.021 if sparse else 1e-5)
    assert back.animation is None
    assert back.weights.tolist() == [0, 0, 0]


def test_animation_reads_back(written):
    path, _, targets, animation = written
    back = read_morph_glb(path)
    assert list(back.targets) == list(targets)
    np.testing.assert_array_equal(back.animation.times_s, animation.times_s.astype("f4"))
    np.testing.assert_array_equal(back.animation.weights, animation.weights.astype("f4"))
    assert back.animation.name == "nod"


def document_of(path) -> tuple[dict, bytes]:
    """The two chunks, by the words of the standard alone."""
    content = path.read_bytes()
    magic, version, size = struct.unpack_from("<III", content)
    length, kind = struct.unpack_from("<II", content, 12)
    assert (magic, version, size, kind) == (0x46546C67, 2, len(content), 0x4E4F534A)
    body_length, body_kind = struct.unpack_from("<II", content, 20 + length)
    assert (body_kind, length % 4, body_length % 4) == (0x004E4942, 0, 0)
    return json.loads(content[20 : 20 + length]), content[28 + length :]


def floats(document: dict, body: bytes, index: int) -> np.ndarray:
    accessor = document["accessors"][index]
    view = document["bufferViews"][accessor["bufferView"]]
    width = {"VEC3": 3, "VEC2": 2}[accessor["type"]]
    count = accessor["count"] * width
    return np.frombuffer(body, "<f4", count, view["byteOffset"]).reshape(-1, width)


def test_the_file_holds_metres_normals_and_names(written):
    path, mesh, targets, _ = written
    document, body = document_of(path)
    part = document["meshes"][0]["primitives"][0]
    np.testing.assert_allclose(
        floats(document, body, part["attributes"]["POSITION"]), mesh.vertices / 1000, atol=1e-8
    )
    names = document["meshes"][0]["extras"]["targetNames"]
    assert names == list(targets)
    # growing by a tenth about the origin turns no normal; the bump turns some and keeps them unit
    rest = floats(document, body, part["attributes"]["NORMAL"])
    np.testing.assert_allclose(np.linalg.norm(rest, axis=1), 1, atol=1e-5)
    assert np.abs(floats(document, body, part["targets"][1]["NORMAL"])).max() < 1e-5
    turned = rest + floats(document, body, part["targets"][0]["NORMAL"])
    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), 1, atol=1e-5)
    assert np.abs(turned - rest).max() > 0.2
    low = floats(document, body, part["targets"][0]["POSITION"]).min(axis=0)
    assert document["accessors"][part["targets"][0]["POSITION"]]["min"] == low.tolist()


def test_sparse_is_smaller_and_keeps_unmoved_vertices_exactly(tmp_path):
    mesh = dome()
    for name, sparse in (("dense", False), ("sparse", True)):
        write_morph_glb(tmp_path / f"{name}.glb", mesh, {"bump": bump(mesh, 40)}, sparse=sparse)
    dense, small = ((tmp_path / f"{name}.glb").stat().st_size for name in ("dense", "sparse"))
    assert small < dense
    back = read_morph_glb(tmp_path / "sparse.glb").targets["bump"]
    np.testing.assert_array_equal(back[bump(mesh, 40)[:, 2] == 0], 0)


def test_any_reader_of_glb_sees_the_face_at_rest(written):
    path, mesh, _, _ = written
    seen = read_mesh(path)
    np.testing.assert_allclose(seen.vertices, mesh.vertices, atol=1e-5)
    np.testing.assert_allclose(seen.uv, mesh.uv, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), sparse=st.booleans())
def test_any_displacements_survive(tmp_path_factory, seed, sparse):
    rng = np.random.default_rng(seed)
    mesh = dome()
    move = rng.normal(0, 10, mesh.vertices.shape) * (rng.random((mesh.vertex_count, 1)) < 0.3)
    path = tmp_path_factory.mktemp("glb") / "a.glb"
    write_morph_glb(path, mesh, {"a": move}, normals=False, uv=False, sparse=sparse)
    back = read_morph_glb(path)
    assert back.mesh.uv is None
    np.testing.assert_allclose(back.targets["a"], move, atol=0.021)


@pytest.mark.parametrize("sparse", [False, True])
def test_the_official_validator_finds_nothing(tmp_path, sparse):
    packages = npm_package("gltf-validator")
    mesh = dome()
    times, weights = np.array([0.0, 1.0]), np.array([[0.0, 0.0, 0.0], [1.0, 0.5, 0.2]])
    targets = {"bump": bump(mesh), "grow": mesh.vertices * 0.1, "nothing": 0 * mesh.vertices}
    path = tmp_path / "face.glb"
    nod, colours = MorphAnimation(times, weights), np.full((mesh.vertex_count, 3), 0.5)
    write_morph_glb(path, mesh, targets, sparse=sparse, animation=nod, colours=colours)
    issues = run_node(VALIDATE, str(path), packages=packages)["issues"]
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]


def test_refuses_bad_input(tmp_path):
    mesh, path = dome(), tmp_path / "a.glb"
    good = bump(mesh)
    with pytest.raises(InputError, match=r"as \.glb"):
        write_morph_glb(tmp_path / "a.obj", mesh, {"a": good})
    with pytest.raises(InputError, match="at least one"):
        write_morph_glb(path, mesh, {})
    with pytest.raises(ShapeError, match=r"'a' has shape \(143, 3\), expected \(144, 3\)"):
        write_morph_glb(path, mesh, {"a": good[1:]})
    with pytest.raises(InputError, match="not finite"):
        write_morph_glb(path, mesh, {"a": np.where(good > 0, np.nan, good)})
    animation = MorphAnimation(np.array([0.0]), np.zeros((1, 2)))
    with pytest.raises(ShapeError, match="2 weights per time, expected one for each of 1"):
        write_morph_glb(path, mesh, {"a": good}, animation=animation)
    with pytest.raises(InputError, match="must ascend"):
        MorphAnimation(np.array([0.0, 0.0]), np.zeros((2, 1)))
    assert not path.exists()


def test_names_what_is_wrong_with_a_file(written, tmp_path):
    path, mesh, _, _ = written
    with pytest.raises(FileFormatError, match="no such file"):
        read_morph_glb(tmp_path / "none.glb")
    cut = tmp_path / "cut.glb"
    cut.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(FileFormatError, match=r"cut\.glb: cut short"):
        read_morph_glb(cut)
    write_mesh(tmp_path / "plain.glb", mesh)
    with pytest.raises(FileFormatError, match="has morph targets"):
        read_morph_glb(tmp_path / "plain.glb")


@pytest.mark.parametrize("seed", range(40))
def test_damage_never_gives_more_than_a_file_format_error(written, tmp_path, seed):
    path, _, _, _ = written
    rng = np.random.default_rng(seed)
    content = bytearray(path.read_bytes())
    text_length = int.from_bytes(content[12:16], "little")
    for _ in range(4):
        content[20 + rng.integers(text_length)] = rng.choice(list(b'0123456789-{}[]":,x'))
    damaged = tmp_path / "damaged.glb"
    damaged.write_bytes(bytes(content))
    with contextlib.suppress(FileFormatError):
        read_morph_glb(damaged)
