"""Raw scans become a data set: registered, aligned, labelled, in the source's order."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from meshgan.apps.batch import BatchSettings
from meshgan.apps.data import validate_data
from meshgan.apps.import_data import ImportSettings, import_data
from meshgan.data.store import Store
from meshgan.errors import InputError
from meshgan.geometry.alignment import align_batch
from tests.apps.raw_scans import make_frame, make_scan, template
from tests.data.importers.trees import (
    Scan,
    write_bu3dfe_tree,
    write_bu4dfe_tree,
    wrl_text,
)

NAMES = ["F0001_HA03WH", "F0001_NE00WH", "M0002_AN04AE", "M0002_NE00AE"]
WHERE = [f"{name.split('_')[0]}/{name}_F3D.wrl" for name in NAMES]
VERTEX_MM = 1.8


def write_tree(root):
    """Two subjects with two scans each, of four people, and their 83 landmarks."""
    scans = [make_scan(number, "bu83") for number in range(4)]
    return write_bu3dfe_tree(
        root,
        {
            name: Scan(scan.mesh.vertices.astype(np.float32), scan.mesh.faces, scan.landmarks)
            for name, scan in zip(NAMES, scans, strict=True)
        },
    )


def settings(jobs, **options):
    keep = ("ok", "poor", "uncertain")  # scans of so few triangles are coarse
    return ImportSettings(**{"keep": keep, **options}, batch=BatchSettings(jobs=jobs))


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return write_tree(tmp_path_factory.mktemp("bu3dfe") / "tree")


@pytest.fixture(scope="module")
def data(tree, tmp_path_factory):
    out = tmp_path_factory.mktemp("data") / "set"
    return out, import_data("bu3dfe", tree, out, settings=settings(2), template=template())


def rows_of(folder):
    """All files that must not depend on how an import went; the registration's own notes may."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in paths
        if "registration" not in path.parts
    }


def test_scans_become_rows_in_the_order_of_the_source(data):
    out, summary = data
    json.dumps(summary)
    assert (summary["ok"], summary["found"], summary["imported"], summary["meshes"]) == (
        True, 4, 4, 4,
    )  # fmt: skip
    store = Store.open(out)
    assert store.template.topology_hash == template().topology_hash
    assert store.extras("source").tolist() == WHERE
    assert store.subjects == ("F0001", "M0002")
    np.testing.assert_array_equal(store.subject, [0, 0, 1, 1])
    words = [store.factors["expression"][k] for k in store.labels("expression")]
    assert words == ["happiness", "neutral", "anger", "neutral"]
    np.testing.assert_array_equal(store.sequence, [-1] * 4)
    assert validate_data(out)["problems"] == []


def test_rows_are_the_people_that_were_scanned(data):
    """Up to the error of registration, in the template's frame, in their own size."""
    store = Store.open(data[0])
    truth = np.stack([make_scan(number, "bu83").vertices for number in range(4)])
    expected = align_batch(truth, store.template.mesh.vertices.astype(np.float64))
    apart = np.linalg.norm(store.vertices(np.arange(4)) - expected, axis=2).mean(axis=1)
    assert (apart < VERTEX_MM).all()
    other = np.linalg.norm(store.vertices(np.arange(4)) - expected[::-1], axis=2).mean(axis=1)
    assert (other > 2 * apart).all()


def test_rows_know_how_well_they_were_registered(data):
    store = Store.open(data[0])
    assert set(store.extras("registration_status")) <= {"ok", "poor", "uncertain"}
    assert ((store.extras("rms_mm") > 0) & (store.extras("rms_mm") < 2)).all()
    assert ((store.extras("coverage") > 0.5) & (store.extras("coverage") <= 1)).all()
    assert (store.extras("landmark_mm") < 4).all()
    landmarks = store.extras("landmarks")
    assert landmarks.shape == (4, 83, 3)
    ids = template().landmarks["bu83"]
    apart = np.linalg.norm(landmarks - store.vertices(np.arange(4))[:, ids], axis=2)
    assert np.median(apart) < 3
    record = store.manifest.provenance["registration"]
    assert (record["template"], record["keep"]) == ("anny_low", ["ok", "poor", "uncertain"])


def test_meshes_are_kept_once_and_the_report_stays(data):
    out, summary = data
    assert sorted(path.name for path in (out / "registration").iterdir()) == [
        "journal.jsonl", "report.html",
    ]  # fmt: skip
    assert summary["registration"]["report"] == str(out / "registration/report.html")
    assert sum(summary["registration"]["counts"].values()) == 4
    assert (out / "registration/report.html").read_text().count("<figure>") == 4


