"""Expression transfer against the truth, and the part of it that no additive model can get right.

People smile differently: what an expression does to a face depends on whose face it is. A
parametric source knows the true answer, so a transfer has an error in mm. Of any grid of persons x
expressions, the best additive description is row plus column; what is left is the interaction.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.data.template import Template
from meshgan.editing.arithmetic import check_factors
from meshgan.editing.motion import SkinMotion
from meshgan.editing.transfer import (
    FitFaces,
    FittedFaces,
    TransferSettings,
    fit_performer,
    transfer_faces,
    usual_fit,
)
from meshgan.errors import InputError
from meshgan.evaluation.estimate import batch_size
from meshgan.evaluation.regions import RegionError, errors_by_region, region_errors
from meshgan.evaluation.source_oracle import SHOWN, ParametricSource, true_grid
from meshgan.models.base import Codes, MeshModel
from meshgan.seeding import generator

Regions = Mapping[str, Int[np.ndarray, " _"]]


@dataclass(frozen=True)
class Way:
    """A way to transfer.

    Args:
        settings: how.
        rest_known: whether the source at rest is given, too.
    """

    settings: TransferSettings
    rest_known: bool = False


PAIR = Way(TransferSettings(keep_residual=True, carry_motion=False, keep_closed=False))
"""Two faces and nothing known of them: the paper's exchange of codes, the residual kept."""
FROM_REST = Way(TransferSettings(mode="add", keep_residual=True), rest_known=True)
"""The source is known at rest, too, and so is the target: the most that can be asked for."""


@dataclass(frozen=True, eq=False)
class TransferCases:
    """Transfers with a known answer; all (N, V, 3), mm.

    Args:
        expressive: the expression, on its source person.
        rest: the source person at rest.
        target: another person at rest.
        truth: the target with the same facial actions.
    """

    expressive: Float[Tensor, "N V 3"]
    rest: Float[Tensor, "N V 3"]
    target: Float[Tensor, "N V 3"]
    truth: Float[Tensor, "N V 3"]

    def additive(self) -> Float[Tensor, "N V 3"]:
        """Transfer by adding the source's displacement to the target."""
        return self.target + (self.expressive - self.rest)


def transfer_cases(
    source: ParametricSource,
    cases: int = 200,
    persons: int = 30,
    expressions: int = 30,
    seed: int = 0,
) -> TransferCases:
    """Draw transfers between people that no data set holds.

    Args:
        source: knows the true answer.
        cases: random pairs of different people with a random expression.
        persons: to choose from, two or more.
        expressions: to choose from.
        seed: of people, expressions and pairs.

    Raises:
        InputError: a number is too small.
    """
    if cases < 1 or persons < 2 or expressions < 1:
        raise InputError(
            f"transfer: {cases} cases of {persons} persons with {expressions} expressions; "
            "expected at least 1, 2 and 1"
        )
    grid = true_grid(source, persons, expressions, seed).unflatten(0, (persons, expressions))
    calm = np.stack([source.neutral(seed, SHOWN + person) for person in range(persons)])
    rng = generator(seed, "transfer cases")
    giver = rng.integers(0, persons, cases)
    taker = (giver + rng.integers(1, persons, cases)) % persons
    shown = rng.integers(0, expressions, cases)
    rest = torch.from_numpy(calm).float()
    return TransferCases(grid[giver, shown], rest[giver], rest[taker], grid[taker, shown])


def transfer_errors(
    predicted: Float[Tensor, "N V 3"], truth: Float[Tensor, "_ _ 3"], regions: Regions
) -> dict[str, RegionError]:
    """Error of any transfer by region of the face, mm: ``regions.region_errors``."""
    return region_errors(predicted, truth, regions)


