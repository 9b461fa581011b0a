"""Landmarks carried to another topology: to the same place of the surface, or refused."""

import numpy as np
import pytest

from meshgan.data.landmark_transfer import carry_landmarks
from meshgan.data.landmarks import LandmarkSet
from meshgan.data.synthetic import open_source
from meshgan.errors import InputError
from meshgan.geometry.mesh import TriMesh
from tests.geometry.shapes import hill


def quarters(mesh):
    """The same surface in other triangles: each is cut in four, the vertices shuffled."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    middles = (corners + np.roll(corners, -1, axis=1)) / 2
    points = np.concatenate([corners, middles], axis=1).reshape(-1, 3)
    pattern = np.array([[0, 3, 5], [3, 1, 4], [5, 4, 2], [3, 4, 5]])
    faces = (6 * np.arange(len(corners))[:, None, None] + pattern).reshape(-1, 3)
    order = np.random.default_rng(0).permutation(len(points))
    place = np.argsort(order)
    return TriMesh(points[order], place[faces])


def test_lands_on_the_same_points():
    template = open_source("low").template
    sets = [LandmarkSet.at_vertices(name, ids) for name, ids in template.landmarks.items()]
    target = quarters(template.mesh)
    carried = carry_landmarks(sets, template.mesh, target)
    assert [item.name for item in carried] == list(template.landmarks)
    for before, after in zip(sets, carried, strict=True):
        np.testing.assert_allclose(
            after.points(target.vertices), before.points(template.mesh.vertices), atol=1e-4
        )


def test_places_inside_triangles_and_labels():
    mesh, _ = hill(9)
    inside = LandmarkSet(
        "inside", mesh.faces[[5, 60]], np.array([[0.2, 0.3, 0.5], [1, 0, 0]]), ("a", "b")
    )
    target = quarters(mesh)
    (carried,) = carry_landmarks([inside], mesh, target)
    assert carried.labels == ("a", "b")
    assert (carried.weights >= 0).all()
    np.testing.assert_allclose(
        carried.points(target.vertices), inside.points(mesh.vertices), atol=1e-9
    )
    (back,) = carry_landmarks([carried], target, mesh)
    np.testing.assert_allclose(back.points(mesh.vertices), inside.points(mesh.vertices), atol=1e-9)


def test_refuses_surfaces_apart():
    mesh, _ = hill(9)
    away = TriMesh(mesh.vertices + np.array([0, 0, 30.0]), mesh.faces)
    marks = LandmarkSet.at_vertices("two", np.array([3, 40]))
    with pytest.raises(
        InputError, match=r"two: 2 of 2 are more than 10 mm from the target, landma"
    ):
        carry_landmarks([marks], mesh, away)
    assert len(carry_landmarks([marks], mesh, away, max_distance_mm=40.0)) == 1
    with pytest.raises(InputError, match="names vertex 900"):
        carry_landmarks([LandmarkSet.at_vertices("far", np.array([900]))], mesh, mesh)
