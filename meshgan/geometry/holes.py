"""Holes of a mesh: which outline is the outer one, and a surface without the others."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from meshgan.arrays import UV, Faces, VertexIds, Vertices
from meshgan.errors import InputError
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.rasterize import pixel_centres
from meshgan.geometry.topology import boundary_loops


@dataclass(frozen=True, eq=False)
class ClosedMesh:
    """A mesh whose holes are closed: its own vertices and faces first, then what closes them.

    Args:
        mesh: with one more vertex per hole, V + H, in the order of ``holes``.
        mirror: (V + H,) left-right partners, if the mesh has them.
        holes: the inner outlines, in the direction of the faces beside them.
    """

    mesh: TriMesh
    mirror: Int[np.ndarray, " W"] | None
    holes: tuple[Int[np.ndarray, " _"], ...]


def outlines(vertices: Vertices, faces: Faces) -> list[VertexIds]:
    """Boundary loops, longest in mm first: the outer outline of a face, then mouth, eyes, ...

    The number of vertices would not tell: lips are often finer than the cut round the face.
    """
    points = np.asarray(vertices, dtype=np.float64)

    def length(loop: np.ndarray) -> float:
        return float(np.linalg.norm(np.roll(points[loop], -1, axis=0) - points[loop], axis=1).sum())

    return sorted(boundary_loops(faces), key=length, reverse=True)


def close_holes(mesh: TriMesh, mirror: Int[np.ndarray, " V"] | None = None) -> ClosedMesh:
    """Close all outlines but the longest, each with a fan about a vertex at its centre.

    Args:
        mesh: an oriented manifold with at least one outline.
        mirror: (V,) left-right partners; they are carried on to the new vertices.

    Raises:
        InputError: the mirror map does not take holes to holes.
    """
    holes = tuple(outlines(mesh.vertices, mesh.faces)[1:])
    if not holes:
        return ClosedMesh(mesh, mirror, ())
    first = mesh.vertex_count
    centres = np.stack([mesh.vertices[hole].mean(axis=0) for hole in holes])
    fans = [
        np.stack([np.roll(hole, -1), hole, np.full(len(hole), first + k)], axis=1)
        for k, hole in enumerate(holes)
    ]
    closed = TriMesh(
        np.concatenate([mesh.vertices, centres.astype(mesh.vertices.dtype)]),
        np.concatenate([mesh.faces, *fans]),
    )
    if mirror is None:
        return ClosedMesh(closed, None, holes)
    partners = first + _partner_holes(holes, mirror)
    return ClosedMesh(closed, np.concatenate([mirror, partners]), holes)


def hole_pixels(uv: UV, faces: Faces, size_px: int) -> Bool[np.ndarray, "n n"]:
    """Pixels of the UV square whose centre lies in a hole of the mesh.

    Args:
        uv: a bijective map (V, 2).
        faces: triangles (F, 3).
        size_px: n; row 0 is the top of the square (v = 1).
    """
    places = np.asarray(uv, dtype=np.float64)
    # in the square, all other outlines lie inside the outer one
    loops = sorted(boundary_loops(faces), key=lambda loop: -abs(_area(places[loop])))
    centres = pixel_centres(size_px)
    inside = np.zeros((size_px, size_px), dtype=bool)
    for loop in loops[1:]:
        inside |= _inside(centres, places[loop])
    return inside


def _partner_holes(holes: tuple[np.ndarray, ...], mirror: np.ndarray) -> np.ndarray:
    number = {frozenset(hole.tolist()): k for k, hole in enumerate(holes)}
    partners = [number.get(frozenset(mirror[hole].tolist())) for hole in holes]
    if None in partners:
        raise InputError("holes: the mirror map takes a hole to where there is none; leave it out")
    return np.array(partners, dtype=np.int64)


def _area(polygon: np.ndarray) -> float:
    x, y = polygon.T
    return 0.5 * float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def _inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Even-odd rule: a ray to the right crosses the outline an odd number of times."""
    x, y = points[..., 0], points[..., 1]
    inside = np.zeros(x.shape, dtype=bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        spans = (y0 > y) != (y1 > y)
        inside ^= spans & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside
