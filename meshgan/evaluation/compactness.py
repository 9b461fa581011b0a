"""Compactness: how few directions hold most of what varies among faces.

Real faces are compact; a model should be about as compact as its training data. More directions
than the data have is noise, fewer is a collapse. It takes samples alone, so it fits any model.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from meshgan.errors import InputError

SHARES = (0.90, 0.95, 0.98)


@dataclass(frozen=True, eq=False)
class Compactness:
    """Variance along the principal directions of a set of faces.

    Args:
        cumulative: share (k,) of the variance in the first 1, 2, ..., k directions, float64; the
            last one is 1.
        deviation_mm: root mean square over vertices of the distance to the mean face.
    """

    cumulative: Float[np.ndarray, " k"]
    deviation_mm: float

    def needed(self, share: float) -> int:
        """How many directions hold at least ``share`` (0 to 1) of the variance.

        Raises:
            InputError: ``share`` is out of range.
        """
        if not 0 < share <= 1:
            raise InputError(f"compactness: share {share}, expected above 0, at most 1")
        # rounding of the sum must not ask for one direction more
        return int(np.searchsorted(self.cumulative, share - 1e-12)) + 1

    def summary(self) -> dict[str, float]:
        """``modes_90``, ``modes_95`` and ``modes_98`` (directions), ``deviation`` (mm)."""
        needed = {f"modes_{100 * share:.0f}": float(self.needed(share)) for share in SHARES}
        return {**needed, "deviation": self.deviation_mm}


def compactness(faces: Float[Tensor, "N V 3"]) -> Compactness:
    """Measure faces; compare only sets of the same size, as few faces seem more compact.

    Args:
        faces: samples of a model, or real faces, mm.

    Raises:
        InputError: fewer than two faces, one is not finite, or all are the same.

    Source: Davies 2002, Learning Shape: Optimal Models for Analysing Natural Variability, Sec.
    3.3: compactness. Differs: as a share of the total variance.
    """
    if len(faces) < 2:
        raise InputError(f"compactness: {len(faces)} face(s), expected at least two")
    if not faces.isfinite().all():
        raise InputError("compactness: a face is not finite; the model may have diverged")
    flat = faces.detach().cpu().flatten(1)
    centred = flat - flat.mean(dim=0)
    gram = (centred @ centred.T).double().numpy()  # N x N: fewer faces than coordinates
    variances = np.linalg.eigvalsh(gram)[::-1][: len(faces) - 1]
    variances = np.maximum(variances, 0) / len(faces)
    total = variances.sum()
    if total < 1e-12:
        raise InputError("compactness: all faces are the same; the model has collapsed")
    return Compactness(np.cumsum(variances) / total, float(np.sqrt(total / faces.shape[1])))
