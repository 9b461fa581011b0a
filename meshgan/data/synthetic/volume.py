"""Soft tissue keeps its volume: skin that is squeezed together bulges, stretched skin thins."""

import numpy as np
from jaxtyping import Float

from meshgan.data.synthetic.patch import ControlMesh
from meshgan.geometry.skin import Skin, apply_rows, unit

BULGE = 0.56  # of the square root of a vertex' area (twice its triangles'), at full compression
LEAST, MOST = -0.3, 0.6
LID_RINGS, LIP_RINGS = 5, 6


class SoftVolume:
    """Moves vertices along their normals by how much their triangles lost of their area.

    Lids and lips are left alone: they slide and roll rather than compress.
    """

    def __init__(self, skin: Skin, control: ControlMesh) -> None:
        self._skin = skin
        mask = np.ones(len(control.skin), dtype=np.float32)
        mask[control.eye_rings[:, :LID_RINGS]] = 0
        mask[control.mouth_rings[:LIP_RINGS]] = 0
        self._mask = skin.averaged(mask[None, :, None], 2)[0, :, 0] * mask

    def bulge(
        self,
        points: Float[np.ndarray, "b S 3"],
        neutral: Float[np.ndarray, "S 3"],
        tissue: float,
    ) -> Float[np.ndarray, "b S 3"]:
        """Add the bulge of posed skin against its neutral; ``tissue``: softness, about 0 to 1."""
        vectors = self._skin.area_vectors(points)
        area = self._around(np.linalg.norm(vectors, axis=-1))
        rest = self._rest_area(neutral)
        squeezed = np.clip(1 - area / rest, LEAST, MOST)
        squeezed = self._skin.averaged(squeezed[..., None], 2)[..., 0]
        amount = np.float32(BULGE * tissue) * np.sqrt(rest) * squeezed * self._mask
        normals = unit(apply_rows(self._skin.incidence, vectors))
        return points + amount[..., None] * normals

    def _around(self, areas: np.ndarray) -> np.ndarray:
        return apply_rows(self._skin.incidence, areas[..., None])[..., 0]

    def _rest_area(self, neutral: np.ndarray) -> np.ndarray:
        vectors = self._skin.area_vectors(neutral[None])
        return self._around(np.linalg.norm(vectors, axis=-1))[0]
