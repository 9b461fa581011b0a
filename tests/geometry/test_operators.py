"""Operators: by hand on one triangle, identities between them, exact on linear functions."""

import igl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from meshgan.errors import InputError
from meshgan.geometry import operators
from tests.geometry import shapes

HALF_SQUARE = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
ONE_FACE = np.array([[0, 1, 2]])


def bumpy(seed: int = 0):
    """A shaken square lifted at random: every kind of angle, obtuse ones too."""
    mesh = shapes.flat_square(7, shake=0.3, seed=seed)
    lift = np.random.default_rng(seed).normal(0, 0.15, mesh.vertex_count)
    return mesh.with_vertices(mesh.vertices + lift[:, None] * [0, 0, 1])


def test_cotangent_by_hand():
    laplacian = operators.cotangent_laplacian(HALF_SQUARE, ONE_FACE).toarray()
    expected = [[1, -0.5, -0.5], [-0.5, 0.5, 0], [-0.5, 0, 0.5]]  # cot 90 = 0, cot 45 = 1
    np.testing.assert_allclose(laplacian, expected, atol=1e-15)


def test_uniform_by_hand():
    laplacian = operators.uniform_laplacian(4, np.array([[0, 1, 2], [0, 2, 3]])).toarray()
    expected = [[3, -1, -1, -1], [-1, 2, -1, 0], [-1, -1, 3, -1], [-1, 0, -1, 2]]
    assert laplacian.tolist() == expected


def test_mean_value_by_hand():
    laplacian = operators.mean_value_laplacian(HALF_SQUARE, ONE_FACE).toarray()
    right, eighth = 1.0, np.tan(np.pi / 8)  # tan of half the angle
    slant = eighth / np.sqrt(2)
    expected = [
        [2 * right, -right, -right],
        [-eighth, eighth + slant, -slant],
        [-eighth, -slant, eighth + slant],
    ]
    np.testing.assert_allclose(laplacian, expected, atol=1e-15)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_laplacian_is_gradient_mass_gradient(seed):
    mesh = bumpy(seed)
    gradient = operators.gradient_operator(mesh.vertices, mesh.faces)
    areas = sparse.diags_array(np.tile(operators.face_areas(mesh.vertices, mesh.faces), 3))
    laplacian = operators.cotangent_laplacian(mesh.vertices, mesh.faces)
    difference = gradient.T @ areas @ gradient - laplacian
    assert abs(difference).max() < 1e-9 * abs(laplacian).max()


def test_agrees_with_libigl():
    mesh = bumpy()
    ours = operators.cotangent_laplacian(mesh.vertices, mesh.faces)
    assert abs(ours + igl.cotmatrix(mesh.vertices, mesh.faces)).max() < 1e-11
    for kind in ("voronoi", "barycentric"):
        ours = operators.mass_matrix(mesh.vertices, mesh.faces, kind)
        theirs = igl.massmatrix(
            mesh.vertices, mesh.faces, getattr(igl, f"MASSMATRIX_TYPE_{kind.upper()}")
        )
        assert abs(ours - theirs).max() < 1e-14


@pytest.mark.parametrize("name", ["cotangent", "mean_value", "uniform"])
def test_rows_sum_to_zero(name):
    mesh = bumpy()
    if name == "uniform":
        laplacian = operators.uniform_laplacian(mesh.vertex_count, mesh.faces)
    else:
        laplacian = getattr(operators, f"{name}_laplacian")(mesh.vertices, mesh.faces)
    assert abs(laplacian @ np.ones(mesh.vertex_count)).max() < 1e-10
    assert (laplacian.diagonal() > 0).all()
    if name != "mean_value":
        assert abs(laplacian - laplacian.T).max() < 1e-12
        assert np.linalg.eigvalsh(laplacian.toarray()).min() > -1e-10


@pytest.mark.parametrize("name", ["cotangent_laplacian", "mean_value_laplacian"])
def test_linear_functions_are_harmonic_in_the_plane(name):
    mesh = shapes.flat_square(7, shake=0.3)
    inner = ((mesh.uv > 0) & (mesh.uv < 1)).all(axis=1)
    values = getattr(operators, name)(mesh.vertices, mesh.faces) @ (mesh.uv @ [2.0, -3.0])
    assert inner.sum() == 25
    assert abs(values[inner]).max() < 1e-11
    assert abs(values[~inner]).max() > 0.1


def test_cotangent_has_no_unit():
    mesh = bumpy()
    small, large = (
        operators.cotangent_laplacian(scale * mesh.vertices, mesh.faces) for scale in (1e-3, 1e3)
    )
    assert abs(small - large).max() < 1e-9


def test_gradient_of_a_linear_function():
    mesh = shapes.flat_square(5, shake=0.3)
    slopes = operators.gradient_operator(mesh.vertices, mesh.faces) @ (mesh.uv @ [2.0, -3.0])
    expected = np.repeat([2.0, -3.0, 0.0], mesh.face_count)
    np.testing.assert_allclose(slopes, expected, atol=1e-12)


def test_mass_is_the_surface():
    mesh = bumpy()
    surface = operators.face_areas(mesh.vertices, mesh.faces).sum()
    for kind in ("voronoi", "barycentric"):
        mass = operators.mass_matrix(mesh.vertices, mesh.faces, kind)
        assert mass.sum() == pytest.approx(surface, rel=1e-12)


def test_voronoi_of_an_obtuse_triangle():
    obtuse = np.array([[0.0, 0, 0], [4, 0, 0], [-1, 1, 0]])  # area 2, obtuse at vertex 0
    masses = operators.mass_matrix(obtuse, ONE_FACE).diagonal()
    np.testing.assert_allclose(masses, [1, 0.5, 0.5])


def test_unknown_mass():
    with pytest.raises(InputError, match='kind is "full"'):
        shapes.unchecked(operators.mass_matrix)(HALF_SQUARE, ONE_FACE, "full")


def test_triangles_without_area_stay_finite():
    line = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    for laplacian in (
        operators.cotangent_laplacian(line, faces),
        operators.mean_value_laplacian(line, faces),
        operators.gradient_operator(line, faces),
    ):
        assert np.isfinite(laplacian.toarray()).all()
