"""``meshgan register``: every scan has a line, good ones a mesh; a killed batch goes on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from meshgan.apps.batch import Batch, BatchSettings
from meshgan.apps.data import validate_data
from meshgan.apps.import_job import ImportSettings
from meshgan.apps.register import register_jobs, register_scans
from meshgan.apps.register_data import register_into_data
from meshgan.apps.register_files import find_jobs
from meshgan.apps.register_store import ResultFolder
from meshgan.apps.register_work import ScanSetup
from meshgan.data.mesh_io import read_mesh, write_mesh
from meshgan.data.point_lists import write_points
from meshgan.data.store import Store
from meshgan.errors import InputError
from meshgan.geometry.mesh import TriMesh
from meshgan.registration.register import RegisterSettings
from tests.apps.raw_scans import BadJob, ScanJob, make_frame, make_scan, template

ONE, TWO = BatchSettings(jobs=1), BatchSettings(jobs=2)
LOOSE = RegisterSettings(good_rms_mm=3.0)  # few triangles, coarse scans
VERTEX_MM = 1.6


def write_scan(folder, name, number, landmarks=True):
    scan = make_scan(number)
    write_mesh(folder / f"{name}.ply", scan.mesh)
    if landmarks:
        write_points(folder / f"{name}_landmarks.json", scan.landmarks)


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """Two good scans in folders, an empty file, a flat one, one with too few landmarks."""
    root = tmp_path_factory.mktemp("scans")
    (root / "anna").mkdir()
    write_scan(root / "anna", "one", 1)
    write_scan(root, "two", 2)
    (root / "empty.ply").write_bytes(b"")
    write_mesh(root / "tiny.obj", TriMesh(np.eye(3) * 50.0, np.array([[0, 1, 2]])))
    write_mesh(root / "short.ply", make_scan(1).mesh)
    write_points(root / "short.pts", make_scan(1).landmarks[:67])
    return root


def run(scans, out, **options):
    options.setdefault("batch", ONE)
    return register_scans([scans], template(), out, settings=LOOSE, **options)


@pytest.fixture(scope="module")
def first(scans, tmp_path_factory):
    out = tmp_path_factory.mktemp("first") / "out"
    return out, run(scans, out)


def registered(jobs, results, settings, where):
    setup = ScanSetup(template(), settings)
    with Batch(setup, where) as batch:
        return list(register_jobs(jobs, results, setup, batch))


def meshes_of(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.ply")}


def lines(out):
    return [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]


# ---- what comes out


def test_every_scan_has_a_line_and_good_ones_a_mesh(first):
    out, summary = first
    json.dumps(summary)
    assert [entry["scan"] for entry in summary["scans"]] == [
        "anna/one", "empty", "short", "tiny", "two",
    ]  # fmt: skip
    found = {entry["scan"]: entry for entry in summary["scans"]}
    assert {name: entry["status"] for name, entry in found.items()} == {
        "anna/one": "ok", "empty": "failed", "short": "failed", "tiny": "too_small", "two": "ok",
    }  # fmt: skip
    assert summary["ok"] is False
    assert summary["counts"] == {"ok": 2, "too_small": 1, "failed": 2}
    assert "the file is empty" in found["empty"]["message"]
    assert "67 landmarks, but ibug68 has 68" in found["short"]["message"]
    assert found["tiny"]["file"] is None
    assert len(summary["problems"]) == 3
    assert set(meshes_of(out)) == {"anna/one.ply", "two.ply"}
    for entry in (found["anna/one"], found["two"]):
        assert 0 < entry["rms_mm"] < 1
        assert 0.5 < entry["coverage"] <= 1
        assert 0 < entry["seconds"] < 60
        assert entry["landmark_mm"] < 3
        assert entry["landmarks"] == "measured"
    numbers = json.loads((out / "register.json").read_text())
    assert numbers["scans"] == summary["scans"]
    assert numbers["template"] == "anny_low"


@pytest.mark.parametrize(("name", "number"), [("anna/one", 1), ("two", 2)])
def test_meshes_lie_where_the_true_faces_are(first, name, number):
    """In the scan's frame, vertex by vertex, in the template's topology."""
    mesh = read_mesh(first[0] / f"{name}.ply")
    np.testing.assert_array_equal(mesh.faces, template().mesh.faces)
    apart = np.linalg.norm(mesh.vertices - make_scan(number).vertices, axis=1)
    assert apart.mean() < VERTEX_MM


def test_the_record_gives_back_the_template_frame(first):
    """The pose of the journal undoes the one that the scanner applied, up to size."""
    with ResultFolder(first[0], template(), ".ply", resume=True) as results:
        record = results.record("two")
        vertices = results.vertices(record)
        matched = record.matched_vertices(template().vertex_count)
    assert matched.mean() == pytest.approx(record.coverage, abs=1e-4)
    rest = template().mesh.vertices
    mesh = read_mesh(first[0] / "two.ply").vertices
    edges = template().mesh.faces[:, :2]
    lengths = [np.linalg.norm(v[edges[:, 0]] - v[edges[:, 1]], axis=1) for v in (vertices, mesh)]
    np.testing.assert_allclose(*lengths, atol=1e-4)  # moved, not scaled
    assert np.linalg.norm(vertices - rest, axis=1).mean() < 12 < np.abs(mesh - rest).max()


def test_the_number_of_processes_and_the_order_change_nothing(scans, first, tmp_path):
    out, summary = first
    reverse = sorted((path for path in scans.rglob("*.*") if "landmarks" not in path.name
                      and path.suffix != ".pts"), reverse=True)  # fmt: skip
    again = register_scans(
        reverse, template(), tmp_path / "out", settings=LOOSE, batch=TWO, pictures=0
    )
    one = next(entry for entry in again["scans"] if entry["scan"].endswith("one"))
    expected = next(entry for entry in summary["scans"] if entry["scan"] == "anna/one")
    for name in ("rms_mm", "p95_mm", "coverage", "folded", "landmark_mm", "status"):
        assert one[name] == expected[name]
    assert set(meshes_of(tmp_path / "out").values()) == set(meshes_of(out).values())


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.images, self.words, self.links = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "img":
            self.images.append(found)
        self.links += [found[name] for name in ("href", "src") if name in found]

    def handle_data(self, data):
        self.words.append(data)


def test_report_shows_the_good_and_names_the_bad(first):
    page = Page((first[0] / "report.html").read_text())
    shown = [image["alt"].split(":")[0] for image in page.images[1:]]
    assert sorted(shown) == ["anna/one", "two"]
    assert page.images[0]["alt"] == "scale of the distance"
    text = " ".join(page.words)
    assert "the file is empty" in text
    assert "3 vertices with a surface" in text
    assert all(link.startswith(("#", "data:image/jpeg;base64,")) for link in page.links)


def test_report_has_pictures_of_the_worst_only(scans, first, tmp_path):
    shutil.copytree(first[0], tmp_path / "out")
    run(scans, tmp_path / "out", resume=True, pictures=4)  # three have none: one is left
    page = Page((tmp_path / "out" / "report.html").read_text())
    assert len(page.images) == 2
    assert "The worst 1 of 5" in " ".join(page.words)


# ---- going on


def test_resume_does_only_what_is_missing_or_changed(scans, first, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(first[0], out)
    before, count = meshes_of(out), len(lines(out))
    again = run(scans, out, resume=True, pictures=0)
    assert again["registered"] == 2  # failed ones are tried again, all others not
    assert {line["name"] for line in lines(out)[count:]} == {"empty", "short"}
    assert again["counts"] == first[1]["counts"]
    (out / "two.ply").unlink()
    changed = scans / "anna/one.ply"
    times = changed.stat()
    os.utime(changed, (1, 1))
    try:
        third = run(scans, out, resume=True, pictures=0)
    finally:
        os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert third["registered"] == 4
    assert meshes_of(out) == before


def test_other_settings_are_done_anew(scans, first, tmp_path):
    shutil.copytree(first[0], tmp_path / "out")
    strict = replace(LOOSE, good_rms_mm=1e-3)
    with ResultFolder(tmp_path / "out", template(), ".ply", resume=True) as results:
        jobs = [job for job in find_jobs([scans]) if job.name == "two"]
        assert registered(jobs, results, LOOSE, ONE) == []
        records = registered(jobs, results, strict, ONE)
    assert [record.status for record in records] == ["poor"]
    assert records[0].has_mesh


def test_a_folder_in_use_is_refused(scans, first):
    with pytest.raises(InputError, match="not empty; go on with --resume"):
        run(scans, first[0])
    with (
        ResultFolder(first[0], template(), ".ply", resume=True),
        pytest.raises(InputError, match="another process is writing"),
    ):
        run(scans, first[0], resume=True)


def test_bad_jobs_do_not_stop_the_rest(tmp_path):
    jobs = [BadJob("raises"), ScanJob(1), BadJob("is_killed"), BadJob("sleeps"), ScanJob(2)]
    batch = BatchSettings(jobs=2, time_limit_s=10.0)
    with ResultFolder(tmp_path / "out", template(), ".npz", resume=False) as results:
        found = {r.name: r for r in registered(jobs, results, LOOSE, batch)}
    assert {name: record.status for name, record in found.items()} == {
        "raises": "failed", "person_1": "ok", "is_killed": "failed", "sleeps": "failed",
        "person_2": "ok",
    }  # fmt: skip
    assert found["raises"].message == "ValueError: the disk is on fire"
    assert "was killed" in found["is_killed"].message
    assert "took longer than 10 s" in found["sleeps"].message
    assert found["sleeps"].seconds >= 10


# ---- sequences and data sets


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Four frames of one person; the third is empty. Numbers count by value: 10 after 9."""
    root = tmp_path_factory.mktemp("recording")
    for frame in range(4):
        scan = make_frame(frame)
        write_mesh(root / f"f{frame + 8}.ply", scan.mesh)
        write_points(root / f"f{frame + 8}.pts", scan.landmarks)
    (root / "f10.ply").write_bytes(b"")
    return root


