"""The outline of the face patch: a rounded box in azimuth and elevation about the head."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from meshgan.arrays import Vertices


@dataclass(frozen=True)
class Outline:
    """A closed curve on the head, by direction from a point inside it.

    ``centre_mm``: that point. ``azimuth_deg``: half width. ``level_deg``: elevation of the
    widest place; ``up_deg`` and ``down_deg``: extent above and below it. ``power``: 2 is an
    ellipse, more is boxier.
    """

    centre_mm: tuple[float, float, float]
    azimuth_deg: float
    level_deg: float
    up_deg: float
    down_deg: float
    power: float

    def level(self, points: Vertices) -> Float[np.ndarray, " V"]:
        """Below 1 inside the outline, 1 on it, larger outside."""
        direction = points - np.array(self.centre_mm)
        direction = direction / np.linalg.norm(direction, axis=1, keepdims=True)
        azimuth = np.degrees(np.arctan2(np.abs(direction[:, 0]), direction[:, 2]))
        above = np.degrees(np.arcsin(direction[:, 1])) - self.level_deg
        extent = np.where(above > 0, self.up_deg, self.down_deg)
        across, along = azimuth / self.azimuth_deg, np.abs(above) / extent
        return (across**self.power + along**self.power) ** (1 / self.power)
