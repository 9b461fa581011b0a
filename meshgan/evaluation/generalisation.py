"""Generalisation: how well a model can show people that it never saw.

Two readings. ``generalisation`` fits the model's own codes to whole meshes. ``span_generalisation``
asks only for the linear span of what the model draws, direction by direction: it needs no fit,
takes any model, and gives the curve known from linear shape models.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.distances import mean_vertex_distance
from meshgan.evaluation.estimate import Estimate, batch_size
from meshgan.evaluation.linear import Basis
from meshgan.models.base import Codes, MeshModel

DIRECTIONS = (5, 10, 20, 40, 85, 150, 250)


class Fitted(Protocol):
    """What a fit returns, for example ``fitting.codes.Fit``."""

    @property
    def codes(self) -> Codes:
        """By name (B, d)."""
        ...


MeshFitter = Callable[[MeshModel, Tensor], Fitted]
"""Finds the codes of whole meshes (B, V, 3): ``fitting.meshes.fit_meshes``."""


@dataclass(frozen=True, eq=False)
class Generalisation:
    """Reconstructions of faces that a model never saw.

    Args:
        estimate: mean vertex distance and its standard error, mm.
        distance: of each face (N,), mm.
        reconstruction: (N, V, 3), mm.
        codes: by name (N, d).
    """

    estimate: Estimate
    distance: Float[Tensor, " N"]
    reconstruction: Float[Tensor, "N V 3"]
    codes: Codes


def generalisation(
    model: MeshModel, faces: Float[Tensor, "N W 3"], fit: MeshFitter
) -> Generalisation:
    """Fit a model to whole meshes of people that it never saw and measure what is left.

    Args:
        model: decodes codes.
        faces: held-out faces, registered and aligned like the training data, mm.
        fit: finds their codes.

    Raises:
        InputError: there is no face, or one is not finite.
        ShapeError: the topologies differ.

    Source: Davies 2002, Learning Shape: Optimal Models for Analysing Natural Variability, Sec.
    3.3: generalisation. Differs: people left out once, not leave-one-out.
    """
    _check(faces, len(model.template_vertices))
    device = model.template_vertices.device
    size = batch_size(len(model.template_vertices))
    codes, shown = [], []
    for start in range(0, len(faces), size):
        found = fit(model, faces[start : start + size].to(device)).codes
        with torch.no_grad():
            shown.append(model.decode(found).cpu())
        codes.append({name: code.detach().cpu() for name, code in found.items()})
    reconstruction = torch.cat(shown)
    distance = mean_vertex_distance(reconstruction.double(), faces.cpu().double())
    joined = {name: torch.cat([some[name] for some in codes]) for name in codes[0]}
    return Generalisation(Estimate.of(distance), distance, reconstruction, joined)


def span_generalisation(
    samples: Float[Tensor, "S V 3"],
    faces: Float[Tensor, "N W 3"],
    directions: Sequence[int] = DIRECTIONS,
) -> dict[int, Estimate]:
    """Distance (mm) of held-out faces to the span of the leading directions of a set of faces.

    Args:
        samples: of a model, or training faces for comparison, as many.
        faces: of people that the model never saw, mm.
        directions: how many; numbers that the samples cannot give are left out.

    Returns:
        Mean vertex distance to the mean plus the first k principal directions of the samples, by
        k; 0 directions are the mean face alone.

    Raises:
        InputError: there is no face, fewer than two samples, or one is not finite.
        ShapeError: the topologies differ.

    Source: Davies 2002, Sec. 3.3, generalisation as a function of the number of modes.
    """
    _check(faces, samples.shape[1])
    if len(samples) < 2 or not samples.isfinite().all():
        raise InputError(
            f"generalisation: {len(samples)} samples, expected at least two, all of them finite"
        )
    basis = Basis.of(samples.detach().cpu().float(), max(directions))
    flat = faces.detach().cpu().float().flatten(1)
    coefficients = (flat - basis.mean) @ basis.directions.T
    found = {}
    for count in directions:
        if count > len(basis.directions):
            continue
        shown = basis.mean + coefficients[:, :count] @ basis.directions[:count]
        left = (flat - shown).unflatten(1, (-1, 3)).double()
        found[count] = Estimate.of(mean_vertex_distance(left, torch.zeros_like(left)))
    return found


def _check(faces: Tensor, vertex_count: int) -> None:
    if len(faces) == 0 or not faces.isfinite().all():
        raise InputError(
            f"generalisation: {len(faces)} faces, expected at least one, all of them finite"
        )
    if faces.shape[1] != vertex_count:
        raise ShapeError(
            f"generalisation: faces of {faces.shape[1]:,} vertices, the model has "
            f"{vertex_count:,}; give data of the model's template"
        )
