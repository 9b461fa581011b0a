"""Phoneme alignments: three formats, one table of visemes, frames by their middles."""

import numpy as np
import pytest

from meshgan.data.importers.phonemes import find_alignment, read_alignment, viseme_of
from meshgan.data.synthetic.recipes import VISEME_SOUNDS
from meshgan.errors import FileFormatError
from tests.data.importers.registered_trees import text_grid

ROWS = [(0.0, 0.1, "sil"), (0.1, 0.2, "HH"), (0.2, 0.32, "AH0"), (0.32, 0.5, "P")]
WORDS = [(0.0, 0.1, ""), (0.1, 0.5, 'say "hup"')]


def write(path, kind):
    match kind:
        case "csv":
            rows = "".join(f"{a},{b},{word}\n" for a, b, word in ROWS)
            path.write_text("start,end,phoneme\n" + rows)
        case "lab":
            path.write_text(
                "".join(f"{round(a * 1e7)} {round(b * 1e7)} {word}\n" for a, b, word in ROWS)
            )
        case "long" | "short":
            grid = text_grid({"words": WORDS, "phones": ROWS}, short=kind == "short")
            path.write_text(grid)
        case "utf-16":
            path.write_text(text_grid({"F1 - phones": ROWS, "F1 - words": WORDS}), "utf-16")
    return path


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [("csv", "csv"), ("lab", "lab"), ("long", "TextGrid"), ("short", "TextGrid"),
     ("utf-16", "textgrid")],
)  # fmt: skip
def test_all_formats_tell_the_same(tmp_path, kind, suffix):
    found = read_alignment(write(tmp_path / f"01.{suffix}", kind))
    np.testing.assert_allclose(found.start_s, [0, 0.1, 0.2, 0.32], atol=1e-9)
    np.testing.assert_allclose(found.end_s, [0.1, 0.2, 0.32, 0.5], atol=1e-9)
    assert found.phonemes == ("sil", "HH", "AH0", "P")


def test_a_frame_takes_what_covers_its_middle(tmp_path):
    """25 frames a second: middles 0.02, 0.06, 0.10, 0.14, 0.18, 0.22, ..., 0.50 (past the end)."""
    found = read_alignment(write(tmp_path / "01.csv", "csv"))
    said = found.visemes(range(14), 25.0)
    assert said == ["silence"] * 2 + ["V1"] * 6 + ["E"] * 4 + [None] * 2
    assert found.visemes([3, 1], 25.0) == ["V1", "silence"]


def test_a_gap_is_unlabelled(tmp_path):
    path = tmp_path / "01.csv"
    path.write_text("start,end,phoneme\n0.1,0.2,AA\n0.3,0.4,spn\n0.4,0.5,S\n")
    said = read_alignment(path).visemes(range(5), 10.0)
    assert said == [None, "V1", None, None, "B"]


def test_every_sound_of_the_table_has_its_viseme():
    for viseme, sounds in VISEME_SOUNDS.items():
        for sound in sounds:
            for spelled in (sound, sound.upper(), f"{sound.upper()}1", f"{sound}_B"):
                assert viseme_of(spelled) == viseme
    arpabet = "aa ae ah ao aw ay b ch d dh eh er ey f g hh ih iy jh k l m n ng ow oy p r s sh t th"
    for sound in [*arpabet.split(), *"uh uw v w y z zh ix ux axr em nx dx hv bcl tcl".split()]:
        assert viseme_of(sound) in VISEME_SOUNDS


def test_triphones_and_stress():
    assert viseme_of("AY2") == "V3"
    assert viseme_of("<SIL>") == "silence"
    with pytest.raises(KeyError):
        viseme_of("qu")


def test_lab_with_triphones_and_seconds(tmp_path):
    path = tmp_path / "01.lab"
    path.write_text("0.0 0.1 sil-p+aa 12.5\n0.1 0.2 ax-h\n")
    assert read_alignment(path).phonemes == ("p", "ax-h")


def test_finds_alignments_in_common_places(tmp_path):
    (tmp_path / "F1").mkdir()
    for name in ("F1/01.wav", "F1/01.TextGrid", "F1/F1_02.lab", "F2_03.csv"):
        (tmp_path / name).write_text("")
    assert find_alignment(tmp_path, "F1", "01") == tmp_path / "F1" / "01.TextGrid"
    assert find_alignment(tmp_path, "F1", "02") == tmp_path / "F1" / "F1_02.lab"
    assert find_alignment(tmp_path, "F2", "03") == tmp_path / "F2_03.csv"
    assert find_alignment(tmp_path, "F1", "03") is None


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.csv", "start,stop,phoneme\n0,1,AA\n", "no column end"),
        ("a.csv", "start,end,phoneme\n", "holds no phonemes"),
        ("a.csv", "start,end,phoneme\n0,x,AA\n", "not a phoneme alignment"),
        ("a.csv", "start,end,phoneme\n0,1,AA\n0.5,2,B\n", "entry 2"),
        ("a.csv", "start,end,phoneme\n1,0.5,AA\n", "ends before it begins"),
        ("a.csv", "start,end,phoneme\n0,nan,AA\n", "entry 1"),
        ("a.csv", "start,end,phoneme\n0,1,XQ\n1,2,YQ\n", "unknown phonemes XQ, YQ"),
        ("a.lab", "0 100\n", "expected start end phoneme"),
        ("a.TextGrid", "hello", "cut short"),
        ("a.TextGrid", 'x "1" "2" 3 4 5', "does not begin as a Praat TextGrid"),
        ("a.TextGrid", text_grid({"phones": ROWS})[:-60], "cut short"),
        ("a.TextGrid", text_grid({"one": ROWS, "two": ROWS}), "one, two; expected one"),
        ("a.txt", "0 1 AA", "expected one of .textgrid, .lab, .csv"),
    ],
)
def test_bad_input_is_named(tmp_path, name, text, reason):
    (tmp_path / name).write_text(text)
    with pytest.raises(FileFormatError, match=reason) as caught:
        read_alignment(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))


def test_missing_and_binary_files(tmp_path):
    with pytest.raises(FileFormatError, match="no such file"):
        read_alignment(tmp_path / "none.csv")
    (tmp_path / "a.csv").write_bytes(b"\x80\x81\xff" * 10)
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_alignment(tmp_path / "a.csv")
