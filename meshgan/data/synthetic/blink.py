"""Blinks that just close: how far each stretch of a person's lids has to travel."""

import numpy as np
from jaxtyping import Float, Int

from meshgan.data.synthetic import hm08
from meshgan.data.synthetic.patch import ControlMesh

BLINKS = ("eyeBlinkLeft", "eyeBlinkRight")
# Corners do not travel; their neighbours are too close for a ratio.
AWAY_FROM_CORNERS = slice(2, 13)
LEAST, MOST = 0.5, 1.8
FALLOFF = (1.0, 1.0, 1.0, 0.9, 0.7, 0.45, 0.2)  # per ring, from the lids' edge outwards


class BlinkFit:
    """Scales a blink along the lids so that a weight of one closes a person's eye everywhere.

    Stations along the lids pair a vertex of the upper with one of the lower edge. Where a station
    has to travel further (or less far) than the action goes, the whole column of lid vertices
    outside it is scaled; away from the lids the median scale holds.
    """

    def __init__(self, control: ControlMesh) -> None:
        self._rings = control.eye_rings
        self._skin_count = len(control.skin)
        count = control.eye_rings.shape[2]
        station = np.empty(count, dtype=np.int64)
        station[list(hm08.LOWER_LID)] = np.arange(len(hm08.LOWER_LID))
        station[list(hm08.UPPER_LID)] = np.arange(len(hm08.UPPER_LID))
        self._station = station

    def scale(
        self,
        side: int,
        neutral: Float[np.ndarray, "S 3"],
        path: Float[np.ndarray, "S 3"],
    ) -> Float[np.ndarray, " S"]:
        """Factor per skin vertex for the blink of the left (0) or right (1) eye, float32.

        Args:
            side: 0 left, 1 right.
            neutral: the person's skin, mm.
            path: displacement of this person's skin by the blink as it is, mm.
        """
        ratio = self._ratios(self._rings[side, 0], neutral, path)
        usual = float(np.median(ratio))
        scale = np.full(self._skin_count, usual, dtype=np.float32)
        for ring, falloff in zip(self._rings[side], FALLOFF, strict=False):
            scale[ring] = usual + falloff * (ratio[self._station] - usual)
        return scale

    def _ratios(
        self, edge: Int[np.ndarray, " n"], neutral: np.ndarray, path: np.ndarray
    ) -> Float[np.ndarray, " stations"]:
        upper, lower = edge[list(hm08.UPPER_LID)], edge[list(hm08.LOWER_LID)]
        gap = (neutral[upper] - neutral[lower])[AWAY_FROM_CORNERS, 1]
        closing = (path[lower] - path[upper])[AWAY_FROM_CORNERS, 1]
        ratio = np.clip(gap / np.maximum(closing, 1e-3), LEAST, MOST)
        beside = np.pad(ratio, 1, mode="edge")
        ratio = 0.25 * beside[:-2] + 0.5 * ratio + 0.25 * beside[2:]
        return np.pad(ratio, AWAY_FROM_CORNERS.start, mode="edge")
