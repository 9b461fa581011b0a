"""From files of another topology to a report page: the commands of a user, no code between them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.geometry.shapes import holed_hill
from tests.geometry.test_submesh import ball

SUBSET = Path(__file__).parents[2] / "../shared/data/ict_face_subset.npz"
SETTINGS = (
    "model.codes={identity: 4, expression: 3}",
    "model.noise=1",
    "model.hidden=24",
    "model.image_size=32",
    "loss.laplacian_weights=data",
    "step.batch=8",
    "step.discriminator_first=0",
    "train.iterations=3",
    "train.save_every=3",
    "train.preview_every=3",
    "train.log_every=1",
    "train.accelerator=cpu",
)
SHEETS = {"random_faces", "identity_in_all_expressions", "identity_expression_grid", "transfer"}
PEOPLE, FACES = 10, 9
EXPRESSIONS = ("neutral", "happiness", "surprise")


def options() -> list[str]:
    return [word for setting in SETTINGS for word in ("--set", setting)]


@pytest.fixture(scope="module")
def heads(tmp_path_factory) -> Path:
    """Faces with holes at eyes and mouth, an eyeball behind each eye, in one NPZ file, in cm.

    Linear in 4 coefficients of the person and 3 of the expression, which the file holds too.
    """
    rng = np.random.default_rng(0)
    skin, _ = holed_hill()
    eye = ball(6, 8, 0.12)
    parts = [skin.vertices, *(eye.vertices + np.array([x, 0.4, 0.2]) for x in (-0.45, 0.45))]
    first, second = skin.vertex_count, skin.vertex_count + eye.vertex_count
    faces = np.concatenate([skin.faces, eye.faces + first, eye.faces + second])
    mean = np.concatenate(parts) * [7.0, 9.0, 6.0]  # 18 cm high

    def smooth(count: int) -> np.ndarray:
        waves = [
            np.cos(mean @ rng.normal(0, 0.3, (3, 3)) + rng.uniform(0, 6, 3)) for _ in range(count)
        ]
        return np.stack(waves)

    person = np.repeat(rng.normal(size=(PEOPLE, 4)), FACES, axis=0)
    shown = np.tile(np.arange(FACES) % 3, PEOPLE)
    actions = np.eye(3)[shown] * rng.uniform(0.7, 1.0, (PEOPLE * FACES, 1))
    meshes = (
        mean + 0.3 * np.tensordot(person, smooth(4), 1) + 0.4 * np.tensordot(actions, smooth(3), 1)
    )
    path = tmp_path_factory.mktemp("heads") / "heads.npz"
    np.savez(
        path,
        vertices=meshes.astype(np.float32),
        faces=faces,
        subject=np.repeat([f"p{k:02d}" for k in range(PEOPLE)], FACES),
        expression=np.array(EXPRESSIONS)[shown],
        identity_coefficients=person,
        actions=actions,
    )
    return path


@pytest.mark.slow
def test_heads_of_several_pieces_with_holes(meshgan, heads, tmp_path):
    whole, data, run = tmp_path / "whole", tmp_path / "data", tmp_path / "run"
    importing = ["data", "import", "folder", heads, "--unit", "cm", "--json"]
    status, _, _ = meshgan(*importing, "--out", whole)
    assert status == 0
    status, out, _ = meshgan("train", "--data", whole, "--out", run, *options(), "--json")
    assert status == 2
    error = json.loads(out)["error"]
    assert "3 pieces" in error
    assert "--area largest_piece" in error

    status, out, _ = meshgan(*importing, "--out", data, "--area", "largest_piece")
    assert status == 0
    summary = json.loads(out)
    skin = holed_hill()[0]
    assert (summary["meshes"], summary["vertices"]) == (PEOPLE * FACES, skin.vertex_count)
    assert summary["provenance"]["area"] == "largest_piece"
    assert meshgan("data", "validate", data)[0] == 0

    status, out, _ = meshgan("uv", data, "--out", tmp_path / "uv.npz", "--size", 32, "--json")
    assert status == 0
    uv = json.loads(out)
    assert (uv["flipped"], uv["covered"], uv["holes"]) == (0, 1.0, 3)

    status, out, _ = meshgan("train", "--data", data, "--out", run, *options(), "--json")
    assert status == 0, out
    status, out, _ = meshgan("sample", run, "--count", 2, "--out", tmp_path / "faces", "--json")
    assert status == 0
    words = ["--data", data, "--pairs", 30, "--samples", 8, "--json"]
    status, out, err = meshgan("report", run, "--out", tmp_path / "page", *words)
    assert status == 0, err
    metrics = json.loads(out)["metrics"]
    assert metrics["not_available"] == {}
    assert metrics["fresh"]["oracle_identity"] == 1.0  # true faces, read by who knows the model
    assert metrics["oracle_identity"] > metrics["chance_identity"]
    assert metrics["settings"]["fresh_meshes"] == FACES  # the one test person in ten
    page = (tmp_path / "page" / "report.html").read_text()
    assert f"{8 * FACES} faces of 8 people" in page
    for name in SHEETS:
        with Image.open(tmp_path / "page" / f"{name}.png") as picture:
            assert np.asarray(picture.convert("L")).std() > 10


@pytest.mark.slow
@pytest.mark.skipif(not SUBSET.exists(), reason="the ICT face model is not beside the repository")
def test_ict_faces(meshgan, tmp_path):
    data, run = tmp_path / "data", tmp_path / "run"
    drawn = ("area=narrow", "count=240", "subjects=20", "labelled=0.3")
    chosen = [word for option in drawn for word in ("--set", option)]
    status, out, err = meshgan("data", "import", "ict", SUBSET, "--out", data, *chosen, "--json")
    assert status == 0, err
    assert json.loads(out)["vertices"] == 6706
    status, out, err = meshgan("train", "--data", data, "--out", run, *options(), "--json",
                               "--set", "model.uv=harmonic",
                               "--set", "model.start=random", "loss.anchor=0")  # fmt: skip
    assert status == 0, err
    status, out, err = meshgan("evaluate", run, "--data", data, "--pairs", 40, "--samples", 10,
                               "--metrics", "diversity,specificity", "--json")  # fmt: skip
    assert status == 0, err
    metrics = json.loads(out)
    assert metrics["settings"]["fresh_meshes"] > 0
    assert metrics["specificity"] > 0
    assert metrics["training"]["diversity"] == pytest.approx(5.8, rel=0.2)  # mm, as of 4,000 faces
