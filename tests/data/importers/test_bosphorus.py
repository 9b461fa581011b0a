"""Bosphorus: which scans, which labels, a grid as a mesh, landmarks on the right side."""

import numpy as np
import pytest

from meshgan.data.importers import open_importer
from meshgan.data.importers.bosphorus import Bosphorus
from meshgan.data.importers.conversion import Conversion
from meshgan.data.importers.landmark_files import BOSPHORUS24
from meshgan.data.importers.reading import BadFace, SourceReader
from meshgan.errors import ConfigError, FileFormatError
from tests.data.importers.trees import (
    DepthScan,
    bnt_bytes,
    depth_grid,
    example_grid,
    example_scan,
    write_bosphorus_tree,
)

LABELS = {
    "N_N": "neutral",
    "E_HAPPY": "happiness",
    "E_SURPRISE": "surprise",
    "E_FEAR": "fear",
    "E_SADNESS": "sadness",
    "E_ANGER": "anger",
    "E_DISGUST": "disgust",
    "LFAU_12": None,
    "LFAU_12LW": None,
    "UFAU_1": None,
    "CAU_A12A26": None,
}
OUT = ("YR_R10", "PR_U", "CR_RD", "O_EYE", "IGN")
LANDMARKS = {  # as the set names them: left is the viewer's, at smaller x
    "Outer left eye corner": (-46.0, 35.0, 15.0),
    "Inner left eye corner": (-18.0, 35.0, 22.0),
    "Inner right eye corner": (18.0, 35.0, 22.0),
    "Outer right eye corner": (46.0, 35.0, 15.0),
    "Nose tip": (0.0, 0.0, 55.0),
    "Left mouth corner": (-25.0, -35.0, 30.0),
    "Right mouth corner": (25.0, -35.0, 30.0),
}


def example_depth(seed):
    points = example_grid(seed, 12, 9)
    points[0, :4] = np.nan
    return DepthScan(points, LANDMARKS)


@pytest.fixture(scope="module")
def scans():
    subjects = {"bs000": (*LABELS, *OUT), "bs104": ("N_N", "E_HAPPY")}  # not all have every scan
    names = [f"{subject}_{word}_0" for subject, words in subjects.items() for word in words]
    return {name: example_depth(seed) for seed, name in enumerate(names)}


@pytest.fixture(scope="module")
def tree(scans, tmp_path_factory):
    return write_bosphorus_tree(tmp_path_factory.mktemp("bosphorus"), scans)


def name_of(item):
    return item.where.split("/")[1].removesuffix(".bnt")


def one_scan(root, name="bs000_N_N_0"):
    return Bosphorus(write_bosphorus_tree(root, {name: example_depth(0)}))


def test_what_training_gets(tree):
    items = Bosphorus(tree).items()
    words = {name_of(item)[6:-2]: item for item in items if item.subject == "bs000"}
    assert set(words) == set(LABELS)
    for word, meaning in LABELS.items():
        assert words[word].labels.get("expression") == meaning
        assert words[word].labels["bosphorus_expression"] == word
    assert [name_of(item) for item in items if item.subject == "bs104"] == [
        "bs104_E_HAPPY_0",
        "bs104_N_N_0",
    ]


def test_types(tree):
    for kind in ("YR", "PR", "CR", "O", "IGN"):
        items = Bosphorus(tree, types=(kind,)).items()
        assert len(items) == 1
        assert items[0].labels == {}
        assert f"_{kind}_" in items[0].where
    assert len(Bosphorus(tree, types=("N", "E")).items()) == 7 + 2
    everything = ("N", "E", "LFAU", "UFAU", "CAU", "YR", "PR", "CR", "O", "IGN")
    assert len(Bosphorus(tree, types=everything).items()) == len(LABELS) + len(OUT) + 2


def test_reads_what_was_written(tree, scans):
    importer = Bosphorus(tree)
    for item in importer.items():
        face = importer.read(item)
        points = scans[name_of(item)].points
        seen = points[np.isfinite(points[:, :, 2])]
        np.testing.assert_array_equal(face.vertices.astype(np.float32), seen)
        # 8 x 11 cells; three lack both lower corners, a fourth lacks one
        assert len(face.faces) == 2 * 8 * 11 - 3 * 2 - 1


def test_landmarks_are_the_subjects(tree):
    importer = Bosphorus(tree)
    landmarks = importer.read(importer.items()[0]).landmarks
    assert (landmarks.order, landmarks.labels) == ("bosphorus24", BOSPHORUS24)
    points = dict(zip(BOSPHORUS24, landmarks.points.tolist(), strict=True))
    assert points["Outer left eye corner"] == [46, 35, 15]
    assert points["Right mouth corner"] == [-25, -35, 30]
    assert np.isfinite(landmarks.points).all(axis=1).sum() == len(LANDMARKS)


