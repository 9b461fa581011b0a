"""Half-edge collapse: a subset, the same surface where it is flat, exactly symmetric if asked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.errors import InputError
from meshgan.geometry.simplify import collapse_edges, simplify_mirrored
from meshgan.geometry.topology import is_disk
from tests.geometry.shapes import annulus, flat_square, hill
from tests.geometry.test_clip import signed_area

SQUARE_CORNERS = [0, 14, 210, 224]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 100), target=st.integers(30, 200))
def test_a_flat_square_stays_a_flat_square(seed, target):
    square = flat_square(15, shake=0.3, seed=seed)
    subset = collapse_edges(square.vertices, square.faces, target, protected=SQUARE_CORNERS)
    area = signed_area(square.vertices[subset.kept], subset.faces)
    assert area.sum() == pytest.approx(1)
    assert (area > 0).all()
    assert is_disk(len(subset.kept), subset.faces)
    assert set(SQUARE_CORNERS) <= set(subset.kept.tolist())
    assert len(subset.kept) == target


def test_protected_vertices_stay():
    square = flat_square(15)
    chosen = [17, 33, 112, 200]
    subset = collapse_edges(square.vertices, square.faces, 40, protected=chosen)
    assert set(chosen) <= set(subset.kept.tolist())


def test_wanted_size_keeps_more_where_it_is_small():
    square = flat_square(21)
    left = square.vertices[:, 0] < 0.5
    subset = collapse_edges(square.vertices, square.faces, 150, size=np.where(left, 0.4, 1.0))
    kept_left = left[subset.kept].sum()
    assert kept_left > 2 * (len(subset.kept) - kept_left)


def test_never_closes_a_hole():
    ring = annulus(16)
    subset = collapse_edges(ring.vertices, ring.faces, 0)
    edges = np.sort(np.concatenate([subset.faces[:, [0, 1]], subset.faces[:, 1:]]), axis=1)
    assert len(subset.faces) > 0
    assert len(np.unique(edges, axis=0)) >= 3  # link condition: two outlines remain
    area = signed_area(ring.vertices[subset.kept], subset.faces)
    assert area.sum() > 0.5 * signed_area(ring.vertices, ring.faces).sum()


def test_same_input_same_output():
    mesh, _ = hill(15)
    first, second = (collapse_edges(mesh.vertices, mesh.faces, 60) for _ in range(2))
    np.testing.assert_array_equal(first.kept, second.kept)
    np.testing.assert_array_equal(first.faces, second.faces)


@settings(max_examples=10, deadline=None)
@given(target=st.integers(40, 200))
def test_mirrored_is_exactly_symmetric(target):
    mesh, _ = hill(15)
    vertices = mesh.vertices * [1, 1, 3]
    result = simplify_mirrored(vertices, mesh.faces, target, protected=[10, 12])
    half = vertices[result.half]
    points = np.concatenate([half, half[result.doubled] * [-1, 1, 1]])
    count = len(points)
    assert abs(count - target) <= 1
    assert (half[:, 0] >= 0).all()
    np.testing.assert_array_equal(points[result.mirror] * [-1, 1, 1] + 0.0, points + 0.0)
    np.testing.assert_array_equal(result.mirror[result.mirror], np.arange(count))
    assert is_disk(count, result.faces)
    assert {10, 12} <= set(result.half.tolist())
    across = {tuple(sorted(face)) for face in result.mirror[result.faces].tolist()}
    assert across == {tuple(sorted(face)) for face in result.faces.tolist()}


def test_mirrored_refuses_triangles_across_the_plane():
    square = flat_square(4)
    centred = square.vertices - [0.5, 0.5, 0]  # an even number of columns: none on the plane
    with pytest.raises(InputError, match="6 triangles cross the plane x = 0"):
        simplify_mirrored(centred, square.faces, 10)


def test_never_turns_a_triangle_over():
    """The whole of this polygon can be seen from none of its corners but from the origin alone."""
    rim = [[0.9, 0.1], [1.4, 0.4], [-0.2, 1.3], [-0.2, -0.2], [-0.2, -1.3], [0.1, -0.3], [1, -0.6]]
    vertices = np.pad(np.array([*rim, [0.0, 0.0]]), ((0, 0), (0, 1)))
    faces = np.array([[7, k, (k + 1) % 7] for k in range(7)])
    assert (signed_area(vertices, faces) > 0).all()
    subset = collapse_edges(vertices, faces, 3, protected=range(7))
    assert len(subset.kept) == 8
