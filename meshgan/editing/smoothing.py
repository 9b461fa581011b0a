"""Codes over time without jitter: what does not change stays where it is, and nothing drifts."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.models.base import PERSON, Codes
from meshgan.registration.sequence_smoothing import Smoothing, solve_tracks

SHORTEST = 3  # frames; fewer have no second difference


def smooth_rows(values: Float[Tensor, "T ..."], period_frames: float) -> Float[Tensor, "T ..."]:
    """Rows over time with less of what is quicker than a period.

    minimise sum_t |x_t - y_t|^2 + g sum_t |x_{t-1} - 2 x_t + x_{t+1}|^2. Rows that are constant or
    change evenly are left as they are, and the mean over time stays to the last bit that counts:
    no drift. Fewer than three rows, or a period of 0, leave everything as it is.

    Args:
        values: one row per frame, codes or vertices.
        period_frames: motions with a shorter period than this are taken out.
    """
    if len(values) < SHORTEST or period_frames <= 0:
        return values
    rows = values.detach().cpu().double().numpy().reshape(len(values), -1)
    stiffness = np.full(
        (len(rows) - 2, rows.shape[1]), Smoothing(period_frames=period_frames).stiffness
    )
    smooth = solve_tracks(rows, np.ones_like(rows), stiffness)
    return torch.from_numpy(smooth.reshape(tuple(values.shape))).to(values)


def smooth_codes(
    codes: Codes, period_frames: float = 4.0, constant: Sequence[str] = (PERSON,)
) -> Codes:
    """Codes of the frames of one recording, smooth over time.

    Args:
        codes: by name (T, d), one row per frame.
        period_frames: motions with a shorter period than this are taken out; 0 for none.
        constant: factors that cannot change within a recording; all frames take their mean.
    """
    return {
        name: code.mean(dim=0, keepdim=True).expand_as(code)
        if name in constant
        else smooth_rows(code, period_frames)
        for name, code in codes.items()
    }
