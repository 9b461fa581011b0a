"""The control mesh: size, symmetry, closed openings, landmarks of an adult's size."""

import numpy as np
import pytest

from meshgan.data.synthetic import hm08
from meshgan.data.synthetic.membranes import chain_parameter, fill_strip, harmonic_weights
from meshgan.geometry.topology import boundary_loops, is_edge_manifold, is_oriented
from tests.geometry.shapes import flat_square


def test_size(bases):
    control = bases.control
    assert (len(control.skin), control.vertex_count, len(control.faces)) == (2846, 2963, 5818)
    assert is_edge_manifold(control.faces)
    assert is_oriented(control.faces)


def test_openings_are_closed(bases):
    rims = np.concatenate([bases.control.eye_rings[:, 0].ravel(), bases.control.mouth_rings[0]])
    for loop in boundary_loops(bases.control.faces):
        assert not np.isin(loop, rims).any()


def test_faces_mirror_onto_faces(bases):
    control = bases.control
    np.testing.assert_array_equal(control.mirror[control.mirror], np.arange(control.vertex_count))
    across = {tuple(sorted(face)) for face in control.mirror[control.faces].tolist()}
    assert across == {tuple(sorted(face)) for face in control.faces.tolist()}


def test_membranes_are_means_of_the_skin(bases, reference):
    control = bases.control
    np.testing.assert_allclose(np.asarray(control.membrane.sum(axis=1)), 1, atol=1e-5)
    assert control.membrane.data.min() >= 0
    points = control.positions(reference[: bases.skin_count])
    np.testing.assert_allclose(points[control.mirror] * [-1, 1, 1], points, atol=1e-3)


def test_rings_are_nested(bases, reference):
    for rings in (*bases.control.eye_rings, bases.control.mouth_rings):
        centre = reference[rings[0]].mean(axis=0)
        size = np.linalg.norm(reference[rings] - centre, axis=2).mean(axis=1)
        assert (np.diff(size[1:]) > 0).all()
        assert len(np.unique(rings)) == rings.size


def test_an_adult_measures_what_adults_measure(bases, reference):
    position = {int(id_): k for k, id_ in enumerate(bases.control.skin)}

    def distance(a: int, b: int) -> float:
        return float(np.linalg.norm(reference[position[a]] - reference[position[b]]))

    assert distance(6780, 13376) == pytest.approx(89, abs=1.5)  # outer corners of the eyes
    assert distance(429, 7189) == pytest.approx(47.5, abs=1.5)  # corners of the mouth
    eyes = reference[bases.skin_count : bases.skin_count + 2]
    assert np.linalg.norm(eyes[0] - eyes[1]) == pytest.approx(62.5, abs=0.5)
    left_eye = reference[bases.control.eye_rings[0, 0]].mean(axis=0)
    np.testing.assert_allclose(left_eye[1:], [hm08.EYE_HEIGHT_MM, hm08.EYE_DEPTH_MM], atol=1e-3)


def test_strip_by_hand():
    points = np.array([[0.0, 1, 0], [1, 1, 0], [2, 0, 0], [1, -1, 0], [0, -1, 0]])
    strip = fill_strip(points, [0, 1, 2], [4, 3, 2], rows=1, stations=3, first_id=5)
    along = chain_parameter(points[[0, 1, 2]])
    np.testing.assert_allclose(along, [0, 1 / (1 + 2**0.5), 1])
    assert strip.blends[0] == {0: 0.5, 4: 0.5}  # the middle between the chains' first vertices
    assert all(abs(sum(blend.values()) - 1) < 1e-12 for blend in strip.blends)
    used = {vertex for triangle in strip.triangles for vertex in triangle}
    assert used == set(range(7))


def test_harmonic_membrane_keeps_a_plane():
    square = flat_square(7)
    inner = np.flatnonzero(((square.uv > 0) & (square.uv < 1)).all(axis=1))
    weights = harmonic_weights(49, square.faces, inner)
    plane = square.uv @ [2.0, -3.0] + 1
    np.testing.assert_allclose(weights @ plane, plane[inner], atol=1e-5)
