"""Rigid ICP: finds a known motion, with size and outliers; stays put where nothing matches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from meshgan.geometry.alignment import Similarity
from meshgan.geometry.closest_point import SurfaceIndex
from meshgan.geometry.rigid_icp import Matches, rigid_icp, rotation_from_vector
from tests.geometry.shapes import hill

SCALES = (0.4, 0.4, 0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.05)


@pytest.fixture(scope="module")
def surface():
    """A lopsided hill: no motion but the right one maps it to itself."""
    mesh, _ = hill(25)
    x, y, _ = mesh.vertices.T
    bent = mesh.vertices.astype(float) + np.outer(0.2 * np.sin(2 * x + y) * y, [0.0, 0.0, 1.0])
    return mesh.with_vertices(bent)


def matcher(mesh):
    index = SurfaceIndex(mesh.vertices, mesh.faces)

    def match(points):
        found = index.closest(points)
        return Matches(found.point, found.normal, (~found.on_boundary).astype(float))

    return index, match


def inner(mesh, index):
    keep = np.abs(mesh.vertices[:, :2]).max(axis=1) < 0.8
    return mesh.vertices[keep], index.vertex_normals[keep]


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_finds_a_known_motion(surface, seed):
    rng = np.random.default_rng(seed)
    true = Similarity(rotation_from_vector(rng.uniform(-0.1, 0.1, 3)), rng.uniform(-0.1, 0.1, 3))
    index, match = matcher(surface)
    points, normals = inner(surface, index)
    moved = true.inverse().apply(points)
    fit = rigid_icp(
        moved, normals @ true.rotation, match, Similarity(np.eye(3), np.zeros(3)), SCALES
    )
    # The gentle hill holds a sideways slide only weakly: more room for it than for the distance.
    np.testing.assert_allclose(fit.pose.apply(moved), points, atol=1e-2)
    assert fit.inlier_share > 0.99
    assert fit.rms < 1e-3


def test_finds_a_known_size(surface):
    true = Similarity(rotation_from_vector(np.array([0.05, -0.04, 0.03])), np.full(3, 0.02), 1.06)
    index, match = matcher(surface)
    points, normals = inner(surface, index)
    moved = true.inverse().apply(points)
    start = Similarity(np.eye(3), np.zeros(3))
    fit = rigid_icp(moved, normals @ true.rotation, match, start, SCALES * 2, scale=True)
    assert fit.pose.scale == pytest.approx(1.06, abs=2e-3)


def test_ignores_outliers(surface):
    index, match = matcher(surface)
    points, normals = inner(surface, index)
    shift = np.array([0.05, -0.03, 0.04])
    stray = points[::4] + np.array([0.0, 0.0, 0.6])
    moved = np.concatenate([points - shift, stray - shift])
    both = np.concatenate([normals, normals[::4]])
    fit = rigid_icp(moved, both, match, Similarity(np.eye(3), np.zeros(3)), SCALES)
    np.testing.assert_allclose(fit.pose.translation, shift, atol=5e-3)


def test_stays_where_nothing_faces_the_same_way(surface):
    index, match = matcher(surface)
    points, normals = inner(surface, index)
    start = Similarity(np.eye(3), np.array([0.1, 0.0, 0.0]))
    fit = rigid_icp(points, -normals, match, start, SCALES)
    assert fit.pose is start
    assert fit.inlier_share == 0


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_rotation_vectors_are_scipys(seed):
    vector = np.random.default_rng(seed).normal(size=3) * 2
    expected = Rotation.from_rotvec(vector).as_matrix()
    np.testing.assert_allclose(rotation_from_vector(vector), expected, atol=1e-12)
