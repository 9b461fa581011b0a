"""Store and StoreWriter: what goes in comes out, kills and full disks cost little, damage shows."""

import errno
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.data.store import Store, StoreWriter
from meshgan.data.validation import validate
from meshgan.errors import FileFormatError, InputError, JobError, ShapeError
from meshgan.files import read_json, write_json
from tests.data.store_examples import FACTORS, PROVENANCE, SUBJECTS, random_rows, strip_template

TEMPLATE = strip_template()
REPOSITORY = Path(__file__).parents[2]


def start(path, resume=False, shard_rows=5, **changed):
    arguments = {"factors": FACTORS, "subjects": SUBJECTS, "provenance": PROVENANCE, **changed}
    template = arguments.pop("template", TEMPLATE)
    return StoreWriter.create(path, template, resume=resume, shard_rows=shard_rows, **arguments)


@pytest.fixture
def built(tmp_path):
    """12 rows in shards of 5, 5 and 2, appended in uneven batches."""
    with start(tmp_path / "data") as writer:
        for first, count in ((0, 3), (3, 8), (11, 1)):
            writer.append(random_rows(TEMPLATE, count, start=first))
    return tmp_path / "data"


def files_of(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_rows_come_back(built):
    store, expected = Store.open(built), random_rows(TEMPLATE, 12)
    assert (store.count, store.vertex_count, len(store)) == (12, 12, 12)
    assert [shard.rows for shard in store.manifest.shards] == [5, 5, 2]
    np.testing.assert_array_equal(store.vertices(np.arange(12)), expected.vertices)
    for name in FACTORS:
        np.testing.assert_array_equal(store.labels(name), expected.labels[name])
    np.testing.assert_array_equal(store.subject, expected.subject)
    np.testing.assert_array_equal(store.sequence, expected.sequence)
    np.testing.assert_array_equal(store.frame, expected.frame)
    np.testing.assert_array_equal(store.extras("weights"), expected.extras["weights"])
    assert (store.factors, store.subjects) == (FACTORS, SUBJECTS)
    assert store.template.topology_hash == TEMPLATE.topology_hash
    assert store.manifest.provenance == PROVENANCE


def test_files_are_plain_numpy(built):
    raw = [np.load(built / "shards" / f"0000{k}.vertices.npy") for k in range(3)]
    np.testing.assert_array_equal(np.concatenate(raw), random_rows(TEMPLATE, 12).vertices)
    with np.load(built / "shards" / "00000.table.npz") as table:
        assert set(table) == {
            "subject",
            "sequence",
            "frame",
            "label.identity",
            "label.expression",
            "extra.weights",
        }


@settings(max_examples=20, deadline=None)
@given(ids=st.lists(st.integers(0, 11), max_size=20), size=st.integers(1, 15))
def test_any_order_and_any_chunk(tmp_path_factory, ids, size):
    folder = tmp_path_factory.getbasetemp() / "shared-store"
    if not (folder / "dataset.json").exists():
        with start(folder, resume=True) as writer:
            writer.append(random_rows(TEMPLATE, 12))
    store, expected = Store.open(folder), random_rows(TEMPLATE, 12).vertices
    np.testing.assert_array_equal(store.vertices(np.array(ids, dtype=np.int64)), expected[ids])
    chunks = list(store.chunks(size))
    assert [len(chunk) for chunk in chunks[:-1]] == [size] * (len(chunks) - 1)
    np.testing.assert_array_equal(np.concatenate(chunks), expected)


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 11), max_size=4), shard_rows=st.integers(1, 13))
def test_batch_sizes_do_not_matter(tmp_path_factory, cuts, shard_rows):
    folder = tmp_path_factory.mktemp("cuts")
    edges = sorted({0, 12, *cuts})
    with start(folder / "parts", shard_rows=shard_rows) as writer:
        for first, end in pairwise(edges):
            writer.append(random_rows(TEMPLATE, end - first, start=first))
    with start(folder / "whole", shard_rows=shard_rows) as writer:
        writer.append(random_rows(TEMPLATE, 12))
    assert files_of(folder / "parts") == files_of(folder / "whole")


def test_rows_of_some_meshes(built):
    rows = Store.open(built).rows(np.array([7, 2]))
    expected = random_rows(TEMPLATE, 12)
    np.testing.assert_array_equal(rows.vertices, expected.vertices[[7, 2]])
    np.testing.assert_array_equal(rows.labels["expression"], expected.labels["expression"][[7, 2]])


