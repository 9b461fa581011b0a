"""Topology: edges, loops and counts of meshes that are known by construction."""

import numpy as np
import pytest

from meshgan.geometry import topology
from tests.geometry import shapes

TWO_TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]])  # a square, counter-clockwise 0 1 2 3


def test_edges_by_hand():
    edges = topology.unique_edges(np.array([[3, 1, 0], [0, 1, 2]]))
    assert edges.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3]]
    assert edges.dtype == np.int64


def test_adjacency_by_hand():
    adjacency = topology.vertex_adjacency(4, TWO_TRIANGLES).toarray()
    assert adjacency.tolist() == [[0, 1, 1, 1], [1, 0, 1, 0], [1, 1, 0, 1], [1, 0, 1, 0]]


def test_loop_runs_with_the_faces():
    (loop,) = topology.boundary_loops(TWO_TRIANGLES)
    assert loop.tolist() == [0, 1, 2, 3]
    (loop,) = topology.boundary_loops(TWO_TRIANGLES[:, ::-1])
    assert loop.tolist() == [0, 3, 2, 1]


def test_longest_loop_first():
    ring = shapes.annulus(6).faces
    # a fan on one inner edge makes the inner outline longer by one vertex
    grown = np.concatenate([ring, [[0, 1, 12]]])
    loops = topology.boundary_loops(grown)
    assert [len(loop) for loop in loops] == [7, 6]
    assert 12 in loops[0]


def test_touching_outlines_are_cut_apart():
    bow_tie = np.array([[0, 1, 2], [0, 3, 4]])
    loops = [loop.tolist() for loop in topology.boundary_loops(bow_tie)]
    assert loops == [[0, 1, 2], [0, 3, 4]]


@pytest.mark.parametrize(
    ("mesh", "loops", "euler", "handles"),
    [
        (shapes.flat_square(), 1, 1, 0),
        (shapes.annulus(), 2, 0, 0),
        (shapes.tetrahedron(), 0, 2, 0),
        (shapes.torus(), 0, 0, 1),
    ],
    ids=["disk", "ring", "ball", "torus"],
)
def test_counts(mesh, loops, euler, handles):
    found = topology.describe(mesh.vertex_count, mesh.faces)
    assert found.boundary_loops == loops == len(topology.boundary_loops(mesh.faces))
    assert topology.euler_characteristic(mesh.vertex_count, mesh.faces) == euler
    assert (found.handles, found.components) == (handles, 1)
    assert found.is_disk == (loops == 1)


def test_pieces_are_counted_with_their_handles():
    one, other = shapes.torus(), shapes.flat_square(4)
    faces = np.concatenate([one.faces, other.faces + one.vertex_count])
    found = topology.describe(one.vertex_count + other.vertex_count, faces)
    assert (found.components, found.boundary_loops, found.handles) == (2, 1, 1)
    assert not found.is_disk


@pytest.mark.parametrize(
    "faces",
    [
        [[0, 1, 2], [1, 0, 3], [0, 1, 4]],  # three faces on an edge
        [[0, 1, 2], [0, 3, 4]],  # two fans on a vertex
        [[0, 1, 2], [0, 3, 2], [0, 3, 4]],  # the middle one turned over
    ],
)
def test_not_a_disk(faces):
    assert not topology.is_disk(5, np.array(faces))


def test_unused_vertex_is_a_piece_of_its_own():
    assert topology.is_disk(4, TWO_TRIANGLES)
    found = topology.describe(5, TWO_TRIANGLES)
    assert (found.components, found.handles, found.is_disk) == (2, 0, False)


def test_edge_manifold_and_orientation():
    assert topology.is_edge_manifold(TWO_TRIANGLES)
    assert not topology.is_edge_manifold(np.array([[0, 1, 2], [1, 0, 3], [0, 1, 4]]))
    assert topology.is_oriented(TWO_TRIANGLES)
    assert not topology.is_oriented(np.array([[0, 1, 2], [0, 3, 2]]))
