"""What shows between lids and lips: eyeballs, and a mouth that is dark inside."""

import numpy as np
from jaxtyping import Float

from meshgan.data.synthetic import hm08
from meshgan.data.synthetic.membranes import membrane_depth
from meshgan.data.synthetic.patch import EYE_ROWS, EYE_STATIONS, ControlMesh
from meshgan.geometry.skin import apply_rows

FULLY_OPEN_MM = 5.0
CLOSED_MOUTH_MM, SINK = 2.0, 0.35


class Openings:
    """Shapes the membranes of a posed control mesh.

    The eyes' lie on the eyeball, as far as the eye is open, and blend into the rim. The mouth's
    sinks by a share of the opening.
    """

    def __init__(self, control: ControlMesh) -> None:
        self._rims = control.eye_rings[:, 0]
        self._upper = control.eye_rings[:, 0, 9:20]
        self._lower = control.eye_rings[:, 0][:, list(hm08.LOWER_LID[2:13])]
        self._eyes = control.eye_fill
        first = self._eyes - len(control.skin)
        self._from_rim = [
            control.membrane[rows][:, rim].astype(np.float32)
            for rows, rim in zip(first, self._rims, strict=True)
        ]
        self._blend = _eyeball_blend()
        self._mouth = control.mouth_fill
        self._lips = control.mouth_rings[0, [hm08.MOUTH_UPPER, hm08.MOUTH_LOWER]]
        depth = membrane_depth(control.vertex_count, control.faces, self._mouth)
        self._depth = depth.astype(np.float32)

    def shape(
        self,
        points: Float[np.ndarray, "b C 3"],
        centres: Float[np.ndarray, "2 3"],
        radii: Float[np.ndarray, " 2"],
    ) -> Float[np.ndarray, "b C 3"]:
        """Posed control meshes with shaped membranes; eyeballs by centre and radius, mm."""
        shaped = points.copy()
        for side in (0, 1):
            radius = float(radii[side])
            shaped[:, self._eyes[side]] = self._on_eyeball(points, side, centres[side], radius)
        gap = np.linalg.norm(points[:, self._lips[0]] - points[:, self._lips[1]], axis=-1)
        sink = SINK * np.maximum(gap - CLOSED_MOUTH_MM, 0)
        shaped[:, self._mouth, 2] -= sink[:, None] * self._depth
        return shaped

    def _on_eyeball(
        self, points: np.ndarray, side: int, centre: np.ndarray, radius: float
    ) -> np.ndarray:
        from_centre = points[:, self._eyes[side]] - centre
        distance = np.linalg.norm(from_centre, axis=-1, keepdims=True)
        rim = np.linalg.norm(points[:, self._rims[side]] - centre, axis=-1, keepdims=True)
        blend = self._blend * self._openness(points, side)[:, None]
        wanted = apply_rows(self._from_rim[side], rim)[..., 0] * (1 - blend) + radius * blend
        return centre + from_centre / distance * wanted[..., None]

    def _openness(self, points: np.ndarray, side: int) -> np.ndarray:
        gap = points[:, self._upper[side]] - points[:, self._lower[side]]
        return np.clip(np.linalg.norm(gap, axis=-1).mean(axis=1) / FULLY_OPEN_MM, 0, 1)


def _eyeball_blend() -> np.ndarray:
    """Share of the eyeball at each membrane vertex: 0 at the lids and at the corners."""
    across = np.repeat(np.arange(1, EYE_ROWS + 1) / (EYE_ROWS + 1), EYE_STATIONS - 2)
    along = np.tile(np.linspace(0, 1, EYE_STATIONS)[1:-1], EYE_ROWS)
    blend = 4 * across * (1 - across) * np.clip(6.4 * along * (1 - along), 0, 1)
    return blend.astype(np.float32)
