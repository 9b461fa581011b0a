"""Points in pictures, missing points, NPZ: what a fit reads beside lists in space."""

import json

import numpy as np
import pytest

from meshgan.data.point_lists import read_points
from meshgan.errors import FileFormatError, InputError

EXPECTED = [[10.5, 20.0], [-3.0, 4.0]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.pts", "version: 1\nn_points: 2\n{\n10.5 20\n-3 4\n}\n"),
        ("a.csv", "x,y\n10.5,20\n-3,4\n"),
        ("a.csv", "name,x,y\nnose,10.5,20\nchin,-3,4\n"),
        ("a.csv", "x,y,z\n10.5,20,0.1\n-3,4,0.2\n"),
        ("a.json", json.dumps({"landmarks": EXPECTED})),
        ("a.json", json.dumps([[10.5, 20, 0.1], [-3, 4, 0.2]])),
    ],
)
def test_two_numbers_per_point(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    np.testing.assert_array_equal(read_points(tmp_path / name, axes=2), EXPECTED)


def test_numpy_archives(tmp_path):
    points = np.arange(12.0).reshape(4, 3)
    np.savez(tmp_path / "one.npz", anything=points)
    np.savez(tmp_path / "named.npz", landmarks=points, other=points + 1)
    np.savez(tmp_path / "unclear.npz", a=points, b=points)
    np.savez(tmp_path / "text.npz", points=np.array(["a"]))
    np.testing.assert_array_equal(read_points(tmp_path / "one.npz"), points)
    np.testing.assert_array_equal(read_points(tmp_path / "named.npz", count=4), points)
    with pytest.raises(FileFormatError, match=r"holds a, b; name one of them points"):
        read_points(tmp_path / "unclear.npz")
    with pytest.raises(FileFormatError, match="not an array of numbers"):
        read_points(tmp_path / "text.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK")
    with pytest.raises(FileFormatError, match="not a readable NPZ file"):
        read_points(tmp_path / "broken.npz")


def test_missing_points_only_when_asked(tmp_path):
    (tmp_path / "a.csv").write_text("1,2,3\nnan,nan,nan\n4,5,6\n")
    (tmp_path / "a.json").write_text("[[1, 2, 3], [null, null, null], [4, 5, 6]]")
    for name in ("a.csv", "a.json"):
        found = read_points(tmp_path / name, missing=True)
        assert np.isnan(found[1]).all()
        assert found[[0, 2]].tolist() == [[1, 2, 3], [4, 5, 6]]
        with pytest.raises(InputError, match=r"landmarks \[1\] are not finite"):
            read_points(tmp_path / name)
    with pytest.raises(InputError, match="3 landmarks, expected 68"):
        read_points(tmp_path / "a.csv", 68, missing=True)


def test_flat_points_are_no_points_in_space(tmp_path):
    (tmp_path / "a.pts").write_text("1 2\n3 4\n")
    with pytest.raises(FileFormatError, match=r"holds an array \(2, 2\), expected \(L, 3\)"):
        read_points(tmp_path / "a.pts")
