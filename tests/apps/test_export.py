"""Export of a model: targets that reproduce its faces, sequences, single faces, bad requests."""

import json

import numpy as np
import pytest

from meshgan.apps.export import export_model
from meshgan.apps.face_model import FaceModel
from meshgan.cli.main import parse
from meshgan.data.code_files import write_codes
from meshgan.data.mesh_formats.morph_glb import read_morph_glb
from meshgan.data.mesh_formats.pc2 import read_pc2
from meshgan.data.mesh_io import read_mesh
from meshgan.errors import InputError
from meshgan.geometry.alignment import procrustes


@pytest.fixture(scope="module")
def model(tiny_run) -> FaceModel:
    return FaceModel.load(tiny_run)


@pytest.fixture
def codes(model, tmp_path):
    path = tmp_path / "codes.npz"
    write_codes(path, model.codes(3, seed=5))
    return path


def test_glb_adds_up_to_the_models_labelled_faces(model, tmp_path):
    done = export_model(model, tmp_path / "face.glb", seed=2)
    back = read_morph_glb(tmp_path / "face.glb")
    assert done["morph_targets"] == list(back.targets)
    assert {"happiness", "identity_1", "expression_5"} <= set(back.targets)
    person = model.codes(1, seed=2)
    person["noise"] = 0 * person["noise"]
    for label in ("happiness", "surprise"):
        person["expression"] = model.label_code("expression", label)
        wanted = model.decode(person)[0].numpy()
        found = back.mesh.vertices + back.targets[label]
        assert np.abs(back.targets[label][back.mesh.vertices[:, 1].argmax()]).max() < 1
        found = procrustes(found, wanted.astype(float)).apply(found)  # the head stays where it is
        np.testing.assert_allclose(found, wanted, atol=2e-3)
    person["expression"] = model.label_code("expression", "neutral")
    np.testing.assert_allclose(back.mesh.vertices, model.decode(person)[0].numpy(), atol=1e-3)


def test_glb_with_apples_names(model, tmp_path):
    done = export_model(model, tmp_path / "face.glb", targets=("arkit",), sparse=True)
    names = done["morph_targets"]
    assert len(names) == 51
    assert "tongueOut" not in names
    back = read_morph_glb(tmp_path / "face.glb")
    lowered = back.targets["jawOpen"][model.template.landmarks["ibug68"][8]]  # the chin
    assert lowered[1] < -8
    left = back.targets["eyeBlinkLeft"][model.template.landmarks["ibug68"][43]]
    right = back.targets["eyeBlinkLeft"][model.template.landmarks["ibug68"][38]]
    assert left[1] < -3
    assert abs(right[1]) < 0.5
    assert back.mesh.vertices[model.template.landmarks["ibug68"][43]][0] > 0  # +x: subject's left


def test_sequences_hold_each_face_of_the_codes(model, codes, tmp_path):
    faces = model.decode(model.codes(3, seed=5)).numpy()
    done = export_model(model, tmp_path / "walk.pc2", codes=codes)
    assert [path.rsplit(".", 1)[1] for path in done["files"]] == ["pc2", "obj"]
    np.testing.assert_allclose(read_pc2(tmp_path / "walk.pc2").vertices, faces, atol=1e-4)
    np.testing.assert_allclose(read_mesh(tmp_path / "walk.obj").vertices, faces[0], atol=1e-4)
    done = export_model(model, tmp_path / "walk", codes=codes, file_format="ply")
    assert [path[-13:] for path in done["files"]] == [f"face_{k:04d}.ply" for k in range(3)]
    third = read_mesh(tmp_path / "walk" / "face_0002.ply")
    np.testing.assert_allclose(third.vertices, faces[2], atol=1e-4)
    np.testing.assert_array_equal(third.faces, model.template.mesh.faces)


@pytest.mark.parametrize("kind", ["obj", "ply", "stl", "off", "gltf", "npz"])
def test_one_face_is_the_chosen_row(model, codes, tmp_path, kind):
    export_model(model, tmp_path / f"face.{kind}", codes=codes, row=1)
    wanted = model.decode(model.codes(3, seed=5))[1].numpy()
    found = read_mesh(tmp_path / f"face.{kind}")
    if kind != "stl":  # which knows no shared vertices
        np.testing.assert_allclose(found.vertices, wanted, atol=1e-3)
    np.testing.assert_allclose(found.vertices.max(axis=0), wanted.max(axis=0), atol=1e-3)


def test_a_label_is_taken_as_it_is(model, tmp_path):
    export_model(model, tmp_path / "a.obj", labels={"expression": "anger"})
    codes = {name: 0 * code for name, code in model.codes(1).items()}
    codes["expression"] = model.label_code("expression", "anger")
    wanted = model.decode(codes)[0].numpy()
    np.testing.assert_allclose(read_mesh(tmp_path / "a.obj").vertices, wanted, atol=1e-4)


def test_refuses_bad_requests(model, codes, tmp_path):
    def export(name="a.glb", **options):
        return export_model(model, tmp_path / name, **options)

    with pytest.raises(InputError, match=r"expected \.glb .* a folder"):
        export("a.fbx")
    with pytest.raises(InputError, match="row 3 asked for, it has 0 to 2"):
        export(codes=codes, row=3)
    with pytest.raises(InputError, match="give one of them"):
        export(codes=codes, seed=1)
    with pytest.raises(InputError, match="of which file"):
        export(row=1)
    with pytest.raises(InputError, match=r"targets: blend; expected labels, directions, arkit"):
        export(targets=("blend",))
    with pytest.raises(InputError, match="the model has"):
        export(labels={"expression": "joy"})
    assert not (tmp_path / "a.glb").exists()


def test_command_says_what_it_wrote(tiny_run, tmp_path, capsys):
    from meshgan.cli.command import run

    out = tmp_path / "face.glb"
    assert run(parse(["export", str(tiny_run), "--out", str(out), "--json"])) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["files"] == [str(out)]
    assert said["vertices"] == 4999
    assert "anger" in said["morph_targets"]
