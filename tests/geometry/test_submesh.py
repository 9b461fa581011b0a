"""Parts of a mesh: what stays can be laid out in a square, and is symmetric if the whole is."""

import numpy as np
import pytest

from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.parameterize import parameterize
from meshgan.geometry.submesh import front_of_head, largest_piece
from tests.geometry import shapes


def ball(rings: int = 24, around: int = 32, radius: float = 90.0) -> TriMesh:
    """A closed sphere, mm, symmetric in x up to the diagonals of its quads."""
    angle = np.pi * (np.arange(1, rings)) / rings
    turn = 2 * np.pi * np.arange(around) / around
    a, t = (part.ravel() for part in np.meshgrid(angle, turn, indexing="ij"))
    points = np.stack([np.sin(a) * np.sin(t), np.cos(a), np.sin(a) * np.cos(t)], axis=1)
    row, column = (
        part.ravel() for part in np.meshgrid(*map(np.arange, (rings - 2, around)), indexing="ij")
    )
    p, q = row * around + column, row * around + (column + 1) % around
    body = np.concatenate(
        [np.stack([p, p + around, q + around], 1), np.stack([p, q + around, q], 1)]
    )
    k, after, count = np.arange(around), np.roll(np.arange(around), -1), len(points)
    last = (rings - 2) * around
    caps = [np.stack([np.full(around, count), k, after], 1),
            np.stack([np.full(around, count + 1), last + after, last + k], 1)]  # fmt: skip
    poles = [[0, 1, 0], [0, -1, 0]]
    return TriMesh(radius * np.concatenate([points, poles]), np.concatenate([body, *caps]))


def mirror_of(mesh: TriMesh) -> np.ndarray:
    apart = np.linalg.norm((mesh.vertices * [-1, 1, 1])[:, None] - mesh.vertices[None], axis=2)
    return apart.argmin(axis=1)


def test_the_largest_piece_has_the_most_surface_not_the_most_vertices():
    big, small = shapes.flat_square(3), shapes.flat_square(9)
    vertices = np.concatenate([100 * big.vertices, small.vertices, [[0, 0, 9]]])
    faces = np.concatenate([big.faces, small.faces + 9])
    assert largest_piece(vertices, faces).tolist() == list(range(9))


@pytest.mark.parametrize("radius", [50.0, 75.0, 100.0, 130.0])
def test_the_front_of_a_ball_fits_a_square(radius):
    mesh = ball()
    mirror = mirror_of(mesh)
    tip = mesh.vertices[mesh.vertices[:, 2].argmax()]
    chosen = front_of_head(mesh.vertices, mesh.faces, tip, radius, mirror)
    ids = np.unique(mesh.faces[chosen])
    apart = np.linalg.norm(mesh.vertices - tip, axis=1)
    assert apart[ids].max() <= radius
    assert len(ids) > 0.8 * (apart <= radius).sum()  # only corners of the cut are missing
    assert set(mirror[ids]) == set(ids)
    number = np.zeros(mesh.vertex_count, dtype=np.int64)
    number[ids] = np.arange(len(ids))
    part, part_mirror = TriMesh(mesh.vertices[ids], number[mesh.faces[chosen]]), number[mirror[ids]]
    report = parameterize(part, "harmonic", part_mirror).report
    assert (report.flipped, report.covered_fraction, report.holes) == (0, 1.0, 0)


def test_ears_and_touching_parts_go():
    """A square with a triangle that hangs on one edge, and a second square at one corner."""
    one = shapes.flat_square(5)
    other = one.vertices + np.array([1, 1, 0])
    ear = [[0.5, -0.3, 0]]
    vertices = np.concatenate([one.vertices, other, ear])
    joined = one.faces + 25
    joined = np.where(joined == 25, 24, joined)  # the corner that both squares share
    faces = np.concatenate([one.faces, joined, [[1, 50, 2]]])
    left = faces[front_of_head(vertices, faces, np.zeros(3), 10.0)]
    assert set(left.ravel()) <= set(range(24))  # 24 touches the other square, 50 is the ear
    assert len(left) > 20


def test_nothing_near_is_nothing():
    mesh = ball()
    assert len(front_of_head(mesh.vertices, mesh.faces, np.array([0, 0, 500.0]), 20.0)) == 0
