"""Joined data sets: people and labels by name, what a part does not know is unlabelled."""

import numpy as np
import pytest

from meshgan.apps.join_data import join_data
from meshgan.data.rows import FaceRows
from meshgan.data.store import Store, StoreWriter
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.geometry.mesh import TriMesh
from tests.fakes import face_like_mesh


def make(path, factors, people, labels, subject, sequence, extras=None, side=6, start=0.0):
    vertices, faces = face_like_mesh(side)
    count = len(subject)
    moved = vertices + np.arange(start, start + count, dtype=np.float32)[:, None, None]
    template = Template("dome", TriMesh(vertices, faces))
    with StoreWriter.create(path, template, factors, people, {"made": path.name}) as writer:
        writer.append(
            FaceRows(
                moved,
                {name: np.array(values) for name, values in labels.items()},
                np.array(subject),
                np.array(sequence),
                np.arange(count),
                extras or {},
            )
        )
    return path


@pytest.fixture
def parts(tmp_path):
    first = make(
        tmp_path / "first",
        {"identity": ["anna", "bea"], "expression": ["neutral", "smile"]},
        ["anna", "bea"],
        {"identity": [0, 1, 1], "expression": [1, -1, 0]},
        [0, 1, 1],
        [0, 1, -1],
        {"weight": np.arange(3.0), "only": np.zeros(3)},
    )
    second = make(
        tmp_path / "second",
        {"identity": ["carl", "anna"], "viseme": ["oh"], "expression": ["frown", "neutral"]},
        ["carl", "anna"],
        {"identity": [0, 1], "viseme": [0, -1], "expression": [0, 1]},
        [0, 1],
        [0, 1],
        {"weight": np.arange(2.0)},
        start=10.0,
    )
    return first, second


def test_rows_keep_their_faces_people_and_labels(parts, tmp_path):
    join_data(parts, tmp_path / "all")
    made = Store.open(tmp_path / "all")
    assert made.subjects == ("anna", "bea", "carl")
    assert [made.subjects[k] for k in made.subject] == ["anna", "bea", "bea", "carl", "anna"]
    shown = {
        factor: [made.factors[factor][k] if k >= 0 else None for k in made.labels(factor)]
        for factor in made.factors
    }
    assert shown == {
        "identity": ["anna", "bea", "bea", "carl", "anna"],
        "expression": ["smile", None, "neutral", "frown", "neutral"],
        "viseme": [None, None, None, "oh", None],
    }
    assert made.sequence.tolist() == [0, 1, -1, 2, 3]
    expected = np.concatenate(
        [Store.open(p).vertices(np.arange(len(Store.open(p)))) for p in parts]
    )
    assert np.array_equal(made.vertices(np.arange(5)), expected)
    assert made.extras("weight").tolist() == [0, 1, 2, 0, 1]
    assert "only" not in made.manifest.extras


def test_what_a_part_does_not_know_can_be_filled_in(parts, tmp_path):
    join_data(parts, tmp_path / "all", fill={"viseme": "oh"})
    assert Store.open(tmp_path / "all").labels("viseme").tolist() == [0, 0, 0, 0, -1]
    with pytest.raises(InputError, match="--fill viseme=ah: the data sets have oh"):
        join_data(parts, tmp_path / "more", fill={"viseme": "ah"})


def test_an_interrupted_join_goes_on(parts, tmp_path, monkeypatch):
    original = StoreWriter.append
    seen = []

    def fails_once(self, rows):
        seen.append(rows.count)
        if len(seen) == 2:
            raise KeyboardInterrupt
        original(self, rows)

    monkeypatch.setattr(StoreWriter, "append", fails_once)
    with pytest.raises(KeyboardInterrupt):
        join_data(parts, tmp_path / "all")
    monkeypatch.undo()
    join_data(parts, tmp_path / "all", resume=True)
    join_data(parts, tmp_path / "again")
    assert Store.open(tmp_path / "all").content_hash == Store.open(tmp_path / "again").content_hash


def test_refuses_one_part_and_other_topologies(parts, tmp_path):
    with pytest.raises(InputError, match="expected two or more"):
        join_data(parts[:1], tmp_path / "all")
    other = make(
        tmp_path / "other", {"identity": ["x"]}, ["x"], {"identity": [0]}, [0], [-1], side=7
    )
    with pytest.raises(InputError, match=r"other: topology .* of 49 vertices.*of 36"):
        join_data([parts[0], other], tmp_path / "all")
    assert not (tmp_path / "all").exists()
