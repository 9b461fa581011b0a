"""Errors of meshes by region of the face."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.estimate import Estimate

WHOLE = "all"


@dataclass(frozen=True)
class RegionError:
    """Distances between corresponding vertices of a region.

    Args:
        mean: over the vertices of each mesh, then over the meshes, mm.
        percentile_95: below which 95 % of the vertices of all meshes lie, mm.
    """

    mean: Estimate
    percentile_95: float


def errors_by_region(
    error: Float[Tensor, "N V 3"], regions: Mapping[str, Int[np.ndarray, " _"]]
) -> dict[str, RegionError]:
    """Summarise error vectors by region.

    Args:
        error: what is wrong at each vertex of each mesh, mm.
        regions: vertex ids by name (``template.regions``); empty ones are left out.

    Returns:
        By region, and ``all`` for the whole face.

    Raises:
        InputError: there is no mesh, or a region names a vertex that is not there.
    """
    vertex_count = error.shape[1]
    everywhere = np.arange(vertex_count)
    named = {WHOLE: everywhere} | {name: ids for name, ids in regions.items() if len(ids)}
    outside = [name for name, ids in named.items() if ids.min() < 0 or ids.max() >= vertex_count]
    if outside or not len(error):
        raise InputError(
            f"regions: {len(error)} meshes of {vertex_count:,} vertices; expected at least one, "
            f"and all vertices of the regions {', '.join(outside or regions) or 'given'}"
        )
    distance = error.double().norm(dim=-1).cpu()
    return {name: _summary(distance[:, torch.from_numpy(ids)]) for name, ids in named.items()}


def region_errors(
    predicted: Float[Tensor, "N V 3"],
    truth: Float[Tensor, "_ _ 3"],
    regions: Mapping[str, Int[np.ndarray, " _"]],
) -> dict[str, RegionError]:
    """``errors_by_region`` of predicted meshes against the truth, mm.

    Raises:
        ShapeError: they do not correspond one to one.
        InputError: as for ``errors_by_region``.
    """
    if predicted.shape != truth.shape:
        raise ShapeError(
            f"regions: predicted {tuple(predicted.shape)} against truth {tuple(truth.shape)}; "
            "give one prediction per true mesh, of one topology"
        )
    return errors_by_region(predicted.cpu() - truth.cpu(), regions)


def _summary(distance: Float[Tensor, "N r"]) -> RegionError:
    return RegionError(
        Estimate.of(distance.mean(dim=1)), float(np.percentile(distance.numpy(), 95))
    )
