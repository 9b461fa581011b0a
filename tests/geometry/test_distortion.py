"""Distortion: by hand on stretched squares and single triangles."""

import numpy as np
import pytest

from meshgan.geometry.distortion import (
    angle_distortion,
    area_distortion,
    flipped_triangles,
    report_uv,
)
from tests.geometry import shapes


def test_flips_by_hand():
    uv = np.array([[0.0, 0], [1, 0], [0, 1], [2, 0], [np.nan, 0]])
    faces = np.array([[0, 1, 2], [0, 2, 1], [0, 1, 3], [0, 1, 4], [0, 0, 1]])
    assert flipped_triangles(uv, faces).tolist() == [False, True, True, True, True]


def test_tiny_triangles_are_not_flips():
    uv = 0.3 + 1e-7 * np.array([[0.0, 0], [1, 0], [0, 1]])
    assert not flipped_triangles(uv, np.array([[0, 1, 2]])).any()


def test_a_similar_map_has_none():
    mesh = shapes.flat_square(6, shake=0.3)
    turned = mesh.uv @ np.array([[0.0, 1], [-1, 0]]) + 5
    np.testing.assert_allclose(area_distortion(30 * mesh.vertices, turned, mesh.faces), 1)
    np.testing.assert_allclose(
        angle_distortion(30 * mesh.vertices, turned, mesh.faces), 1, atol=1e-6
    )


def test_a_stretch_by_two():
    mesh = shapes.flat_square(6, shake=0.3)
    stretched = mesh.uv * [2, 1]
    np.testing.assert_allclose(angle_distortion(mesh.vertices, stretched, mesh.faces), 2)
    np.testing.assert_allclose(area_distortion(mesh.vertices, stretched, mesh.faces), 1)


def test_unequal_areas():
    # two triangles of equal area on the surface, 1 to 3 in the map: shares 0.5, 0.5 and 1/4, 3/4
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [-1, 0, 0]])
    uv = np.array([[0.0, 0], [1, 0], [0, 1], [-3, 0]])
    found = area_distortion(vertices, uv, np.array([[0, 1, 2], [0, 2, 3]]))
    np.testing.assert_allclose(found, [2, 1.5])


def test_triangles_without_area_are_left_out():
    mesh = shapes.flat_square(5)
    vertices = mesh.vertices.copy()
    vertices[12] = vertices[13]
    found = angle_distortion(vertices, mesh.uv, mesh.faces)
    assert np.isnan(found).sum() == 2
    assert np.isnan(area_distortion(vertices, mesh.uv, mesh.faces)).sum() == 2
    report = report_uv(vertices, mesh.uv, mesh.faces, weights="none")
    assert report.angle_distortion.maximum == np.nanmax(found)


def test_report():
    mesh = shapes.flat_square(6, shake=0.3)
    half = mesh.uv * [0.5, 1]  # the left half of the square only
    report = report_uv(mesh.vertices, half, mesh.faces, weights="none", size_px=8)
    assert (report.flipped, report.size_px, report.asymmetry) == (0, 8, None)
    assert report.covered_fraction == 0.5
    assert report.angle_distortion.median == pytest.approx(2)
    assert report.as_dict()["area_distortion"]["maximum"] == pytest.approx(1)
    turned = report_uv(mesh.vertices, mesh.uv * [-1, 1] + [1, 0], mesh.faces, weights="none")
    assert turned.flipped == mesh.face_count
