"""BP4D-Spontaneous: both mesh formats, any name with a number, neutral frames from a list."""

import struct

import numpy as np
import pytest

from meshgan.data.importers.bp4d import BP4D
from meshgan.data.importers.conversion import Conversion
from meshgan.data.importers.reading import SourceReader
from meshgan.errors import FileFormatError
from tests.data.importers.trees import Scan, example_scan, obj_text, write_bp4d_tree, wrl_text

KEYS = [("F001", "T1"), ("F001", "T8"), ("M018", "T1")]


def example_recordings():
    return {
        key: [example_scan(10 * number + frame) for frame in range(3)]
        for number, key in enumerate(KEYS)
    }


@pytest.fixture(scope="module", params=[".obj", ".wrl"])
def tree(request, tmp_path_factory):
    return write_bp4d_tree(tmp_path_factory.mktemp("bp4d"), example_recordings(), request.param)


def test_lists_all_frames(tree):
    items = BP4D(tree).items()
    assert [(item.subject, item.sequence, item.frame) for item in items] == [
        (*key, frame) for key in KEYS for frame in (1, 2, 3)
    ]
    assert all(item.labels == {"bp4d_task": item.sequence} for item in items)
    assert items[0].where.startswith("F001/T1/0001.")


def test_reads_what_was_written(tree):
    importer, recordings = BP4D(tree), example_recordings()
    for item in importer.items():
        face = importer.read(item)
        scan = recordings[item.subject, item.sequence][item.frame - 1]
        np.testing.assert_array_equal(face.vertices.astype(np.float32), scan.vertices)
        np.testing.assert_array_equal(face.faces, scan.faces)
        assert face.landmarks.order == "bu83"
        np.testing.assert_array_equal(face.landmarks.points.astype(np.float32), scan.landmarks)


def test_import_write_import(tree, tmp_path):
    first = BP4D(tree)
    items = first.items()
    faces = [first.read(item) for item in items]
    again = {
        key: [
            Scan(face.vertices, face.faces, face.landmarks.points)
            for item, face in zip(items, faces, strict=True)
            if (item.subject, item.sequence) == key
        ]
        for key in KEYS
    }
    second = BP4D(write_bp4d_tree(tmp_path, again, items[0].where[-4:]))
    assert second.items() == items
    for item, face in zip(items, faces, strict=True):
        np.testing.assert_array_equal(second.read(item).vertices, face.vertices)
        np.testing.assert_array_equal(second.read(item).landmarks.points, face.landmarks.points)


def test_passes_the_checks_of_every_import(tree):
    importer = BP4D(tree)
    reader = SourceReader(importer, Conversion("mm", importer.axis_map))
    assert reader.read(importer.items()[0]).size.plausible


def test_any_name_that_ends_in_a_number(tmp_path):
    folder = tmp_path / "F001" / "T1"
    folder.mkdir(parents=True)
    for name in ("F001_T1_10", "frame9", "2"):
        (folder / f"{name}.obj").write_text(obj_text(example_scan(0)))
    (folder / "texture.obj").write_text("")
    importer = BP4D(tmp_path)
    items = importer.items()
    assert [item.frame for item in items if item.sequence] == [2, 9, 10]
    stray = next(item for item in items if not item.sequence)
    with pytest.raises(FileFormatError, match=r"texture\.obj: the name does not end in a frame"):
        importer.read(stray)


def test_one_frame_in_both_formats_is_one(tmp_path):
    root = write_bp4d_tree(tmp_path, {("F001", "T1"): [example_scan(0)]})
    (root / "F001" / "T1" / "0001.wrl").write_text(wrl_text(example_scan(1)))
    assert [item.where for item in BP4D(root).items()] == ["F001/T1/0001.obj"]


def test_neutral_frames(tree, tmp_path):
    neutral = tmp_path / "neutral.txt"
    neutral.write_text("# subject task frame\nF001 T1 2\nm018 t1 0003\n")
    items = BP4D(tree, neutral=neutral).items()
    found = [
        (item.subject, item.sequence, item.frame) for item in items if "expression" in item.labels
    ]
    assert found == [("F001", "T1", 2), ("M018", "T1", 3)]
    assert {item.labels["expression"] for item in items if "expression" in item.labels} == {
        "neutral"
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("F001 T1 99\n", "1 lines name no frame of this source: F001 T1 99"),
        ("F001 T1\n", 'line 1 is "F001 T1", expected "subject task frame"'),
    ],
)
def test_wrong_list_of_neutral_frames(tree, tmp_path, text, message):
    (tmp_path / "neutral.txt").write_text(text)
    with pytest.raises(FileFormatError, match=message):
        BP4D(tree, neutral=tmp_path / "neutral.txt").items()


@pytest.mark.parametrize("place", ["F001/T1/0001.bnd", "F001_T1_0001.bndplus"])
def test_landmarks_in_their_own_tree(tmp_path, place):
    scan = example_scan(0, landmarks=False)
    root = write_bp4d_tree(tmp_path / "data", {("F001", "T1"): [scan]})
    landmarks = example_scan(1).landmarks
    file = tmp_path / "landmarks" / place
    file.parent.mkdir(parents=True)
    file.write_bytes(struct.pack("<249f", *landmarks.ravel().tolist()))
    importer = BP4D(root)
    assert importer.read(importer.items()[0]).landmarks is None
    importer = BP4D(root, landmarks=tmp_path / "landmarks")
    np.testing.assert_array_equal(importer.read(importer.items()[0]).landmarks.points, landmarks)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("0001.obj", "", "is empty"),
        ("0001.obj", "v 0 0 0\n", "no faces"),
        ("0001.bnd", "1 2 3 4\n", "holds 1 points, expected 83"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, file, content, message):
    root = write_bp4d_tree(tmp_path, {("F001", "T1"): [example_scan(0)]})
    (root / "F001" / "T1" / file).write_text(content)
    importer = BP4D(root)
    with pytest.raises(FileFormatError, match=message) as caught:
        importer.read(importer.items()[0])
    assert file in str(caught.value)


def test_another_folder_is_told_apart(tmp_path):
    with pytest.raises(FileFormatError, match="no subject folder like F001"):
        BP4D(tmp_path).items()
    (tmp_path / "F001" / "T1").mkdir(parents=True)
    with pytest.raises(FileFormatError, match=r"holds frames like F001/T1/000\.obj or \.wrl"):
        BP4D(tmp_path).items()
