"""VOCASET: rows of one large array found through pickled tables, or PLY files."""

import os
import pickle

import numpy as np
import pytest

from meshgan.data.importers import open_importer
from meshgan.data.importers.decision import decide_conversion
from meshgan.data.importers.vocaset import VOCASET
from meshgan.errors import FileFormatError
from tests.data.importers.example_faces import bumpy_face, grid_faces, grid_vertices
from tests.data.importers.registered_trees import (
    face_frames,
    neutral_face,
    ply_bytes,
    write_coma_tree,
    write_vocaset,
)
from tests.data.importers.test_safe_pickle import harmful

A, B = "FaceTalk_170725_00137_TA", "FaceTalk_170728_03272_TA"
SEQUENCES = {
    (A, "sentence01"): face_frames(1, 4),
    (A, "sentence02"): face_frames(2, 3),
    (B, "sentence01"): face_frames(3, 12),
}


@pytest.fixture
def tree(tmp_path):
    root = write_vocaset(tmp_path / "vocaset", SEQUENCES)
    (root / "FLAME_sample.ply").write_bytes(ply_bytes(grid_vertices() / 1000, grid_faces()))
    return root


def test_reads_the_arrays(tree):
    importer = open_importer("vocaset", tree)
    items = importer.items()
    assert [(item.subject, item.sequence) for item in items[:2]] == [(A, ""), (B, "")]
    assert items[0].labels == {"expression": "neutral"}
    np.testing.assert_array_equal(importer.read(items[0]).vertices, neutral_face(A) / 1000)
    spoken = items[2:]
    assert [item.frame for item in spoken] == [*range(4), *range(3), *range(12)]
    for item in spoken:
        frame = SEQUENCES[item.subject, item.sequence][item.frame] / np.float32(1000)
        np.testing.assert_array_equal(importer.read(item).vertices, frame.astype(np.float64))
    template = importer.template()
    np.testing.assert_array_equal(template.mesh.faces, grid_faces())
    decision = decide_conversion(importer, importer.read(items[2]), template)
    assert decision.messages == ()


def test_reads_ply_files(tmp_path):
    tree = write_coma_tree(tmp_path / "vocaset", SEQUENCES)  # the same tree, other folder names
    importer = VOCASET(tree)
    items = importer.items()
    assert len(items) == 19
    for item in items:
        frame = SEQUENCES[item.subject, item.sequence][item.frame] / np.float32(1000)
        np.testing.assert_array_equal(importer.read(item).vertices, frame.astype(np.float64))


def test_says_where_the_triangles_come_from(tree, tmp_path):
    (tree / "FLAME_sample.ply").unlink()
    with pytest.raises(FileFormatError, match=r"no triangles.*--set mesh=FLAME_sample.ply"):
        VOCASET(tree).template()
    path = tmp_path / "elsewhere.ply"
    path.write_bytes(ply_bytes(grid_vertices(), grid_faces()))
    importer = VOCASET(tree, mesh=path)
    importer.read(importer.items()[0])
    path.write_bytes(ply_bytes(grid_vertices()[:100], grid_faces()[:50]))
    importer = VOCASET(tree, mesh=path)
    with pytest.raises(FileFormatError, match=r"143 vertices, but .*elsewhere.ply has 100"):
        importer.read(importer.items()[0])


def test_visemes_at_60_frames_a_second(tree, tmp_path):
    (tmp_path / "aligned" / A).mkdir(parents=True)
    text = "start,end,phoneme\n0,0.025,sil\n0.025,0.05,F\n0.05,0.1,OW1\n"
    (tmp_path / "aligned" / A / "sentence01.csv").write_text(text)
    items = VOCASET(tree, alignments=tmp_path / "aligned").items()
    found = [item.labels.get("viseme") for item in items if item.sequence == "sentence01"]
    assert found[:4] == ["silence", "G", "G", "V2"]
    assert found[4:] == [None] * 12


def test_tables_that_run_code_are_refused(tree, tmp_path):
    mark = tmp_path / "ran"
    content = pickle.dumps({A: harmful(os.system, f"touch {mark}")})
    for name in ("subj_seq_to_idx.pkl", "templates.pkl"):
        kept = (tree / name).read_bytes()
        (tree / name).write_bytes(content)
        with pytest.raises(FileFormatError, match=rf"{name}: refused.*system"):
            VOCASET(tree).items()
        (tree / name).write_bytes(kept)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([1], "expected subject -> sequence"),
        ({A: [1]}, "expected subject -> sequence"),
        ({A: {"sentence01": [1]}}, "expected frame -> row"),
        ({A: {"sentence01": {0: 99}}}, r"sentence01 names row 99, but data_verts.npy has 19"),
        ({A: {"sentence01": {0: -1}}}, "names row -1"),
    ],
)
def test_wrong_tables_are_named(tree, table, reason):
    (tree / "subj_seq_to_idx.pkl").write_bytes(pickle.dumps(table, 2))
    with pytest.raises(FileFormatError, match=reason) as caught:
        VOCASET(tree).items()
    assert str(tree / "subj_seq_to_idx.pkl") in str(caught.value)


def test_damaged_rows_and_missing_files(tree):
    path = tree / "data_verts.npy"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(FileFormatError, match=r"data_verts.npy: not a readable NumPy file"):
        VOCASET(tree).items()
    np.save(path, np.zeros((19, 30), dtype=np.float32))
    with pytest.raises(FileFormatError, match=r"\(19, 30\), expected \(frames, V, 3\)"):
        VOCASET(tree).items()
    path.write_bytes(content)
    (tree / "subj_seq_to_idx.pkl").unlink()
    with pytest.raises(FileFormatError, match=r"subj_seq_to_idx.pkl: cannot be read"):
        VOCASET(tree).items()
    (tree / "data_verts.npy").unlink()
    with pytest.raises(FileFormatError, match="no subject folder"):
        VOCASET(tree).items()


def test_only_the_template_of_one_subject_is_wrong(tree):
    neutrals = {A: np.zeros((5, 3)), B: bumpy_face(1)}
    (tree / "templates.pkl").write_bytes(pickle.dumps(neutrals, 2))
    importer = VOCASET(tree)
    items = importer.items()
    with pytest.raises(FileFormatError, match=rf"templates.pkl#{A}: 5 vertices, but .* has 143"):
        importer.read(items[0])
    importer.read(items[1])