@pytest.fixture(scope="module")
def tracked(recording, tmp_path_factory):
    out = tmp_path_factory.mktemp("tracked") / "out"
    return out, run(recording, out, sequence=True)


def test_frames_are_registered_together(tracked):
    out, summary = tracked
    assert [entry["scan"] for entry in summary["scans"]] == ["f8", "f9", "f10", "f11"]
    assert [entry["status"] for entry in summary["scans"]] == ["ok", "ok", "bridged", "ok"]
    assert "the file is empty" in summary["scans"][2]["message"]
    assert summary["ok"] is True  # every frame has a mesh
    for frame in range(4):
        mesh = read_mesh(out / f"f{frame + 8}.ply").vertices
        apart = np.linalg.norm(mesh - make_frame(frame).vertices, axis=1).mean()
        assert apart < 2.5  # neighbouring frames are 7 mm apart
    figures = json.loads((out / "sequence.json").read_text())
    assert figures["frames"] == 4
    assert figures["statuses"] == {"bridged": 1, "ok": 3}


def test_a_sequence_is_done_as_a_whole_or_not_at_all(recording, tracked, tmp_path):
    shutil.copytree(tracked[0], tmp_path / "out")
    again = run(recording, tmp_path / "out", sequence=True, resume=True, pictures=0)
    assert again["registered"] == 0
    (tmp_path / "out/f9.ply").unlink()
    again = run(recording, tmp_path / "out", sequence=True, resume=True, pictures=0)
    assert again["registered"] == 4
    assert meshes_of(tmp_path / "out") == meshes_of(tracked[0])
    last = recording / "f11.ply"
    last.rename(recording / "f11.hidden")
    try:
        again = run(recording, tmp_path / "out", sequence=True, resume=True, pictures=0)
    finally:
        (recording / "f11.hidden").rename(last)
    assert again["registered"] == 3  # what the others are smoothed with has changed


