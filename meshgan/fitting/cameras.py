"""Pictures of faces: how points of a posed face come onto the pixels, and as unknowns of a fit."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import InputError
from meshgan.fitting.objective import point_jacobian
from meshgan.fitting.poses import SIZE, PosedPoints, Poses

CameraKind = Literal["weak", "pinhole"]
NEAREST_MM = 20.0  # nothing is seen closer to the camera


@dataclass(frozen=True)
class Camera:
    """What is known of the camera of pictures; pixels are square, and there is no distortion.

    Args:
        kind: "weak": weak perspective, no foreshortening within a face, right for faces far off;
            "pinhole": full perspective.
        focal_px: focal length of a pinhole camera in pixels; None to solve for it.
        centre_px: (x, y) of the optical axis; the middle of the picture if None.
        size_px: width and height of the picture.

    Raises:
        InputError: no such kind, a number that is not positive, or a pinhole camera without its
            centre or size.
    """

    kind: CameraKind = "weak"
    focal_px: float | None = None
    centre_px: tuple[float, float] | None = None
    size_px: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("weak", "pinhole"):
            raise InputError(f"camera {self.kind!r}; choose weak or pinhole")
        if self.focal_px is not None and not self.focal_px > 0:
            raise InputError(f"camera: a focal length of {self.focal_px} pixels, expected above 0")
        if self.size_px is not None and not min(self.size_px) > 0:
            raise InputError(f"camera: a picture of {self.size_px} pixels, expected above 0")
        if self.kind == "pinhole" and self.middle is None:
            raise InputError(
                "camera: a pinhole camera needs the size of the picture, or where its optical "
                "axis is (size_px, --image-size WIDTH HEIGHT)"
            )

    @property
    def middle(self) -> tuple[float, float] | None:
        """Where the optical axis meets the picture; None if unknown."""
        if self.centre_px is None and self.size_px is not None:
            return self.size_px[0] / 2, self.size_px[1] / 2
        return self.centre_px


@dataclass(frozen=True, eq=False)
class Cameras:
    """The cameras of B pictures, as a fit found them.

    Camera frame: x to the right of the picture, y up, z towards the viewer, mm; what a pinhole
    camera sees has z < 0.

    Args:
        kind: as ``Camera.kind``.
        focal_px: (B,): focal length; with weak perspective the pixels of a millimetre.
        centre_px: (B, 2), x to the right and y down.
    """

    kind: CameraKind
    focal_px: Float[Tensor, " B"]
    centre_px: Float[Tensor, "B 2"]

    def take(self, row: int) -> "Cameras":
        """The camera of one picture."""
        some = slice(row, row + 1)
        return Cameras(self.kind, self.focal_px[some], self.centre_px[some])

    def project(self, points: Float[Tensor, "B P 3"]) -> Float[Tensor, "B P 2"]:
        """Pixels of points in the camera frame, mm."""
        plane = points[..., :2]
        if self.kind == "pinhole":
            plane = plane / (-points[..., 2:]).clamp_min(NEAREST_MM)
        down = plane * plane.new_tensor([1.0, -1.0])
        return self.centre_px.to(points)[:, None] + self.focal_px.to(points)[:, None, None] * down


class PicturePoints:
    """Posed points as a camera sees them, in mm at the distance of the face.

    Weak perspective: the first two coordinates, where the pose has a size. Pinhole:
    ``reach * (x, y) / -z``, with the logarithm of a focal length as the last unknown if it is
    solved for. ``reach`` is the distance at which a millimetre is a millimetre.

    Args:
        posed: points in the camera frame.
        kind: of the camera.
        reach: (B,), mm.
        focal: solve for the focal length.
    """

    def __init__(
        self, posed: PosedPoints, kind: CameraKind, reach: Float[Tensor, " B"], focal: bool
    ) -> None:
        self.posed, self.reach, self.focal = posed, reach, focal
        self.kind: CameraKind = kind
        self.size = posed.size + int(focal)

    def take(self, rows: Int[Tensor, " b"] | slice) -> "PicturePoints":
        """The function of some of the faces."""
        return PicturePoints(self.posed.take(rows), self.kind, self.reach[rows], self.focal)

    def poses(self, unknowns: Float[Tensor, "B p"]) -> Poses:
        """The poses that the unknowns stand for; a size of the picture is left in ``scale``."""
        return self.posed.poses(unknowns[:, : self.posed.size])

    def reaches(self, unknowns: Float[Tensor, "B p"]) -> Float[Tensor, " B"]:
        """The reach of each face under the focal length that the unknowns stand for."""
        reach = self.reach.to(unknowns)
        return reach * (SIZE * unknowns[:, -1]).exp() if self.focal else reach

    def __call__(self, unknowns: Float[Tensor, "B p"]) -> Float[Tensor, "B L 2"]:
        """Where the points are seen, mm at the distance of the face, y up."""
        points = self.posed(unknowns[:, : self.posed.size])
        if self.kind == "weak":
            return points[..., :2]
        depth = (-points[..., 2:]).clamp_min(NEAREST_MM)
        return self.reaches(unknowns)[:, None, None] * points[..., :2] / depth

    def jacobian(self, unknowns: Float[Tensor, "B p"]) -> Float[Tensor, "B L 2 p"]:
        """Derivative of every point of a face by every unknown of that face."""
        inner = unknowns[:, : self.posed.size]
        rows = point_jacobian(self.posed, inner)
        if self.kind == "weak":
            return rows[:, :, :2]
        points = self.posed(inner)
        depth = (-points[..., 2:]).clamp_min(NEAREST_MM)
        plane = points[..., :2] / depth
        seen = (-points[..., 2:] > NEAREST_MM).to(rows)[..., None]
        found = (rows[:, :, :2] + seen * plane[..., None] * rows[:, :, 2:]) / depth[..., None]
        reach = self.reaches(unknowns)[:, None, None, None]
        if self.focal:
            found = torch.cat([found, SIZE * plane[..., None]], dim=3)
        return reach * found
