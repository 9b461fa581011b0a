"""Holes: found, closed without touching the surface, marked in the square."""

import numpy as np
import pytest

from meshgan.geometry.holes import close_holes, hole_pixels, outlines
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.topology import describe, is_disk, is_oriented
from tests.geometry import shapes


def test_outlines_are_sorted_by_length_in_mm():
    ring = shapes.annulus()
    assert [sorted(loop.tolist())[0] for loop in outlines(ring.vertices, ring.faces)] == [12, 0]


def test_a_closed_mesh_is_a_disk_and_keeps_its_own_part():
    mesh, mirror = shapes.holed_hill()
    assert describe(mesh.vertex_count, mesh.faces).boundary_loops == 4
    closed = close_holes(mesh, mirror)
    assert is_disk(closed.mesh.vertex_count, closed.mesh.faces)
    assert is_oriented(closed.mesh.faces)
    assert closed.mesh.vertex_count == mesh.vertex_count + 3
    np.testing.assert_array_equal(closed.mesh.vertices[: mesh.vertex_count], mesh.vertices)
    np.testing.assert_array_equal(closed.mesh.faces[: mesh.face_count], mesh.faces)
    added = len(closed.mesh.faces) - mesh.face_count
    assert added == sum(len(hole) for hole in closed.holes)


def test_new_vertices_have_mirror_partners():
    mesh, mirror = shapes.holed_hill()
    closed = close_holes(mesh, mirror)
    reflected = closed.mesh.vertices[closed.mirror] * [-1, 1, 1]
    np.testing.assert_allclose(closed.mesh.vertices, reflected, atol=1e-12)
    partners = closed.mirror[mesh.vertex_count :] - mesh.vertex_count
    assert sorted(partners.tolist()) == [0, 1, 2]
    assert (partners == np.arange(3)).sum() == 1  # the mouth is its own


def test_nothing_changes_without_holes():
    mesh, mirror = shapes.hill(5)
    closed = close_holes(mesh, mirror)
    assert closed.mesh is mesh
    assert closed.holes == ()


@pytest.mark.parametrize("size_px", [16, 40])
def test_pixels_in_a_square_hole(size_px):
    points, faces = shapes.grid(5, 5)
    uv = points / 4
    keep = np.arange(25) != 12  # leaves a hole from 1/4 to 3/4, seen from the middle
    mesh, _ = shapes.restrict(TriMesh(np.pad(uv, ((0, 0), (0, 1))), faces), np.arange(25), keep)
    steps = (np.arange(size_px) + 0.5) / size_px
    u, v = np.meshgrid(steps, steps[::-1])
    # all diagonals run the same way, so two corner triangles of the square stay surface
    inside = (u > 0.25) & (u < 0.75) & (v > 0.25) & (v < 0.75) & (np.abs(u - v) < 0.25)
    found = hole_pixels(uv[keep], mesh.faces, size_px)
    on_the_rim = np.isclose(np.abs(u - v), 0.25)
    assert (found == inside)[~on_the_rim].all()
    assert inside.any()
