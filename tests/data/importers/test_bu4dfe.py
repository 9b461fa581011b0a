"""BU-4DFE: frames in order, three rules for the peak, landmarks beside or in their own tree."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from meshgan.data.importers import open_importer
from meshgan.data.importers.bu4dfe import BU4DFE
from meshgan.data.importers.conversion import Conversion
from meshgan.data.importers.reading import SourceReader
from meshgan.errors import ConfigError, FileFormatError
from tests.data.importers.trees import Scan, example_scan, write_bu4dfe_tree, wrl_text

COMMON = {
    "Angry": "anger",
    "Disgust": "disgust",
    "Fear": "fear",
    "Happy": "happiness",
    "Sad": "sadness",
    "Surprise": "surprise",
}
FRAMES = 5


@pytest.fixture(scope="module")
def recordings():
    keys = [(subject, emotion) for subject in ("F001", "M002") for emotion in COMMON]
    return {
        key: [example_scan(FRAMES * number + frame) for frame in range(FRAMES)]
        for number, key in enumerate(keys)
    }


@pytest.fixture(scope="module")
def tree(recordings, tmp_path_factory):
    return write_bu4dfe_tree(tmp_path_factory.mktemp("bu4dfe"), recordings)


def moved(scan, reach, seed=0):
    """A scan whose mouth (83-point rows 48 to 67) is lowered and whose head is turned as well."""
    points = scan.landmarks.astype(np.float64)
    points[48:68, 1] -= reach
    angle = 0.3 * seed
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    return replace(scan, landmarks=points @ turn.T + 20 * seed)


def write_moving(root, reaches, landmarks=None):
    """One recording in which the mouth opens by ``reaches`` (mm) while the head turns away."""
    base = example_scan(0)
    scans = [moved(base, reach, seed) for seed, reach in enumerate(reaches)]
    return write_bu4dfe_tree(root, {("F001", "Sad"): scans}, landmarks)


def expressions(items):
    return {item.frame: item.labels.get("expression") for item in items}


def test_lists_all_frames_with_their_labels(tree):
    items = BU4DFE(tree).items()
    assert len(items) == 2 * 6 * FRAMES
    for (subject, emotion), meaning in zip(
        [(subject, emotion) for subject in ("F001", "M002") for emotion in COMMON],
        [*COMMON.values()] * 2,
        strict=True,
    ):
        frames = [item for item in items if (item.subject, item.sequence) == (subject, emotion)]
        assert [item.where for item in frames] == [
            f"{subject}/{emotion}/{number:03d}.wrl" for number in range(FRAMES)
        ]
        assert expressions(frames) == {0: "neutral", 1: None, 2: meaning, 3: None, 4: "neutral"}
        assert {item.labels["bu4dfe_expression"] for item in frames} == {emotion}


def test_reads_what_was_written(tree, recordings):
    importer = BU4DFE(tree)
    for item in importer.items():
        face = importer.read(item)
        scan = recordings[item.subject, item.sequence][item.frame]
        np.testing.assert_array_equal(face.vertices.astype(np.float32), scan.vertices)
        np.testing.assert_array_equal(face.faces, scan.faces)
        np.testing.assert_array_equal(face.landmarks.points.astype(np.float32), scan.landmarks)


def test_import_write_import(tree, tmp_path):
    first = BU4DFE(tree)
    items = [item for item in first.items() if item.sequence == "Fear"]
    faces = [first.read(item) for item in items]
    again = {
        (subject, "Fear"): [
            Scan(face.vertices, face.faces, face.landmarks.points)
            for item, face in zip(items, faces, strict=True)
            if item.subject == subject
        ]
        for subject in ("F001", "M002")
    }
    second = BU4DFE(write_bu4dfe_tree(tmp_path, again))
    assert second.items() == items
    for item, face in zip(items, faces, strict=True):
        np.testing.assert_array_equal(second.read(item).vertices, face.vertices)
        np.testing.assert_array_equal(second.read(item).landmarks.points, face.landmarks.points)


def test_passes_the_checks_of_every_import(tree):
    importer = BU4DFE(tree)
    reader = SourceReader(importer, Conversion("mm", importer.axis_map))
    assert reader.read(importer.items()[0]).size.plausible


def test_frames_by_number_not_by_name(tmp_path):
    folder = tmp_path / "F001" / "Happy"
    folder.mkdir(parents=True)
    for number in (2, 9, 10, 100):
        (folder / f"{number}.wrl").write_text(wrl_text(example_scan(number)))
    items = BU4DFE(tmp_path).items()
    assert [item.frame for item in items] == [2, 9, 10, 100]
    assert expressions(items) == {2: "neutral", 9: None, 10: "happiness", 100: "neutral"}


@pytest.mark.parametrize(("count", "peak"), [(1, None), (2, None), (3, 1), (4, 2)])
def test_middle_of_short_recordings(tmp_path, count, peak):
    scans = [example_scan(seed) for seed in range(count)]
    items = BU4DFE(write_bu4dfe_tree(tmp_path, {("F001", "Sad"): scans})).items()
    found = [frame for frame, label in expressions(items).items() if label == "sadness"]
    assert found == ([] if peak is None else [peak])


# Peaks that are given


def test_given_peaks(tree, tmp_path):
    peaks = tmp_path / "peaks.txt"
    peaks.write_text("# by hand\nF001 Angry 3\n\nm002, sad, 001\r\n")
    items = BU4DFE(tree, peak="given", peaks=peaks).items()
    found = {
        (item.subject, item.sequence, item.frame): item.labels["expression"]
        for item in items
        if item.labels.get("expression", "neutral") != "neutral"
    }
    assert found == {("F001", "Angry", 3): "anger", ("M002", "Sad", 1): "sadness"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("F001 Angry 99\nF009 Sad 1\n", "2 lines name no frame.*F001 Angry 99; F009 Sad 1"),
        ("F001 Angry\n", 'line 1 is "F001 Angry", expected "subject emotion frame"'),
        ("F001 Angry three\n", "line 1"),
        ("F001 Angry " + "9" * 5000, "line 1"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_wrong_lists_of_peaks(tree, tmp_path, text, message):
    peaks = tmp_path / "peaks.txt"
    peaks.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(FileFormatError, match=message) as caught:
        BU4DFE(tree, peak="given", peaks=peaks).items()
    assert str(peaks) in str(caught.value)


def test_options_are_checked(tmp_path):
    with pytest.raises(ConfigError, match="peaks: found None with peak=given"):
        open_importer("bu4dfe", tmp_path, {"peak": "given"})
    with pytest.raises(ConfigError, match="go together"):
        open_importer("bu4dfe", tmp_path, {"peaks": str(tmp_path / "a.txt")})
    with pytest.raises(ConfigError, match="peak"):
        open_importer("bu4dfe", tmp_path, {"peak": "last"})
    missing = BU4DFE(write_moving(tmp_path, [0, 1]), peak="given", peaks=tmp_path / "none.txt")
    with pytest.raises(FileFormatError, match=r"none\.txt: cannot be read"):
        missing.items()


# Peaks by landmarks


@pytest.mark.parametrize("own_tree", [False, True])
def test_peak_where_landmarks_move_most(tmp_path, own_tree):
    landmarks = tmp_path / "BND" if own_tree else None
    root = write_moving(tmp_path / "data", [0, 2, 9, 14, 5, 1], landmarks)
    items = BU4DFE(root, peak="landmarks", landmarks=landmarks).items()
    assert expressions(items)[3] == "sadness"
    assert [item.frame for item in items if item.labels.get("expression") == "sadness"] == [3]


def test_first_and_last_frame_are_no_peak(tmp_path):
    items = BU4DFE(write_moving(tmp_path, [0, 3, 2, 20]), peak="landmarks").items()
    assert expressions(items) == {0: "neutral", 1: "sadness", 2: None, 3: "neutral"}


def test_frames_without_landmarks_are_passed_over(tmp_path, caplog):
    root = write_moving(tmp_path, [0, 4, 20, 6, 30, 0])
    (root / "F001" / "Sad" / "002.bnd").unlink()
    (root / "F001" / "Sad" / "004.bnd").write_text("damaged")
    with caplog.at_level(logging.WARNING):
        items = BU4DFE(root, peak="landmarks").items()
    assert expressions(items)[3] == "sadness"
    assert "004.bnd" in caplog.text


def test_no_landmarks_no_peak(tmp_path, caplog):
    scans = [example_scan(seed, landmarks=False) for seed in range(5)]
    root = write_bu4dfe_tree(tmp_path, {("F001", "Sad"): scans})
    with caplog.at_level(logging.WARNING):
        items = BU4DFE(root, peak="landmarks").items()
    assert set(expressions(items).values()) == {"neutral", None}
    assert "too few frames with landmarks" in caplog.text
    assert BU4DFE(root).read(items[0]).landmarks is None


# Bad files


def test_a_name_without_a_number(tmp_path):
    root = write_moving(tmp_path, [0, 1, 0])
    (root / "F001" / "Sad" / "notes.wrl").write_text("")
    importer = BU4DFE(root)
    wrong = [item for item in importer.items() if "notes" in item.where]
    assert (len(wrong), wrong[0].labels, wrong[0].sequence) == (1, {}, "")
    with pytest.raises(FileFormatError, match=r"notes\.wrl: the name does not end in a frame"):
        importer.read(wrong[0])


@pytest.mark.parametrize(
    ("file", "message"), [("001.wrl", "is empty"), ("001.bnd", "the file is empty")]
)
def test_a_damaged_file_is_named(tmp_path, file, message):
    root = write_moving(tmp_path, [0, 1, 0])
    (root / "F001" / "Sad" / file).write_text("")
    importer = BU4DFE(root)
    with pytest.raises(FileFormatError, match=message) as caught:
        importer.read(importer.items()[1])
    assert file in str(caught.value)


def test_another_folder_is_told_apart(tmp_path):
    with pytest.raises(FileFormatError, match="no subject folder like F001"):
        BU4DFE(tmp_path).items()
    (tmp_path / "F001" / "Viewer").mkdir(parents=True)
    with pytest.raises(FileFormatError, match=r"holds frames like F001/Angry/000\.wrl"):
        BU4DFE(tmp_path).items()
