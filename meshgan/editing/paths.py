"""Paths between codes: from face to face, straight or around, at an even or a gentle pace."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.data.synthetic.motion import smooth_step
from meshgan.editing.arithmetic import row_count
from meshgan.errors import InputError, ShapeError
from meshgan.models.base import Codes

PathKind = Literal["linear", "spherical"]
Easing = Literal["linear", "smooth"]
SAME_DIRECTION = 1e-4  # radians; closer directions are mixed linearly


def code_path(
    keys: Sequence[Codes],
    frames: int,
    kind: PathKind = "spherical",
    easing: Easing = "linear",
    times: Sequence[float] | None = None,
) -> Codes:
    """Codes on the way through several faces.

    In the space of standard normal codes almost all faces lie near a sphere. A straight path cuts
    through it, where faces are flat and average; a spherical one turns the code's direction evenly
    and changes its length evenly. Each factor goes its own way.

    Args:
        keys: two faces or more, by name (1, d) each; the path goes through all of them.
        frames: T of the path, both ends among them.
        kind: "linear" or "spherical".
        easing: "linear": even pace; "smooth": slow at every key.
        times: of the keys, ascending; evenly spread if None.

    Returns:
        By name (T, d).

    Raises:
        InputError: fewer than two keys or frames, or times that do not ascend.
        ShapeError: keys of more than one face, of different factors, or not one time per key.

    Source: Shoemake 1985, Sec. 3 (spherical interpolation).
    Differs: the length of the code is interpolated beside its direction.
    """
    places = _check(keys, frames, times)
    at = np.linspace(places[0], places[-1], frames)
    left = np.clip(np.searchsorted(places, at, side="right") - 1, 0, len(keys) - 2)
    share = (at - places[left]) / (places[left + 1] - places[left])
    share = np.clip(share, 0, 1)
    if easing == "smooth":
        share = smooth_step(share)
    ids = torch.from_numpy(left)
    weights = torch.from_numpy(share)[:, None]
    mix = _around if kind == "spherical" else torch.lerp
    path = {}
    for name in keys[0]:
        stacked = torch.cat([key[name] for key in keys])
        start, end = stacked[ids].double(), stacked[ids + 1].double()
        path[name] = mix(start, end, weights.to(start)).to(stacked)
    return path


def _around(
    start: Float[Tensor, "T d"], end: Float[Tensor, "T d"], share: Float[Tensor, "T 1"]
) -> Float[Tensor, "T d"]:
    from_length, to_length = (code.norm(dim=1, keepdim=True) for code in (start, end))
    here, there = start / from_length.clamp(min=1e-12), end / to_length.clamp(min=1e-12)
    angle = torch.acos((here * there).sum(dim=1, keepdim=True).clamp(-1, 1))
    turned = (torch.sin((1 - share) * angle) * here + torch.sin(share * angle) * there) / torch.sin(
        angle
    ).clamp(min=1e-12)
    round_ = torch.lerp(from_length, to_length, share) * turned
    # No direction, the same, or the opposite one: there is no way around.
    straight = (
        (angle < SAME_DIRECTION)
        | (angle > torch.pi - SAME_DIRECTION)
        | (from_length < 1e-6)
        | (to_length < 1e-6)
    )
    return torch.where(straight, torch.lerp(start, end, share), round_)


def _check(
    keys: Sequence[Codes], frames: int, times: Sequence[float] | None
) -> Float[np.ndarray, " K"]:
    if len(keys) < 2 or frames < 2:
        raise InputError(f"path: {len(keys)} faces and {frames} frames, expected two or more each")
    names = {tuple(key) for key in keys}
    counts = {row_count(key) for key in keys}
    if len(names) > 1 or counts != {1}:
        raise ShapeError(
            f"path: keys of {' and '.join(map(str, sorted(counts)))} faces with the codes "
            f"{' or '.join(', '.join(name) for name in sorted(names))}; expected one face each, of "
            "one model"
        )
    places = np.arange(len(keys), dtype=np.float64) if times is None else np.array(times, float)
    if len(places) != len(keys):
        raise ShapeError(f"path: {len(places)} times for {len(keys)} faces")
    if not (np.isfinite(places).all() and (np.diff(places) > 0).all()):
        raise InputError(f"path: times {places.tolist()} do not ascend")
    return places
