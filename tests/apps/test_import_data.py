"""``meshgan data import``: the good arrives unchanged, the bad is named, also after a kill."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from meshgan.apps.data import validate_data
from meshgan.apps.import_data import ImportSettings, import_data
from meshgan.data.importers import IMPORTERS, importer_class
from meshgan.data.landmarks import LandmarkSet, write_landmarks
from meshgan.data.mesh_io import write_mesh
from meshgan.data.npz import write_npz
from meshgan.data.splits import read_split
from meshgan.data.store import Store
from meshgan.data.template import Template
from meshgan.errors import ConfigError, InputError
from meshgan.geometry.alignment import align_batch
from meshgan.geometry.mesh import TriMesh
from tests.data.importers import ict_tree
from tests.data.importers.example_faces import bumpy_face, grid_faces, landmark_ids
from tests.data.importers.registered_trees import face_frames, write_coma_tree

NONE = ImportSettings(align="none")
SUBSET = Path(__file__).parents[2] / "../shared/data/ict_face_subset.npz"
HEADER = "path,subject,expression,viseme,sequence,frame,split"


def write_source(root, count=12, factor=1.0):
    """``count`` faces of three people: stills of zoe and ann, a sequence of bob; landmarks too."""
    root.mkdir()
    rows = []
    for k in range(count):
        who = ("zoe", "ann", "bob")[k % 3]
        write_mesh(root / f"{k:02d}.obj", TriMesh(bumpy_face(k) * factor, grid_faces()))
        word = ("neutral", "anger", "")[(k // 3) % 3]
        recording = f"talk,{k // 3}" if who == "bob" else ","
        rows.append(f"{k:02d}.obj,{who},{word},,{recording},")
    (root / "faces.csv").write_text("\n".join([HEADER, *rows, ""]))
    ids = landmark_ids()
    corners = np.stack([ids] * 3, axis=1)
    places = LandmarkSet("ibug68", corners, np.eye(3)[np.zeros(68, dtype=int)])
    write_landmarks(root / "landmarks.toml", [places])
    return root


@pytest.fixture
def source(tmp_path):
    return write_source(tmp_path / "source")


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr("meshgan.data.store_writer.SHARD_BYTES", 4 * 143 * 12)


def run_import(source, out, **changes):
    changes.setdefault("options", {"unit": "mm"})
    return import_data("folder", source, out, **changes)


def files_of(folder):
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_faces_arrive_unchanged_with_all_that_is_known(source, tmp_path):
    summary = run_import(source, tmp_path / "data", settings=NONE)
    assert (summary["ok"], summary["found"], summary["imported"]) == (True, 12, 12)
    assert (summary["meshes"], summary["vertices"], summary["problems"]) == (12, 143, [])
    json.dumps(summary)
    store = Store.open(tmp_path / "data")
    expected = np.stack([bumpy_face(k) for k in range(12)]).astype(np.float32)
    np.testing.assert_array_equal(store.vertices(np.arange(12)), expected)
    assert store.subjects == ("ann", "bob", "zoe")
    assert store.factors["identity"] == ("ann", "bob", "zoe")
    np.testing.assert_array_equal(store.subject, [2, 0, 1] * 4)
    np.testing.assert_array_equal(store.labels("identity"), store.subject)
    words = [store.factors["expression"][k] if k >= 0 else "" for k in store.labels("expression")]
    assert words == ["neutral"] * 3 + ["anger"] * 3 + [""] * 3 + ["neutral"] * 3
    assert len(store.factors["expression"]) == 7  # all seven, whatever occurs
    np.testing.assert_array_equal(store.sequence, [-1, -1, 0] * 4)
    np.testing.assert_array_equal(store.frame, [0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 3])
    assert store.extras("source").tolist() == [f"{k:02d}.obj" for k in range(12)]
    assert validate_data(tmp_path / "data")["problems"] == []


def test_faces_are_aligned_to_the_template(source, tmp_path):
    run_import(source, tmp_path / "data")
    store = Store.open(tmp_path / "data")
    reference = store.template.mesh.vertices
    expected = align_batch(np.stack([bumpy_face(k) for k in range(12)]), reference)
    np.testing.assert_allclose(store.vertices(np.arange(12)), expected, atol=1e-4)
    provenance = store.manifest.provenance
    assert provenance["alignment"] == {
        "kind": "rigid, no scale",
        "over": "vertices",
        "to": "source",
    }


def test_alignment_choices(source, tmp_path):
    with pytest.raises(InputError, match="--align nose: the template source offers none, vertices"):
        run_import(source, tmp_path / "data", settings=ImportSettings(align="nose"))
    assert not (tmp_path / "data").exists()


def test_import_write_import_gives_identical_arrays(source, tmp_path):
    run_import(source, tmp_path / "one", settings=NONE)
    store = Store.open(tmp_path / "one")
    arrays = {
        "vertices": store.vertices(np.arange(12)),
        "faces": store.template.mesh.faces,
        "subject": store.subject,
        "subject_names": np.array(store.subjects),
        "expression": store.labels("expression"),
        "expression_names": np.array(store.factors["expression"]),
        "sequence": np.where(store.sequence >= 0, "talk", ""),
        "frame": store.frame,
    }
    write_npz(tmp_path / "set.npz", arrays)
    run_import(tmp_path / "set.npz", tmp_path / "two", settings=NONE)
    again = Store.open(tmp_path / "two")
    first, second = store.rows(np.arange(12)), again.rows(np.arange(12))
    for name in ("vertices", "subject", "sequence", "frame"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    np.testing.assert_array_equal(first.labels["expression"], second.labels["expression"])
    assert again.factors["expression"] == store.factors["expression"]
    assert again.template.topology_hash == store.template.topology_hash


@pytest.mark.parametrize(("unit", "factor"), [("cm", 0.1), ("m", 0.001), ("um", 1000.0)])
def test_unit_is_recorded_or_guessed_and_said(tmp_path, unit, factor):
    source = write_source(tmp_path / "source", 3, factor)
    summary = run_import(source, tmp_path / "guessed", options={}, settings=NONE)
    assert f"taken as {unit}" in summary["messages"][0]
    summary = run_import(
        source, tmp_path / "said", options={}, settings=ImportSettings(unit, align="none")
    )
    assert summary["messages"] == []
    for name in ("guessed", "said"):
        store = Store.open(tmp_path / name)
        assert (store.manifest.unit, store.manifest.source_unit) == ("mm", unit)
        np.testing.assert_allclose(store.vertices(np.arange(1))[0], bumpy_face(0), atol=2e-5)
    record = Store.open(tmp_path / "guessed").manifest.provenance["conversion"]
    assert (record["unit_from"], record["millimetres_per_unit"]) == ("size of a face", 1 / factor)


def test_wrong_unit_is_detected_and_said(source, tmp_path):
    with pytest.raises(InputError, match=r"is mirrored .*or '-x y z' to insist|mirrored"):
        import_data("folder", source, tmp_path / "d", options={"unit": "mm", "axis_map": "-x y z"})
    said = run_import(source, tmp_path / "e", options={}, settings=ImportSettings("cm"))
    assert "mm would fit a face better" in said["messages"][0]
    assert (said["imported"], said["ok"]) == (12, True)  # the user insists


def test_a_user_may_insist_on_mirrored_faces(source, tmp_path):
    settings = ImportSettings(axis_map="-x y z", align="none")
    summary = run_import(source, tmp_path / "d", settings=settings)
    assert "is mirrored" in summary["messages"][0]
    assert summary["imported"] == 12
    store = Store.open(tmp_path / "d")
    expected = (bumpy_face(0) * [-1, 1, 1]).astype(np.float32)
    np.testing.assert_array_equal(store.vertices(np.arange(1))[0], expected)
    np.testing.assert_array_equal(store.template.mesh.faces, grid_faces()[:, ::-1])


def damage(source):
    """One of everything that goes wrong; gives what is left and why the others are out."""
    (source / "01.obj").write_bytes(b"")
    (source / "02.obj").unlink()
    text = (source / "03.obj").read_text().splitlines()
    (source / "03.obj").write_text("\n".join(text[:100]))
    shutil.copy(source / "00.obj", source / "04.obj")
    write_mesh(source / "05.obj", TriMesh(bumpy_face(5) / 10, grid_faces()))
    write_mesh(source / "06.obj", TriMesh(bumpy_face(6) * [-1, 1, 1], grid_faces()))
    table = (source / "faces.csv").read_text().splitlines()
    table += ["07.obj,ann,,,,,", "12.obj,,anger,,,,", "13.obj,bob,,,talk,2,"]
    (source / "faces.csv").write_text("\n".join([*table, ""]))
    return ["00.obj", "07.obj", "08.obj", "09.obj", "10.obj", "11.obj"], {
        "01.obj": "the file is empty",
        "02.obj": "no such file",
        "03.obj": "",
        "04.obj": "the same face as 00.obj",
        "05.obj": "not the size of a face",
        "06.obj": "mirrored",
        "07.obj": "is listed twice",
        "12.obj": "has no subject",
        "13.obj": "is frame 2 of 'talk' of subject bob, as 08.obj is",
    }


def test_what_is_bad_is_named_and_the_rest_imported(source, tmp_path, caplog):
    caplog.set_level("INFO")
    good, bad = damage(source)
    summary = run_import(source, tmp_path / "data", settings=NONE)
    assert summary["ok"] is False
    assert (summary["found"], summary["imported"], summary["skipped"]) == (15, 6, 9)
    reasons = dict(entry.split(": ", 1) for entry in summary["problems"])
    assert reasons.keys() == bad.keys()
    for name, reason in bad.items():
        assert reason in reasons[name], name
    store = Store.open(tmp_path / "data")
    assert store.extras("source").tolist() == good
    assert validate_data(tmp_path / "data")["problems"] == []
    report = json.loads((tmp_path / "data" / "import.json").read_text())
    assert [entry["where"] for entry in report["skipped"]] == [
        entry.split(": ")[0] for entry in summary["problems"]
    ]
    assert report["subjects"] == {"ann": 2, "bob": 2, "zoe": 2}
    assert report["labels"]["expression"]["neutral"] == 4
    assert "15 found, 6 imported, 9 skipped" in caplog.text


def test_a_bad_face_may_end_the_import(source, tmp_path):
    (source / "06.obj").write_bytes(b"")
    stop = ImportSettings(align="none", on_error="stop")
    with pytest.raises(InputError, match=r"06.obj: the file is empty; repair or remove it"):
        run_import(source, tmp_path / "data", settings=stop)
    write_mesh(source / "06.obj", TriMesh(bumpy_face(6), grid_faces()))
    assert run_import(source, tmp_path / "data", settings=stop, resume=True)["imported"] == 12


def test_nothing_is_written_when_no_face_is_good(source, tmp_path):
    for path in source.glob("*.obj"):
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"no mesh of the table can be read; .*00.obj"):
        run_import(source, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_interrupted_import_ends_in_the_same_files(source, tmp_path, small_shards, monkeypatch):
    """Skipped faces included; whole shards stay, and only the rest is read again."""
    damage(source)
    run_import(source, tmp_path / "whole")
    from meshgan.data.importers.reading import SourceReader

    real, left = SourceReader.read, [11]  # one to begin with, ten in turn

    def breaks_off(self, item):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return real(self, item)

    with monkeypatch.context() as patch:
        patch.setattr(SourceReader, "read", breaks_off)
        with pytest.raises(KeyboardInterrupt):
            run_import(source, tmp_path / "data")
    assert Store.open(tmp_path / "data", partial=True).count == 4
    assert not (tmp_path / "data" / "import.json").exists()
    summary = run_import(source, tmp_path / "data", resume=True)
    assert (summary["made"], summary["imported"]) == (2, 6)
    assert files_of(tmp_path / "data") == files_of(tmp_path / "whole")
    assert run_import(source, tmp_path / "data", resume=True)["made"] == 0
    assert files_of(tmp_path / "data") == files_of(tmp_path / "whole")


def test_resume_leaves_out_what_was_left_out(source, tmp_path, small_shards):
    """A file repaired meanwhile does not change the rows that follow it."""
    (source / "02.obj").rename(source / "hidden")
    run_import(source, tmp_path / "data")
    (source / "hidden").rename(source / "02.obj")
    before = files_of(tmp_path / "data")
    summary = run_import(source, tmp_path / "data", resume=True)
    assert "was skipped before the interruption" in summary["problems"][0]
    after = files_of(tmp_path / "data")
    assert {name for name in after if after[name] != before[name]} == {"import.json"}


def test_resume_refuses_another_source(source, tmp_path):
    run_import(source, tmp_path / "data")
    table = (source / "faces.csv").read_text().replace("anger", "fear", 1)
    (source / "faces.csv").write_text(table)
    with pytest.raises(InputError, match="another data set was started there: differs in list"):
        run_import(source, tmp_path / "data", resume=True)
    with pytest.raises(InputError, match="not empty; resume it"):
        run_import(source, tmp_path / "data")


@pytest.mark.slow
def test_killed_import_ends_in_the_same_files(tmp_path):
    """kill -9 in the middle of a shard or a rename; then the same command with --resume."""
    source = write_source(tmp_path / "source", 60)
    (source / "07.obj").write_bytes(b"")
    code = (
        "import meshgan.data.store_writer as w; w.SHARD_BYTES = 4 * 143 * 12\n"
        "from meshgan.cli.main import main; main()"
    )
    words = ["data", "import", "folder", str(source), "--unit", "mm", "--json"]
    command = [sys.executable, "-c", code, *words]
    whole = subprocess.run(
        [*command, "--out", str(tmp_path / "whole")], capture_output=True, check=False
    )
    assert whole.returncode == 1  # something was skipped
    assert json.loads(whole.stdout)["problems"] == ["07.obj: the file is empty"]
    out = tmp_path / "data"
    process = subprocess.Popen([*command, "--out", str(out)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(out.glob("shards/00003*.npz")) and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    resumed = subprocess.run(
        [*command, "--out", str(out), "--resume"], capture_output=True, check=False
    )
    assert resumed.returncode == 1, resumed.stderr
    assert files_of(out) == files_of(tmp_path / "whole")


def test_a_part_of_the_topology(source, tmp_path, small_shards):
    """Faces are checked whole, then cut; an interrupted import of a part ends in the same files."""
    settings = ImportSettings(align="none", area="face:60")
    summary = run_import(source, tmp_path / "data", settings=settings)
    store = Store.open(tmp_path / "data")
    whole = bumpy_face(0)
    nose = whole[landmark_ids()[30]]
    ids = [
        k
        for k in range(143)
        if (np.abs(whole[k] - store.vertices(np.array([0]))[0]) < 1e-4).all(1).any()
    ]
    assert summary["vertices"] == len(ids) == store.template.vertex_count
    assert np.linalg.norm(whole[ids] - nose, axis=1).max() <= 60
    for row in (3, 7):
        expected = bumpy_face(row)[ids].astype(np.float32)
        np.testing.assert_array_equal(store.vertices(np.array([row]))[0], expected)
    assert (summary["provenance"]["area"], summary["provenance"]["vertices"]) == (
        "face:60",
        len(ids),
    )
    assert any("landmarks ibug68 lie outside" in told for told in summary["messages"])
    complete = files_of(tmp_path / "data")
    run_import(source, tmp_path / "again", settings=settings, resume=True)
    again = files_of(tmp_path / "again")
    assert {name: again[name] for name in complete} == complete
    with pytest.raises(InputError, match="area"):
        run_import(source, tmp_path / "data", settings=NONE, resume=True)


def test_append_adds_people_and_labels(source, tmp_path):
    run_import(source, tmp_path / "data", settings=NONE)
    before = Store.open(tmp_path / "data").rows(np.arange(12))
    other = write_source(tmp_path / "other", 24)
    for k in range(12):
        (other / f"{k:02d}.obj").unlink()
    table = (other / "faces.csv").read_text().replace("zoe", "yan").replace("anger", "smirk")
    (other / "faces.csv").write_text(table)
    summary = run_import(other, tmp_path / "data", settings=NONE, append=True)
    assert (summary["made"], summary["skipped"]) == (12, 12)
    store = Store.open(tmp_path / "data")
    assert store.subjects == ("ann", "bob", "zoe", "yan")
    assert store.factors["identity"] == store.subjects
    assert store.factors["expression"][-1] == "smirk"
    after = store.rows(np.arange(12))
    for name in ("vertices", "subject", "sequence", "frame"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    np.testing.assert_array_equal(before.labels["expression"], after.labels["expression"])
    expected = np.stack([bumpy_face(k) for k in range(12, 24)]).astype(np.float32)
    np.testing.assert_array_equal(store.vertices(np.arange(12, 24)), expected)
    assert set(store.sequence[12:].tolist()) == {-1, 1}  # bob's new recording has its own number
    assert validate_data(tmp_path / "data")["problems"] == []
    assert run_import(other, tmp_path / "data", settings=NONE, append=True)["made"] == 0


def test_append_refuses_another_topology(source, tmp_path):
    run_import(source, tmp_path / "data")
    before = files_of(tmp_path / "data")
    small = tmp_path / "small"
    small.mkdir()
    write_mesh(small / "a.obj", TriMesh(bumpy_face(0), grid_faces()[:-1]))
    (small / "t.csv").write_text("path,subject\na.obj,new\n")
    with pytest.raises(InputError, match="register the meshes to the folder's template first"):
        run_import(small, tmp_path / "data", append=True)
    assert files_of(tmp_path / "data") == before
    with pytest.raises(InputError, match="--resume and --append exclude each other"):
        run_import(source, tmp_path / "data", append=True, resume=True)


def test_split_column_fixes_the_split(source, tmp_path):
    lines = (source / "faces.csv").read_text().splitlines()
    parts = {"zoe": "test", "ann": "train", "bob": ""}
    lines[1:] = [line + parts[line.split(",")[1]] for line in lines[1:]]
    (source / "faces.csv").write_text("\n".join([*lines, ""]))
    run_import(source, tmp_path / "data")
    split = read_split(tmp_path / "data", ("ann", "bob", "zoe"))
    assert split == {"train": ("ann", "bob"), "validation": (), "test": ("zoe",)}


def test_another_template_of_the_same_topology(source, tmp_path):
    mesh = TriMesh(bumpy_face(99), grid_faces())
    own = Template("mine", mesh, {"ibug68": landmark_ids()}, regions={"top": np.arange(40)})
    settings = ImportSettings(align="top")
    run_import(source, tmp_path / "data", template=own, settings=settings)
    assert Store.open(tmp_path / "data").template.name == "mine"
    other = Template("other", TriMesh(bumpy_face(99), grid_faces()[:-1]))
    with pytest.raises(InputError, match=r"template other: has 143 vertices .* leave --template"):
        run_import(source, tmp_path / "no", template=other)


def test_raw_scans_are_not_taken_for_registered_ones(source, tmp_path):
    """They go through registration (test_import_scans), which finds no face in so few vertices."""
    summary = run_import(source, tmp_path / "data", options={"registered": False})
    assert (summary["ok"], summary["imported"], summary["skipped"]) == (False, 0, 12)
    assert "00.obj: too_small: 143 vertices" in summary["problems"][0]


def test_unknown_format_and_options(source, tmp_path):
    with pytest.raises(InputError, match="format 'magic' is unknown; known are ict, bu3dfe"):
        import_data("magic", source, tmp_path / "data")
    with pytest.raises(ConfigError, match=r"folder options: tabel is not a setting \(did you mean"):
        run_import(source, tmp_path / "data", options={"tabel": "x"})
    with pytest.raises(InputError, match="no such file or folder; expected the folder source"):
        run_import(source / "none", tmp_path / "data")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("word", IMPORTERS)
def test_every_format_has_its_importer(word):
    kind = importer_class(word)
    assert kind.format == word
    assert kind.__doc__
    assert "Source:" in kind.__doc__ or word == "folder"


def test_ict_folder_becomes_a_data_set(tmp_path, monkeypatch):
    monkeypatch.setattr("meshgan.data.importers.ict_files.AREAS", ict_tree.AREAS)
    folder = ict_tree.write_ict_folder(tmp_path / "ict")
    summary = import_data(
        "ict", folder, tmp_path / "data", options={"area": "narrow", "count": 40, "subjects": 3}
    )
    assert (summary["meshes"], summary["source_unit"], summary["ok"]) == (40, "cm", True)
    store = Store.open(tmp_path / "data")
    assert store.extras("identity_coefficients").shape == (40, 2)
    assert store.extras("actions").shape == (40, 53)
    assert store.template.name == "ict_narrow"


@pytest.mark.skipif(
    not SUBSET.exists(), reason="the compact ICT model is not beside the repository"
)
def test_real_ict_faces_are_faces(tmp_path):
    options = {"area": "narrow", "count": 70, "subjects": 10, "labelled": 1.0}
    import_data("ict", SUBSET, tmp_path / "data", options=options)
    assert validate_data(tmp_path / "data") == {
        "ok": True, "data": str(tmp_path / "data"), "problems": [], "warnings": [],
    }  # fmt: skip
    store = Store.open(tmp_path / "data")
    neutral = store.vertices(np.flatnonzero(store.labels("expression") == 0))
    apart = [
        np.linalg.norm(a - b, axis=1).mean() for k, a in enumerate(neutral) for b in neutral[:k]
    ]
    assert 3.5 < np.mean(apart) < 6  # published: 4.76 mm with all modes


def test_command(source, tmp_path):
    words = ["data", "import", "folder", source, "--out", tmp_path / "data", "--unit", "mm"]
    command = [sys.executable, "-c", "from meshgan.cli.main import main; main()", *map(str, words)]
    done = subprocess.run(
        [*command, "--set", "table=faces.csv", "--align", "none", "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["meshes"] == 12
    assert "folder: 12 found, 12 imported, 0 skipped" in done.stderr
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "not empty" in again.stderr


def test_a_sequence_source_becomes_a_data_set(tmp_path):
    """CoMA's tree: metres, frames, its own vocabulary beside the common one."""
    people = ("FaceTalk_170725_00137_TA", "FaceTalk_170728_03272_TA")
    sequences = {
        (people[0], "bareteeth"): face_frames(1, 4),
        (people[0], "mouth_up"): face_frames(2, 3),
        (people[1], "bareteeth"): face_frames(3, 5),
    }
    tree = write_coma_tree(tmp_path / "coma", sequences)
    summary = import_data("coma", tree, tmp_path / "data", settings=NONE)
    assert (summary["meshes"], summary["source_unit"], summary["ok"]) == (12, "m", True)
    store = Store.open(tmp_path / "data")
    expected = np.concatenate(list(sequences.values()))
    np.testing.assert_allclose(store.vertices(np.arange(12)), expected, atol=2e-5)
    assert store.factors["coma_expression"] == ("bareteeth", "mouth_up", "neutral")
    assert (store.labels("expression") >= 0).sum() == 3  # the first frame of each
    np.testing.assert_array_equal(store.sequence, [0] * 4 + [1] * 3 + [2] * 5)
    assert validate_data(tmp_path / "data")["problems"] == []
