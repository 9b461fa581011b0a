"""Weights of ARKit's actions on disk: what is written reads back; files of others read too."""

import csv

import numpy as np
import pytest

from meshgan.data.weight_files import ARKIT_NAMES, WeightTrack, read_weights, write_weights
from meshgan.errors import FileFormatError, InputError


@pytest.fixture
def track() -> WeightTrack:
    weights = np.random.default_rng(0).uniform(0, 1, (75, 52)).round(6)
    return WeightTrack(weights, fps=30.0)


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_reads_back_what_was_written(track, tmp_path, suffix):
    write_weights(tmp_path / f"w.{suffix}", track)
    back = read_weights(tmp_path / f"w.{suffix}")
    np.testing.assert_array_equal(back.weights, track.weights)
    assert back.fps == 30
    np.testing.assert_allclose(back.times_s[[0, 30]], [0, 1])


def test_names_are_apples_in_the_order_of_live_link_face(track, tmp_path):
    assert len(set(ARKIT_NAMES)) == 52
    assert ARKIT_NAMES[0] == "eyeBlinkLeft"
    assert ARKIT_NAMES[17] == "jawOpen"
    write_weights(tmp_path / "w.csv", track)
    table = list(csv.reader((tmp_path / "w.csv").open()))
    assert table[0][:4] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft", "EyeLookDownLeft"]
    assert table[0][-1] == "TongueOut"
    assert [row[0] for row in table[30:33]] == [
        "00:00:00:29.000",
        "00:00:01:00.000",
        "00:00:01:01.000",
    ]
    assert table[1][1] == "52"


def test_reads_a_recording_of_another_program(tmp_path):
    """Columns in another order, the head's and eyes' angles, 60 frames a second."""
    lines = ["Timecode,BlendShapeCount,JawOpen,HeadYaw,eyeBlinkLeft"]
    lines += [
        f"12:59:{59 if k < 60 else 60:02d}:{k % 60}.500,61,0.{k % 10},-1.2,1.0" for k in range(70)
    ]
    (tmp_path / "a.csv").write_text("\n".join(lines).replace("12:59:60", "13:00:00"))
    read = read_weights(tmp_path / "a.csv")
    assert read.fps == 60
    assert read.weights[3, ARKIT_NAMES.index("jawOpen")] == 0.3
    assert read.weights[0, ARKIT_NAMES.index("eyeBlinkLeft")] == 1
    assert read.weights[0].sum() == 1
    assert read_weights(tmp_path / "a.csv", fps=24.0).fps == 24


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jawOpen\n0.1\nmuch\n", "jawOpen of frame 1 is 'much'"),
        ("jawOpen\nnan\n", "jawOpen of frame 0 is not finite"),
        ("jawOpen,x\n0.1\n", "frame 0 has 1 cells, not 2"),
        ("a,b\n1,2\n", "no weights of ARKit's actions"),
        ("jawOpen\n", "a line per frame"),
    ],
)
def test_names_what_is_wrong(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(FileFormatError, match=message):
        read_weights(tmp_path / "a.csv")


def test_refuses_other_files(track, tmp_path):
    with pytest.raises(InputError, match=r"\.csv or \.json"):
        write_weights(tmp_path / "w.txt", track)
    with pytest.raises(FileFormatError, match="no such file"):
        read_weights(tmp_path / "none.csv")
    (tmp_path / "a.json").write_text('{"names": ["jawOpen"], "weights": [[0.1, 0.2]]}')
    with pytest.raises(FileFormatError, match=r"\(1, 2\), expected \(T, 1\)"):
        read_weights(tmp_path / "a.json")