def test_source_may_reuse_its_arrays(tmp_path):
    rows = random_rows(TEMPLATE, 3)
    with start(tmp_path / "data") as writer:
        writer.append(rows)
        rows.vertices[:] = 0
    stored = Store.open(tmp_path / "data").vertices(np.arange(3))
    np.testing.assert_array_equal(stored, random_rows(TEMPLATE, 3).vertices)


@pytest.mark.parametrize("ids", [[-1], [0, 12]])
def test_refuses_ids_that_do_not_exist(built, ids):
    with pytest.raises(InputError, match="ids go from 0 to 11"):
        Store.open(built).vertices(np.array(ids))


def test_names_unknown_factor_and_extra(built):
    store = Store.open(built)
    with pytest.raises(InputError, match="no factor 'viseme'; it has identity, expression"):
        store.labels("viseme")
    with pytest.raises(InputError, match="no extra 'age'; it has weights"):
        store.extras("age")


def _sum_in_process(store):
    return float(store.vertices(np.array([11, 0, 6])).sum())


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_travels_to_other_processes(built, method):
    store = Store.open(built)
    expected = _sum_in_process(store)  # maps are open now
    assert len(pickle.dumps(store)) < 20_000
    context = multiprocessing.get_context(method)
    with context.Pool(1) as pool:
        assert pool.apply(_sum_in_process, (store,)) == expected


# Refused rows


def broken(**changes):
    rows = random_rows(TEMPLATE, 4)
    vertices = np.array(rows.vertices)
    vertices[2, 5, 1] = np.nan
    labels = {**rows.labels, "identity": np.array([0, 3, -2, 1])}
    return replace(rows, vertices=vertices, labels=labels, **changes)


def test_all_problems_in_one_message(tmp_path):
    with start(tmp_path / "data") as writer:
        writer.append(random_rows(TEMPLATE, 2))
        with pytest.raises(InputError) as caught:
            writer.append(broken(subject=np.array([0, 1, 2, 3]), extras={}))
    message = str(caught.value)
    for part in (
        "1 of 4 with vertices that are not finite (first: row 4)",
        "2 of 4 with identity label out of range (-1 to 2) (first: row 3, which has 3)",
        "1 of 4 with subject out of range (0 to 2) (first: row 5, which has 3)",
        "extras are {}",
    ):
        assert part in message
    assert Store.open(tmp_path / "data").count == 2  # nothing of the refused rows was kept


def test_refuses_another_topology(tmp_path):
    other = strip_template(columns=7)
    with (
        start(tmp_path / "data") as writer,
        pytest.raises(ShapeError, match=r"14 vertices.* has 12"),
    ):
        writer.append(random_rows(other, 1))


def test_refuses_missing_and_unknown_factors(tmp_path):
    rows = random_rows(TEMPLATE, 1)
    labels = {"identity": rows.labels["identity"], "viseme": rows.labels["identity"]}
    with start(tmp_path / "data") as writer:
        with pytest.raises(InputError, match=r"expression are missing.*viseme is not a factor"):
            writer.append(replace(rows, labels=labels))


def test_refuses_objects(tmp_path):
    rows = replace(random_rows(TEMPLATE, 1), extras={"any": np.array([{}], dtype=object)})
    with start(tmp_path / "data") as writer, pytest.raises(InputError, match="Python objects"):
        writer.append(rows)


def test_uneven_rows_are_refused():
    with pytest.raises(ShapeError, match=r"4 meshes, but extra age has shape \(3,\)"):
        replace(random_rows(TEMPLATE, 4), extras={"age": np.zeros(3)})


@pytest.mark.parametrize(
    "changed", [{"factors": {"identity": ()}}, {"factors": {"Bad name": ("a",)}}, {"subjects": ()}]
)
def test_refuses_nonsense_factors_and_subjects(tmp_path, changed):
    with pytest.raises(InputError, match="out of range"):
        start(tmp_path / "data", **changed)


# Building in pieces


def test_resume_gives_the_same_bytes(built, tmp_path):
    folder = tmp_path / "pieces"
    writer = start(folder)
    writer.append(random_rows(TEMPLATE, 7))
    assert writer.rows_written == 5
    writer.close()  # two rows are lost, as in a kill
    with pytest.raises(InputError, match="stopped after 5 meshes"):
        Store.open(folder)
    assert Store.open(folder, partial=True).count == 5
    with start(folder, resume=True) as writer:
        writer.append(random_rows(TEMPLATE, 7, start=writer.rows_written))
    assert files_of(folder) == files_of(built)


