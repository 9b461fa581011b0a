"""Each command, run as a user does: what it prints, where, and with which exit status."""

import json
import subprocess
import sys

import pytest

from tests.apps.domes import dome_data
from tests.conftest import TINY_RUN


def options(*overrides) -> list[str]:
    return [word for override in overrides for word in ("--set", override)]


def test_train_sample_evaluate(meshgan, tiny_data, tmp_path):
    """The main path as three commands; each prints one JSON object with what is promised."""
    run = tmp_path / "run"
    short = ("train.iterations=2", "model.start=random", "loss.anchor=0")
    words = ["train", "--data", tiny_data, "--out", run, *options(*TINY_RUN, *short)]
    status, out, _ = meshgan(*words, "--json")
    assert status == 0
    trained = json.loads(out)
    assert trained["iterations"] == 2
    assert {"seconds", "final_losses"} <= trained.keys()

    status, out, _ = meshgan("sample", run, "--count", 2, "--out", tmp_path / "faces", "--json",
                             "--label", "expression=neutral", "--fix", "identity")  # fmt: skip
    assert status == 0
    assert len(json.loads(out)["files"]) == 2

    status, out, _ = meshgan("evaluate", run, "--data", tiny_data, "--out", tmp_path / "scores",
                             "--pairs", 20, "--samples", 5, "--json")  # fmt: skip
    assert status == 0
    scores = json.loads(out)
    promised = {"diversity", "diversity_identity", "diversity_expression", "specificity"}
    assert promised <= scores.keys()
    assert promised - {"specificity"} <= scores["training"].keys()
    assert json.loads((tmp_path / "scores" / "metrics.json").read_text()) == scores

    status, _, err = meshgan(*words)
    assert status == 2
    assert "holds a run already; use --resume" in err
    status, out, _ = meshgan("train", "--data", tiny_data, "--out", run, "--resume", "--json")
    assert status == 0  # nothing is left to do, though the preset alone would be longer
    assert json.loads(out)["final_losses"] == trained["final_losses"]


def test_baseline_and_compare(meshgan, tmp_path):
    """A baseline is a RUN like any other; two of them make a table."""
    data, runs = dome_data(tmp_path / "domes"), []
    for kind in ("pca", "multilinear"):
        runs.append(tmp_path / kind)
        status, out, _ = meshgan("baseline", kind, "--data", data, "--out", runs[-1], "--json",
                                 "--set", "model.codes={identity: 5, expression: 3}")  # fmt: skip
        assert status == 0
        assert json.loads(out)["iterations"] == 0
    words = ["compare", *runs, "--data", data, "--out", tmp_path / "table", "--json"]
    sizes = ["--pairs", 30, "--samples", 12]
    status, out, _ = meshgan(*words, *sizes, "--metrics", "diversity,specificity,oracle")
    assert status == 0
    compared = json.loads(out)
    assert [row["name"] for row in compared["rows"]] == ["pca", "multilinear"]
    assert "not known" in compared["not_available"]["oracle"]
    table = (tmp_path / "table" / "compare.md").read_text()
    assert "additive PCA" in table
    assert "multilinear" in table
    status, out, err = meshgan(*words, "--metrics", "beauty")
    assert status == 2
    assert '"beauty" is not known' in err


def test_evaluate_refuses_data_of_another_topology(meshgan, tiny_run, tmp_path):
    data = dome_data(tmp_path / "domes")
    status, out, err = meshgan("evaluate", tiny_run, "--data", data, "--json")
    assert status == 2
    assert "144 vertices, the model 4,999" in json.loads(out)["error"]
    assert "144 vertices" in err


def test_dry_run_shows_every_setting_and_writes_nothing(meshgan, tmp_path):
    words = ["train", "--out", tmp_path / "run", "--dry-run", "--json", "--set", "train.seed=5"]
    status, out, _ = meshgan(*words, "--set", "loss.feature=0")
    assert status == 0
    shown = json.loads(out)
    assert (shown["train"]["seed"], shown["loss"]["feature"]) == (5, 0)
    assert {"task", "model", "loss", "step", "train", "part", "epochs"} <= shown.keys()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "train.iteration=5"], "did you mean train.iterations?"),
        (["--set", "train.iterations=few"], "must be a whole number"),
        (["--set", "train.iterations"], "train.iterations"),
        (["--set", "train.iterations=0"], "iterations = 0 is out of range"),
        (["--preset", "huge"], "no such preset; known:"),
        (["--config", "none.yaml"], "none.yaml: cannot be read"),
        (["--devices", "0"], "devices = 0 is out of range"),
    ],
)
def test_train_refuses_settings(meshgan, words, message):
    status, out, err = meshgan("train", *words, "--dry-run")
    assert status == 2
    assert out == ""
    assert message in err


def test_train_needs_data_and_out(meshgan, tmp_path):
    assert "--data is missing" in meshgan("train", "--out", tmp_path / "run")[2]
    assert "--out is missing" in meshgan("train", "--data", tmp_path)[2]
    status, _, err = meshgan("train", "--data", tmp_path / "no", "--out", tmp_path / "run")
    assert status == 2
    assert str(tmp_path / "no") in err
    status, _, err = meshgan("train", "--data", "d", "--out", tmp_path / "no", "--resume")
    assert status == 2
    assert "no run to resume" in err


def test_sample_refuses(meshgan, tiny_run, tmp_path):
    words = ["sample", tiny_run, "--out", tmp_path / "out"]
    for label in ("happiness", "=happiness", "expression="):
        status, _, err = meshgan(*words, "--label", label)
        assert status == 2
        assert "expected factor=label" in err
    status, _, err = meshgan(*words, "--label", "expression=joy")
    assert status == 2
    assert "expression=joy: the model has" in err
    status, _, err = meshgan("sample", tmp_path / "none", "--out", tmp_path / "out")
    assert status == 2
    assert "not a RUN" in err
    assert not (tmp_path / "out").exists()


def test_bench_prints_the_ratio(meshgan):
    status, out, _ = meshgan("bench", "geometry", "--small", "--rounds", 1, "--vs-plain", "--json")
    assert status == 0
    assert {"ms", "plain_ms", "ratio"} <= json.loads(out).keys()


def test_doctor(meshgan, monkeypatch):
    from meshgan.apps import doctor

    monkeypatch.setattr(doctor, "_open3d", lambda: {"state": "optional", "found": "not asked"})
    status, out, _ = meshgan("doctor", "--json")
    assert status == 0
    assert {"ok", "checks"} <= json.loads(out).keys()
    monkeypatch.setattr(doctor, "_cache", lambda: {"state": "missing", "found": "no"})
    assert meshgan("doctor")[0] == 1


def test_in_a_process_of_its_own(tiny_data):
    """As installed: logs on standard error, the object alone on standard output."""
    code = "from meshgan.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "data", "validate", str(tiny_data), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"]
    assert done.stdout.count("\n") == 1
