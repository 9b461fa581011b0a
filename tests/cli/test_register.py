"""``meshgan register`` and the import of raw scans, as a user types them."""

import json

import numpy as np
import pytest

from meshgan.data.mesh_io import write_mesh
from meshgan.data.point_lists import write_points
from meshgan.geometry.mesh import TriMesh
from tests.apps.raw_scans import make_scan


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    path = tmp_path_factory.mktemp("scan") / "anna.ply"
    write_mesh(path, make_scan(1).mesh)
    write_points(path.with_name("points.json"), make_scan(1).landmarks)
    return path


def test_one_scan_with_its_landmarks(meshgan, scan, tmp_path):
    words = ["register", scan, "--landmarks", scan.with_name("points.json"), "--jobs", 1]
    words += ["--format", "obj", "--set", "good_rms_mm=3", "--out", tmp_path / "out"]
    status, out, err = meshgan(*words, "--json")
    assert (status, "1 scans: 1 ok" in err) == (0, True)
    summary = json.loads(out)
    (entry,) = summary["scans"]
    assert (entry["scan"], entry["status"], entry["file"]) == ("anna", "ok", "anna.obj")
    assert {"rms_mm", "seconds", "coverage", "folded", "landmark_mm", "notes"} <= entry.keys()
    assert (tmp_path / "out/anna.obj").exists()
    assert (tmp_path / "out/report.html").exists()

    status, out, err = meshgan(*words, "--resume")
    assert status == 0
    assert "1 of 1 scans are registered already" in err
    assert "counts" in out
    assert "rms_mm" not in out  # the table is for --json
    status, _, err = meshgan(*words)
    assert status == 2
    assert "go on with --resume" in err


def test_exit_status_one_if_a_scan_gets_no_mesh(meshgan, tmp_path):
    write_mesh(tmp_path / "tiny.ply", TriMesh(np.eye(3) * 50.0, np.array([[0, 1, 2]])))
    words = ["register", tmp_path / "tiny.ply", "--out", tmp_path / "out", "--jobs", 1]
    status, out, err = meshgan(*words, "--json")
    assert status == 1
    assert json.loads(out)["counts"] == {"too_small": 1}
    assert "tiny  too_small: 3 vertices" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.ply"], "none.ply: no such file or folder"),
        ([__file__], "unknown mesh format '.py'"),
        (["SCAN", "--template", "anny_huge"], "anny_huge: no such template"),
        (["SCAN", "--landmarks", "none.pts"], "--landmarks none.pts: no such file"),
        (["SCAN", "--order", "ibug69"], "there is no such order"),
        (["SCAN", "--set", "good_rms=1"], "did you mean good_rms_mm?"),
        (["SCAN", "--jobs", "0"], "--jobs 0: expected 1 or more"),
        (["SCAN", "--jobs", "2", "--scheduler", "tcp://a:1"], "exclude each other"),
        (["SCAN", "--data", "--keep", "good"], "--keep good: expected some of ok"),
    ],
)
def test_bad_usage(meshgan, scan, tmp_path, words, message):
    words = [scan if word == "SCAN" else word for word in words]
    status, out, err = meshgan("register", *words, "--out", tmp_path / "out", "--json")
    assert status == 2
    assert message in json.loads(out)["error"]
    assert message in err
    assert not (tmp_path / "out").exists()