def test_scan_files_become_a_data_set(scans, tmp_path):
    keep = ImportSettings(keep=("ok",), registration={"good_rms_mm": 3.0}, batch=ONE)
    jobs = find_jobs([scans])
    summary = register_into_data(jobs, template(), tmp_path / "data", keep)
    json.dumps(summary)
    assert (summary["imported"], summary["skipped"], summary["ok"]) == (2, 3, False)
    assert {entry["scan"]: entry["status"] for entry in summary["scans"]} == {
        "anna/one.ply": "ok", "empty.ply": "failed", "short.ply": "failed",
        "tiny.obj": "failed", "two.ply": "ok",
    }  # fmt: skip
    assert all({"rms_mm", "seconds", "status"} <= entry.keys() for entry in summary["scans"])
    store = Store.open(tmp_path / "data")
    assert store.extras("source").tolist() == ["anna/one.ply", "two.ply"]
    assert [store.subjects[k] for k in store.subject] == ["anna", "two"]
    assert validate_data(tmp_path / "data")["problems"] == []
    rest = store.template.mesh.vertices
    assert np.linalg.norm(store.vertices(np.arange(2)) - rest, axis=2).mean() < 8


@pytest.mark.slow
def test_killed_batch_ends_in_the_same_meshes(scans, first, tmp_path):
    """kill -9 after the first mesh; a torn last line of the journal is forgotten."""
    code = "from meshgan.cli.main import main; main()"
    words = ["register", str(scans), "--set", "good_rms_mm=3.0", "--pictures", "0", "--json"]
    command = [sys.executable, "-c", code, *words, "--out", str(tmp_path / "out")]
    process = subprocess.Popen([*command, "--jobs", "1"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (tmp_path / "out/anna/one.ply").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "out/two.ply").exists()
    journal = tmp_path / "out/journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"name": "two", "status": "ok", "mess')
    resumed = subprocess.run(
        [*command, "--jobs", "2", "--resume"], capture_output=True, check=False
    )
    assert resumed.returncode == 1, resumed.stderr
    summary = json.loads(resumed.stdout)
    assert summary["counts"] == first[1]["counts"]
    assert journal.read_bytes().startswith(whole)
    assert all(json.loads(line) for line in journal.read_text().splitlines())
    assert meshes_of(tmp_path / "out") == meshes_of(first[0])