def test_what_is_bad_is_named_and_left_out(tree, data, tmp_path):
    """Row order and contents are those of an import of the good ones; no job more or less."""
    source = tmp_path / "tree"
    shutil.copytree(tree, source)
    (source / WHERE[0]).write_bytes(b"")
    (source / WHERE[2]).write_text(
        wrl_text(Scan(np.eye(3, dtype=np.float32) * 150, np.arange(3)[None]))
    )
    (source / WHERE[2]).with_suffix(".bnd").unlink()
    summary = import_data(
        "bu3dfe", source, tmp_path / "data", settings=settings(1), template=template()
    )
    assert summary["ok"] is False
    assert (summary["found"], summary["imported"], summary["skipped"]) == (4, 2, 2)
    assert summary["problems"][0].startswith(f"{WHERE[0]}: failed: the file is empty")
    assert summary["problems"][1].startswith(f"{WHERE[2]}: too_small: 3 vertices")
    store = Store.open(tmp_path / "data")
    assert store.extras("source").tolist() == [WHERE[1], WHERE[3]]
    whole = Store.open(data[0])
    np.testing.assert_array_equal(store.vertices(np.arange(2)), whole.vertices(np.array([1, 3])))
    report = json.loads((tmp_path / "data/import.json").read_text())
    assert [entry["where"] for entry in report["skipped"]] == [WHERE[0], WHERE[2]]
    assert report["subjects"] == {"F0001": 1, "M0002": 1}

    journal = (tmp_path / "data/registration/journal.jsonl").read_bytes()
    again = import_data(
        "bu3dfe", source, tmp_path / "data", settings=settings(1), template=template(), resume=True
    )
    assert (again["made"], again["problems"]) == (0, summary["problems"])
    assert (tmp_path / "data/registration/journal.jsonl").read_bytes() == journal  # nothing again


def test_recordings_are_registered_together(tmp_path):
    """BU-4DFE: frames of one recording in order, the damaged one bridged; labels of the whole."""
    frames = [make_frame(frame, "bu83") for frame in range(3)]
    scans = [Scan(f.mesh.vertices.astype(np.float32), f.mesh.faces, f.landmarks) for f in frames]
    root = write_bu4dfe_tree(tmp_path / "tree", {("F001", "Happy"): scans})
    (root / "F001/Happy/001.wrl").write_bytes(b"")
    together = settings(1, sequences=True, keep=("ok", "poor", "bridged"))
    summary = import_data("bu4dfe", root, tmp_path / "data", settings=together, template=template())
    assert (summary["imported"], summary["ok"]) == (3, True)
    store = Store.open(tmp_path / "data")
    np.testing.assert_array_equal(store.frame, [0, 1, 2])
    np.testing.assert_array_equal(store.sequence, [0, 0, 0])
    status = store.extras("registration_status").tolist()
    assert status[1] == "bridged"
    assert "bridged" not in status[::2]
    figures = json.loads((tmp_path / "data/registration/F001/Happy/sequence.json").read_text())
    assert figures["frames"] == 3


def test_a_bad_scan_may_end_the_import(tree, tmp_path):
    source = tmp_path / "tree"
    shutil.copytree(tree, source)
    (source / WHERE[0]).write_bytes(b"")
    stop = settings(1, on_error="stop")
    with pytest.raises(InputError, match=rf"{WHERE[0]}: failed: the file is empty; repair"):
        import_data("bu3dfe", source, tmp_path / "data", settings=stop, template=template())
    assert Store.open(tmp_path / "data", partial=True).count == 0


def test_only_good_ones_are_kept_by_default(tree, tmp_path):
    source = tmp_path / "tree"
    shutil.copytree(tree, source)
    for where in WHERE[1:]:
        (source / where).unlink()
    points = make_scan(0, "bu83").landmarks + np.array([0, 0, 25.0])  # all of them off the face
    lines = [f"{k} {x} {y} {z}" for k, (x, y, z) in enumerate(points)]
    (source / WHERE[0]).with_suffix(".bnd").write_text("\n".join(lines))
    one = ImportSettings(batch=BatchSettings(jobs=1))
    summary = import_data("bu3dfe", source, tmp_path / "data", settings=one, template=template())
    assert (summary["imported"], summary["skipped"]) == (0, 1)
    assert summary["problems"][0].startswith(f"{WHERE[0]}: poor: ")


def test_settings_are_checked(tree, tmp_path):
    with pytest.raises(InputError, match="--keep good: expected some of ok, bridged, unc"):
        ImportSettings(keep=("ok", "good"))
    for where in WHERE:
        assert (tree / where).exists()
    with pytest.raises(InputError, match="area 'nowhere'"):
        import_data("bu3dfe", tree, tmp_path / "data", settings=settings(1, area="nowhere"))
    assert not (tmp_path / "data").exists()


@pytest.mark.slow
def test_killed_import_ends_in_the_same_rows(tree, data, tmp_path):
    """kill -9 while scans are being registered; then the same command with --resume."""
    code = "from meshgan.cli.main import main; main()"
    words = ["data", "import", "bu3dfe", str(tree), "--keep", "ok,poor,uncertain", "--json"]
    out = tmp_path / "data"
    command = [sys.executable, "-c", code, *words, "--out", str(out), "--template", "anny_low"]
    process = subprocess.Popen([*command, "--jobs", "1"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(out.glob("registration/*.npz"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert Store.open(out, partial=True).count == 0
    done = len((out / "registration/journal.jsonl").read_text().splitlines())
    assert 1 <= done < 4
    resumed = subprocess.run(
        [*command, "--jobs", "2", "--resume"], capture_output=True, check=False
    )
    assert resumed.returncode == 0, resumed.stderr
    assert len((out / "registration/journal.jsonl").read_text().splitlines()) == 4
    assert rows_of(out) == rows_of(data[0])
