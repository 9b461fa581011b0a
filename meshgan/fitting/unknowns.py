"""What a fit is given: codes to start from, targets with weights, and a lambda per code."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.errors import InputError, ShapeError
from meshgan.fitting.points import SurfacePoints
from meshgan.models.base import Codes, MeshModel

LEAST_POINTS = 3


def draw_starts(
    model: MeshModel, faces: int, restarts: int, rng: torch.Generator | None, start: Codes | None
) -> Float[Tensor, "n d"]:
    """Codes side by side to start from; those of the first faces do not depend on the others.

    Raises:
        InputError: fewer than one start per face.
        ShapeError: ``start`` does not fit the model or the faces.
    """
    if restarts < 1:
        raise InputError(f"fit: {restarts} starts, expected 1 or more")
    if start is not None:
        wrong = [
            f"{name} {tuple(start[name].shape) if name in start else 'missing'}"
            for name, size in model.code_sizes.items()
            if name not in start or tuple(start[name].shape) != (faces, size)
        ]
        if wrong:
            raise ShapeError(f"fit: codes to start from: {', '.join(wrong)}, for {faces} faces")
        return torch.cat([start[name] for name in model.code_sizes], dim=1)
    rng = torch.Generator().manual_seed(0) if rng is None else rng
    drawn = [model.sample_codes(1, rng) for _ in range(faces * restarts)]
    return torch.cat([torch.cat([one[name] for name in model.code_sizes], dim=1) for one in drawn])


def check_targets(
    targets: Tensor, points: SurfacePoints, weights: Tensor | None
) -> Float[Tensor, "B L"]:
    """Weights of all points, once targets and weights have been found to make sense.

    Raises:
        ShapeError: they do not fit the points.
        InputError: a weight is negative, or a target with weight is not finite.
    """
    faces, count = len(targets), points.count
    if targets.shape[:-1] != (faces, count) or targets.shape[-1] not in (2, 3) or faces == 0:
        raise ShapeError(
            f"fit: targets {tuple(targets.shape)} for {count} points; expected (faces, {count}, 3) "
            "with at least one face"
        )
    given = targets.new_ones(faces, count) if weights is None else weights
    if given.shape not in ((count,), (faces, count)):
        raise ShapeError(
            f"fit: weights {tuple(given.shape)}, expected ({count},) or ({faces}, {count})"
        )
    given = given.expand(faces, count)
    if not bool((given.isfinite() & (given >= 0)).all()):
        raise InputError("fit: weights must be finite and 0 or more")
    astray = ~targets.isfinite().all(dim=2) & (given > 0)
    if bool(astray.any()):
        face, point = astray.nonzero()[0].tolist()
        raise InputError(
            f"fit: {int(astray.sum()):,} of {astray.numel():,} targets are not finite (first: "
            f"point {point} of face {face}); give missing points the weight 0"
        )
    return given


def penalties_of(
    model: MeshModel, regularisation: float | Mapping[str, float]
) -> Float[Tensor, " d"]:
    """Lambda of each component of the codes, side by side.

    Raises:
        InputError: it is negative or not finite, or names a code that the model does not have.
    """
    given = (
        dict(regularisation)
        if isinstance(regularisation, Mapping)
        else dict.fromkeys(model.code_sizes, regularisation)
    )
    unknown = [name for name in given if name not in model.code_sizes]
    bad = [f"{name}={value}" for name, value in given.items() if not 0 <= value < float("inf")]
    if unknown or bad:
        raise InputError(
            f"fit: regularisation {', '.join(unknown + bad)}; expected numbers of 0 or more for "
            f"{', '.join(model.code_sizes)}"
        )
    sizes = model.code_sizes.items()
    return torch.cat([torch.full((size,), float(given.get(name, 0))) for name, size in sizes])


def check_determined(weights: Tensor, penalties: Tensor, axes: int = 3) -> None:
    """Refuse a face whose points do not fix its unknowns.

    Args:
        weights: of the points (B, L).
        penalties: of the unknowns (p,).
        axes: numbers that a point gives.

    Raises:
        InputError: fewer than three points, or fewer numbers than unknowns without a penalty.
    """
    fewest = int((weights > 0).sum(dim=1).min())
    free = int((penalties == 0).sum())
    if fewest < LEAST_POINTS:
        raise InputError(
            f"fit: a face has {fewest} points with weight, expected {LEAST_POINTS} or more"
        )
    if axes * fewest < free:
        raise InputError(
            f"fit: {fewest} points give {axes * fewest} numbers for {free} unknowns without a "
            "penalty; give more points, or a regularisation above 0"
        )