def test_killed_build_resumes(built, tmp_path):
    folder = tmp_path / "killed"
    script = textwrap.dedent(f"""
        import os, signal, sys
        sys.path.insert(0, {str(REPOSITORY)!r})
        import meshgan.data.store_writer as module
        from tests.data.store_examples import *
        from meshgan.data.store import StoreWriter
        template = strip_template()
        writer = StoreWriter.create({str(folder)!r}, template, FACTORS, SUBJECTS, PROVENANCE,
                                    shard_rows=5)
        writer.append(random_rows(template, 6))
        real = module.write_manifest
        def killed_before_manifest(*arguments):
            open({str(folder)!r} + "/shards/.00001.vertices-xyz.npy", "w").write("half")
            os.kill(os.getpid(), signal.SIGKILL)
        module.write_manifest = killed_before_manifest
        writer.append(random_rows(template, 6, start=6))
    """)
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (folder / "shards" / "00001.vertices.npy").exists()  # written, but not in the manifest
    with start(folder, resume=True) as writer:
        assert writer.rows_written == 5
        writer.append(random_rows(TEMPLATE, 7, start=5))
    assert files_of(folder) == files_of(built)


def test_resume_before_the_first_manifest(tmp_path, built):
    folder = tmp_path / "early"
    (folder / "shards").mkdir(parents=True)
    TEMPLATE.save(folder / "template.npz")
    with pytest.raises(InputError, match="not empty"):
        start(folder)
    with start(folder, resume=True) as writer:
        writer.append(random_rows(TEMPLATE, 12))
    assert files_of(folder) == files_of(built)


def test_resume_of_a_finished_build_changes_nothing(built):
    before = files_of(built)
    with start(built, resume=True) as writer:
        assert writer.rows_written == 12
    assert files_of(built) == before
    with pytest.raises(InputError, match="append_to"):
        writer.append(random_rows(TEMPLATE, 1))


def test_resume_refuses_another_plan(built):
    changed = {**PROVENANCE, "seed": 4, "plan": {"count": 13}}
    with pytest.raises(InputError, match=r"plan.count \(was 12, now 13\); seed \(was 3, now 4\)"):
        start(built, resume=True, provenance=changed)
    with pytest.raises(InputError, match="differs in topology_hash"):
        start(built, resume=True, template=strip_template(columns=7))


def test_does_not_overwrite(built, tmp_path):
    before = files_of(built)
    with pytest.raises(InputError, match="not empty"):
        start(built)
    assert files_of(built) == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not empty"):
        start(tmp_path / "mine", resume=True)


def test_one_writer_at_a_time(tmp_path):
    with start(tmp_path / "data"), pytest.raises(InputError, match="another process is writing"):
        start(tmp_path / "data", resume=True)


def test_append_keeps_what_is_there(built):
    before = {name: data for name, data in files_of(built).items() if name.startswith("shards")}
    with StoreWriter.append_to(
        built, new_subjects=("dora", "ann"), provenance={"by": "me"}
    ) as writer:
        assert writer.subjects == (*SUBJECTS, "dora")
        rows = random_rows(TEMPLATE, 2, start=12)
        writer.append(replace(rows, subject=np.array([3, 0])))
    store = Store.open(built)
    np.testing.assert_array_equal(store.vertices(np.arange(14)), random_rows(TEMPLATE, 14).vertices)
    assert before.items() <= files_of(built).items()
    assert store.manifest.appended == ({"first_row": 12, "provenance": {"by": "me"}},)
    assert validate(built).ok


def test_append_widens_factors_with_the_first_rows_and_not_before(built):
    before = (built / "dataset.json").read_bytes()
    labels = {"expression": ("joy", "open", "joy"), "unknown": ("x",)}
    with StoreWriter.append_to(built, new_labels=labels) as writer:
        own = writer.factors["expression"]
        assert own == ("neutral", "happiness", "joy", "open")
        assert "unknown" not in writer.factors
        assert (built / "dataset.json").read_bytes() == before
    assert (built / "dataset.json").read_bytes() == before  # nothing was added
    earlier = Store.open(built)
    rows = random_rows(TEMPLATE, 2, start=12)
    labelled = {**rows.labels, "expression": np.full(2, own.index("joy"))}
    with StoreWriter.append_to(built, new_labels=labels) as writer:
        writer.append(replace(rows, labels=labelled))
    store = Store.open(built)
    assert store.factors["expression"] == own
    assert (
        store.factors["expression"][: len(earlier.factors["expression"])]
        == (earlier.factors["expression"])
    )
    np.testing.assert_array_equal(store.labels("expression")[:12], earlier.labels("expression"))
    assert store.rows_where(expression="joy").tolist() == [12, 13]


