"""TriMesh: the one mesh type of the toolkit, an immutable value that is checked once."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float

from meshgan.arrays import UV, Faces
from meshgan.errors import InputError, ShapeError


@dataclass(frozen=True, eq=False)
class TriMesh:
    """A triangle mesh in millimetres.

    Args:
        vertices: positions (V, 3), float32 or float64, mm.
        faces: vertex ids (F, 3), int64, counter-clockwise seen from outside.
        uv: one texture coordinate per vertex (V, 2), or None.

    Raises:
        ShapeError: an array has the wrong shape, or the UVs another number of vertices.
        InputError: a vertex is not finite, or a face names a vertex that does not exist.
    """

    vertices: Float[np.ndarray, "V 3"]
    faces: Faces
    uv: UV | None = None

    def __post_init__(self) -> None:
        count = len(self.vertices)
        if self.uv is not None and len(self.uv) != count:
            raise ShapeError(f"mesh: {len(self.uv):,} UVs for {count:,} vertices, expected as many")
        if bad := int((~np.isfinite(self.vertices).all(axis=1)).sum()):
            first = int(np.flatnonzero(~np.isfinite(self.vertices).all(axis=1))[0])
            raise InputError(f"mesh: {bad:,} of {count:,} vertices are not finite (first: {first})")
        if len(self.faces) and not (0 <= self.faces.min() and self.faces.max() < count):
            worst = int(self.faces.max() if self.faces.max() >= count else self.faces.min())
            raise InputError(f"mesh: a face names vertex {worst:,}, but there are {count:,}")

    @property
    def vertex_count(self) -> int:
        """V."""
        return len(self.vertices)

    @property
    def face_count(self) -> int:
        """F."""
        return len(self.faces)

    @cached_property
    def topology_hash(self) -> str:
        """16 hexadecimal digits that name the connectivity: vertex count and faces in order."""
        return topology_hash(self.vertex_count, self.faces)

    def with_vertices(self, vertices: Float[np.ndarray, "V 3"]) -> "TriMesh":
        """The same faces and UVs at other positions (V, 3)."""
        if len(vertices) != self.vertex_count:
            raise ShapeError(
                f"mesh: {len(vertices):,} vertices, but the topology has {self.vertex_count:,}"
            )
        return replace(self, vertices=vertices)


def topology_hash(vertex_count: int, faces: Faces) -> str:
    """Name a connectivity: two meshes with the same hash correspond vertex by vertex."""
    digest = hashlib.sha256(f"{vertex_count} ".encode())
    digest.update(np.ascontiguousarray(faces, dtype="<i8").tobytes())
    return digest.hexdigest()[:16]
