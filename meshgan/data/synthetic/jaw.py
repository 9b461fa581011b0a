"""The jaw opens on an arc: a hinge in front of the ears instead of straight paths."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares

from meshgan.geometry.skin import Skin

MOVING = 0.6  # vertices that move at least this share of the largest displacement fit the axis
SMOOTHINGS = 2
EAR_REACH_MM, EAR_SIDE_MM = 12.0, 50.0


class JawHinge:
    """Splits the action "jawOpen" into a rotation about a left-right axis and a remainder.

    The rotation by ``angle`` (radians, at weight 1) about the point (y, z) is fitted to the
    vertices that move most; every vertex takes part with a soft weight in [0, 1]. On other people
    the axis rides on the skin in front of their ears.

    ``remainder`` (S, 3): what the weighted rotation leaves of the action, mm.
    """

    def __init__(
        self,
        skin: Skin,
        reference: Float[np.ndarray, "S 3"],
        opening: Float[np.ndarray, "S 3"],
        joint: Float[np.ndarray, " 3"],
    ) -> None:
        length = np.linalg.norm(opening, axis=1)
        moving = length > MOVING * length.max()

        def misfit(parameters: np.ndarray) -> np.ndarray:
            path = _rotated(reference[moving], parameters[0], parameters[1:])
            return (path - opening[moving])[:, 1:].ravel()

        fit = least_squares(misfit, [0.4, joint[1], joint[2]]).x
        self.angle, axis = float(fit[0]), fit[1:]
        path = _rotated(reference, self.angle, axis)
        share = (opening * path).sum(axis=1) / np.maximum((path**2).sum(axis=1), 1e-6)
        share = np.clip(share, 0, 1).astype(np.float32)
        self.weight = skin.averaged(share[None, :, None], SMOOTHINGS)[0, :, 0]
        self.remainder = opening - self.weight[:, None] * path
        self._ear = _ear_weights(reference, axis)
        self._offset = axis - self._ear @ reference[:, 1:]

    def axis(self, neutral: Float[np.ndarray, "S 3"]) -> Float[np.ndarray, " 2"]:
        """Height and depth (y, z) of a person's hinge, mm."""
        return self._ear @ neutral[:, 1:] + self._offset

    def turn(
        self,
        points: Float[np.ndarray, "b S 3"],
        opening: Float[np.ndarray, " b"],
        axis: Float[np.ndarray, " 2"],
    ) -> Float[np.ndarray, "b S 3"]:
        """Rotate already deformed skin by ``opening`` times the full angle."""
        angle = self.angle * opening
        cos, sin = np.cos(angle)[:, None] - 1, np.sin(angle)[:, None]
        y, z = points[..., 1] - np.float32(axis[0]), points[..., 2] - np.float32(axis[1])
        turned = points.copy()
        turned[..., 1] += self.weight * (cos * y - sin * z)
        turned[..., 2] += self.weight * (sin * y + cos * z)
        return turned


def _rotated(points: np.ndarray, angle: float, axis: np.ndarray) -> np.ndarray:
    """Displacement of points by a rotation about the x direction through (y, z) = axis."""
    cos, sin = np.cos(angle) - 1, np.sin(angle)
    y, z = points[:, 1] - axis[0], points[:, 2] - axis[1]
    return np.stack([np.zeros_like(y), cos * y - sin * z, sin * y + cos * z], axis=1)


def _ear_weights(reference: np.ndarray, axis: np.ndarray) -> np.ndarray:
    distance2 = ((reference[:, 1:] - axis) ** 2).sum(axis=1)
    weight = np.exp(-distance2 / (2 * EAR_REACH_MM**2)) * (np.abs(reference[:, 0]) > EAR_SIDE_MM)
    return weight / weight.sum()
