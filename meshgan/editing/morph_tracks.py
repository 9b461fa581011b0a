"""Faces over time as one resting face, morph targets, and their weights."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from meshgan.errors import ShapeError

TOLERANCE_MM = 0.02


@dataclass(frozen=True, eq=False)
class MorphTracks:
    """Frame t is ``rest + sum_k weights[t, k] targets[k]``.

    Args:
        rest: (V, 3), mm.
        targets: displacements (V, 3) by name, mm.
        weights: (T, K), in the order of the targets.
        error_mm: the largest distance of any vertex of any frame from where it should be.
    """

    rest: Float[np.ndarray, "V 3"]
    targets: dict[str, Float[np.ndarray, "V 3"]]
    weights: Float[np.ndarray, "T K"]
    error_mm: float


def morph_tracks(
    frames: Float[np.ndarray, "T V 3"],
    rest: Float[np.ndarray, "V 3"],
    named: Mapping[str, Float[np.ndarray, "V 3"]] | None = None,
    weights: Float[np.ndarray, "T N"] | None = None,
    tolerance_mm: float = TOLERANCE_MM,
) -> MorphTracks:
    """Write frames with as few morph targets as they need.

    First the targets that have names and weights already; what these leave is split into its
    principal directions ("detail_1", ...), until no vertex is off by more than the tolerance.

    Args:
        frames: what is to be seen, mm.
        rest: the face at weights 0, mm.
        named: displacements by name, mm.
        weights: of the named targets, per frame.
        tolerance_mm: largest distance of any vertex.

    Raises:
        ShapeError: arrays that do not go together.
    """
    targets = dict(named or {})
    shares = np.zeros((len(frames), 0)) if weights is None else np.asarray(weights, float)
    if frames.shape[1:] != rest.shape or shares.shape != (len(frames), len(targets)):
        raise ShapeError(
            f"morphs: frames {frames.shape} of a face {rest.shape}, weights {shares.shape} of "
            f"{len(targets)} targets"
        )
    left = (frames - rest).reshape(len(frames), -1).astype(np.float64)
    if targets:
        left = left - shares @ np.stack([move.reshape(-1) for move in targets.values()])
    # the frames are few and the vertices many: directions from the small matrix of products
    values, vectors = np.linalg.eigh(left @ left.T)
    for number, k in enumerate(np.argsort(values)[::-1], 1):
        if _largest(left) <= tolerance_mm or values[k] <= 0:
            break
        track = vectors[:, k]
        move = track @ left
        size = np.abs(track).max()
        targets[f"detail_{number}"] = (size * move).reshape(rest.shape)
        shares = np.column_stack([shares, track / size])
        left = left - np.outer(track, move)
    return MorphTracks(np.asarray(rest), targets, shares, _largest(left))


def _largest(flat: Float[np.ndarray, "T n"]) -> float:
    return float(np.linalg.norm(flat.reshape(len(flat), -1, 3), axis=2).max(initial=0))