def test_passes_the_checks_of_every_import(tree):
    importer = Bosphorus(tree)
    reader = SourceReader(importer, Conversion("mm", importer.axis_map))
    face = reader.read(importer.items()[0])
    assert face.size.length == 92
    other = Bosphorus(tree, left="subject")
    with pytest.raises(BadFace, match="mirrored"):
        SourceReader(other, Conversion("mm", "x y z")).read(other.items()[0])


def test_import_write_import(tree, tmp_path):
    first = Bosphorus(tree)
    item = first.items()[0]
    face = first.read(item)
    grid = np.full((12, 9, 3), np.nan)
    grid.reshape(-1, 3)[4:] = face.vertices  # the first four of the grid are background
    second = Bosphorus(write_bosphorus_tree(tmp_path, {name_of(item): DepthScan(grid)}))
    again = second.read(second.items()[0])
    assert second.items() == [item]
    np.testing.assert_array_equal(again.vertices, face.vertices)
    np.testing.assert_array_equal(again.faces, face.faces)
    assert again.landmarks is None


def test_a_mesh_as_the_scanner_sees_it(tmp_path):
    """Through ``depth_grid``: every imported point lies on the mesh that was scanned."""
    scan = example_scan(3, 10, 8)
    grid = depth_grid(scan.vertices.astype(np.float64), step_mm=2.0)
    importer = Bosphorus(write_bosphorus_tree(tmp_path, {"bs000_N_N_0": DepthScan(grid)}))
    face = importer.read(importer.items()[0])
    assert len(face.vertices) > 5000
    assert np.ptp(face.vertices[:, 1]) == pytest.approx(190, abs=2)
    height = {tuple(row[:2]): row[2] for row in grid.reshape(-1, 3).tolist()}
    for x, y, z in face.vertices[::97].tolist():
        assert height[x, y] == z


def test_steps_in_depth_stay_open(tmp_path):
    grid = depth_grid(example_scan(3).vertices.astype(np.float64), step_mm=4.0)
    grid[:, : grid.shape[1] // 2, 2] -= 200
    root = write_bosphorus_tree(tmp_path, {"bs000_N_N_0": DepthScan(grid)})
    faces = {}
    for longest in (6.0, 1000.0):
        importer = Bosphorus(root, longest_edge=longest)
        face = importer.read(importer.items()[0])
        corners = face.vertices[face.faces]
        faces[longest] = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max()
    assert faces[6.0] < 60 < 150 < faces[1000.0]


def test_options_are_checked(tmp_path):
    with pytest.raises(ConfigError, match="types: found X, expected some of"):
        open_importer("bosphorus", tmp_path, {"types": ["N", "X"]})
    with pytest.raises(ConfigError, match=r"longest_edge: found 0\.0"):
        open_importer("bosphorus", tmp_path, {"longest_edge": 0.0})
    with pytest.raises(ConfigError, match="left"):
        open_importer("bosphorus", tmp_path, {"left": "mine"})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bs001_N_N_0", "named for bs001, but in the folder of bs000"),
        ("bs000_X_N_0", "X is none of N E LFAU"),
        ("bs000_E_BORED_0", "E_BORED is neither N_N nor one of the six"),
        ("bs000_N_N", "the name is not like bs000_E_HAPPY_0.bnt"),
    ],
)
def test_a_wrong_name_is_listed_and_refused(tmp_path, name, message):
    importer = one_scan(tmp_path)
    (tmp_path / "bs000" / f"{name}.bnt").write_bytes(bnt_bytes(example_grid(0)))
    wrong = [item for item in importer.items() if name_of(item) == name]
    assert (len(wrong), wrong[0].labels) == (1, {})
    with pytest.raises(FileFormatError, match=message) as caught:
        importer.read(wrong[0])
    assert f"{name}.bnt" in str(caught.value)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("bs000_N_N_0.bnt", b"", "0 bytes are too few"),
        ("bs000_N_N_0.bnt", bnt_bytes(example_grid(0))[:-8], "announces 6 x 5 points"),
        ("bs000_N_N_0.bnt", bnt_bytes(np.full((4, 4, 3), np.nan)), "all is background"),
        ("bs000_N_N_0.lm3", b"", "the file is empty"),
        ("bs000_N_N_0.lm3", b"2 landmarks:\nNose tip\n1 2 3\n", "announces 2"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, file, content, message):
    importer = one_scan(tmp_path)
    (tmp_path / "bs000" / file).write_bytes(content)
    with pytest.raises(FileFormatError, match=message) as caught:
        importer.read(importer.items()[0])
    assert file in str(caught.value)


def test_another_folder_is_told_apart(tmp_path):
    with pytest.raises(FileFormatError, match="no subject folder like bs000"):
        Bosphorus(tmp_path).items()
    one_scan(tmp_path, "bs000_YR_R10_0")
    with pytest.raises(FileFormatError, match="holds a scan of the types N, E, LFAU, UFAU, CAU"):
        Bosphorus(tmp_path).items()
