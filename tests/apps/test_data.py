"""``meshgan data``: from one command to faces that can be trusted, also after an interruption."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from meshgan.apps.data import build_data, describe_data, split_data, validate_data
from meshgan.data.dataset import MeshDataset
from meshgan.data.store import Store
from meshgan.data.synthetic import FaceSource, open_source
from meshgan.errors import FileFormatError, InputError

COUNT = 24


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr("meshgan.data.store_writer.SHARD_BYTES", 8 * 5_000 * 12)


def build(folder, **changed):
    arguments = {"subjects": 3, "labelled": 0.5, "seed": 2, **changed}
    return build_data(folder, arguments.pop("count", COUNT), **arguments)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One whole build; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("data") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("meshgan.data.store_writer.SHARD_BYTES", 8 * 5_000 * 12)
        build(folder)
    return folder


def files_of(folder):
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_build_says_what_it_made(finished):
    summary = describe_data(finished)
    assert (summary["meshes"], summary["subjects"], summary["problems"]) == (COUNT, 3, [])
    assert summary["vertices"] == open_source("low").template.vertex_count
    assert summary["labels"]["identity"] == {"names": 3, "used": 3, "labelled": 24, "share": 1.0}
    assert summary["labels"]["expression"]["labelled"] == 12
    assert summary["labels"]["expression"]["names"] == 7
    assert summary["provenance"]["seed"] == 2
    json.dumps(summary)


def test_faces_are_faces(finished):
    assert validate_data(finished)["problems"] == []
    dataset = MeshDataset(finished, None)
    assert 0.5 < dataset.rms() < 10  # mm


def test_rows_are_those_of_the_source(finished):
    from meshgan.data.synthetic import plan_dataset

    plan = plan_dataset(COUNT, subjects=3, labelled=0.5)
    store = Store.open(finished)
    start = 0
    for rows in open_source("low").stream(plan, seed=2):
        ids = np.arange(start, start + rows.count)
        np.testing.assert_array_equal(store.vertices(ids), rows.vertices)
        np.testing.assert_array_equal(store.labels("expression")[ids], rows.labels["expression"])
        start += rows.count
    assert start == COUNT


def test_interrupted_build_ends_in_the_same_files(finished, tmp_path, monkeypatch):
    real = FaceSource.stream

    def breaks_off(self, plan, seed, start=0, batch_size=64):
        for number, rows in enumerate(real(self, plan, seed, start=start, batch_size=5)):
            if number == 3:
                raise KeyboardInterrupt
            yield rows

    with monkeypatch.context() as patch:
        patch.setattr(FaceSource, "stream", breaks_off)
        with pytest.raises(KeyboardInterrupt):
            build(tmp_path / "data")
    stopped = describe_data(tmp_path / "data")
    assert stopped["meshes"] == 8  # 15 were made, whole shards of 8 stay
    assert "stopped after 8 meshes" in stopped["problems"][0]
    assert validate_data(tmp_path / "data")["ok"] is False
    assert build(tmp_path / "data", resume=True)["made"] == COUNT - 8
    assert files_of(tmp_path / "data") == files_of(finished)


def test_resume_refuses_another_plan(finished):
    before = files_of(finished)
    with pytest.raises(InputError, match=r"plan.count \(was 24, now 30\)"):
        build(finished, count=30, resume=True)
    assert files_of(finished) == before


def test_build_refuses_wrong_arguments(tmp_path):
    with pytest.raises(InputError, match="source 'magic' is unknown"):
        build(tmp_path / "data", source="magic")
    with pytest.raises(InputError, match=r"labelled is 2\.0"):
        build(tmp_path / "data", labelled=2.0)
    assert not (tmp_path / "data").exists()


def test_validate_reports_damage(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "data")
    path = tmp_path / "data" / "shards" / "00001.vertices.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    summary = validate_data(tmp_path / "data")
    assert summary["ok"] is False
    assert "00001.vertices.npy: damaged" in summary["problems"][0]


def test_split_is_fixed_by_subject(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "data")
    assert describe_data(tmp_path / "data")["split"]["stored"] is False
    summary = split_data(tmp_path / "data", validation=0.0, test=0.34, seed=1)
    assert [summary["split"][name]["subjects"] for name in ("train", "validation", "test")] == [
        2, 0, 1,
    ]  # fmt: skip
    assert "nobody is left for validation" in summary["problems"][0]
    assert describe_data(tmp_path / "data")["split"]["stored"] is True
    assert sum(MeshDataset(tmp_path / "data", part).count for part in ("train", "test")) == COUNT


def test_no_data_folder(tmp_path):
    with pytest.raises(FileFormatError, match="no such DATA folder"):
        describe_data(tmp_path / "none")
    assert validate_data(tmp_path / "none")["ok"] is False


def run(*words):
    command = [sys.executable, "-c", "from meshgan.cli.main import main; main()", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_commands_and_exit_states(finished, tmp_path):
    done = run("data", "info", finished, "--json")
    assert (done.returncode, json.loads(done.stdout)["meshes"]) == (0, COUNT)
    assert run("data", "info", tmp_path / "none").returncode == 2
    broken = tmp_path / "data"
    shutil.copytree(finished, broken)
    (broken / "shards" / "00002.table.npz").unlink()
    failed = run("data", "validate", broken, "--json")
    assert failed.returncode == 1
    assert "00002.table.npz" in json.loads(failed.stdout)["problems"][0]


def test_build_command(tmp_path):
    done = run(
        "data", "build", "--source", "anny", "--out", tmp_path / "d", "--count", 8,
        "--subjects", 1, "--factors", "identity,expression,viseme", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list(json.loads(done.stdout)["labels"]) == ["identity", "expression", "viseme"]
