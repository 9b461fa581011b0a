"""Automatic start: as good as from landmarks, in any orientation, and honest where no face is."""

import numpy as np
import pytest

from meshgan.apps.benchmarks.registration_clutter import (
    clutter_around,
    ellipsoid,
    random_rotation,
    wall,
)
from meshgan.data.synthetic.scanner import join_meshes
from meshgan.registration.scan import prepare_scan
from meshgan.registration.start import find_start
from tests.registration.scans import make_scan

RNG = np.random.default_rng(0)
HEAD = np.array([[-80.0, -110.0, 0.0], [80.0, 110.0, 130.0]])  # corners of a face that is not there


def mean_distance(a, b):
    return float(np.linalg.norm(a - b, axis=1).mean())


@pytest.fixture(scope="module")
def automatic(prior, face_scan):
    return find_start(prepare_scan(face_scan.mesh), prior)


def test_lays_the_face_over_the_scan(automatic, face_scan):
    assert automatic.status == "ok"
    assert automatic.votes > 50
    assert mean_distance(automatic.vertices, face_scan.vertices) < 1.5


def test_landmarks_and_pose_belong_to_the_face(automatic, prior):
    np.testing.assert_array_equal(automatic.landmarks, automatic.vertices[prior.landmarks])
    expected = automatic.pose.apply(prior.face(automatic.coefficients))
    np.testing.assert_allclose(automatic.vertices, expected)


def test_from_landmarks_ends_at_the_same_place(automatic, face_scan, prior):
    scan = prepare_scan(face_scan.mesh)
    some = face_scan.landmarks.copy()
    some[np.r_[0:17, 31:35]] = np.nan
    for landmarks in (face_scan.landmarks, some):
        started = find_start(scan, prior, landmarks)
        assert started.status == "ok"
        assert mean_distance(started.vertices, automatic.vertices) < 1.0


def test_three_landmarks_count_as_none(automatic, face_scan, prior):
    few = np.full((68, 3), np.nan)
    few[:3] = face_scan.landmarks[:3]
    started = find_start(prepare_scan(face_scan.mesh), prior, few)
    np.testing.assert_array_equal(started.vertices, automatic.vertices)


def test_does_not_depend_on_the_orientation(automatic, face_scan, prior):
    turn = random_rotation(np.random.default_rng(5))
    scan = prepare_scan(face_scan.mesh.vertices @ turn.T + 200.0, face_scan.mesh.faces)
    started = find_start(scan, prior)
    assert mean_distance(started.vertices, automatic.vertices @ turn.T + 200.0) < 0.5


def test_turned_triangles_and_metres_change_nothing(automatic, face_scan, prior):
    mesh = face_scan.mesh
    started = find_start(prepare_scan(mesh.vertices / 1000, mesh.faces[:, ::-1]), prior)
    assert mean_distance(started.vertices, automatic.vertices) < 0.1


def test_points_without_triangles(automatic, face_scan, prior):
    started = find_start(prepare_scan(face_scan.mesh.vertices), prior)
    assert started.status == "ok"
    assert mean_distance(started.vertices, automatic.vertices) < 1.5


def test_tells_of_a_second_face(face_scan, automatic, prior):
    mesh = face_scan.mesh
    turn = random_rotation(np.random.default_rng(1))
    beside = mesh.vertices @ turn.T + [350.0, 0.0, 0.0]
    both = join_meshes([(mesh.vertices, mesh.faces), (beside, mesh.faces)])
    started = find_start(prepare_scan(*both), prior)
    assert len(started.others) == 1
    assert "1 more face in the scan" in started.message
    assert "faces" not in started.message


NO_FACES = {
    "a ball": ellipsoid(np.zeros(3), np.zeros(3), [100.0, 100.0, 100.0]),
    "hair": ellipsoid(np.zeros(3), np.zeros(3), [90.0, 115.0, 95.0], RNG, 6.0),
    "a wall": wall(np.zeros(3), [0, 0, 0], 300),
    "a bust from behind": join_meshes(clutter_around(HEAD, np.random.default_rng(1))),
    "a soup": (RNG.normal(size=(3000, 3)) * 60, RNG.integers(0, 3000, (5000, 3))),
}


@pytest.mark.parametrize("name", NO_FACES)
def test_says_so_where_no_face_is(prior, name):
    started = find_start(prepare_scan(*NO_FACES[name]), prior)
    assert started.status == "no_face"
    assert started.message
    assert len(started.landmarks) == 68


def test_says_why_a_scan_is_unusable(prior):
    started = find_start(prepare_scan(np.zeros((2, 3))), prior)
    assert started.status == "unusable"
    assert "too_small" in started.message


@pytest.mark.parametrize(
    "options",
    [
        {"expression": False},
        {"clutter": True},
        {"yaw_deg": 35.0},
        {"yaw_deg": -50.0},
    ],
)
def test_real_faces_within_two_millimetres_of_the_landmark_start(prior, options):
    mesh, truth = make_scan(3, any_rotation=True, **options)
    scan = prepare_scan(mesh)
    started = find_start(scan, prior)
    guided = find_start(scan, prior, truth.landmarks)
    assert started.status == "ok"
    assert mean_distance(started.vertices, guided.vertices) < 2.0
    features = np.r_[27:68]  # where a jaw line runs is a matter of taste
    assert mean_distance(started.landmarks[features], truth.landmarks[features]) < 6.0
