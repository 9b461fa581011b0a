"""BIWI: frames inside tar files, converted arrays, visemes from alignments, ratings."""

import io
import os
import pickle
import tarfile

import numpy as np
import pytest

from meshgan.data.importers import open_importer
from meshgan.data.importers.biwi import BIWI
from meshgan.data.importers.biwi_frames import parse_vl
from meshgan.data.importers.conversion import Conversion
from meshgan.data.importers.decision import decide_conversion
from meshgan.errors import ConfigError, FileFormatError
from tests.data.importers.example_faces import bumpy_face, grid_faces
from tests.data.importers.registered_trees import (
    COUNT,
    face_frames,
    neutral_face,
    obj_text,
    vl_bytes,
    write_biwi_tree,
    write_converted_biwi,
    write_tar,
)
from tests.data.importers.test_safe_pickle import harmful

SEQUENCES = {
    ("F1", "01"): face_frames(1, 4),
    ("F1", "e01"): face_frames(2, 3),
    ("M12", "01"): face_frames(3, 2),
}


@pytest.fixture
def tree(tmp_path):
    return write_biwi_tree(tmp_path / "biwi", SEQUENCES)


@pytest.fixture
def converted(tmp_path):
    return write_converted_biwi(tmp_path / "biwi", SEQUENCES)


def ours(importer, item):
    """Positions in mm and our axes."""
    face = importer.read(item)
    return Conversion(importer.unit, importer.axis_map).positions(face.vertices)


def check_content(importer, exact=True):
    items = importer.items()
    stills, spoken = items[:2], items[2:]
    assert [(item.subject, item.sequence) for item in stills] == [("F1", ""), ("M12", "")]
    assert len(spoken) == 9
    for item in stills:
        np.testing.assert_allclose(
            ours(importer, item), neutral_face(item.subject), rtol=1e-6, atol=1e-5
        )
    for item in spoken:
        frame = SEQUENCES[item.subject, item.sequence][item.frame]
        np.testing.assert_allclose(ours(importer, item), frame, atol=0 if exact else 1e-3, rtol=0)
    template = importer.template()
    np.testing.assert_array_equal(template.mesh.faces, grid_faces())
    np.testing.assert_allclose(template.mesh.vertices, neutral_face("F1"), atol=1e-3)
    decision = decide_conversion(importer, importer.read(items[0]), template)
    assert decision.messages == ()


def test_reads_the_published_form(tree):
    importer = open_importer("biwi", tree)
    check_content(importer)
    wheres = [item.where for item in importer.items()]
    assert wheres[0] == "rigid_scans/F1.obj"
    assert wheres[2] == "faces/F1/01.tar#frame_001.vl"
    assert not list(tree.rglob("*.vl"))


def test_reads_an_item_without_listing_first(tree):
    item = BIWI(tree).items()[3]
    np.testing.assert_array_equal(
        BIWI(tree).read(item).vertices, BIWI(tree).read(BIWI(tree).items()[3]).vertices
    )


def test_reads_unpacked_frames_and_doubles(tree):
    folder = tree / "faces" / "M12" / "02"
    folder.mkdir()
    flip = np.array([1.0, -1, -1])
    for number in (3, 10):
        frame = SEQUENCES["F1", "01"][0] * flip
        (folder / f"frame_{number}.vl").write_bytes(vl_bytes(frame, "<f8"))
    importer = BIWI(tree)
    items = [item for item in importer.items() if item.sequence == "02"]
    assert [item.frame for item in items] == [0, 7]
    np.testing.assert_array_equal(ours(importer, items[1]), SEQUENCES["F1", "01"][0])


def test_reads_the_converted_form(converted):
    importer = BIWI(converted)
    assert importer.unit == "mm"
    check_content(importer)
    assert importer.items()[2].where == "vertices_npy/F1_01.npy#0"


def test_a_normalised_conversion_asks_for_its_factor(tmp_path):
    tree = write_converted_biwi(tmp_path / "biwi", SEQUENCES, divisor=212.5)
    with pytest.raises(FileFormatError, match=r"in no unit that of a face.*millimetres=F"):
        _ = BIWI(tree).unit
    check_content(BIWI(tree, millimetres=212.5), exact=False)


