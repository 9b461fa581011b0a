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


def test_none_if_only_the_triangles_are_not_symmetric():
    square = flat_square(5)  # all diagonals run the same way
    assert find_mirror(square.vertices, square.faces) is None
