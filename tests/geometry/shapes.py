"""Small meshes whose properties are known by construction."""

import inspect
from collections.abc import Callable

import numpy as np

from meshgan.geometry.mesh import TriMesh


def unchecked(function: Callable) -> Callable:
    """The function without the shape checks that the test run adds, to reach its own."""
    return inspect.unwrap(function)


def grid(columns: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Points (x right, y up) of a unit-spaced grid and its counter-clockwise triangles."""
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    ids = np.arange(columns * rows).reshape(rows, columns)
    a, b, c, d = (part.ravel() for part in (ids[:-1, :-1], ids[:-1, 1:], ids[1:, 1:], ids[1:, :-1]))
    faces = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(float), faces.astype(np.int64)


def flat_square(edge: int = 9, shake: float = 0.0, seed: int = 0) -> TriMesh:
    """The unit square in the plane z = 0 with edge^2 vertices; inner ones moved by ``shake``."""
    points, faces = grid(edge, edge)
    inner = ((points > 0) & (points < edge - 1)).all(axis=1)
    points[inner] += np.random.default_rng(seed).uniform(-shake, shake, (inner.sum(), 2))
    points /= edge - 1
    return TriMesh(np.pad(points, ((0, 0), (0, 1))), faces, points)


def hill(edge: int = 9, height: float = 0.5) -> tuple[TriMesh, np.ndarray]:
    """A left-right symmetric bump over the square [-1, 1]^2, mirrored diagonals and all.

    Returns:
        The mesh (edge odd) and its mirror map.
    """
    points, faces = grid(edge, edge)
    left = points[faces][:, :, 0].max(axis=1) <= (edge - 1) / 2
    ids = np.arange(edge * edge)
    mirror = ids.reshape(edge, edge)[:, ::-1].ravel()
    faces = np.concatenate([faces[left], mirror[faces[left]][:, [0, 2, 1]]])
    xy = 2 * points / (edge - 1) - 1
    z = height * np.cos(xy[:, 0] * np.pi / 2) * np.cos(xy[:, 1] * np.pi / 2 + 0.3)
    return TriMesh(np.column_stack([xy, z]), faces), mirror


def annulus(count: int = 12) -> TriMesh:
    """A flat ring: two outlines of ``count`` vertices, the inner one has the smaller ids."""
    angle = 2 * np.pi * np.arange(count) / count
    circle = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    inside, outside = np.arange(count), np.arange(count) + count
    after_in, after_out = np.roll(inside, -1), np.roll(outside, -1)
    faces = np.concatenate(
        [
            np.stack([inside, outside, after_out], axis=1),
            np.stack([inside, after_out, after_in], axis=1),
        ]
    )
    return TriMesh(np.concatenate([circle, 2 * circle]), faces)


def holed_hill() -> tuple[TriMesh, np.ndarray]:
    """The hill with two eyes and a mouth cut out: three holes, left-right symmetric."""
    whole, mirror = hill(17)
    x, y = whole.vertices[:, 0], whole.vertices[:, 1]
    eyes = (np.abs(np.abs(x) - 0.45) < 0.15) & (np.abs(y - 0.4) < 0.15)
    mouth = (np.abs(x) < 0.4) & (np.abs(y + 0.5) < 0.1)
    return restrict(whole, mirror, ~(eyes | mouth))


def restrict(mesh: TriMesh, mirror: np.ndarray, keep: np.ndarray) -> tuple[TriMesh, np.ndarray]:
    """The part of a mesh with these vertices, and the part of its mirror map."""
    number = np.cumsum(keep) - 1
    faces = number[mesh.faces[keep[mesh.faces].all(axis=1)]]
    return TriMesh(mesh.vertices[keep], faces), number[mirror[keep]]


def subdivided_inner(ring: TriMesh, count: int) -> TriMesh:
    """The ring of ``annulus(count)`` with two more vertices on each edge of its inner circle."""
    vertices, faces = list(ring.vertices), []
    for face in ring.faces.tolist():
        inner = [vertex for vertex in face if vertex < count]
        if len(inner) < 2:
            faces.append(face)
            continue
        (apex,) = (vertex for vertex in face if vertex >= count)
        start, end = (face[(face.index(apex) + k) % 3] for k in (1, 2))
        stops = [start, len(vertices), len(vertices) + 1, end]
        vertices += [
            (1 - t) * ring.vertices[start] + t * ring.vertices[end] for t in (1 / 3, 2 / 3)
        ]
        faces += [[apex, stops[k], stops[k + 1]] for k in range(3)]
    return TriMesh(np.array(vertices), np.array(faces))


def torus(around: int = 8, across: int = 6) -> TriMesh:
    """A closed surface with one handle."""
    i, j = (part.ravel() for part in np.meshgrid(np.arange(around), np.arange(across)))
    u, v = 2 * np.pi * i / around, 2 * np.pi * j / across
    ring = 3 + np.cos(v)
    vertices = np.stack([ring * np.cos(u), ring * np.sin(u), np.sin(v)], axis=1)

    def at(column: np.ndarray, row: np.ndarray) -> np.ndarray:
        return (row % across) * around + column % around

    a, b, c, d = at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)
    faces = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    return TriMesh(vertices, faces.astype(np.int64))


def tetrahedron() -> TriMesh:
    """A closed surface: four vertices, four faces, outward."""
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=float)
    return TriMesh(vertices, np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]))
