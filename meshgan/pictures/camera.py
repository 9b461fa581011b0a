"""Where the picture is taken from: an orthographic view of a whole batch at one scale."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.errors import InputError

LARGEST = 1.6  # times the median extent: no human face is larger


@dataclass(frozen=True)
class Frame:
    """The square of the world that a picture shows, the same for every face of a batch.

    Faces are turned about the vertical axis through ``pivot_mm`` and then seen along -z.

    Args:
        pivot_mm: point (x, y, z) that the head turns about.
        yaw_deg: turn of the head; positive shows the subject's right cheek.
        centre_mm: middle of the picture after the turn, relative to the pivot.
        half_mm: half of the side of the picture.
    """

    pivot_mm: tuple[float, float, float]
    yaw_deg: float
    centre_mm: tuple[float, float]
    half_mm: float

    def __post_init__(self) -> None:
        if not self.half_mm > 0:
            raise InputError(
                f"frame: half a side of {self.half_mm} mm, expected more than 0; "
                "the faces have no extent or are not finite"
            )

    def turn(self, vertices: Float[Tensor, "B V 3"]) -> Float[Tensor, "B V 3"]:
        """Positions (mm) as the camera sees them: x right, y up, z towards the viewer."""
        angle = torch.deg2rad(torch.tensor(float(self.yaw_deg), dtype=torch.float64))
        cos, sin = float(angle.cos()), float(angle.sin())
        pivot = torch.tensor(self.pivot_mm, dtype=vertices.dtype, device=vertices.device)
        x, y, z = (vertices - pivot).unbind(-1)
        return torch.stack([cos * x + sin * z, y, cos * z - sin * x], dim=-1)

    def to_pixels(
        self, turned: Float[Tensor, "B V 3"], size_px: int
    ) -> tuple[Float[Tensor, "B V 2"], Float[Tensor, "B V"]]:
        """Pixel coordinates (row 0 at the top, centres at k + 0.5) and depth (mm, near is big)."""
        scale = size_px / (2 * self.half_mm)
        x = (turned[..., 0] - self.centre_mm[0] + self.half_mm) * scale
        y = (self.centre_mm[1] + self.half_mm - turned[..., 1]) * scale
        return torch.stack([x, y], dim=-1), turned[..., 2].contiguous()


def frame_faces(
    vertices: Float[Tensor, "B V 3"], yaw_deg: float = 0.0, margin: float = 0.03
) -> Frame:
    """Choose one square that holds the faces of a batch, centred on them.

    Faces much larger than most are not asked, so one exploded mesh cannot shrink the others.

    Args:
        vertices: faces in one coordinate system, mm.
        yaw_deg: turn of the head about the vertical axis.
        margin: white space on each side, as a share of the extent.

    Raises:
        InputError: there is no face, or the faces have no extent.
    """
    if vertices.shape[0] == 0:
        raise InputError("frame: no faces to look at; give at least one mesh")
    low, high = _typical_bounds(vertices)
    pivot = (low + high) / 2
    upright = Frame(tuple(pivot.tolist()), yaw_deg, (0.0, 0.0), half_mm=1.0)
    low, high = _typical_bounds(upright.turn(vertices))
    centre, extent = (low + high)[:2] / 2, float((high - low)[:2].max())
    return Frame(upright.pivot_mm, yaw_deg, tuple(centre.tolist()), extent * (0.5 + margin))


def _typical_bounds(vertices: Tensor) -> tuple[Tensor, Tensor]:
    points = vertices.double()
    low, high = points.amin(dim=1), points.amax(dim=1)
    extent = (high - low).amax(dim=1)
    typical = extent <= LARGEST * extent.median()
    return low[typical].amin(dim=0), high[typical].amax(dim=0)
