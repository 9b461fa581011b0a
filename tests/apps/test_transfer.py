"""meshgan transfer: meshes, codes, sequences and other topologies, in files, with a tiny run."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from meshgan.apps.face_inputs import FaceReader
from meshgan.apps.face_model import FaceModel
from meshgan.apps.transfer import Rows, transfer_files
from meshgan.cli.command import run
from meshgan.cli.main import parse
from meshgan.data.code_files import read_codes, write_codes
from meshgan.data.mesh_io import read_mesh, write_mesh
from meshgan.data.synthetic.source import open_source
from meshgan.editing.transfer import TransferSettings
from meshgan.errors import InputError, ShapeError
from meshgan.geometry.decimation import decimate
from meshgan.geometry.mesh import TriMesh

KEEP = TransferSettings(mode="add", keep_residual=True)
PEOPLE = (1_300_000, 1_300_001)


@pytest.fixture(scope="module")
def model(tiny_run):
    return FaceModel.load(tiny_run)


@pytest.fixture(scope="module")
def faces():
    """Two people at rest and with the same open mouth; (person, expression, V, 3)."""
    source = open_source("low")
    actions = np.zeros((2, len(source.action_names)))
    actions[1, source.action_names.index("jawOpen")] = 0.6
    return np.stack([source.express(0, person, actions) for person in PEOPLE])


@pytest.fixture
def files(tmp_path, model, faces):
    for person, name in enumerate(("anna", "bea")):
        for shown, what in enumerate(("rest", "open")):
            mesh = model.template.mesh.with_vertices(faces[person, shown])
            write_mesh(tmp_path / f"{name}_{what}.ply", mesh)
    return tmp_path


def distance(a, b):
    return float(np.linalg.norm(np.asarray(a) - np.asarray(b), axis=-1).mean())


def test_an_open_mouth_on_another_person(files, model, faces):
    found = transfer_files(
        model,
        files / "anna_open.ply",
        files / "bea_rest.ply",
        files / "out.ply",
        KEEP,
        source_rest=files / "anna_rest.ply",
        picture=files / "out.png",
    )
    result = read_mesh(files / "out.ply").vertices
    assert distance(result, faces[1, 1]) < 0.2 * distance(faces[1, 0], faces[1, 1])
    assert found["fit_rms_mm"]["source"] > 0
    assert found["files"] == [str(files / "out.ply")]
    assert Image.open(files / "out.png").height > 600


def test_the_result_is_where_the_target_is(files, model, faces):
    turn = Rotation.from_rotvec([0.1, 0.4, -0.2]).as_matrix()
    here = np.array([5.0, -700.0, 40.0])
    mesh = model.template.mesh.with_vertices((faces[1, 0] @ turn.T + here).astype(np.float32))
    write_mesh(files / "away.ply", mesh)
    rest = files / "anna_rest.ply"
    out = files / "out.ply"
    transfer_files(model, files / "anna_open.ply", files / "away.ply", out, KEEP, rest)
    wanted = faces[1, 1] @ turn.T + here
    back = (read_mesh(out).vertices - wanted) @ turn  # opening the mouth moves the mean a little
    assert distance(back - back.mean(axis=0), 0 * back) < 0.3 * distance(faces[1, 0], faces[1, 1])


@pytest.mark.slow
def test_another_topology_keeps_its_vertices(files, model, faces):
    rest = faces[1, 0].astype(np.float64)
    coarse = decimate(rest, model.template.mesh.faces, 7000)
    write_mesh(files / "coarse.ply", TriMesh(coarse.vertices.astype(np.float32), coarse.faces))
    out = files / "out.ply"
    source = (files / "anna_open.ply", files / "coarse.ply", out)
    transfer_files(model, *source, KEEP, files / "anna_rest.ply")
    found = read_mesh(out)
    assert np.array_equal(found.faces, coarse.faces)
    truth = coarse.down @ faces[1, 1].astype(np.float64)
    assert distance(found.vertices, truth) < 0.35 * distance(coarse.vertices, truth)


def test_codes_need_no_fit(tmp_path, model):
    codes = model.codes(3, seed=1)
    write_codes(tmp_path / "codes.npz", codes)
    file = tmp_path / "codes.npz"
    found = transfer_files(model, file, file, tmp_path / "out.obj", rows=Rows(0, 2))
    assert found["fit_rms_mm"] == {"source": None, "target": None}
    mixed = {name: code[2:] for name, code in codes.items()} | {
        "expression": codes["expression"][:1]
    }
    expected = model.decode(mixed)[0].numpy()
    np.testing.assert_allclose(read_mesh(tmp_path / "out.obj").vertices, expected, atol=1e-3)


def test_a_sequence_on_one_face(files, model, faces):
    folder = files / "take"
    folder.mkdir()
    for k, share in enumerate(np.linspace(0, 1, 11)):
        frame = (1 - share) * faces[0, 0] + share * faces[0, 1]
        write_mesh(folder / f"frame_{k}.ply", model.template.mesh.with_vertices(frame))
    found = transfer_files(
        model, folder, files / "bea_rest.ply", files / "out", KEEP, files / "anna_rest.ply"
    )
    assert [path.rsplit("/", 1)[1] for path in found["files"]][-2:] == [
        "frame_9.ply",
        "frame_10.ply",
    ]
    shown = np.stack([read_mesh(path).vertices for path in found["files"]])
    truth = np.linspace(faces[1, 0], faces[1, 1], 11)
    assert distance(shown, truth) < 0.25 * distance(truth[0], truth[-1])
    second = np.linalg.norm(np.diff(shown, 2, axis=0), axis=2).max()
    assert second < 0.3  # no jitter
    codes = read_codes(files / "out" / "codes.npz", model.model.code_sizes)
    assert codes["identity"].std(dim=0).max() < 1e-6
    movie = transfer_files(model, folder, files / "bea_rest.ply", files / "out.gif", KEEP)
    assert Image.open(files / "out.gif").n_frames == movie["frames"] == 11


def test_in_memory_as_in_files(files, model, faces):
    mesh = model.template.mesh
    smile, rest, target = (mesh.with_vertices(faces[p, e]) for p, e in ((0, 1), (0, 0), (1, 0)))
    (found,) = model.transfer(smile, target, "add", keep_residual=True, rest=rest)
    files_too = (files / "anna_open.ply", files / "bea_rest.ply", files / "out.ply")
    transfer_files(model, *files_too, KEEP, files / "anna_rest.ply")
    np.testing.assert_allclose(found.vertices, read_mesh(files / "out.ply").vertices, atol=1e-3)
    codes = model.codes(2, seed=3)
    both = model.transfer({name: code[:1] for name, code in codes.items()}, codes)
    assert len(both) == 2


def test_a_label_as_the_source_at_rest(tmp_path, model):
    codes = model.codes(1, seed=1)
    write_codes(tmp_path / "a.npz", codes)
    write_codes(tmp_path / "b.npz", model.codes(1, seed=2))
    settings = TransferSettings(mode="add")
    paths = (tmp_path / "a.npz", tmp_path / "b.npz", tmp_path / "out.ply")
    transfer_files(model, *paths, settings, source_rest="neutral")
    target = model.codes(1, seed=2)
    change = codes["expression"] - model.label_code("expression", "neutral")
    expected = model.decode({**target, "expression": target["expression"] + change})[0].numpy()
    np.testing.assert_allclose(read_mesh(tmp_path / "out.ply").vertices, expected, atol=1e-3)


def test_refuses_bad_input(files, model):
    anna, bea, out = files / "anna_open.ply", files / "bea_rest.ply", files / "out.ply"
    with pytest.raises(InputError, match=r"nobody\.ply: no such file"):
        transfer_files(model, files / "nobody.ply", bea, out)
    with pytest.raises(InputError, match="face 2 asked for, it has 0 to 0"):
        transfer_files(model, anna, bea, out, rows=Rows(source=2))
    with pytest.raises(InputError, match="viseme: the model has the factors identity"):
        transfer_files(model, anna, bea, out, TransferSettings(factors=("viseme",)))
    with pytest.raises(InputError, match="one face; expected a name that ends in obj"):
        transfer_files(model, anna, bea, files / "out.gif")
    x, y = np.meshgrid(np.linspace(-60, 60, 20), np.linspace(-80, 80, 20))
    flat = np.stack([x, y, np.sin(x / 9) * 3], axis=-1).reshape(-1, 3).astype(np.float32)
    corner = (np.arange(19)[:, None] * 20 + np.arange(19)).ravel()
    faces = np.stack([corner, corner + 1, corner + 20], axis=1)
    write_mesh(files / "curtain.ply", TriMesh(flat, faces))
    with pytest.raises(InputError, match=r"curtain\.ply: has another topology than the model"):
        transfer_files(model, anna, files / "curtain.ply", out)
    assert not out.exists()
    three, two = FaceReader(model).of_codes(model.codes(3)), model.codes(2)
    with pytest.raises(ShapeError, match="3 and 2 faces do not go together"):
        model.transfer(dict(three.codes or {}), two)


def test_the_command_prints_json(files, tiny_run, capsys):
    words = ["transfer", str(tiny_run), "--source", str(files / "anna_open.ply")]
    words += ["--target", str(files / "bea_rest.ply"), "--out", str(files / "out.ply"), "--json"]
    assert run(parse([*words, "--keep-residual", "--mode", "add"])) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["fit_rms_mm"]) == {"source", "target"}
    assert found["files"] == [str(files / "out.ply")]
