"""Barycentric: corners and centres by hand, reconstruction, uniform samples."""

import numpy as np
import pytest
import torch

from meshgan.errors import InputError
from meshgan.geometry.barycentric import barycentric_coordinates, interpolate, sample_surface
from tests.geometry import shapes


@pytest.mark.parametrize("dimension", [2, 3])
def test_reconstructs_points(dimension):
    rng = np.random.default_rng(0)
    triangles = rng.normal(size=(50, 3, dimension))
    weights = rng.dirichlet(np.ones(3), 50) * 3 - 2 / 3  # outside as well
    points = np.einsum("pk,pkd->pd", weights, triangles)
    found = barycentric_coordinates(points, triangles)
    np.testing.assert_allclose(found, weights, atol=1e-9)


def test_projects_onto_the_plane():
    triangle = np.array([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]])
    found = barycentric_coordinates(np.array([[0.25, 0.5, 7.0]]), triangle)
    np.testing.assert_allclose(found, [[0.25, 0.25, 0.5]])


def test_no_area_gives_nan():
    line = np.array([[[0.0, 0], [1, 0], [2, 0]]])
    assert np.isnan(barycentric_coordinates(np.array([[0.5, 0.0]]), line)).any()


def test_interpolates_linear_functions():
    mesh = shapes.flat_square(5, shake=0.3)
    face_ids, weights = sample_surface(mesh.vertices, mesh.faces, 40, np.random.default_rng(0))
    places = interpolate(mesh.vertices, mesh.faces, face_ids, weights)
    slope = np.array([[2.0], [-3.0], [1.0]])
    values = interpolate(mesh.vertices @ slope, mesh.faces, face_ids, weights)
    np.testing.assert_allclose(values, places @ slope, atol=1e-12)


def test_tensors_give_the_same_and_gradients():
    mesh = shapes.flat_square(3)
    face_ids, weights = sample_surface(mesh.vertices, mesh.faces, 6, np.random.default_rng(0))
    expected = interpolate(mesh.vertices, mesh.faces, face_ids, weights)
    inputs = [torch.from_numpy(array) for array in (mesh.vertices, mesh.faces, face_ids, weights)]
    batch = inputs[0][None].repeat(2, 1, 1).requires_grad_()
    np.testing.assert_allclose(interpolate(batch, *inputs[1:])[1].detach().numpy(), expected)
    assert torch.autograd.gradcheck(lambda v: interpolate(v, *inputs[1:]), batch)


def test_samples_are_uniform_by_area():
    vertices = np.array([[0.0, 0, 0], [3, 0, 0], [3, 1, 0], [0, 1, 0], [10, 0, 0], [10, 1, 0]])
    faces = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 4]])  # a 3 x 1 rectangle; a face of no area
    count = 20_000
    face_ids, weights = sample_surface(vertices, faces, count, np.random.default_rng(0))
    places = interpolate(vertices, faces, face_ids, weights)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    # mean and variance of the uniform law on the rectangle, five standard errors
    np.testing.assert_allclose(places.mean(axis=0), [1.5, 0.5, 0], atol=5 * 0.87 / count**0.5)
    np.testing.assert_allclose(places.var(axis=0), [9 / 12, 1 / 12, 0], atol=0.03)
    assert (face_ids < 2).all()


def test_refuses_a_surface_without_area():
    with pytest.raises(InputError, match="1 faces have no area"):
        sample_surface(np.zeros((3, 3)), np.array([[0, 1, 2]]), 5, np.random.default_rng(0))
