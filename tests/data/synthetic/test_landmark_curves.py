"""Landmarks on curves: by hand, and the sets of the default templates that are made so."""

import numpy as np
import pytest

from meshgan.data.synthetic import open_source
from meshgan.data.synthetic.landmark_curves import Curve, nearest_vertices, place_on_curves
from meshgan.errors import ConfigError


def through(*points):
    return tuple(((point, 1.0),) for point in points)


def test_evenly_along_a_circle():
    angle = np.linspace(0, np.pi, 13)
    base = np.stack([np.cos(angle), np.sin(angle), np.zeros(13)], axis=1) * 50
    points = place_on_curves([Curve(tuple(range(7)), through(*range(13)))], base)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 50, rtol=1e-2)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    np.testing.assert_allclose(steps, steps.mean(), rtol=1e-2)
    np.testing.assert_allclose(points[[0, -1]], base[[0, -1]], atol=1e-9)


def test_as_many_places_as_points_and_mixtures():
    base = np.array([[0.0, 0, 0], [10, 0, 0], [0, 10, 0]])
    curves = [
        Curve((2, 0), through(1, 2)),
        Curve((1,), (((0, 0.5), (1, 0.25), (2, 0.25)),)),
    ]
    points = place_on_curves(curves, base)
    np.testing.assert_allclose(points, [[0, 10, 0], [2.5, 2.5, 0], [10, 0, 0]])


def test_refusals():
    base = np.eye(3) * 10
    with pytest.raises(ConfigError, match=r"landmarks \[1\] are on no curve"):
        place_on_curves([Curve((0, 2), through(0, 1))], base)
    with pytest.raises(ConfigError, match="goes through point 7, but there are 3"):
        place_on_curves([Curve((0, 1), through(0, 7))], base)
    with pytest.raises(ConfigError, match=r"landmarks a: \[0, 1\] fall on the same vertices"):
        nearest_vertices({"a": [Curve((0, 1), through(1, 1))]}, np.arange(3), base)


@pytest.mark.parametrize("resolution", ["low", "paper"])
def test_sets_of_the_templates(resolution):
    template = open_source(resolution).template
    ids, mirror = template.landmarks, template.mirror
    for name, count in (("bu83", 83), ("bosphorus22", 22)):
        assert len(np.unique(ids[name])) == count
        assert set(mirror[ids[name]]) == set(ids[name])
    points = template.mesh.vertices[ids["bu83"]]
    right_eye, left_eye = points[0:8], points[8:16]
    assert (right_eye[:, 0] < 0).all()
    assert (left_eye[:, 0] > 0).all()
    assert (np.diff(right_eye[:5, 0]) > 0).all()  # over the upper lid to the nose
    assert right_eye[1:4, 1].min() > right_eye[5:8, 1].max()
    assert points[16:21, 1].min() > right_eye[:, 1].max()  # brows above the eyes
    assert (points[17:20, 1] > points[[24, 23, 22], 1] + 1).all()  # upper edge over the lower
    assert (np.diff(points[36:39, 1]) < 0).all()
    assert points[38, 0] < points[42, 0] < 0  # the wing is wider than its underside
    assert (np.diff(points[68:83, 0]) > 0).all()  # jaw, right to left
    named = template.mesh.vertices[ids["bosphorus22"]]
    assert named[:, 2].argmax() == 13  # "Nose tip"
    assert (named[[0, 1, 2, 6, 7, 10, 12, 15], 0] > 0).all()  # "left"
    assert (np.diff(named[[18, 19, 20, 21], 1]) < 0).all()  # lips, downwards to the chin
