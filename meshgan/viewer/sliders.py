"""Slider groups: the directions of a code that show the most, in standard deviations."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.editing.directions import leading_directions, movements_mm
from meshgan.models.base import NOISE, MeshModel

REACH = 3.0  # standard deviations that a slider goes each way
SLIDERS = {NOISE: 3}  # by code; any other has MOST
MOST = 6
FAINT_MM = 0.02  # a full slider that moves less than this is left out, unless it is the first


@dataclass(frozen=True, eq=False)
class SliderGroup:
    """The sliders of one code.

    Args:
        factor: which code.
        directions: orthonormal rows (n, d).
        movements_mm: how far one standard deviation along each moves the vertices (RMS).
    """

    factor: str
    directions: Float[Tensor, "n d"]
    movements_mm: tuple[float, ...]

    @property
    def count(self) -> int:
        """How many sliders."""
        return len(self.directions)

    def values(self, code: Float[Tensor, "1 d"]) -> list[float]:
        """Where the sliders stand for a code, in standard deviations."""
        return (self.directions.to(code) @ code[0]).tolist()

    def moved(self, code: Float[Tensor, "1 d"], slider: int, value: float) -> Float[Tensor, "1 d"]:
        """The code after one slider was set; the other sliders, and what none shows, stay."""
        direction = self.directions[slider].to(code)
        return code + (value - code[0] @ direction) * direction


def slider_groups(model: MeshModel, rng: torch.Generator) -> list[SliderGroup]:
    """One group per code of a model, factors first."""
    groups = []
    for factor, size in model.code_sizes.items():
        count = min(SLIDERS.get(factor, MOST), size)
        directions = leading_directions(model, factor, count, rng)
        moved = movements_mm(model, factor, directions)
        order = moved.argsort(descending=True)  # at the mean face, where the window starts
        kept = order[: max(1, int((REACH * moved > FAINT_MM).sum()))]
        groups.append(SliderGroup(factor, directions[kept], tuple(moved[kept].tolist())))
    return groups
