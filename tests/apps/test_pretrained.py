"""The model that comes with the package: there, small, what its card says; and packing a RUN."""

import numpy as np
import pytest
import torch

from meshgan.apps.face_model import FaceModel, load_model
from meshgan.apps.model_card import write_model_card
from meshgan.apps.pretrained import (
    CARD_FILE,
    METRICS_FILE,
    is_named_run,
    pack_run,
    run_or_pretrained,
    storage_facts,
)
from meshgan.apps.sample import sample_faces
from meshgan.errors import FileFormatError, InputError
from meshgan.files import read_json
from meshgan.training.run_folder import RunFolder


def test_comes_with_the_package_and_is_small():
    folder = run_or_pretrained(None)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 20e6
    assert not (folder / "state").exists()
    model = FaceModel.load()
    assert set(model.model.factors) == {"identity", "expression", "viseme"}
    assert model.template.name == "anny_low"
    assert model.template.landmarks  # fits need them


def test_has_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_or_pretrained("pretrained") == run_or_pretrained(None)
    assert is_named_run("pretrained")
    assert is_named_run(str(run_or_pretrained(None)))
    assert not is_named_run("seed:1")
    (tmp_path / "pretrained").mkdir()  # a folder of one's own comes first
    assert run_or_pretrained("pretrained") == RunFolder("pretrained").path


def test_faces_are_faces():
    model = FaceModel.load()
    faces = model.decode(model.codes(32, seed=1)).numpy()
    height = faces[..., 1].max(axis=1) - faces[..., 1].min(axis=1)
    assert np.isfinite(faces).all()
    assert 120 < height.min() and height.max() < 280  # noqa: PT018 - mm
    happy = model.decode(model.codes(1, labels={"expression": "happiness"}))
    rest = model.decode(model.codes(1, labels={"expression": "neutral"}))
    assert (happy - rest).norm(dim=2).max() > 2  # a smile is millimetres wide


def test_sample_needs_no_run(tmp_path):
    assert len(sample_faces(None, tmp_path / "faces", count=2)["files"]) == 2


def test_the_card_is_rendered_from_what_was_measured(tmp_path):
    shipped = run_or_pretrained(None)
    for name in ("model.json", "provenance.json", METRICS_FILE):
        (tmp_path / name).write_bytes((shipped / name).read_bytes())
    text = write_model_card(tmp_path).read_text(encoding="utf-8")
    assert text == (shipped / CARD_FILE).read_text(encoding="utf-8")
    assert f"| {read_json(shipped / METRICS_FILE)['specificity']:.2f} |" in text


def test_packed_run_is_a_run_without_what_only_training_needs(dome_run, tmp_path):
    packed = tmp_path / "packed"
    summary = pack_run(dome_run, packed)
    assert {path.name for path in packed.iterdir()} == {
        "config.yaml", "model.json", "template.npz", "provenance.json", "weights.safetensors"
    }  # fmt: skip
    weights = RunFolder(packed).read_weights()
    assert all(name.startswith("generator.") for name in weights)
    assert {value.dtype for name, value in weights.items() if name.endswith(".weight")} == {
        torch.float16
    }
    assert summary["megabytes"] < 1
    facts = storage_facts(load_model(dome_run), load_model(packed))
    assert 0 < facts["mean_error_mm"] < facts["largest_error_mm"] < 0.1


def test_bad_input(dome_run, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(InputError, match="not empty"):
        pack_run(dome_run, tmp_path / "full")
    with pytest.raises(FileFormatError, match="no weights yet"):
        pack_run(tmp_path / "nothing", tmp_path / "out")
    assert not (tmp_path / "out").exists()