def test_append_refuses_another_template(built):
    with pytest.raises(InputError, match="strip has 14"):
        StoreWriter.append_to(built, template=strip_template(columns=7))


def test_append_refuses_unfinished(tmp_path):
    start(tmp_path / "data").close()
    with pytest.raises(InputError, match="resume it before"):
        StoreWriter.append_to(tmp_path / "data")


# Full disks


@pytest.mark.parametrize("victim", ["write_vertices", "write_npz", "write_manifest"])
def test_full_disk_leaves_whole_shards(tmp_path, monkeypatch, victim):
    writer = start(tmp_path / "data")
    writer.append(random_rows(TEMPLATE, 5))
    before = files_of(tmp_path / "data")

    def full(*arguments):
        raise JobError(f"{arguments[0]}: writing failed (No space left on device)")

    with monkeypatch.context() as patch:
        patch.setattr(f"meshgan.data.store_writer.{victim}", full)
        with pytest.raises(JobError, match="No space left"):
            writer.append(random_rows(TEMPLATE, 5, start=5))
    assert files_of(tmp_path / "data") == before
    writer.close()
    with start(tmp_path / "data", resume=True) as again:
        again.append(random_rows(TEMPLATE, 7, start=again.rows_written))
    assert validate(tmp_path / "data").ok


