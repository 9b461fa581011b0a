"""``meshgan data align``: all meshes in one place, everything else carried over."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from meshgan.apps.align import align_data
from meshgan.cli.align import Align
from meshgan.data.rows import FaceRows
from meshgan.data.store import Store, StoreWriter
from meshgan.data.template import Template
from meshgan.data.validation import validate
from meshgan.errors import InputError
from tests.data.store_examples import FACTORS, PROVENANCE, SUBJECTS, random_rows, strip_template

STRIP = strip_template(columns=20)
TEMPLATE = Template(
    "strip", STRIP.mesh, {"corners": np.array([0, 19, 20, 39, 5])}, regions={"top": np.arange(20)}
)
COUNT = 70  # more than one batch


@pytest.fixture(scope="module")
def scattered(tmp_path_factory):
    """Noisy copies of the template, moved about and of different sizes."""
    rng = np.random.default_rng(0)
    rows = random_rows(TEMPLATE, COUNT)
    turns = Rotation.from_rotvec(rng.normal(size=(COUNT, 3)) * 0.4).as_matrix()
    sizes = np.exp(rng.normal(0, 0.1, (COUNT, 1, 1)))
    moved = sizes * rows.vertices @ turns.transpose(0, 2, 1) + rng.normal(size=(COUNT, 1, 3)) * 20
    rows = FaceRows(
        moved.astype(np.float32), rows.labels, rows.subject, rows.sequence, rows.frame, rows.extras
    )
    path = tmp_path_factory.mktemp("align") / "data"
    with StoreWriter.create(path, TEMPLATE, FACTORS, SUBJECTS, PROVENANCE, shard_rows=30) as writer:
        writer.append(rows)
    return path, sizes.ravel()


def distances(store):
    faces = store.vertices(np.arange(store.count)).astype(np.float64)
    return np.linalg.norm(faces - faces.mean(axis=0), axis=2)


def test_meets_at_the_template_and_keeps_the_rest(scattered, tmp_path):
    data, _ = scattered
    summary = align_data(data, tmp_path / "out", scale=True)
    before, after = Store.open(data), Store.open(tmp_path / "out")
    assert summary["rms_mm"] == pytest.approx(np.sqrt((distances(after) ** 2).mean()), rel=1e-3)
    expected = np.sqrt((distances(before) ** 2).mean())
    assert summary["rms_before_mm"] == pytest.approx(expected, rel=1e-3)
    assert summary["rms_mm"] < 2 < 20 < summary["rms_before_mm"]  # noise of 1 mm per axis
    assert summary["problems"] == []
    mean = after.vertices(np.arange(COUNT)).mean(axis=0)
    np.testing.assert_allclose(mean, TEMPLATE.mesh.vertices, atol=3)
    for name in FACTORS:
        np.testing.assert_array_equal(after.labels(name), before.labels(name))
    np.testing.assert_array_equal(after.frame, before.frame)
    np.testing.assert_array_equal(after.extras("weights"), before.extras("weights"))
    assert validate(tmp_path / "out").ok
    json.dumps(summary)


def test_sizes_stay_unless_asked(scattered, tmp_path):
    data, sizes = scattered
    align_data(data, tmp_path / "rigid")
    align_data(data, tmp_path / "scaled", scale=True)
    spread = {}
    for name in ("rigid", "scaled"):
        store = Store.open(tmp_path / name)
        faces = store.vertices(np.arange(COUNT)).astype(np.float64)
        spread[name] = np.linalg.norm(faces - faces.mean(axis=1, keepdims=True), axis=(1, 2))
    assert np.corrcoef(spread["rigid"], sizes)[0, 1] > 0.99
    assert spread["scaled"].std() < 0.1 * spread["rigid"].std()
    factors = Store.open(tmp_path / "scaled").extras("alignment_scale")
    np.testing.assert_allclose(factors * sizes, (factors * sizes).mean(), rtol=0.03)


def test_over_some_points_and_the_command(scattered, tmp_path):
    data, _ = scattered
    summary = Align(data=data, out=tmp_path / "out", over="corners", scale=True)()
    assert summary["points"] == 5
    store = Store.open(tmp_path / "out")
    corners = distances(store)[:, TEMPLATE.landmarks["corners"]]
    everywhere = distances(Store.open(data))
    assert corners.mean() < 2 < everywhere.mean()
    assert align_data(data, tmp_path / "top", over="top", robust=True)["points"] == 20


def test_resumes_to_the_same_bytes(scattered, tmp_path):
    data, _ = scattered
    align_data(data, tmp_path / "whole")
    align_data(data, tmp_path / "again")
    again = align_data(data, tmp_path / "again", resume=True)  # nothing is left to do
    first, second = Store.open(tmp_path / "whole"), Store.open(tmp_path / "again")
    assert first.content_hash == second.content_hash
    assert again["meshes"] == COUNT
    with pytest.raises(InputError, match="cannot resume"):
        align_data(data, tmp_path / "again", scale=True, resume=True)
    with pytest.raises(InputError, match="exists already"):
        align_data(data, tmp_path / "again")


def test_refuses_unknown_points(scattered, tmp_path):
    with pytest.raises(InputError, match=r"--over nose: .* it has vertices, corners, top"):
        align_data(scattered[0], tmp_path / "out", over="nose")
