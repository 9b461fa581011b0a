"""Which points of a model's surface are compared with what was observed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import InputError, ShapeError
from meshgan.models.base import Codes, MeshModel


@dataclass(frozen=True, eq=False)
class SurfacePoints:
    """Points on a surface, each a weighted mean of a few vertices.

    A vertex is a mean of one, a barycentric point a mean of the three corners of its triangle.

    Args:
        corners: vertex ids (L, k).
        weights: (L, k), each row sums to 1.

    Raises:
        ShapeError: not one weight per corner.
        InputError: an id is negative, or a row of weights does not sum to 1.
    """

    corners: Int[Tensor, "L k"]
    weights: Float[Tensor, "L k"]

    def __post_init__(self) -> None:
        if self.corners.shape != self.weights.shape:
            raise ShapeError(
                f"points: corners {tuple(self.corners.shape)}, weights "
                f"{tuple(self.weights.shape)}; give one weight per corner"
            )
        if self.corners.numel() and int(self.corners.min()) < 0:
            raise InputError(f"points: vertex {int(self.corners.min())}, expected 0 or more")
        off = (self.weights.sum(dim=1) - 1).abs() > 1e-4
        if bool(off.any()):
            raise InputError(
                f"points: the weights of {int(off.sum()):,} of {len(off):,} points do not sum to 1"
            )

    @classmethod
    def at_vertices(cls, ids: Int[Tensor, " L"]) -> "SurfacePoints":
        """The vertices themselves."""
        return cls(ids[:, None], torch.ones(len(ids), 1, device=ids.device))

    @classmethod
    def in_faces(
        cls,
        face_ids: Int[Tensor, " L"],
        weights: Float[Tensor, "L 3"],
        faces: Int[Tensor, "F 3"],
    ) -> "SurfacePoints":
        """Points inside triangles, by face id and barycentric weights.

        Raises:
            InputError: a face id is out of range.
        """
        outside = (face_ids < 0) | (face_ids >= len(faces))
        if bool(outside.any()):
            first = int(face_ids[outside][0])
            raise InputError(
                f"points: names face {first:,}, but there are {len(faces):,} "
                f"(0 to {len(faces) - 1:,})"
            )
        return cls(faces[face_ids], weights)

    @property
    def count(self) -> int:
        """L."""
        return len(self.corners)

    @cached_property
    def _needed(self) -> tuple[Tensor, Tensor]:
        return torch.unique(self.corners, return_inverse=True)

    def check_range(self, vertex_count: int) -> None:
        """Refuse points that a mesh of ``vertex_count`` vertices does not have.

        Raises:
            InputError: a vertex id is out of range.
        """
        astray = (self.corners >= vertex_count).any(dim=1)
        if bool(astray.any()):
            raise InputError(
                f"points: {int(astray.sum()):,} of {self.count:,} name vertices up to "
                f"{int(self.corners.max()):,}, but the model has {vertex_count:,} (0 to "
                f"{vertex_count - 1:,}); the landmarks belong to another template"
            )

    def locate(self, model: MeshModel, codes: Codes) -> Float[Tensor, "B L 3"]:
        """Where the points are on decoded faces, mm; no other vertex is computed."""
        vertices, place = self._needed
        found = model.decode_at(codes, vertices)[:, place]
        return (found * self.weights.to(found)[..., None]).sum(dim=2)

    def derive(
        self,
        jacobian_at: Callable[[Codes, Int[Tensor, " n"]], Float[Tensor, "B n 3 d"]],
        codes: Codes,
    ) -> Float[Tensor, "B L 3 d"]:
        """Derivatives of the points from those of the vertices, by a model's ``jacobian_at``."""
        vertices, place = self._needed
        found = jacobian_at(codes, vertices)
        if self.corners.shape[1] == 1:
            return found[:, place[:, 0]]
        return torch.einsum("blkcd,lk->blcd", found[:, place], self.weights.to(found))

    def take(self, rows: Int[Tensor, " l"] | slice) -> "SurfacePoints":
        """Some of the points."""
        return SurfacePoints(self.corners[rows], self.weights[rows])

    def to(self, device: torch.device) -> "SurfacePoints":
        """The same points on another device."""
        return SurfacePoints(self.corners.to(device), self.weights.to(device))
