"""How stiff a template is at each step of a non-rigid ICP, and how far it looks."""

from dataclasses import dataclass

import numpy as np

from meshgan.errors import InputError


@dataclass(frozen=True)
class Stage:
    """Steps at one resolution; each quantity goes from its first to its last value geometrically.

    Args:
        steps: closest-point searches, one solve after each.
        stiffness_mm: l, the length below which bends are smoothed away.
        landmark_mm2: m, the area of surface that one landmark outweighs.
        reach_mm: matches farther away than this are dropped.
        sliding: 1 measures distances to tangent planes alone, 0 to points.
    """

    steps: int
    stiffness_mm: tuple[float, float]
    landmark_mm2: tuple[float, float]
    reach_mm: tuple[float, float]
    sliding: float = 0.0

    def __post_init__(self) -> None:
        ranges = (*self.stiffness_mm, *self.landmark_mm2, *self.reach_mm)
        if self.steps < 1 or min(ranges) <= 0 or not 0 <= self.sliding < 1:
            raise InputError(f"{self}: steps, lengths and areas are positive, 0 <= sliding < 1")

    def schedule(self) -> list[tuple[float, float, float]]:
        """Stiffness (mm), landmark area (mm^2) and reach (mm) of each step."""
        ranges = (self.stiffness_mm, self.landmark_mm2, self.reach_mm)
        return list(
            zip(*(np.geomspace(*pair, self.steps).tolist() for pair in ranges), strict=True)
        )


COARSE = Stage(5, (70.0, 6.0), (3300.0, 130.0), (24.0, 5.0), sliding=0.98)
FINE = Stage(8, (3.5, 1.4), (16.0, 5.0), (5.0, 5.0))


@dataclass(frozen=True)
class Schedule:
    """How a template is bent: first on ``coarse_vertices`` of its vertices, then on all."""

    coarse: Stage | None = COARSE
    fine: Stage = FINE
    coarse_vertices: int = 800
