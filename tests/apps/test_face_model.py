"""FaceModel: what was trained is what is loaded; what is not a RUN is refused by name."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from meshgan.apps.face_model import FaceModel, load_model
from meshgan.errors import FileFormatError, InputError, ShapeError
from meshgan.models.base import MeshModel
from meshgan.training.run_folder import RunFolder


@pytest.fixture
def copy(dome_run, tmp_path):
    return shutil.copytree(dome_run, tmp_path / "copy")


def test_load_gives_the_trained_weights(dome_run):
    model = FaceModel.load(dome_run).model
    assert isinstance(model, MeshModel)
    stored = RunFolder(dome_run).read_weights()
    for name, value in model.state_dict().items():
        assert torch.equal(value, stored[f"generator.{name}"])
    assert not model.training
    assert load_model(dome_run).factors == model.factors


def test_a_run_can_move(dome_run, copy):
    first, second = (FaceModel.load(path) for path in (dome_run, copy))
    for a, b in zip(first.sample(2, seed=1), second.sample(2, seed=1), strict=True):
        assert np.array_equal(a.vertices, b.vertices)


def test_decode_in_batches_is_decode_at_once(dome_run):
    """130 faces are three batches of at most 64; their vertices are those of one batch."""
    model = FaceModel.load(dome_run)
    codes = model.codes(130)
    together = model.model.decode(codes)
    torch.testing.assert_close(model.decode(codes), together, rtol=0, atol=1e-4)


def test_codes_must_fit(dome_run):
    model = FaceModel.load(dome_run)
    codes = model.codes(2)
    del codes["noise"]
    with pytest.raises(ShapeError, match="noise missing"):
        model.decode(codes)
    with pytest.raises(InputError, match="mood: the model has the factors"):
        model.label_code("mood", "happy")


def test_missing(tmp_path):
    with pytest.raises(FileFormatError, match="not a RUN; train one first"):
        FaceModel.load(tmp_path / "none")
    (tmp_path / "photos").mkdir()
    with pytest.raises(FileFormatError, match="photos: not a RUN"):
        FaceModel.load(tmp_path / "photos")


@pytest.mark.parametrize(
    "name", ["model.json", "template.npz", "weights.safetensors", "config.yaml"]
)
@pytest.mark.parametrize("damage", ["missing", "empty", "half", "text"])
def test_damaged_part_is_named(copy, name, damage):
    path, content = copy / name, (copy / name).read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "half": content[: len(content) // 2]}.get(damage, b"no"))
    if name == "config.yaml" and damage != "missing":
        FaceModel.load(copy)  # the settings of the training are not needed here
        return
    with pytest.raises(FileFormatError, match=r"copy(/|: not a RUN)"):
        FaceModel.load(copy)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: [],
        lambda d: {**d, "factors": ["identity"]},
        lambda d: {**d, "kind": "photograph"},
        lambda d: {**d, "settings": {**d["settings"], "hidden": "many"}},
        lambda d: {**d, "settings": {**d["settings"], "depth": 3}},
        lambda d: {key: value for key, value in d.items() if key != "settings"},
        lambda d: {**d, "settings": {**d["settings"], "hidden": 24}},
        lambda d: {**d, "factors": {"identity": d["factors"]["identity"]}},
    ],
)
def test_foreign_description(copy, change):
    description = json.loads((copy / "model.json").read_text())
    (copy / "model.json").write_text(json.dumps(change(description)))
    with pytest.raises(InputError, match=r"model.json|expected one per factor"):
        FaceModel.load(copy)


def test_weights_of_another_model(copy):
    weights = load_file(copy / "weights.safetensors")
    weights["generator.output.weight"] = weights["generator.output.weight"][:-3].contiguous()
    save_file(weights, copy / "weights.safetensors")
    with pytest.raises(FileFormatError, match="do not belong together"):
        FaceModel.load(copy)