def test_system_error_is_a_job_error(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    writer = start(tmp_path / "data")
    monkeypatch.setattr("numpy.lib.format.write_array_header_1_0", full)
    with pytest.raises(JobError, match="No space left on device"):
        writer.append(random_rows(TEMPLATE, 5))
    assert not list((tmp_path / "data" / "shards").iterdir())


def test_real_file_size_limit(tmp_path):
    """The kernel itself stops the write in the middle of a shard."""
    script = textwrap.dedent(f"""
        import resource, sys
        sys.path.insert(0, {str(REPOSITORY)!r})
        from tests.data.store_examples import *
        from meshgan.data.store import StoreWriter
        from meshgan.errors import JobError
        template = strip_template(columns=200)
        writer = StoreWriter.create({str(tmp_path / "data")!r}, template, FACTORS, SUBJECTS, {{}},
                                    shard_rows=50)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            writer.append(random_rows(template, 50))
        except JobError as error:
            sys.exit(17)
    """)
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 17
    assert not list((tmp_path / "data" / "shards").iterdir())


# Damage


def flip_byte(path, place=-3):
    content = bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.write_bytes(content)


def replace_vertices(built, change):
    """Change stored vertices and make the checksum agree: content is wrong, not damaged."""
    from meshgan.files import checksum

    path = built / "shards" / "00001.vertices.npy"
    vertices = np.load(path)
    change(vertices)
    np.save(path, vertices)
    manifest = read_json(built / "dataset.json")
    manifest["shards"][1]["vertices_sha256"] = checksum(path)
    write_json(built / "dataset.json", manifest)


def problem_of(built):
    problems = validate(built).problems
    assert len(problems) == 1, problems
    return problems[0]


def test_a_good_store_has_no_problems(built):
    findings = validate(built)
    assert (findings.ok, findings.problems) == (True, [])


def test_finds_a_flipped_byte(built):
    flip_byte(built / "shards" / "00001.vertices.npy")
    assert "00001.vertices.npy: damaged, its checksum" in problem_of(built)


def test_finds_a_flipped_byte_in_labels(built):
    flip_byte(built / "shards" / "00002.table.npz", place=140)
    assert "00002.table.npz" in problem_of(built)


@pytest.mark.parametrize("name", ["00001.vertices.npy", "00001.table.npz"])
def test_finds_a_cut_file(built, name):
    path = built / "shards" / name
    path.write_bytes(path.read_bytes()[:-20])
    assert name in problem_of(built)


@pytest.mark.parametrize("name", ["00001.vertices.npy", "00001.table.npz"])
def test_finds_a_missing_file(built, name):
    (built / "shards" / name).unlink()
    assert name in problem_of(built)


def test_reading_damage_names_the_file(built):
    path = built / "shards" / "00001.vertices.npy"
    path.write_bytes(path.read_bytes()[:-20])
    store = Store.open(built)
    store.vertices(np.array([0, 11]))  # the other shards can be read
    with pytest.raises(FileFormatError, match=r"00001\.vertices\.npy: cut short"):
        store.vertices(np.array([5]))


def test_finds_values_that_are_not_finite(built):
    def spoil(vertices):
        vertices[2, 3, 0] = np.inf

    replace_vertices(built, spoil)
    assert "00001.vertices.npy: 1 meshes hold values that are not finite" in problem_of(built)


def test_finds_twins(built):
    def repeat(vertices):
        vertices[4] = random_rows(TEMPLATE, 1).vertices[0]

    replace_vertices(built, repeat)
    assert "row 9, the same as row 0" in problem_of(built)


def test_suspects_the_unit(built):
    def as_metres(vertices):
        vertices /= 1000

    replace_vertices(built, as_metres)
    assert "5 of 5 meshes, expected 120 to 260; were they given in m?" in problem_of(built)


def test_eye_corners_say_the_unit(tmp_path):
    ids = np.zeros(68, dtype=np.int64)
    ids[[36, 45]] = [1, 4]  # 84 mm apart on the strip
    template = replace(TEMPLATE, landmarks={"ibug68": ids})
    rows = random_rows(template, 4)
    for name, scale in (("mm", 1.0), ("cm", 0.1), ("inch", 1 / 25.4)):
        with start(tmp_path / name, template=template) as writer:
            writer.append(replace(rows, vertices=rows.vertices * np.float32(scale)))
    assert validate(tmp_path / "mm").ok
    assert "outer eye corners" in problem_of(tmp_path / "cm")
    assert "given in cm?" in problem_of(tmp_path / "cm")
    assert "given in inch?" in problem_of(tmp_path / "inch")


def test_a_whole_head_is_no_wrong_unit(built):
    """330 mm from top to bottom: no face is so high, but no unit fits better than mm."""

    def stretch(vertices):
        height = vertices[..., 1]
        vertices[..., 1] = height * 330 / np.ptp(height, axis=1, keepdims=True)

    replace_vertices(built, stretch)
    findings = validate(built)
    assert "330 to 330 mm apart in 5 of 5 meshes, expected 120 to 260" in findings.warnings[0]
    assert not [problem for problem in findings.problems if "apart" in problem]


def test_finds_frames_that_occur_twice(tmp_path):
    rows = random_rows(TEMPLATE, 6)
    with start(tmp_path / "data") as writer:
        writer.append(replace(rows, frame=np.array([0, 1, 2, 0, 4, 5])))
    assert "frame 0 of sequence 0, subject ann (rows [0, 3])" in problem_of(tmp_path / "data")


def test_finds_another_template(built):
    strip_template(columns=7).save(built / "template.npz")
    assert "template.npz: has topology" in problem_of(built)


def test_finds_labels_out_of_range(built):
    manifest = read_json(built / "dataset.json")
    manifest["factors"]["identity"] = ["ann", "bob"]
    write_json(built / "dataset.json", manifest)
    problems = validate(built).problems
    assert len(problems) == 3
    assert "00000.table.npz: 1 values of label.identity out of range, such as 2" in problems[0]


def test_warns_of_thin_labels(tmp_path):
    rows = random_rows(TEMPLATE, 6)
    labels = {"identity": np.array([0, 0, 0, 1, 0, 0]), "expression": np.full(6, -1)}
    with start(tmp_path / "data") as writer:
        writer.append(replace(rows, labels=labels))
    findings = validate(tmp_path / "data")
    assert findings.ok
    assert [text.partition(": ")[2] for text in findings.warnings] == [
        "identity labels with no mesh: 1 of 3 (cleo)",
        "identity labels with a single mesh: 1 of 3 (bob)",
        "no mesh has a label of expression",
    ]


def test_an_unfinished_build_is_a_problem(tmp_path):
    writer = start(tmp_path / "data")
    writer.append(random_rows(TEMPLATE, 5))
    writer.close()
    assert "stopped after 5 meshes" in problem_of(tmp_path / "data")


# The manifest is checked like any foreign file


def change_manifest(built, change):
    manifest = read_json(built / "dataset.json")
    change(manifest)
    write_json(built / "dataset.json", manifest)


MANIFEST_FAULTS = {
    "unknown key": (lambda m: m.update(vertexcount=3), "vertexcount is not a setting"),
    "missing key": (lambda m: m.pop("factors"), "factors"),
    "wrong type": (lambda m: m.update(vertex_count="12"), "must be a whole number, found '12'"),
    "other unit": (lambda m: m.update(unit="cm"), "unit = 'cm' is out of range"),
    "newer": (lambda m: m.update(version=2), "format version 2, this meshgan reads 1"),
    "other format": (lambda m: m.update(format="x"), "not the manifest"),
    "path out": (lambda m: m["shards"][0].update(name="../../etc/x"), "name = '../../etc/x'"),
    "template out": (lambda m: m.update(template_file="/etc/passwd"), "template_file"),
    "rows as text": (lambda m: m["shards"][0].update(rows="5"), "rows must be int, found '5'"),
    "negative rows": (lambda m: m["shards"][0].update(rows=-5), "rows = -5"),
    "shards a text": (lambda m: m.update(shards="none"), "shards must be a list"),
    "bad extras": (lambda m: m.update(extras={"a": {"shape": 3}}), "extras"),
    "label twice": (lambda m: m["factors"].update(identity=["a", "a"]), "factors"),
}


@pytest.mark.parametrize("fault", MANIFEST_FAULTS)
def test_manifest_faults_are_named(built, fault):
    change, message = MANIFEST_FAULTS[fault]
    change_manifest(built, change)
    with pytest.raises(FileFormatError) as caught:
        Store.open(built)
    assert message in str(caught.value)
    assert "dataset.json" in str(caught.value)
    assert not validate(built).ok


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"null"])
def test_manifest_that_is_not_one(built, content):
    (built / "dataset.json").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"dataset\.json"):
        Store.open(built)


