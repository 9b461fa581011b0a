"""Slits: rims from landmarks, gaps by hand."""

from itertools import pairwise

import numpy as np
import pytest

from meshgan.data.slits import find_slits
from meshgan.data.synthetic.source import open_source
from meshgan.data.template import Template
from meshgan.geometry.mesh import TriMesh


@pytest.fixture(scope="module")
def source():
    return open_source("low")


@pytest.fixture(scope="module")
def slits(source):
    return find_slits(source.template)


def test_rims_run_from_corner_to_corner_through_their_landmarks(source, slits):
    ids = source.template.landmarks["ibug68"]
    assert set(slits) == {"left_lids", "right_lids", "lips"}
    lips = slits["lips"]
    assert lips.upper[0] == lips.lower[0] == ids[60]
    assert lips.upper[-1] == lips.lower[-1] == ids[64]
    assert set(ids[[61, 62, 63]]) <= set(lips.upper)
    assert set(ids[[41, 40]]) <= set(slits["right_lids"].lower)
    for slit in slits.values():
        assert len(set(slit.upper[1:-1]) & set(slit.lower[1:-1])) == 0


def test_rims_are_ways_along_edges(source, slits):
    edges = {tuple(sorted(pair)) for face in source.template.mesh.faces.tolist()
             for pair in zip(face, face[1:] + face[:1], strict=True)}  # fmt: skip
    for slit in slits.values():
        for rim in (slit.upper.tolist(), slit.lower.tolist()):
            assert all(tuple(sorted(step)) in edges for step in pairwise(rim))


def test_gaps_by_hand(slits, source):
    slit = slits["lips"]
    flat = np.zeros((2, source.template.vertex_count, 3))
    flat[0, slit.upper, 1] = 3.0
    flat[1, slit.lower, 1] = 0.5
    flat[:, slit.upper[[0, -1]], 1] = 0
    gaps = slit.gaps(flat)
    inner = slice(2, -2)  # between the vertices next to the corners
    np.testing.assert_allclose(gaps[0][inner], 3.0)
    np.testing.assert_allclose(gaps[1][inner], -0.5)


def test_a_blink_closes_the_eyes_and_nothing_else(slits, source):
    actions = np.zeros((2, len(source.action_names)))
    actions[1, source.action_names.index("eyeBlinkLeft")] = 1
    faces = source.express(0, 1_300_000, actions)
    left, right, lips = (slits[name].gaps(faces) for name in ("left_lids", "right_lids", "lips"))
    assert left[0].mean() > 5
    assert left[1].mean() < 1.2
    np.testing.assert_allclose(right[0], right[1], atol=0.1)
    np.testing.assert_allclose(lips[0], lips[1], atol=0.1)


def test_without_landmarks_there_are_none():
    mesh = TriMesh(np.eye(3, dtype=np.float32), np.array([[0, 1, 2]]))
    assert find_slits(Template("bare", mesh)) == {}