def model_transfers(
    model: MeshModel,
    cases: TransferCases,
    ways: Mapping[str, Way],
    fit: FitFaces | None = None,
    template: Template | None = None,
) -> dict[str, Float[Tensor, "N V 3"]]:
    """Transfer by a model in several ways; the meshes are fitted once (``editing.transfer``).

    Args:
        model: with the factors to transfer.
        cases: what to transfer.
        ways: by name.
        fit: finds the codes of whole meshes; ``fit_meshes`` with the regularisation of the first
            way if None.
        template: of the model, so that eyes and lips close.

    Raises:
        InputError: the model has no such factor.
    """
    for way in ways.values():
        check_factors(model, way.settings.factors)
    fit = _Remembering(fit or usual_fit(next(iter(ways.values())).settings))
    size = batch_size(len(model.template_vertices))
    skin = SkinMotion.of(model, template)
    shown: dict[str, list[Tensor]] = {name: [] for name in ways}
    for start in range(0, len(cases.truth), size):
        some = slice(start, start + size)
        source, target = (
            fit_performer(model, meshes[some], fit) for meshes in (cases.expressive, cases.target)
        )
        rest = None
        if any(way.rest_known for way in ways.values()):
            rest = fit_performer(model, cases.rest[some], fit)
        for name, way in ways.items():
            calm = rest if way.rest_known else None
            found = transfer_faces(model, source, target, way.settings, calm, skin)
            shown[name].append(found.vertices.cpu())
    return {name: torch.cat(parts) for name, parts in shown.items()}


class _Remembering:
    """Fits each mesh once, however often it occurs: cases share people."""

    def __init__(self, fit: FitFaces) -> None:
        self._fit, self._known = fit, {}

    def __call__(self, model: MeshModel, vertices: Float[Tensor, "B V 3"]) -> FittedFaces:
        keys = [hashlib.sha256(mesh.cpu().numpy().tobytes()).digest() for mesh in vertices]
        new = {key: k for k, key in enumerate(keys) if key not in self._known}
        if new:
            codes = self._fit(model, vertices[list(new.values())]).codes
            for row, key in enumerate(new):
                self._known[key] = {name: code[row] for name, code in codes.items()}
        found = [self._known[key] for key in keys]
        return _Codes({name: torch.stack([one[name] for one in found]) for name in found[0]})


@dataclass(frozen=True, eq=False)
class _Codes:
    codes: Codes


def model_transfer(
    model: MeshModel, cases: TransferCases, fit: FitFaces | None = None, way: Way = PAIR
) -> Float[Tensor, "N V 3"]:
    """Transfer by a model in one way: ``model_transfers``, which see."""
    return model_transfers(model, cases, {"": way}, fit)[""]


def interaction(
    grid: Float[Tensor, "P E V 3"],
) -> Float[Tensor, "P E V 3"]:
    """What is left of a grid of persons x expressions when row and column effects are taken out.

    minimise sum_pe ||x_pe - a_p - b_e||^2 over a, b: the best possible additive model of these
    very faces. A small grid shows less than there is: the squares by (1 - 1/P)(1 - 1/E).

    Raises:
        InputError: fewer than two rows or columns.

    Source: two-way analysis of variance without replication.
    """
    if min(grid.shape[:2]) < 2:
        raise InputError(
            f"interaction: {grid.shape[0]} persons with {grid.shape[1]} expressions, expected at "
            "least two of each"
        )
    persons = grid.mean(dim=1, keepdim=True)
    expressions = grid.mean(dim=0, keepdim=True)
    return grid - persons - expressions + persons.mean(dim=0, keepdim=True)


def source_interaction(
    source: ParametricSource,
    regions: Regions,
    persons: int = 30,
    expressions: int = 30,
    seed: int = 0,
) -> dict[str, RegionError]:
    """Interaction of persons and expressions in a source, by region of the face, mm.

    Args:
        source: shows any person with any expression.
        regions: vertex ids by name.
        persons: rows of the grid.
        expressions: columns of the grid.
        seed: of people and expressions.
    """
    grid = true_grid(source, persons, expressions, seed).unflatten(0, (persons, expressions))
    return errors_by_region(interaction(grid).flatten(0, 1), regions)