def test_no_folder(tmp_path):
    with pytest.raises(FileFormatError, match="no such DATA folder"):
        Store.open(tmp_path / "nothing")
    with pytest.raises(FileFormatError, match=r"holds no dataset\.json"):
        Store.open(tmp_path)


def test_nothing_is_unpickled(built):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(built / "exploded"),))

    for name in ("00001.vertices.npy", "00001.table.npz"):
        path = built / "shards" / name
        save = np.save if name.endswith("npy") else np.savez
        with path.open("wb") as file:
            save(file, np.array([Bomb()], dtype=object), allow_pickle=True)
    store = Store.open(built)
    with pytest.raises(FileFormatError):
        store.vertices(np.array([5]))
    with pytest.raises(FileFormatError):
        store.labels("identity")
    assert not (built / "exploded").exists()


# Reading without mapping


def test_rows_by_label(built):
    store, expected = Store.open(built), random_rows(TEMPLATE, 12)
    happy = np.flatnonzero(expected.labels["expression"] == 1)
    assert len(happy)
    np.testing.assert_array_equal(store.rows_where(expression="happiness"), happy)
    np.testing.assert_array_equal(
        store.rows_where(expression=None), np.flatnonzero(expected.labels["expression"] == -1)
    )
    np.testing.assert_array_equal(store.rows_where(subject="bob", identity="bob"), [1, 4, 7, 10])
    assert len(store.rows_where(subject="bob", identity="ann")) == 0
    assert len(store.rows_where()) == 12
    with pytest.raises(InputError, match="no expression 'glee'; it has neutral, happiness"):
        store.rows_where(expression="glee")
    with pytest.raises(InputError, match="no subject 'dan'"):
        store.rows_where(subject="dan")
    with pytest.raises(InputError, match="no factor 'age'"):
        store.rows_where(age="old")


def test_nothing_stays_mapped_or_open(built):
    if not Path("/proc/self/maps").exists():
        pytest.skip("needs /proc, which only Linux has")
    store = Store.open(built)
    store.vertices(np.arange(12))
    assert str(built) not in Path("/proc/self/maps").read_text()

    def opened():
        links = Path("/proc/self/fd").iterdir()
        return sum(1 for link in links if str(built) in os.path.realpath(link))

    assert opened() == 3
    del store
    assert opened() == 0


def test_a_file_that_shrinks_while_open(built):
    store = Store.open(built)
    store.vertices(np.array([0]))
    path = built / "shards" / "00000.vertices.npy"
    os.truncate(path, path.stat().st_size - 200)
    with pytest.raises(FileFormatError, match=r"00000\.vertices\.npy: cut short while it was open"):
        store.vertices(np.arange(5))


def test_reads_without_preadv(built, monkeypatch):
    monkeypatch.delattr(os, "preadv", raising=False)
    store, expected = Store.open(built), random_rows(TEMPLATE, 12)
    np.testing.assert_array_equal(
        store.vertices(np.array([11, 3, 4])), expected.vertices[[11, 3, 4]]
    )
