"""The checker of landmark orders: catches what goes wrong, stays silent about what does not."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from meshgan.data.landmark_check import check_landmark_order
from meshgan.data.landmark_orders import common_points, landmark_order
from meshgan.data.landmarks import read_points
from meshgan.data.synthetic import open_source, plan_dataset
from meshgan.errors import InputError

SHARED = Path(__file__).parents[2] / "../shared/data"
SETS = ("ibug68", "fit85", "bu83", "bosphorus22")


@pytest.fixture(scope="module")
def faces():
    """200 random faces of 100 people, a fifth of them at full expression; by set (200, L, 3)."""
    source = open_source("low")
    plan = plan_dataset(200, subjects=100)
    vertices = np.concatenate([rows.vertices for rows in source.stream(plan, seed=21)])
    ids = source.template.landmarks
    return {name: vertices[:, ids[name]].astype(np.float64) for name in SETS}


@pytest.fixture(scope="module")
def face(faces):
    return {name: points[7] for name, points in faces.items()}


def exchanged(points, first, second):
    changed = points.copy()
    changed[[*first, *second]] = points[[*second, *first]]
    return changed


def reordered(points, places, order):
    changed = points.copy()
    changed[list(places)] = points[list(order)]
    return changed


@pytest.mark.parametrize("name", SETS)
def test_no_false_alarms_anywhere_in_space(name, faces):
    rng = np.random.default_rng(0)
    for points in faces[name]:
        turn = Rotation.random(rng=rng).as_matrix()
        assert check_landmark_order(points @ turn.T + rng.normal(size=3) * 500, name) == []


def test_a_real_scan():
    path = SHARED / "scans/james_landmarks68.json"
    if not path.exists():
        pytest.skip("the shared development scans are not here")
    points = read_points(path)
    assert check_landmark_order(points, "ibug68") == []
    assert check_landmark_order(reordered(points, range(17), range(16, -1, -1)), "ibug68") == [
        "jaw runs the other way (points 0 to 16)"
    ]


def test_faces_of_another_source():
    path = SHARED / "ict_face_subset.npz"
    if not path.exists():
        pytest.skip("the shared development data are not here")
    with np.load(path) as model:
        names = model["expression_names"].tolist()
        ids = model["landmarks68"]
        neutral, identity = model["neutral"][ids], model["identity_modes"][:, ids]
        expression = model["expression_modes"][:, ids]
    rng = np.random.default_rng(1)
    for k, name in enumerate(names):
        if name == "mouthClose":  # without an open jaw it tears the lips apart
            continue
        points = neutral + np.tensordot(rng.normal(size=30), identity, 1) + expression[k]
        assert check_landmark_order(points.astype(np.float64), "ibug68") == [], name


@pytest.mark.parametrize(
    ("name", "places", "order", "problem"),
    [
        ("ibug68", range(17), range(16, -1, -1), "jaw runs the other way (points 0 to 16)"),
        ("ibug68", range(17, 22), range(21, 16, -1), "right brow runs the other way"),
        ("ibug68", range(31, 36), range(35, 30, -1), "nose base runs the other way"),
        ("ibug68", range(36, 42), range(41, 35, -1), "right eye runs the other way"),
        ("ibug68", range(48, 60), [*range(54, 60), *range(48, 54)], "starts at what is given as"),
        ("ibug68", range(17, 27), [*range(22, 27), *range(17, 22)], "right brow and left brow are"),
        ("ibug68", range(36, 48), [*range(42, 48), *range(36, 42)], "right eye and left eye are"),
        ("ibug68", [36, 45], [45, 36], "points 36 and 45 are exchanged"),
        ("ibug68", [37, 38], [38, 37], "points 37 and 38 of the right eye are exchanged"),
        ("bu83", range(68, 83), range(82, 67, -1), "jaw runs the other way (points 68 to 82)"),
        ("bu83", range(16, 26), [16, *range(25, 16, -1)], "right brow runs the other way"),
        ("bu83", range(8), [*range(4, 8), *range(4)], "right eye runs round from another point"),
    ],
)
def test_what_is_out_of_order_is_named(name, places, order, problem, faces):
    for points in faces[name][:40]:
        found = check_landmark_order(reordered(points, places, order), name)
        assert len(found) == 1
        assert problem in found[0]


@pytest.mark.parametrize("name", SETS)
def test_left_and_right(name, faces):
    for points in faces[name][:40]:
        swapped = points[landmark_order(name).mirror]
        for wrong in (swapped, points * [-1, 1, 1]):
            assert check_landmark_order(wrong, name) == [
                "left and right are exchanged, or the scan is mirrored"
            ]


@pytest.mark.parametrize(("factor", "unit"), [(1e-3, "m"), (0.1, "cm"), (1e3, "um")])
def test_units(factor, unit, face):
    (problem,) = check_landmark_order(face["ibug68"] * factor, "ibug68")
    assert problem.endswith(f"are these {unit}?")


def test_strays_and_steps(face):
    points = face["ibug68"].copy()
    points[30] += 45
    (problem,) = check_landmark_order(points, "ibug68")
    assert problem.startswith("point 30 lies 7")
    points = face["bosphorus22"].copy()
    points[13] += 45
    assert 'point 13 ("Nose tip") lies' in check_landmark_order(points, "bosphorus22")[0]
    points = face["ibug68"].copy()
    points[20] = points[19]
    assert check_landmark_order(points, "ibug68") == [
        "points 19 and 20 of the right brow are on one spot"
    ]
    points = face["ibug68"].copy()
    points[42:48] += [0, 0, 20.0]
    points[44] -= [0, 0, 38.0]
    assert any("of the left eye are" in text for text in check_landmark_order(points, "ibug68"))


def test_several_problems_at_once(face):
    points = reordered(face["ibug68"], range(17), range(16, -1, -1))[
        landmark_order("ibug68").mirror
    ]
    found = check_landmark_order(points / 10, "ibug68")
    assert [text.split()[0] for text in found] == ["left", "the", "jaw"]


def test_missing_points_are_no_problem(faces):
    rng = np.random.default_rng(2)
    for points in faces["ibug68"][:20]:
        holed = points.copy()
        holed[rng.permutation(68)[:30]] = np.nan
        assert check_landmark_order(holed, "ibug68") == []


def test_mediapipe_is_judged_by_the_points_it_shares(face):
    points = np.full((478, 3), np.nan)
    here, there = common_points("mediapipe478", "fit85")
    points[here] = face["fit85"][there]
    assert check_landmark_order(points, "mediapipe478") == []
    wrong = exchanged(points, [33], [263])
    assert check_landmark_order(wrong, "mediapipe478") == ["points 33 and 263 are exchanged"]


def test_another_order_or_no_face(face):
    assert check_landmark_order(face["ibug68"][:60], "ibug68") == ["60 points, but ibug68 has 68"]
    scattered = np.random.default_rng(3).permutation(face["ibug68"])
    (problem,) = check_landmark_order(scattered, "ibug68")
    assert "is it another order, or not a face?" in problem
    line = np.outer(np.arange(68.0), [1, 2, 3])
    for hopeless in (line, np.zeros((68, 3)), np.full((68, 3), np.nan)):
        (problem,) = check_landmark_order(hopeless, "ibug68")
        assert "at least 4 are needed" in problem
    with pytest.raises(InputError, match="no such order"):
        check_landmark_order(face["ibug68"], "dlib")
