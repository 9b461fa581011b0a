"""Closest points on a triangle mesh, with what a matcher needs to know of each."""

from dataclasses import dataclass

import igl
import numpy as np
from jaxtyping import Bool, Float, Int

from meshgan.arrays import Faces
from meshgan.errors import InputError
from meshgan.geometry.topology import half_edges

ON_AN_EDGE = 1e-6  # barycentric weights below this count as zero


@dataclass(frozen=True, eq=False)
class Closest:
    """The points of a surface that are closest to P queries.

    Args:
        distance: (P,), mm.
        point: where on the surface (P, 3), mm.
        normal: unit normal there (P, 3), interpolated from the vertices.
        face: triangle (P,), int64.
        weights: barycentric in it (P, 3).
        on_boundary: whether it lies on the rim of the surface or of a hole (P,), bool.
    """

    distance: Float[np.ndarray, " P"]
    point: Float[np.ndarray, "P 3"]
    normal: Float[np.ndarray, "P 3"]
    face: Int[np.ndarray, " P"]
    weights: Float[np.ndarray, "P 3"]
    on_boundary: Bool[np.ndarray, " P"]


class SurfaceIndex:
    """A triangle mesh, indexed once for many closest-point queries (libigl's AABB tree).

    Args:
        vertices: (V, 3), mm.
        faces: triangles (F, 3); any soup will do.
        vertex_normals: unit normals (V, 3); computed from the triangles if None.

    Raises:
        InputError: there are no triangles.
    """

    def __init__(
        self,
        vertices: Float[np.ndarray, "V 3"],
        faces: Faces,
        vertex_normals: Float[np.ndarray, "V 3"] | None = None,
    ) -> None:
        if not len(faces):
            raise InputError("a surface without triangles has no closest points")
        self.vertices = np.ascontiguousarray(vertices, dtype=np.float64)
        self.faces = np.ascontiguousarray(faces, dtype=np.int64)
        normals = vertex_normals
        if normals is None:
            normals = np.nan_to_num(igl.per_vertex_normals(self.vertices, self.faces))
        self.vertex_normals: np.ndarray = np.asarray(normals)
        self.on_rim = rim_vertices(len(self.vertices), self.faces)
        self._tree = igl.AABB()
        self._tree.init(self.vertices, self.faces)

    def closest(self, points: Float[np.ndarray, "P 3"]) -> Closest:
        """The closest point of the surface to each of ``points`` (P, 3), mm."""
        queries = np.ascontiguousarray(points, dtype=np.float64)
        found = self._tree.squared_distance(self.vertices, self.faces, queries)
        squared, face, point = (np.asarray(part) for part in found)
        corners = self.faces[face]
        weights = igl.barycentric_coordinates(
            np.ascontiguousarray(point), *(self.vertices[corners[:, k]] for k in range(3))
        )
        weights = np.nan_to_num(weights, nan=1 / 3).clip(0, 1)
        weights /= weights.sum(axis=1, keepdims=True)
        normal = np.einsum("pkc,pk->pc", self.vertex_normals[corners], weights)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
        inside = (weights > ON_AN_EDGE) & ~self.on_rim[corners]
        return Closest(
            np.sqrt(squared), point, normal, face.astype(np.int64), weights, ~inside.any(axis=1)
        )


def rim_vertices(vertex_count: int, faces: Faces) -> Bool[np.ndarray, " V"]:
    """Which vertices lie on the rim of the surface or of a hole; any soup of triangles will do.

    Args:
        vertex_count: V.
        faces: (F, 3).
    """
    edges = np.sort(half_edges(faces), axis=1).astype(np.int64)
    keys = edges[:, 0] * vertex_count + edges[:, 1]
    unique, uses = np.unique(keys, return_counts=True)
    single = unique[uses == 1]
    on_rim = np.zeros(vertex_count, dtype=bool)
    on_rim[single // vertex_count] = True
    on_rim[single % vertex_count] = True
    return on_rim