def test_triangles_from_a_file_in_another_unit(converted, tmp_path):
    (converted / "BIWI.ply").unlink()
    with pytest.raises(FileFormatError, match=r"hold no triangles; give --set mesh=FILE"):
        BIWI(converted).template()
    path = tmp_path / "any.obj"
    path.write_text(obj_text(bumpy_face(9) * 0.01, grid_faces()))
    check_content(BIWI(converted, mesh=path))


def test_labels(tree, tmp_path):
    ratings = tmp_path / "ratings.csv"
    ratings.write_text("subject,sequence,expression,rating\nF1,e01,stress,0.2\nF1,e01,Anger,0.7\n")
    plain = {item.where: item.labels for item in BIWI(tree).items()}
    rated = {item.where: item.labels for item in BIWI(tree, ratings=ratings).items()}
    neutral = {"expression": "neutral", "biwi_expression": "neutral"}
    assert plain["rigid_scans/F1.obj"] == neutral
    assert plain["faces/F1/01.tar#frame_001.vl"] == neutral
    assert plain["faces/F1/e01.tar#frame_002.vl"] == {"biwi_expression": "expressive"}
    assert rated["faces/F1/e01.tar#frame_002.vl"] == {
        "expression": "anger",
        "biwi_expression": "anger",
    }


def test_visemes(tree, tmp_path):
    folder = tmp_path / "aligned" / "F1"
    folder.mkdir(parents=True)
    (folder / "01.csv").write_text("start,end,phoneme\n0,0.05,sil\n0.05,0.11,M\n0.11,0.15,IY1\n")
    (folder / "e01.csv").write_text("start,end,phoneme\n0,0.05,what?\n")
    importer = BIWI(tree, alignments=tmp_path / "aligned")
    found = {(item.sequence, item.frame): item for item in importer.items() if item.subject == "F1"}
    said = [found["01", frame].labels.get("viseme") for frame in range(4)]
    assert said == ["silence", "E", "E", "V4"]
    importer.read(found["01", 0])
    assert "viseme" not in found["e01", 0].labels
    with pytest.raises(FileFormatError, match=r"F1/e01.csv: unknown phonemes what\?"):
        importer.read(found["e01", 0])
    with pytest.raises(FileFormatError, match="no such folder"):
        BIWI(tree, alignments=tmp_path / "none").items()


def test_paths_inside_a_tar_file_lead_nowhere(tmp_path):
    tree = write_biwi_tree(tmp_path / "biwi", {("F1", "01"): SEQUENCES["F1", "01"]})
    secret = tmp_path / "secret.vl"
    secret.write_bytes(vl_bytes(SEQUENCES["F1", "e01"][0]))
    before = sorted(path for path in tmp_path.rglob("*"))
    frame = vl_bytes(SEQUENCES["F1", "01"][0])
    path = tree / "faces" / "F1" / "01.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("../../../../frame_001.vl", "/etc/frame_002.vl"):
            member = tarfile.TarInfo(name)
            member.size = len(frame)
            archive.addfile(member, io.BytesIO(frame))
        for kind, name in ((tarfile.SYMTYPE, "frame_003.vl"), (tarfile.LNKTYPE, "frame_004.vl")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, str(secret)
            archive.addfile(member)
        device = tarfile.TarInfo("frame_005.vl")
        device.type = tarfile.CHRTYPE
        archive.addfile(device)
    importer = BIWI(tree)
    items = [item for item in importer.items() if item.sequence]
    assert [item.where for item in items] == [
        "faces/F1/01.tar#frame_001.vl",
        "faces/F1/01.tar#frame_002.vl",
    ]
    for item in items:
        importer.read(item)
    assert sorted(path for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a readable, uncompressed tar file"),
        (b"\x1f\x8b" + b"\0" * 600, "not a readable, uncompressed tar file"),
        (b"\0" * 10240, "holds no .vl frames"),
        (None, "cut short"),
    ],
)
def test_a_damaged_tar_file_is_told_when_it_is_read(tree, content, reason):
    path = tree / "faces" / "F1" / "01.tar"
    if content is None:
        content = path.read_bytes()[: 512 + 100]
    path.write_bytes(content)
    importer = BIWI(tree)
    items = importer.items()
    (bad,) = [item for item in items if item.subject == "F1" and item.sequence == "01"]
    with pytest.raises(FileFormatError, match=reason) as caught:
        importer.read(bad)
    assert str(path) in str(caught.value)
    for item in items:
        if item is not bad:
            importer.read(item)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "0 bytes, too short"),
        (b"\x05\0\0\0" + b"\0" * 59, "announces 5 vertices, but 59 bytes"),
        (b"\0\0\0\0" + b"\0" * 12, "announces 0"),
        (b"\xff\xff\xff\xff" + b"\0" * 12, "announces -1"),
        (b"\x05\0\0\0" + b"\0" * 60, "5 vertices, but .* has 143; another topology"),
    ],
)
def test_damaged_frames_are_named(tree, content, reason):
    write_tar(tree / "faces" / "F1" / "01.tar", {"frame_001.vl": content})
    importer = BIWI(tree)
    (item,) = [item for item in importer.items() if item.sequence == "01" and item.subject == "F1"]
    with pytest.raises(FileFormatError, match=reason):
        importer.read(item)


def test_an_unreadable_personal_template_leaves_the_others(tree):
    (tree / "rigid_scans" / "F1.obj").write_text("")
    importer = BIWI(tree)
    assert importer.template().vertex_count == COUNT
    with pytest.raises(FileFormatError, match=r"F1.obj: the file is empty"):
        importer.read(importer.items()[0])


def test_damaged_arrays_are_told_when_they_are_read(converted):
    path = converted / "vertices_npy" / "F1_01.npy"
    path.write_bytes(path.read_bytes()[:-100])
    np.save(converted / "vertices_npy" / "F1_02.npy", np.zeros((2, 10), dtype=np.float32))
    np.save(converted / "vertices_npy" / "F1_03.npy", np.zeros((2, 30), dtype=np.float32))
    importer = BIWI(converted)
    found = {item.sequence: item for item in importer.items() if item.subject == "F1"}
    for sequence, reason in (
        ("01", "not a readable NumPy file"),
        ("02", r"float32 \(2, 10\), expected"),
        ("03", "10 vertices, but .* has 143"),
    ):
        with pytest.raises(FileFormatError, match=f"F1_{sequence}.npy.*{reason}"):
            importer.read(found[sequence])
    importer.read(found["e01"])


def test_templates_that_run_code_are_refused(converted, tmp_path):
    mark = tmp_path / "ran"
    content = pickle.dumps({"F1": harmful(os.system, f"touch {mark}")})
    (converted / "templates.pkl").write_bytes(content)
    with pytest.raises(FileFormatError, match=r"templates.pkl: refused.*system"):
        BIWI(converted).items()
    assert not mark.exists()


def test_other_folders_and_options_are_refused(tmp_path, tree):
    with pytest.raises(FileFormatError, match=r"neither faces/F1/01.tar.* nor vertices_npy"):
        BIWI(tmp_path / "biwi" / "faces").items()
    with pytest.raises(ConfigError, match=r"frames_per_second = 0\.0 is out of range"):
        BIWI(tree, frames_per_second=0.0)
    bad = tmp_path / "ratings.csv"
    for text, reason in (
        ("subject,expression\nF1,anger\n", "no column sequence; found subject, expression"),
        ("subject,sequence,expression\nF1,,anger\n", "lines 2 lack"),
        ("subject,sequence,expression,rating\nF1,e01,anger,high\n", "lines 2 lack"),
    ):
        bad.write_text(text)
        with pytest.raises(FileFormatError, match=reason):
            BIWI(tree, ratings=bad).items()


def test_vl_by_hand():
    content = b"\x01\0\0\0" + b"\0\0\x80\x3f" + b"\0\0\0\x40" + b"\0\0\x40\x40"
    np.testing.assert_array_equal(parse_vl(content, "x"), [[1, 2, 3]])
