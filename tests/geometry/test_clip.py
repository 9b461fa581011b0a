"""Clipping: the area that should be left is left, on a clean straight cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.errors import InputError, ShapeError
from meshgan.geometry.clip import clip_mesh
from meshgan.geometry.topology import boundary_loops, is_disk
from tests.geometry.shapes import flat_square


def signed_area(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    a, b, c = points[faces].transpose(1, 0, 2)[..., :2]
    return 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])


@settings(max_examples=20, deadline=None)
@given(height=st.floats(0.05, 0.95), tilt=st.floats(-0.04, 0.04))
def test_leaves_what_is_below_a_line(height, tilt):
    square = flat_square(7, shake=0.2)
    below = square.vertices[:, 1] - tilt * square.vertices[:, 0] - height
    matrix, faces = clip_mesh(square.faces, below, snap=0.0)
    points = matrix @ square.vertices
    area = signed_area(points, faces)
    assert (area > 0).all()  # nothing turned over
    assert area.sum() == pytest.approx(height + tilt / 2, abs=1e-9)
    assert is_disk(len(points), faces)
    on_cut = matrix @ below
    assert on_cut.max() < 1e-12


def test_snapping_moves_the_cut_by_less_than_an_edge_and_leaves_no_slivers():
    square = flat_square(9)
    below = square.vertices[:, 1] - 0.51  # just above a row of vertices
    matrix, faces = clip_mesh(square.faces, below, snap=0.12)
    points = matrix @ square.vertices
    assert points[:, 1].max() == pytest.approx(0.5)
    assert signed_area(points, faces).min() == pytest.approx(1 / 128)
    rows = np.asarray(matrix.sum(axis=1)).ravel()
    np.testing.assert_allclose(rows, 1)


def test_cut_runs_around_a_circle_in_one_loop():
    square = flat_square(15)
    inside = np.linalg.norm(square.vertices[:, :2] - 0.5, axis=1) - 0.4
    matrix, faces = clip_mesh(square.faces, inside)
    (loop,) = boundary_loops(faces)
    radius = np.linalg.norm((matrix @ square.vertices)[loop, :2] - 0.5, axis=1)
    np.testing.assert_allclose(radius, 0.4, atol=0.012)


def test_whole_mesh_stays_as_it_is():
    square = flat_square(4)
    matrix, faces = clip_mesh(square.faces, np.full(16, -1.0))
    np.testing.assert_array_equal(faces, square.faces)
    np.testing.assert_array_equal(matrix.toarray(), np.eye(16))


def test_refuses_nonsense():
    square = flat_square(4)
    with pytest.raises(InputError, match="no triangle lies on the kept side"):
        clip_mesh(square.faces, np.ones(16))
    with pytest.raises(ShapeError, match="names vertex 15, but there are 9 values"):
        clip_mesh(square.faces, np.ones(9))
    with pytest.raises(InputError, match=r"snap is 0\.5"):
        clip_mesh(square.faces, np.ones(16), snap=0.5)
