"""SurfaceIndex: closest points by hand, against a dense search, and where the surface ends."""

import numpy as np
import pytest

from meshgan.errors import InputError
from meshgan.geometry.closest_point import SurfaceIndex, rim_vertices
from tests.geometry.shapes import flat_square, hill, tetrahedron


def test_by_hand_above_a_square():
    square = flat_square(edge=5)
    found = SurfaceIndex(square.vertices, square.faces).closest(
        np.array([[0.3, 0.4, 2.0], [1.5, 0.5, 0.0], [0.5, 0.5, -1.0]])
    )
    np.testing.assert_allclose(found.distance, [2, 0.5, 1], atol=1e-12)
    np.testing.assert_allclose(found.point, [[0.3, 0.4, 0], [1, 0.5, 0], [0.5, 0.5, 0]], atol=1e-12)
    np.testing.assert_allclose(found.normal, [[0, 0, 1]] * 3, atol=1e-12)
    assert found.on_boundary.tolist() == [False, True, False]


def test_face_and_weights_give_the_point():
    mesh, _ = hill(edge=15)
    points = np.random.default_rng(0).uniform(-1.2, 1.2, (200, 3))
    found = SurfaceIndex(mesh.vertices, mesh.faces).closest(points)
    again = np.einsum("pkc,pk->pc", mesh.vertices[mesh.faces[found.face]], found.weights)
    np.testing.assert_allclose(again, found.point, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(points - again, axis=1), found.distance, atol=1e-9)


def test_no_sample_of_the_surface_is_closer():
    mesh, _ = hill(edge=9)
    rng = np.random.default_rng(1)
    points = rng.uniform(-1.5, 1.5, (50, 3))
    weights = rng.dirichlet([1, 1, 1], (len(mesh.faces), 40))
    samples = np.einsum("fkc,fsk->fsc", mesh.vertices[mesh.faces], weights).reshape(-1, 3)
    dense = np.linalg.norm(points[:, None] - samples, axis=2).min(axis=1)
    found = SurfaceIndex(mesh.vertices, mesh.faces).closest(points).distance
    assert (found <= dense + 1e-12).all()
    assert (found > dense - 0.05).all()


def test_rims():
    square, closed = flat_square(edge=4), tetrahedron()
    on_edge = (np.abs(square.vertices[:, :2] - 0.5) == 0.5).any(axis=1)
    assert rim_vertices(16, square.faces).tolist() == on_edge.tolist()
    assert not rim_vertices(4, closed.faces).any()


def test_refuses_a_surface_without_triangles():
    with pytest.raises(InputError, match="without triangles"):
        SurfaceIndex(np.zeros((3, 3)), np.zeros((0, 3), dtype=np.int64))
