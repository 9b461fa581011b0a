"""Sampling: named faces, files in every format, all or nothing."""

import errno
import os

import numpy as np
import pytest
import torch

from meshgan.apps import sample as sample_module
from meshgan.apps.face_model import FaceModel
from meshgan.apps.sample import FORMATS, sample_faces
from meshgan.data.mesh_io import read_mesh
from meshgan.errors import FileFormatError, InputError, JobError


@pytest.mark.parametrize("file_format", FORMATS)
def test_files_hold_the_decoded_faces(dome_run, tmp_path, file_format):
    summary = sample_faces(dome_run, tmp_path / "out", 3, seed=5, file_format=file_format)
    names = [f"face_{k:04d}.{file_format}" for k in range(3)]
    assert summary["files"] == [str(tmp_path / "out" / name) for name in names]
    assert summary["meshes_per_second"] > 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *names, "codes.npz", "sheet.png"
    }  # fmt: skip
    model = FaceModel.load(dome_run)
    with np.load(tmp_path / "out" / "codes.npz", allow_pickle=False) as file:
        codes = {name: torch.from_numpy(file[name]) for name in file.files}
    expected = model.decode(codes).numpy()
    for name, face in zip(names, expected, strict=True):
        mesh = read_mesh(tmp_path / "out" / name)
        if file_format == "stl":  # has no vertex order: the corners of each triangle
            found = mesh.vertices[mesh.faces]
            np.testing.assert_allclose(found, face[model.template.mesh.faces], atol=1e-3)
        else:
            np.testing.assert_allclose(mesh.vertices, face, atol=1e-3)


def test_face_depends_on_seed_and_number_alone(dome_run):
    model = FaceModel.load(dome_run)
    few, many = model.codes(2, seed=3), model.codes(70, seed=3)
    for name in few:
        assert torch.equal(few[name], many[name][:2])
    torch.testing.assert_close(model.decode(few), model.decode(many)[:2], rtol=0, atol=1e-4)
    other = model.codes(2, seed=4)
    assert all(not torch.equal(few[name], other[name]) for name in few)


def test_fixed_factor_is_shared_and_the_others_are_not(dome_run):
    model = FaceModel.load(dome_run)
    free, fixed = model.codes(5), model.codes(5, fix="identity")
    assert (fixed["identity"] == fixed["identity"][0]).all()
    assert torch.equal(free["expression"], fixed["expression"])
    assert len(fixed["expression"].unique(dim=0)) == 5


def test_label_takes_its_code(dome_run):
    model = FaceModel.load(dome_run)
    codes = model.codes(4, labels={"expression": "open"})
    number = model.model.factors["expression"].index("open")
    assert torch.equal(codes["expression"], model.model.label_codes("expression")[[number] * 4])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "0 faces asked for, expected 1 or more"),
        ({"file_format": "fbx"}, "fbx: expected one of ply, obj"),
        ({"fix": "age"}, "age: the model has the factors identity, expression"),
        ({"labels": {"age": "old"}}, "age: the model has the factors"),
        ({"labels": {"expression": "joy"}}, "expression=joy: the model has neutral, smile"),
        ({"fix": "expression", "labels": {"expression": "open"}}, "both fixed and labelled"),
    ],
)
def test_refuses_what_the_model_does_not_have(dome_run, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        sample_faces(dome_run, tmp_path / "out", **options)
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_left_alone(dome_run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="exists already and is not empty"):
        sample_faces(dome_run, tmp_path / "out", 2)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine.txt"]


def test_a_full_disk_leaves_nothing(dome_run, tmp_path, monkeypatch):
    real, calls = sample_module.write_mesh, []

    def write(path, mesh):
        calls.append(path)
        if len(calls) == 2:
            raise JobError(f"{path}: writing failed ({os.strerror(errno.ENOSPC)})")
        real(path, mesh)

    monkeypatch.setattr(sample_module, "write_mesh", write)
    with pytest.raises(JobError, match="No space left"):
        sample_faces(dome_run, tmp_path / "out", 3)
    assert not list(tmp_path.iterdir())


def test_needs_a_run(tmp_path):
    with pytest.raises(FileFormatError, match=r"none: not a RUN; train one first"):
        sample_faces(tmp_path / "none", tmp_path / "out")


def test_default_faces_have_their_size(tiny_run, tmp_path):
    """Sampled default faces are as wide and high as adults: within 2 cm of the template."""
    summary = sample_faces(tiny_run, tmp_path / "out", 4, labels={"expression": "neutral"})
    template = FaceModel.load(tiny_run).template.mesh.vertices
    for file in summary["files"]:
        vertices = read_mesh(file).vertices
        difference = np.ptp(vertices, axis=0) - np.ptp(template, axis=0)
        assert np.abs(difference).max() < 20
