"""Landmark sets and point lists: exact through every format, and clear about what is wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.data.landmarks import (
    LandmarkSet,
    check_points,
    read_landmarks,
    read_points,
    write_landmarks,
    write_points,
)
from meshgan.errors import FileFormatError, InputError, ShapeError

SCANS = Path(__file__).parents[2] / "../shared/data/scans"
FACES = np.array([[0, 1, 2], [2, 1, 3]])
SQUARE = np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [2.0, 2.0, 4.0]])


def mixed_set():
    corners = np.array([[3, 3, 3], [2, 1, 3]])
    weights = np.array([[1.0, 0.0, 0.0], [0.2, 0.5, 0.3]])
    return LandmarkSet("mixed", corners, weights, ("tip", "cheek"))


def test_points_by_hand():
    points = mixed_set().points(SQUARE)
    np.testing.assert_allclose(points, [[2, 2, 4], [1.6, 1.0, 1.2]], rtol=1e-15)
    np.testing.assert_array_equal(mixed_set().vertex_ids, [3, 1])


def test_at_vertices():
    landmarks = LandmarkSet.at_vertices("corners", np.array([2, 0]))
    np.testing.assert_array_equal(landmarks.points(SQUARE), SQUARE[[2, 0]])
    np.testing.assert_array_equal(landmarks.vertex_ids, [2, 0])


def test_in_faces():
    weights = np.array([[0.5, 0.2, 0.3]])
    landmarks = LandmarkSet.in_faces("one", np.array([1]), weights, FACES, ["cheek"])
    np.testing.assert_allclose(landmarks.points(SQUARE), [[1.0, 1.6, 1.2]], rtol=1e-15)
    with pytest.raises(InputError, match=r"names face 2, but there are 2 \(0 to 1\)"):
        LandmarkSet.in_faces("one", np.array([2]), weights, FACES)


def test_sets_survive_the_file(tmp_path):
    sets = [mixed_set(), LandmarkSet.at_vertices("ibug 68", np.arange(68))]
    write_landmarks(tmp_path / "landmarks.toml", sets)
    again = read_landmarks(tmp_path / "landmarks.toml")
    assert list(again) == ["mixed", "ibug 68"]
    assert again["mixed"].labels == ("tip", "cheek")
    for item in sets:
        np.testing.assert_array_equal(again[item.name].corners, item.corners)
        np.testing.assert_array_equal(again[item.name].weights, item.weights)


def test_refuses_vertices_that_do_not_exist():
    with pytest.raises(InputError, match=r'"tip" names vertex 3; "cheek" names.*there are 3 vert'):
        mixed_set().check(3)
    with pytest.raises(InputError, match="landmark 1 names vertex 9"):
        LandmarkSet.at_vertices("a", np.array([0, 9])).points(SQUARE)


def test_refuses_wrong_sets():
    corners, weights = np.array([[0, 1, 2]]), np.array([[0.5, 0.2, 0.2]])
    with pytest.raises(InputError, match=r"weights of landmark 0 sum to 0\.9"):
        LandmarkSet("a", corners, weights)
    with pytest.raises(ShapeError, match="1 places, 1 weights, 2 names"):
        LandmarkSet("a", corners, np.array([[0.5, 0.2, 0.3]]), ("x", "y"))
    with pytest.raises(InputError, match="a name stands twice"):
        LandmarkSet.at_vertices("a", np.array([0, 1]), ["x", "x"])


BAD_TOML = {
    "not toml": ("[", "not TOML"),
    "no places": ("[a]\nlabels = []\n", '"a" has no list of places'),
    "negative": ("[a]\nplaces = [-1]\n", "place 0 is -1"),
    "text": ('[a]\nplaces = [0, "nose"]\n', "place 1 is 'nose'"),
    "two weights": ("[a]\nplaces = [{vertices=[0, 1, 2], weights=[0.5, 0.5]}]\n", "place 0 is"),
    "sum": ("[a]\nplaces = [{vertices=[0, 1, 2], weights=[1, 1, 1]}]\n", "sum to 3"),
    "labels": ('[a]\nplaces = [0]\nlabels = ["x", "y"]\n', "2 names"),
    "key": ("[a]\nplaces = [0]\nplace = 3\n", "unknown keys place"),
}


@pytest.mark.parametrize("fault", BAD_TOML)
def test_bad_toml_is_named(tmp_path, fault):
    text, message = BAD_TOML[fault]
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=r"bad\.toml") as caught:
        read_landmarks(path)
    assert message in str(caught.value)


# Point lists


@settings(max_examples=20, deadline=None)
@given(
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=6, max_size=6),
    kind=st.sampled_from(["pts", "csv", "json", "npy"]),
)
def test_points_survive_the_file(tmp_path_factory, values, kind):
    path = tmp_path_factory.getbasetemp() / f"points.{kind}"
    points = np.array(values).reshape(2, 3)
    write_points(path, points)
    np.testing.assert_array_equal(read_points(path, count=2), points)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.pts", "version: 1\nn_points: 2\n{\n1 2 3\n4 5 6\n}\n"),
        ("a.pts", "# by hand\n1 2 3\n\n4 5 6\n"),
        ("a.csv", "1,2,3\n4,5,6\n"),
        ("a.csv", "name;x;y;z\nnose;1;2;3\nchin; 4; 5; 6\n"),
        ("a.json", "[[1, 2, 3], [4, 5, 6]]"),
        ("a.json", '{"order": "any", "points": [[1, 2, 3], [4, 5, 6]]}'),
        ("a.json", '{"nose": [1, 2, 3], "chin": [4, 5, 6]}'),
    ],
)
def test_forms_in_the_wild(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    np.testing.assert_array_equal(read_points(tmp_path / name), [[1, 2, 3], [4, 5, 6]])


@pytest.mark.skipif(not SCANS.is_dir(), reason="the scans for development are not here")
def test_real_landmarks():
    points = read_points(SCANS / "james_landmarks68.json", count=68)
    raw = json.loads((SCANS / "james_landmarks68.json").read_text())["points"]
    np.testing.assert_array_equal(points, raw)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.pts", "{\n1 2 3\n", "no closing brace"),
        ("a.pts", "n_points: 3\n{\n1 2 3\n}\n", "announces 3 points but has 1"),
        ("a.pts", "1 2\n", "expected (L, 3)"),
        ("a.csv", "1,2,3\n4,x,6\n", "not three numbers per point"),
        ("a.csv", "", "expected (L, 3)"),
        ("a.json", "[[1, 2], [3, 4]]", "expected (L, 3)"),
        ("a.json", "[[1, 2, 3], [4, 5]]", "not three numbers"),
        ("a.json", '{"points": 3}', "expected one list"),
        ("a.json", "{", "not three numbers"),
        ("a.npy", "abc", "not three numbers"),
        ("a.csv", "1,2,nan\n", "landmarks [0] are not finite"),
        ("a.txt", "1 2 3\n", "unknown point format"),
    ],
)
def test_bad_point_files_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError) as caught:
        read_points(tmp_path / name)
    assert message in str(caught.value)
    assert name in str(caught.value)


def test_npy_with_objects_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}, {}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(FileFormatError, match=r"a\.npy"):
        read_points(tmp_path / "a.npy")


def test_missing_and_unknown_files(tmp_path):
    with pytest.raises(FileFormatError, match="no such file"):
        read_points(tmp_path / "none.pts")
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_landmarks(tmp_path / "none.toml")
    with pytest.raises(InputError, match="unknown point format"):
        write_points(tmp_path / "a.doc", np.zeros((1, 3)))


def test_check_points_names_all_faults():
    points = np.zeros((4, 3))
    points[[1, 3], 2] = np.nan
    with pytest.raises(InputError, match=r"scan 7: landmarks \[1, 3\] are not finite"):
        check_points(points, "scan 7")
    with pytest.raises(ShapeError, match="scan 7: 4 landmarks, expected 68"):
        check_points(points, "scan 7", 68)
