"""Landmarks of scan sets: fixed orders, hidden points as NaN, both sides kept apart."""

import logging
import struct

import numpy as np
import pytest

from meshgan.data.importers.landmark_files import (
    BOSPHORUS24,
    BU83_GROUPS,
    read_bu83,
    read_lm3,
)
from meshgan.data.landmark_orders import landmark_order
from meshgan.errors import FileFormatError
from tests.data.importers.trees import bnd_text, face_landmarks, lm3_text


def write(tmp_path, content, name="scan.bnd"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_groups_cover_the_83_points_once():
    rows = [row for group in BU83_GROUPS.values() for row in group]
    assert rows == list(range(83))
    assert len(set(BOSPHORUS24)) == 24


def test_agrees_with_the_known_orders():
    assert landmark_order("bosphorus24").labels == BOSPHORUS24
    chains = {chain.name: chain.places for chain in landmark_order("bu83").chains}
    for name, group in BU83_GROUPS.items():
        if name in ("right eye", "left eye", "right brow", "left brow", "jaw"):
            assert set(chains[name.replace(" ", "_")]) <= set(group)


def test_bnd_text(tmp_path):
    points = face_landmarks(0)
    landmarks = read_bu83(write(tmp_path, bnd_text(points)))
    assert landmarks.order == "bu83"
    np.testing.assert_array_equal(landmarks.points.astype(np.float32), points)


@pytest.mark.parametrize("kind", ["f", "d"])
def test_bnd_binary(tmp_path, kind):
    points = face_landmarks(1)
    content = struct.pack(f"<249{kind}", *points.ravel().tolist())
    np.testing.assert_array_equal(read_bu83(write(tmp_path, content)).points, points)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (bnd_text(face_landmarks(0)[:82]), "holds 82 points, expected 83"),
        (bnd_text(face_landmarks(0)) + "183 0 0 0\n", "holds 84 points, expected 83"),
        (bnd_text(face_landmarks(0))[:-20], "line 83 has"),
        ("", "the file is empty"),
        (b"\x00\xff" * 100, "neither text nor 83 binary points: 200 bytes, expected 996 or 1,992"),
        (struct.pack("<249f", *[float("nan")] * 249), "not finite"),
    ],
)
def test_bad_bnd(tmp_path, content, message):
    path = write(tmp_path, content)
    with pytest.raises(FileFormatError, match=message) as caught:
        read_bu83(path)
    assert str(path) in str(caught.value)


def test_missing_files(tmp_path):
    for read in (read_bu83, read_lm3):
        with pytest.raises(FileFormatError, match="none: no such file"):
            read(tmp_path / "none")


def test_hidden_points_are_nan(tmp_path):
    listed = {"Nose tip": (1.0, 2.0, 3.0), "chin_middle": (4.0, 5.0, 6.0)}
    landmarks = read_lm3(write(tmp_path, lm3_text(listed)))
    assert landmarks.order == "bosphorus24"
    assert landmarks.labels == BOSPHORUS24
    expected = np.full((24, 3), np.nan)
    expected[13], expected[21] = (1, 2, 3), (4, 5, 6)
    np.testing.assert_array_equal(landmarks.points, expected)


def test_the_sets_left_is_the_viewers(tmp_path):
    listed = {"Outer left eye corner": (-45.0, 0.0, 0.0), "Right nose peak": (18.0, 0.0, 0.0)}
    path = write(tmp_path, lm3_text(listed))
    points = dict(zip(BOSPHORUS24, read_lm3(path).points.tolist(), strict=True))
    assert points["Outer right eye corner"] == [-45, 0, 0]
    assert points["Left nose peak"] == [18, 0, 0]
    points = dict(zip(BOSPHORUS24, read_lm3(path, left="subject").points.tolist(), strict=True))
    assert points["Outer left eye corner"] == [-45, 0, 0]
    assert points["Right nose peak"] == [18, 0, 0]


def test_words_in_any_order_and_case(tmp_path):
    path = write(tmp_path, lm3_text({"LEFT EAR LOBE": (1, 2, 3), "Left nose saddle": (4, 5, 6)}))
    points = read_lm3(path, left="subject").points
    np.testing.assert_array_equal(points[[22, 10]], [[1, 2, 3], [4, 5, 6]])


def test_unknown_names_are_said(tmp_path, caplog):
    path = write(tmp_path, lm3_text({"Nose tip": (1, 2, 3), "Third eye": (4, 5, 6)}))
    with caplog.at_level(logging.WARNING):
        assert np.isfinite(read_lm3(path).points).sum() == 3
    assert "Third eye" in caplog.text
    with pytest.raises(FileFormatError, match="names none of the 24"):
        read_lm3(write(tmp_path, lm3_text({"Third eye": (4, 5, 6)})))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("22 landmarks:\n", "has no position"),
        ("2 landmarks:\nNose tip\n1 2 3\n", "announces 2 landmarks but has 1"),
        ("1 landmarks:\nNose tip\n1 2 x\n", "has no position"),
        (b"\x00\x01\x02" * 30, "has no position"),
    ],
)
def test_bad_lm3(tmp_path, content, message):
    path = write(tmp_path, content, "scan.lm3")
    with pytest.raises(FileFormatError, match=message) as caught:
        read_lm3(path)
    assert str(path) in str(caught.value)
