"""Height maps turn with the surface; the search finds a face whichever way it lies."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.apps.benchmarks.registration_clutter import ellipsoid, random_rotation, wall
from meshgan.geometry.rigid_icp import rotation_from_vector
from meshgan.registration.patches import (
    RINGS,
    SECTORS,
    height_maps,
    make_surfels,
    rolled,
    smoothed_normals,
)
from meshgan.registration.pose_search import open_patches, search_pose
from meshgan.registration.scan import prepare_scan


def surfels_of(points, faces):
    scan = prepare_scan(points, faces)
    return make_surfels(scan.vertices, scan.normals, scan.areas, 4.0, 20_000)


@pytest.fixture(scope="module")
def ball():
    return surfels_of(*ellipsoid(np.zeros(3), np.zeros(3), [100.0, 100.0, 100.0], rows=120))


def test_surfels_keep_the_area(ball):
    assert ball.areas.sum() == pytest.approx(4 * np.pi * 100**2, rel=0.01)
    np.testing.assert_allclose(np.linalg.norm(ball.points, axis=1), 100, atol=0.5)


def test_heights_on_a_ball_are_known_by_hand(ball):
    top = np.array([[0.0, 0.0, 100.0]])
    maps = height_maps(ball, top, top / 100)
    heights = maps.heights.reshape(RINGS, SECTORS)
    known = maps.known.reshape(RINGS, SECTORS) > 0
    assert known[2:].all()  # the cells of the first rings are smaller than a surfel
    for ring, (inner, outer) in enumerate([(5, 12), (12, 20), (20, 29), (29, 39), (39, 50)]):
        highest, lowest = (np.sqrt(100**2 - radius**2) - 100 for radius in (inner, outer))
        assert (heights[ring][known[ring]] < highest + 0.7).all()
        assert (heights[ring][known[ring]] > lowest - 0.7).all()


def test_relief_is_the_square_of_the_curvature(ball):
    places = ball.points[:50]
    normals, relief = smoothed_normals(ball, places, ball.normals[:50])
    np.testing.assert_allclose(relief, 14**2 / (4 * 100**2), rtol=0.4)
    assert ((normals * places).sum(axis=1) > 99).all()
    flat = surfels_of(*wall(np.zeros(3), [0, 0, 0], 200, 80))
    _, none = smoothed_normals(flat, flat.points, flat.normals)
    assert none.max() < 1e-6


def test_rolling_is_turning():
    points, faces = wall(np.zeros(3), [0, 0, 0], 300, 120)
    points[:, 2] = 10 * np.sin(points[:, 0] / 25) + 0.05 * points[:, 1]
    surfels = surfels_of(points, faces)
    place, normal = np.zeros((1, 3)), np.array([[0.0, 0.0, 1.0]])
    angle = 2 * np.pi * 3 / SECTORS
    ahead = np.array([[1.0, 0.0, 0.0]])
    turned = np.array([[np.cos(angle), np.sin(angle), 0.0]])
    first = height_maps(surfels, place, normal, ahead).heights
    second = height_maps(surfels, place, normal, turned).heights
    same = np.abs(rolled(second, 3) - first) < 1e-4
    assert same.mean() > 0.9  # but for surfels on the line between two sectors
    assert np.abs(second - first).max() > 3


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=5, deadline=None)
def test_finds_a_face_in_any_orientation(prior, seed):
    rng = np.random.default_rng(seed)
    face = prior.sample(rng, 0.7)
    turn, shift = random_rotation(rng), rng.uniform(-300, 300, 3)
    scan = prepare_scan(face @ turn.T + shift, prior.faces)
    best, *others = search_pose(scan, open_patches(prior))
    off = np.linalg.norm(best.pose.apply(face) - (face @ turn.T + shift), axis=1).mean()
    assert off < 15
    assert best.votes > 40
    assert all(other.votes < best.votes for other in others)


def test_finds_nothing_where_nothing_stands_out(prior):
    patches = open_patches(prior)
    assert search_pose(prepare_scan(*wall(np.zeros(3), [0, 0, 0], 300, 60)), patches) == []
    bumpy = ellipsoid(
        np.zeros(3), np.zeros(3), [90.0, 110.0, 90.0], np.random.default_rng(0), 3.0, rows=60
    )
    assert all(found.votes < 13 for found in search_pose(prepare_scan(*bumpy), patches))


def test_a_turn_by_a_vector_turns_the_pose(prior):
    face = prior.mean.astype(np.float64)
    turn = rotation_from_vector(np.array([0.0, 2.0, 0.0]))
    best = search_pose(prepare_scan(face @ turn.T, prior.faces), open_patches(prior))[0]
    angle = np.arccos((np.trace(best.pose.rotation.T @ turn) - 1) / 2)
    assert np.rad2deg(angle) < 5
