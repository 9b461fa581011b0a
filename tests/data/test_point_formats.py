"""Landmark files of other tools: the wild forms, exact numbers, faults named, nothing trusted."""

import time
from contextlib import suppress

import numpy as np
import pytest

from meshgan.data.landmarks import read_points, write_points
from meshgan.data.point_formats import parse_lm3, parse_pp
from meshgan.errors import FileFormatError, InputError
from tests.data.importers.trees import bnd_text, face_landmarks, lm3_text

PICKED = """<!DOCTYPE PickedPoints>
<PickedPoints>
 <DocumentData>
  <DateTime time="12:00:00" date="2024-01-01"/>
  <User name="me"/>
  <DataFileName name="scan.ply"/>
  <templateName name=""/>
 </DocumentData>
 <point y="2" name="nose" x="1" active="1" z="3"/>
 <point y="5.5" name="chin" x="-4e0" active="1" z="6"/>
</PickedPoints>
"""


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_bnd(tmp_path, ending):
    points = face_landmarks(0)
    path = write(tmp_path, "a.bnd", bnd_text(points).replace("\n", ending))
    np.testing.assert_array_equal(read_points(path, count=83).astype(np.float32), points)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.bnd", "7\t\t1 2 3\n 8 -4,5.5  6"),
        ("a.bnd", "1 2 3\n-4 5.5 6\n\n"),
        ("a.lm3", "nose tip\n1 2 3\nchin\n-4 5.5 6\n"),
        ("a.lm3", "3D landmark file\r\n\r\n2 landmarks:\r\nnose\r\n1 2 3\r\nchin\r\n-4 5.5 6"),
        ("a.lm3", "# made by hand\n2 Landmarks\nnose\n1 2 3\n# chin next\nchin\n\n-4 5.5 6\n"),
        ("a.pp", PICKED),
        ("a.pp", PICKED.replace("<!DOCTYPE PickedPoints>\n", "").replace("\n", "\r\n")),
        ("a.pp", PICKED.encode("utf-16")),
    ],
)
def test_forms_in_the_wild(tmp_path, name, text):
    np.testing.assert_array_equal(
        read_points(write(tmp_path, name, text)), [[1, 2, 3], [-4, 5.5, 6]]
    )


def test_names_are_kept():
    assert parse_pp(PICKED.encode()).labels == ("nose", "chin")
    assert parse_pp(PICKED.replace('name="chin"', "").encode()).labels == ()
    points = {"Nose tip": (1.0, 2.0, 3.0), "Chin middle": (4.0, 5.0, 6.0)}
    assert parse_lm3(lm3_text(points).encode()).labels == tuple(points)


BILLION = '<!DOCTYPE p [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><p>&b;</p>'
FOREIGN = '<!DOCTYPE p [<!ENTITY a SYSTEM "file:///etc/passwd">]><p>&a;</p>'
BAD = {
    "word.bnd": ("1 2 3 four\n", "could not convert"),
    "short.bnd": ("1 2 3 4\n5 6 7\n", "line 2 has 3 numbers, expected 4"),
    "long.bnd": ("1 2 3 4 5\n", "line 1 has 5 numbers, expected 4"),
    "nan.bnd": ("1 2 3 4\n2 nan 0 0\n", "points [1] are not finite"),
    "empty.bnd": ("", "the file is empty"),
    "blank.lm3": ("\n \n", "the file is empty"),
    "names.lm3": ("nose\nchin\n", "has no position"),
    "cut.lm3": ("nose\n1 2 3\nchin\n", '"chin" has no position'),
    "count.lm3": ("3 landmarks:\nnose\n1 2 3\nchin\n4 5 6\n", "announces 3 landmarks but has 2"),
    "two.lm3": ("nose\n1 2 3\nchin\nbrow\n1 2 3\n", "followed by"),
    "order.lm3": ("1 2 3\nnose\n", "followed by"),
    "twice.lm3": ("nose\n1 2 3\nnose\n1 2 3\n", '"nose" stands 2 times'),
    "inf.lm3": ("nose\n1 2 inf\n", "points [0] are not finite"),
    "comment.lm3": ("# nothing\n", "expected (L, 3)"),
    "text.pp": ("1 2 3\n", "not XML"),
    "cut.pp": (PICKED[:-40], "not XML"),
    "none.pp": ("<PickedPoints/>", "expected (L, 3)"),
    "axis.pp": (PICKED.replace('y="2"', ""), "point 0 has no y"),
    "comma.pp": (PICKED.replace('"5.5"', '"5,5"'), "could not convert"),
    "idle.pp": (PICKED.replace('x="1" active="1"', 'x="1" active="0"'), 'point 0 ("nose") is not'),
    "bomb.pp": (BILLION, 'declares the entity "a"'),
    "bomb16.pp": (BILLION.encode("utf-16"), 'declares the entity "a"'),
    "foreign.pp": (FOREIGN, 'declares the entity "a"'),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_named(tmp_path, name):
    text, message = BAD[name]
    with pytest.raises(FileFormatError) as caught:
        read_points(write(tmp_path, name, text))
    assert message in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("name", ["a.bnd", "a.lm3", "a.pp"])
def test_missing_and_far_too_large(tmp_path, name):
    with pytest.raises(FileFormatError, match="no such file"):
        read_points(tmp_path / name)
    with (tmp_path / name).open("wb") as file:
        file.truncate(2**40)  # a sparse file: reading it would take all memory
    with pytest.raises(FileFormatError, match="1,099,511,627,776 bytes, too many"):
        read_points(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "filling"),
    [("a.lm3", "a\n"), ("a.lm3", "a\n1 2 3\n"), ("a.lm3", "1 2 3\n"), ("a.bnd", "1 2 3\n\n")],
)
def test_nothing_hangs(tmp_path, name, filling):
    path = write(tmp_path, name, filling * (2**18 // len(filling)))
    begin = time.perf_counter()
    with suppress(FileFormatError):
        read_points(path)
    assert time.perf_counter() - begin < 10


@pytest.mark.parametrize("name", ["a.bnd", "a.lm3", "a.pp"])
def test_they_are_only_read(tmp_path, name):
    with pytest.raises(InputError, match="unknown point format; use pts, csv, json, npy"):
        write_points(tmp_path / name, np.zeros((1, 3)))
