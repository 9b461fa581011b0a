"""Loop subdivision: its masks by hand, flat stays flat, agreement with libigl."""

import igl
import numpy as np
import pytest

from meshgan.errors import InputError
from meshgan.geometry.subdivision import loop_matrix
from meshgan.geometry.topology import euler_characteristic, is_disk, is_oriented
from tests.geometry.shapes import grid, hill

TRIANGLE = np.array([[0, 1, 2]])
TETRAHEDRON = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])


def test_boundary_masks_by_hand():
    matrix, faces = loop_matrix(3, TRIANGLE)
    corners = np.array([[6, 1, 1], [1, 6, 1], [1, 1, 6]]) / 8
    middles = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1]]) / 2
    np.testing.assert_allclose(matrix.toarray(), np.concatenate([corners, middles]))
    np.testing.assert_array_equal(faces, [[0, 3, 4], [1, 5, 3], [2, 4, 5], [3, 5, 4]])


def test_valence_three_masks_by_hand():
    matrix, faces = loop_matrix(4, TETRAHEDRON)
    old = np.full((4, 4), 3 / 16) + np.eye(4) * (7 / 16 - 3 / 16)
    np.testing.assert_allclose(matrix[:4].toarray(), old)
    np.testing.assert_allclose(matrix[4].toarray()[0], [3 / 8, 3 / 8, 1 / 8, 1 / 8])
    assert len(faces) == 16
    assert euler_characteristic(10, faces) == 2


def test_linear_functions_stay_linear_on_a_regular_grid():
    points, faces = grid(6, 5)
    matrix, fine = loop_matrix(len(points), faces)
    smooth = matrix @ points
    inner = ((points > 0) & (points < [5, 4])).all(axis=1)
    np.testing.assert_allclose(smooth[: len(points)][inner], points[inner], atol=1e-12)
    np.testing.assert_allclose(np.asarray(matrix.sum(axis=1)), 1, atol=1e-12)
    assert is_disk(len(smooth), fine)
    assert is_oriented(fine)


def test_agrees_with_libigl():
    mesh, _ = hill(7)
    matrix, faces = loop_matrix(mesh.vertex_count, mesh.faces)
    expected, expected_faces = igl.loop(mesh.vertices, mesh.faces)
    ours = (matrix @ mesh.vertices)[faces].reshape(len(faces), -1)
    theirs = expected[expected_faces].reshape(len(expected_faces), -1)
    np.testing.assert_allclose(_sorted_centres(ours), _sorted_centres(theirs), atol=1e-12)


def _sorted_centres(triangles: np.ndarray) -> np.ndarray:
    centres = triangles.reshape(-1, 3, 3).mean(axis=1).round(10)
    return centres[np.lexsort(centres.T)]


def test_keeps_symmetry():
    mesh, mirror = hill(7)
    matrix, _ = loop_matrix(mesh.vertex_count, mesh.faces)
    fine = matrix @ mesh.vertices
    np.testing.assert_allclose(
        fine[: len(mirror)][mirror] * [-1, 1, 1], fine[: len(mirror)], atol=1e-12
    )


def test_refuses_three_faces_at_an_edge():
    fan = np.array([[0, 1, 2], [1, 0, 3], [0, 1, 4]])
    with pytest.raises(InputError, match="1 edges belong to more than two faces"):
        loop_matrix(5, fan)
