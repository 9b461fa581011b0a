"""Where faces are: rotation, translation and size of each, as numbers and as unknowns of a fit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.fitting.objective import PointFunction, point_jacobian, take_faces
from meshgan.geometry.alignment import Similarity

TURN, SHIFT_MM, SIZE = 0.1, 5.0, 0.05  # radians, mm, logarithm: what an unknown of 1 moves


@dataclass(frozen=True, eq=False)
class Poses:
    """Per face ``x -> scale * rotation @ x + translation``, from the model's frame.

    Args:
        rotation: (B, 3, 3), proper.
        translation: (B, 3), mm.
        scale: (B,), 1 for rigid motions.
    """

    rotation: Float[Tensor, "B 3 3"]
    translation: Float[Tensor, "B 3"]
    scale: Float[Tensor, " B"]

    def __len__(self) -> int:
        return len(self.scale)

    @classmethod
    def identity(cls, count: int, like: Tensor | None = None) -> "Poses":
        """Faces left where they are."""
        ones = torch.ones(count) if like is None else like.new_ones(count)
        turn = torch.eye(3).to(ones).expand(count, 3, 3)
        return cls(turn, ones.new_zeros(count, 3), ones)

    @classmethod
    def of(cls, motions: Sequence[Similarity], like: Tensor) -> "Poses":
        """From single motions."""
        stacked = (
            np.stack([one.rotation for one in motions]),
            np.stack([one.translation for one in motions]),
            np.array([one.scale for one in motions], dtype=np.float64),
        )
        return cls(*(torch.from_numpy(part).to(like) for part in stacked))

    @classmethod
    def join(cls, parts: Sequence["Poses"]) -> "Poses":
        """Those of several batches, one after the other."""
        return cls(
            torch.cat([part.rotation for part in parts]),
            torch.cat([part.translation for part in parts]),
            torch.cat([part.scale for part in parts]),
        )

    def similarity(self, face: int) -> Similarity:
        """The motion of one face."""
        rotation, translation, scale = (
            part[face].detach().cpu().double().numpy()
            for part in (self.rotation, self.translation, self.scale)
        )
        return Similarity(rotation, translation, float(scale))

    def apply(self, points: Float[Tensor, "B P 3"]) -> Float[Tensor, "B P 3"]:
        """Move points of the model's frame to where the faces are."""
        turned = points @ self.rotation.to(points).transpose(1, 2)
        return self.scale.to(points)[:, None, None] * turned + self.translation.to(points)[:, None]

    def remove(self, points: Float[Tensor, "B P 3"]) -> Float[Tensor, "B P 3"]:
        """Bring points where the faces are back to the model's frame."""
        centred = (points - self.translation.to(points)[:, None]) @ self.rotation.to(points)
        return centred / self.scale.to(points)[:, None, None]

    def take(self, rows: Int[Tensor, " b"] | slice) -> "Poses":
        """Those of some faces."""
        return Poses(self.rotation[rows], self.translation[rows], self.scale[rows])


def rotations(vectors: Float[Tensor, "B 3"]) -> Float[Tensor, "B 3 3"]:
    """Rotations about vectors by their lengths in radians (Rodrigues' formula); smooth at 0."""
    angle = (vectors.square().sum(dim=1) + 1e-20).sqrt()[:, None, None]
    cross = cross_matrices(vectors)
    half = torch.sinc(angle / (2 * torch.pi))
    identity = torch.eye(3).to(vectors)
    return identity + torch.sinc(angle / torch.pi) * cross + 0.5 * half**2 * (cross @ cross)


def cross_matrices(vectors: Float[Tensor, "*B 3"]) -> Float[Tensor, "*B 3 3"]:
    """The matrices M with ``M @ x = vector x x``."""
    x, y, z = vectors.unbind(dim=-1)
    zero = torch.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


