"""Finding the mirror map from shape alone."""

import numpy as np

from meshgan.geometry.symmetry import find_mirror
from tests.geometry.shapes import flat_square, hill


def test_finds_the_mirror_map_of_a_shifted_symmetric_mesh():
    mesh, mirror = hill(9)
    shifted = mesh.vertices + np.array([5, 0, 0])
    np.testing.assert_array_equal(find_mirror(shifted, mesh.faces), mirror)


def test_none_if_a_vertex_is_out_of_place():
    mesh, _ = hill(9)
    bent = mesh.vertices.copy()
    bent[3, 2] += 0.05
    assert find_mirror(bent, mesh.faces) is None


def test_quads_may_be_cut_one_way_on_both_sides():
    square = flat_square(5)  # all diagonals run the same way
    mirror = np.arange(25).reshape(5, 5)[:, ::-1].ravel()
    np.testing.assert_array_equal(find_mirror(square.vertices, square.faces), mirror)


def test_none_if_more_than_the_diagonals_of_quads_differ():
    """A pentagon cut into a fan from one lower corner; the reflection's is from the other one."""
    corners = np.array([[-1, 0, 0], [1, 0, 0], [2, 2, 0], [0, 3, 0], [-2, 2, 0]], dtype=float)
    fan = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 4]])
    assert find_mirror(corners, fan) is None
    symmetric = np.array([[3, 4, 0], [3, 0, 1], [3, 1, 2]])
    assert find_mirror(corners, symmetric).tolist() == [1, 0, 4, 3, 2]


def test_none_if_a_triangle_is_missing_or_turned_over():
    mesh, _ = hill(9)
    assert find_mirror(mesh.vertices, mesh.faces[1:]) is None
    turned = mesh.faces.copy()
    turned[0] = turned[0, ::-1]
    assert find_mirror(mesh.vertices, turned) is None
