"""Sparse reconstruction: a whole face from a few landmarks, for people a model never saw.

The landmarks are exact and the faces aligned, so what is left is the model's: how well it fills
in what the landmarks do not say. Lambda weighs the squared code length against the landmarks'
squared distances (Eq. 13): 0 trusts the landmarks, 10 trusts the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.bootstrap import bootstrap
from meshgan.evaluation.estimate import Estimate, batch_size
from meshgan.fitting.codes import SolverName, fit_codes
from meshgan.models.base import Codes, MeshModel
from meshgan.seeding import generator, torch_generator

LAMBDAS = (0.0, 0.01, 10.0)
RESTARTS = 1


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """Faces from landmarks at one lambda.

    Args:
        estimate: surface RMSE, mean over the faces, mm; its standard error is that of the
            people's means, who are the independent draws.
        interval: of the mean, 95 % bootstrap over people, mm.
        surface_mm: root mean square distance over all vertices of each face (B,), mm.
        landmark_mm: root mean square distance over the landmarks of each face (B,), mm.
        codes: by name (B, d).
        converged: share of the fits that had settled.
    """

    estimate: Estimate
    interval: tuple[float, float]
    surface_mm: Float[Tensor, " B"]
    landmark_mm: Float[Tensor, " B"]
    codes: Codes
    converged: float


def sparse_reconstruction(
    model: MeshModel,
    vertices: Float[Tensor, "B W 3"],
    landmark_ids: Int[Tensor, " L"],
    lambdas: Sequence[float] = LAMBDAS,
    people: Int[np.ndarray, " n"] | None = None,
    seed: int = 0,
    restarts: int = RESTARTS,
    iterations: int | None = None,
    solver: SolverName = "lm",
) -> dict[float, Reconstruction]:
    """Fit a model to landmarks of faces that it never saw and compare the whole surface.

    All models start from the same kind of random codes and are taken to their minimum by the same
    solver.

    Args:
        model: decodes codes.
        vertices: true faces, aligned like the training data, mm.
        landmark_ids: vertices that are known.
        lambdas: weights of the squared code length.
        people: whose face each is, for intervals; all different if None.
        seed: of the starts and of the bootstrap.
        restarts: random starts per face.
        iterations: steps of the solver; its usual number if None.
        solver: of ``fitting.codes.fit_codes``.

    Returns:
        By lambda. RMSE of a face: root of the mean over vertices of the squared vertex distance;
        then the mean over faces.

    Raises:
        ShapeError: the faces have another topology, or not every face has its person.
        InputError: no face or no lambda; or as ``fit_codes``.

    Source: Fernández Abrevaya et al. 2019, Sec. 5.5 and Table 2 (85 landmarks, 144 faces).
    Differs: Levenberg-Marquardt by default where the paper takes Adam: the same minima, sooner.
    """
    expected = len(model.template_vertices)
    if vertices.shape[1] != expected:
        raise ShapeError(
            f"reconstruction: faces of {vertices.shape[1]:,} vertices, the model has {expected:,}; "
            "give faces of the model's template"
        )
    if len(vertices) == 0 or len(lambdas) == 0:
        raise InputError(
            f"reconstruction: {len(vertices)} faces at {len(lambdas)} lambdas; give one at least"
        )
    whose = np.arange(len(vertices)) if people is None else people
    if len(whose) != len(vertices):
        raise ShapeError(f"reconstruction: {len(whose)} people for {len(vertices)} faces")
    device = model.template_vertices.device
    truth = vertices.to(device)
    ids = landmark_ids.to(device)
    found = {}
    for value in lambdas:
        fit = fit_codes(
            model,
            truth[:, ids],
            ids,
            value,
            iterations=iterations,
            rng=torch_generator(seed, "reconstruction"),
            restarts=restarts,
            solver=solver,
        )
        surface = _surface_rmse(model, fit.codes, truth)
        found[float(value)] = Reconstruction(
            _over_people(surface, whose),
            _interval(surface, whose, seed),
            surface,
            fit.landmark_rms_mm.detach().cpu(),
            {name: code.detach().cpu() for name, code in fit.codes.items()},
            float(fit.converged.float().mean()),
        )
    return found


@torch.no_grad()
def _surface_rmse(
    model: MeshModel, codes: Codes, truth: Float[Tensor, "B V 3"]
) -> Float[Tensor, " B"]:
    size = batch_size(truth.shape[1])
    parts = []
    for start in range(0, len(truth), size):
        rows = slice(start, start + size)
        made = model.decode({name: code[rows] for name, code in codes.items()})
        squared = (made - truth[rows]).double().square().sum(dim=2)
        parts.append(squared.mean(dim=1).sqrt().cpu())
    return torch.cat(parts)


def _groups(values: Tensor, whose: np.ndarray) -> list[np.ndarray]:
    return [values.numpy()[whose == person] for person in np.unique(whose)]


def _over_people(values: Tensor, whose: np.ndarray) -> Estimate:
    """Mean over faces; the error of the mean from the spread of the people's means."""
    means = torch.tensor([group.mean() for group in _groups(values, whose)])
    error = Estimate.of(means).standard_error
    return Estimate(Estimate.of(values).mean, error, len(values))


def _interval(values: Tensor, whose: np.ndarray, seed: int) -> tuple[float, float]:
    rng = generator(seed, "reconstruction interval")
    return bootstrap(_groups(values, whose), np.mean, rng)
