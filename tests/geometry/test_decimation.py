"""Quadric decimation: coarser meshes of the same kind, and maps that keep what is linear."""

import numpy as np
import pytest

from meshgan.errors import InputError
from meshgan.geometry.decimation import decimate, decimation_hierarchy
from meshgan.geometry.topology import is_disk, is_edge_manifold
from tests.fakes import face_like_mesh
from tests.geometry.shapes import flat_square


@pytest.fixture(scope="module")
def face():
    vertices, faces = face_like_mesh(40)
    return vertices.astype(np.float64), faces


@pytest.fixture(scope="module")
def levels(face):
    return decimation_hierarchy(*face, levels=3)


def test_each_level_is_a_disk_of_a_quarter(face, levels):
    vertices, faces = face
    for level in levels:
        assert is_edge_manifold(level.faces)
        assert is_disk(len(level.vertices), level.faces)
        assert abs(len(level.faces) / len(faces) - 0.25) < 0.02
        assert 0.2 < len(level.vertices) / len(vertices) < 0.36  # small disks are much boundary
        vertices, faces = level.vertices, level.faces


def test_maps_are_means_of_three(face, levels):
    finer = len(face[0])
    for level in levels:
        coarser = len(level.vertices)
        assert level.down.shape == (coarser, finer)
        assert level.up.shape == (finer, coarser)
        for matrix in (level.down, level.up):
            assert (np.diff(matrix.indptr) == 3).all()  # also those that are zero are stored
            assert matrix.data.min() >= 0
            np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-12)
        finer = coarser


@pytest.mark.parametrize("shake", [0.0, 0.2])
def test_linear_functions_on_a_plane_survive(shake):
    """Positions are linear: down gives those of the coarse vertices, up those of the fine ones."""
    mesh = flat_square(25, shake, seed=1)
    values = np.column_stack([mesh.vertices, 3 * mesh.vertices[:, 0] - mesh.vertices[:, 1] + 7])
    for level in decimation_hierarchy(mesh.vertices, mesh.faces, levels=2):
        less = level.down @ values
        np.testing.assert_allclose(less[:, :3], level.vertices, atol=1e-7)
        np.testing.assert_allclose(level.up @ less, values, atol=1e-7)
        values = less


def test_the_surface_stays_near(face, levels):
    """A quarter of the triangles keep the face to a tenth of an edge; the nose keeps its tip."""
    vertices, faces = face
    edge = np.linalg.norm(vertices[faces[:, 0]] - vertices[faces[:, 1]], axis=1).mean()
    projected = levels[0].up @ levels[0].vertices
    assert np.linalg.norm(projected - vertices, axis=1).mean() < 0.1 * edge
    assert levels[0].vertices[:, 2].max() > vertices[:, 2].max() - 0.5


def test_is_repeatable(face, levels):
    again = decimate(*face, target=round(len(face[1]) / 4))
    np.testing.assert_array_equal(again.vertices, levels[0].vertices)
    np.testing.assert_array_equal(again.faces, levels[0].faces)


def test_refuses_what_cannot_be_done(face):
    with pytest.raises(InputError, match="0 of 3,042 triangles"):
        decimate(*face, target=0)
    with pytest.raises(InputError, match="3,042 triangles are too few for 6 levels"):
        decimation_hierarchy(*face, levels=6)
    with pytest.raises(InputError, match="0 levels"):
        decimation_hierarchy(*face, levels=0)
