"""Light on skin: what makes lips, lids and wrinkles readable at a glance.

Everything is in linear light and in the camera's frame (x right, y up, z towards the viewer), so
the light stays where it is when the head turns.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

SKIN = (0.88, 0.68, 0.57)  # sRGB


@dataclass(frozen=True)
class Light:
    """A distant light: towards it (camera frame, any length) and its colour (linear RGB)."""

    direction: tuple[float, float, float]
    colour: tuple[float, float, float]


@dataclass(frozen=True)
class Lighting:
    """How a surface is lit.

    Args:
        lamps: distant lights, the first one gives the gloss.
        ambient: light from everywhere, linear RGB.
        wrap: how far (cosine) diffuse light reaches past the terminator, per channel.
        gloss: strength of the highlight.
        gloss_exponent: how narrow the highlight is.
    """

    lamps: tuple[Light, ...]
    ambient: tuple[float, float, float]
    wrap: tuple[float, float, float]
    gloss: float
    gloss_exponent: int = 22


STUDIO = Lighting(  # warm key from the upper left, cool fill, rim from behind
    lamps=(
        Light((-0.62, 0.68, 0.62), (0.98, 0.93, 0.86)),
        Light((0.85, 0.05, 0.75), (0.20, 0.23, 0.28)),
        Light((0.75, 0.45, -0.55), (0.34, 0.36, 0.40)),
    ),
    ambient=(0.15, 0.155, 0.17),
    wrap=(0.30, 0.18, 0.14),  # red light travels farther under the skin
    gloss=0.10,
)
CHART = Lighting(  # neutral and flat: colours can be compared with a legend
    lamps=(Light((-0.35, 0.45, 0.85), (0.36, 0.36, 0.36)),),
    ambient=(0.62, 0.62, 0.62),
    wrap=(0.3, 0.3, 0.3),
    gloss=0.0,
)
CREASE_TINT = (0.85, 1.0, 1.1)  # light in a crease has bounced off skin: darker, and redder
CREASES = ((2.5, 1.4, 0.55), (9.0, 7.0, 0.5))  # radius mm, depth mm of full effect, strength
INSIDE = 0.45  # the back of an open surface, seen through a hole


def light_surface(
    normals: Float[Tensor, "P 3"],
    albedo: Float[Tensor, "P 3"] | Float[Tensor, "1 3"],
    lighting: Lighting = STUDIO,
) -> Float[Tensor, "P 3"]:
    """Light that each surface point sends to the viewer, linear RGB, about 0 to 1.

    Diffuse light wraps a little past the terminator, more so in red: a cheap stand-in for light
    that scatters under the skin. Normals that point away belong to the back of an open surface;
    they are turned around and darkened.

    Args:
        normals: unit normals in the camera's frame.
        albedo: linear RGB, per point or one for all.
        lighting: the lamps.
    """
    away = normals[:, 2:].neg().mul(4).clamp(0, 1)
    normals = torch.where(normals[:, 2:] < 0, -normals, normals)
    directions = torch.stack([_unit(lamp.direction, normals) for lamp in lighting.lamps], dim=1)
    cosines = normals @ directions
    channels = []
    for channel, wrap in enumerate(lighting.wrap):
        colour = normals.new_tensor([lamp.colour[channel] for lamp in lighting.lamps])
        diffuse = (cosines + wrap).clamp_(min=0) @ (colour / (1 + wrap))
        channels.append(diffuse + lighting.ambient[channel])
    light = albedo * torch.stack(channels, dim=1)
    if lighting.gloss:
        view = normals.new_tensor([0.0, 0.0, 1.0])
        halfway = functional.normalize(directions[:, 0] + view, dim=0)
        highlight = (normals @ halfway).clamp_(min=0).pow_(lighting.gloss_exponent)
        light += lighting.gloss * highlight[:, None]
    return light * (1 - (1 - INSIDE) * away)


def crease_openness(
    depth: Float[Tensor, "B S S"], coverage: Float[Tensor, "B S S"], mm_per_px: float
) -> Float[Tensor, "B S S"]:
    """How open each visible point is, 0 (deep crease) to 1, from the depth picture alone.

    A point that lies behind the local mean of the depth is in a crease. Two scales are added: a
    fine one for lips and lids, a broad one for the sides of the nose and the eye sockets. Towards
    the rim of the surface, where the mean is one-sided, the effect fades.

    Args:
        depth: mm, larger is nearer; any value where nothing is visible.
        coverage: 1 where a surface is visible, 0 where not, between on the rim.
        mm_per_px: size of a pixel.

    Source: Luft, Colditz, Deussen 2006, Image enhancement by unsharp masking the depth buffer.
    """
    shadow = torch.zeros_like(depth)
    for radius_mm, depth_mm, strength in CREASES:
        mean, surrounded = _local_mean(depth * coverage, coverage, radius_mm / mm_per_px)
        behind = ((mean - depth) / depth_mm).clamp_(0, 1)
        shadow += strength * behind * (2 * surrounded - 1).clamp_(0, 1)
    return (1 - shadow).clamp_(min=0.3)


def _local_mean(
    filled: Tensor, coverage: Tensor, radius_px: float
) -> tuple[Float[Tensor, "B S S"], Float[Tensor, "B S S"]]:
    """Gaussian-like mean of what is covered, and the share that is: three box filters."""
    step = max(1, int(radius_px / 3))
    stacked = torch.stack([filled, coverage], dim=1)
    side = stacked.shape[-1]
    coarse = functional.avg_pool2d(stacked, step, ceil_mode=True)
    half = max(1, round(radius_px / step / 1.7))
    for _ in range(3):  # rows, then columns: the cost grows with the radius, not its square
        coarse = functional.avg_pool2d(coarse, (1, 2 * half + 1), stride=1, padding=(0, half))
        coarse = functional.avg_pool2d(coarse, (2 * half + 1, 1), stride=1, padding=(half, 0))
    total, weight = coarse.unbind(1)
    coarse = torch.stack([total / weight.clamp(min=1e-6), weight], dim=1)
    size = coarse.shape[-1] * step
    mean, share = functional.interpolate(coarse, size=(size, size), mode="bilinear").unbind(1)
    return mean[:, :side, :side], share[:, :side, :side]


def to_linear(srgb: Float[Tensor, "... 3"]) -> Float[Tensor, "... 3"]:
    """Stored colour (0 to 1) to light, IEC 61966-2-1."""
    return torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def to_srgb(linear: Float[Tensor, "... 3"]) -> Float[Tensor, "... 3"]:
    """Light to stored colour, clipped to 0 to 1, IEC 61966-2-1."""
    light = linear.clamp(0, 1)
    return torch.where(
        light <= 0.0031308, 12.92 * light, 1.055 * light.clamp(min=1e-4) ** (1 / 2.4) - 0.055
    )


def _unit(direction: tuple[float, ...], like: Tensor) -> Tensor:
    return functional.normalize(like.new_tensor(direction), dim=0)
