"""Neighbours: the same as comparing every pair, though most pairs are never compared."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.neighbours import (
    GroupedMeshes,
    grouped_pair,
    inside_balls,
    neighbour_radius,
)
from tests.fakes import AdditiveModel, faces_of_model


def all_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    difference = first[:, None].astype(np.float64) - second[None].astype(np.float64)
    return np.sqrt((difference**2).sum(axis=-1)).mean(axis=-1)


def random_faces(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    template = rng.normal(0, 50, (40, 3))
    modes = rng.normal(0, 1, (3, 40, 3))
    moved = np.tensordot(rng.normal(0, 2, (count, 3)), modes, axes=1)
    return (template + moved + rng.normal(0, 0.3, (count, 40, 3))).astype(np.float32)


@pytest.fixture(scope="module")
def faces():
    return faces_of_model(AdditiveModel(side=20), count=60).vertices(np.arange(60))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), groups=st.sampled_from([1, 7, 40, 256]))
def test_bounds_are_below_the_distances(seed, groups):
    first, second = random_faces(6, seed), random_faces(9, seed + 1)
    order = np.random.default_rng(seed).permutation(40)
    a, b = (GroupedMeshes.of(meshes, order, groups) for meshes in (first, second))
    expected = all_distances(first, second)
    for k in range(6):
        bounds = a.bounds(b, k)
        assert (bounds - a.margin <= expected[k]).all()
        if groups >= 40:  # a group per vertex: the bound is the distance
            np.testing.assert_allclose(bounds, expected[k], rtol=1e-5)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), neighbours=st.integers(1, 5))
def test_radius_is_the_smallest_but_k(seed, neighbours):
    meshes = random_faces(30, seed)
    distances = all_distances(meshes, meshes)
    np.fill_diagonal(distances, np.inf)
    expected = np.sort(distances, axis=1)[:, neighbours - 1]
    found = neighbour_radius(GroupedMeshes.of(meshes), neighbours)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_stops_only_when_no_bound_is_below_the_best(monkeypatch):
    monkeypatch.setattr("meshgan.evaluation.neighbours.TOGETHER", 1)  # asks after every mesh
    meshes = np.zeros((3, 2, 3), dtype=np.float32)
    meshes[1, :, 0] = 1.9, -0.1  # bound 0.9, asked first, at distance 1
    meshes[2, :, 0] = 0.98, 0.98  # bound 0.98, and so is its distance
    found = neighbour_radius(GroupedMeshes.of(meshes, groups=1), 1)
    assert found[0] == pytest.approx(0.98)


def test_faces_of_one_person_are_no_neighbours(faces):
    people = np.arange(60) // 7
    distances = all_distances(faces, faces)
    distances[people[:, None] == people] = np.inf
    expected = np.sort(distances, axis=1)[:, 2]
    found = neighbour_radius(GroupedMeshes.of(faces), 3, people)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([0.0, 0.5, 1.0, 3.0]))
def test_balls_hold_what_lies_in_them(seed, scale):
    first, second = random_faces(8, seed), random_faces(12, seed + 1)
    rng = np.random.default_rng(seed)
    distances = all_distances(first, second)
    own = (scale * rng.uniform(0.5, 1.5, 8) * distances.mean()).astype(np.float32)
    theirs = (scale * rng.uniform(0.5, 1.5, 12) * distances.mean()).astype(np.float32)
    a, b = grouped_pair(first, second)
    for k in range(8):
        in_theirs, in_own = inside_balls(a, own, b, theirs, k)
        clear = np.abs(distances[k] - theirs) > 1e-3
        np.testing.assert_array_equal(in_theirs[clear], (distances[k] <= theirs)[clear])
        clear = np.abs(distances[k] - own[k]) > 1e-3
        np.testing.assert_array_equal(in_own[clear], (distances[k] <= own[k])[clear])


def test_a_centre_on_the_rim_counts():
    line = np.zeros((3, 5, 3), dtype=np.float32)
    line[:, :, 0] = np.array([0, 2, 5])[:, None]
    a, b = grouped_pair(line[:1], line[1:])
    in_theirs, in_own = inside_balls(a, np.float32([2]), b, np.float32([1.9, 5]), 0)
    assert in_theirs.tolist() == [False, True]
    assert in_own.tolist() == [True, False]


def test_few_pairs_are_compared(faces, monkeypatch):
    compared = []
    plain = GroupedMeshes.distances
    monkeypatch.setattr(
        GroupedMeshes, "distances", lambda *a: compared.append(len(a[-1])) or plain(*a)
    )
    neighbour_radius(GroupedMeshes.of(faces), 1)
    assert sum(compared) < 0.6 * 60 * 59


def test_refuses_bad_input(faces):
    with pytest.raises(InputError, match="mesh 0 has 2 possible neighbours, expected at least 3"):
        neighbour_radius(GroupedMeshes.of(faces[:3]), 3)
    with pytest.raises(InputError, match="neighbours: 0, expected 1 or more"):
        neighbour_radius(GroupedMeshes.of(faces[:3]), 0)
    with pytest.raises(ShapeError, match="2 people for 3 meshes"):
        neighbour_radius(GroupedMeshes.of(faces[:3]), 1, np.arange(2))
    with pytest.raises(ShapeError, match="400 vertices against meshes of 399"):
        grouped_pair(faces, faces[:, 1:])
    with pytest.raises(InputError, match="no meshes given"):
        grouped_pair(faces[:0], faces)
    with pytest.raises(InputError, match="no meshes given"):
        grouped_pair(faces, faces[:0])
    broken = faces.copy()
    broken[[2, 5], 0, 1] = np.inf
    with pytest.raises(InputError, match="2 of 60 meshes are not finite"):
        grouped_pair(broken, faces)