class PosedPoints:
    """Points of another function, moved by a pose of each face that is solved for.

    The unknowns of the other function come first, then a turn (3) and a shift (3), and with
    ``scale`` the logarithm of a size: all changes of ``start``, in units in which 1 is a small
    motion, so that one step length suits all unknowns. Turns are about ``centre``.

    Args:
        inner: points in the model's frame.
        start: poses that are roughly right.
        centre: (3,), mm, in the model's frame: the middle of the points.
        scale: solve for the size too.
    """

    def __init__(
        self,
        inner: PointFunction,
        start: Poses,
        centre: Float[Tensor, "3"],
        scale: bool = False,
    ) -> None:
        self.inner, self.start, self.centre, self.scale = inner, start, centre, scale
        self.extra = 7 if scale else 6
        self.size = inner.size + self.extra

    def take(self, rows: Int[Tensor, " b"] | slice) -> "PosedPoints":
        """The function of some of the faces."""
        inner = take_faces(self.inner, rows)
        return PosedPoints(inner, self.start.take(rows), self.centre, self.scale)

    def __call__(self, unknowns: Float[Tensor, "B p"]) -> Float[Tensor, "B L 3"]:
        """Where the points are, mm, in the frame of the targets."""
        return self.poses(unknowns).apply(self.inner(unknowns[:, : self.inner.size]))

    def poses(self, unknowns: Float[Tensor, "B p"]) -> Poses:
        """The poses that the unknowns stand for."""
        motion = unknowns[:, self.inner.size :]
        start, centre = self.start, self.centre.to(unknowns)
        rotation = rotations(TURN * motion[:, :3]) @ start.rotation.to(unknowns)
        scale = start.scale.to(unknowns)
        middle = start.apply(centre.expand(len(motion), 1, 3))[:, 0] + SHIFT_MM * motion[:, 3:6]
        if self.scale:
            scale = scale * (SIZE * motion[:, 6]).exp()
        moved = scale[:, None] * (rotation @ centre)
        return Poses(rotation, middle - moved, scale)

    def jacobian(self, unknowns: Float[Tensor, "B p"]) -> Float[Tensor, "B L 3 p"]:
        """Derivative of every point of a face by every unknown of that face."""
        codes, motion = unknowns[:, : self.inner.size], unknowns[:, self.inner.size :]
        poses = self.poses(unknowns)
        turned = poses.scale[:, None, None] * poses.rotation
        arms = (self.inner(codes) - self.centre.to(unknowns)) @ turned.transpose(1, 2)
        by_codes = torch.einsum("bij,bljp->blip", turned, point_jacobian(self.inner, codes))
        by_turn = -TURN * cross_matrices(arms) @ _left_jacobian(TURN * motion[:, :3])[:, None]
        by_shift = SHIFT_MM * torch.eye(3).to(unknowns).expand_as(by_turn)
        parts = [by_codes, by_turn, by_shift]
        if self.scale:
            parts.append(SIZE * arms[..., None])
        return torch.cat(parts, dim=3)

    def with_inner(self, inner: PointFunction) -> "PosedPoints":
        """The same poses of other points."""
        return PosedPoints(inner, self.start, self.centre, self.scale)


def _left_jacobian(vectors: Float[Tensor, "B 3"]) -> Float[Tensor, "B 3 3"]:
    """How the rotation turns further when its vector changes: exp([v + d]) = exp([J d]) exp([v]).

    Source: Barfoot 2017, State Estimation for Robotics, Eq. 7.77a.
    """
    angle = (vectors.square().sum(dim=1) + 1e-20).sqrt()[:, None, None]
    cross = cross_matrices(vectors)
    half = torch.sinc(angle / (2 * torch.pi))
    small = angle < 1e-2
    safe = torch.where(small, torch.ones_like(angle), angle)
    third = torch.where(small, 1 / 6 - angle**2 / 120, (safe - safe.sin()) / safe**3)
    return torch.eye(3).to(vectors) + 0.5 * half**2 * cross + third * (cross @ cross)
