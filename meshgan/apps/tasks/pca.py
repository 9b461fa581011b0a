"""The additive 3D morphable model as a run: closed form, no training."""

from dataclasses import dataclass, field

import numpy as np
import torch

from meshgan import seeding
from meshgan.apps.prepare import (
    Prepared,
    displacement_chunks,
    faces_at_rest,
    present_labels,
    training_part,
)
from meshgan.apps.run_config import RunConfig
from meshgan.config import require
from meshgan.data.store import Store
from meshgan.errors import InputError
from meshgan.models.base import PERSON
from meshgan.models.baselines.factor_spaces import FactorSpaces, fit_factor_spaces
from meshgan.models.baselines.pca import AdditiveFaces
from meshgan.models.baselines.subspace import Subspace, principal_subspace


@dataclass(frozen=True)
class LinearModelConfig:
    """What the linear models share. The codes are as long in sum as the GAN's and its noise."""

    codes: dict[str, int] = field(default_factory=lambda: {"identity": 65, "expression": 20})
    """Length of each factor's code; the factors, and their order."""
    directions: int = 300
    """Principal directions of the data in which the model is fitted, at most."""
    rows: int = 2500
    """Meshes of which these are computed, at most: bounds the memory."""
    neutral: str | None = "neutral"
    """Label of the faces at rest, in any factor that has it: what a person's shape is taken
    from, as far as known. None: from the mean of all faces of the person."""
    details: int = 128
    """How many directions in which people differ beyond their code are kept, at most: a transfer
    leaves them where they are. 0 for none."""

    def __post_init__(self) -> None:
        require(
            self,
            codes=len(self.codes) > 0 and all(size > 0 for size in self.codes.values()),
            directions=self.directions >= 1,
            rows=self.rows >= 2,
            details=self.details >= 0,
        )


@dataclass(frozen=True)
class Config(RunConfig):
    """All settings of an additive model."""

    task: str = "pca"
    model: LinearModelConfig = field(default_factory=LinearModelConfig)


@dataclass(frozen=True, eq=False)
class LinearStart:
    """Labels, subspace and additive fit of a data set: what both linear models begin with."""

    factors: dict[str, tuple[str, ...]]
    labels: dict[str, np.ndarray]
    subspace: Subspace
    spaces: FactorSpaces


def prepare(store: Store, config: Config, rank: int = 0, fresh: bool = True) -> Prepared:
    """The additive model of a data set.

    Args:
        store: the data set.
        config: of the run.
        rank: number of this process; all compute the same.
        fresh: of no account here: nothing is trained.

    Raises:
        InputError: the data set lacks a factor, or labels for one, or is too small.
    """
    start = linear_start(store, config.model, config.part, config.train.seed)
    model = AdditiveFaces(
        *template_tensors(store), start.factors, config.model.codes, config.model.details
    )
    model.set_spaces(start.spaces, start.subspace)
    return Prepared(None, model, store.template, config, store, linear_facts(start))


def linear_start(store: Store, config: LinearModelConfig, part: str, seed: int) -> LinearStart:
    """Principal directions of the training meshes, and one linear space per factor in them.

    Raises:
        InputError: the data set lacks a factor, or labels for one, or all meshes are the same.
    """
    dataset = training_part(store, part)
    factors, labels = present_labels(dataset, list(config.codes))
    try:
        subspace = principal_subspace(
            lambda: displacement_chunks(dataset),
            len(dataset),
            seeding.generator(seed, "principal directions"),
            config.directions,
            config.rows,
        )
    except InputError as error:
        raise InputError(f"{store.path}: {error}") from error
    spaces = fit_factor_spaces(
        subspace.coefficients,
        labels,
        {name: len(names) for name, names in factors.items()},
        config.codes,
        faces_at_rest(factors, labels, config.neutral),
        {PERSON: config.details},
    )
    return LinearStart(factors, labels, subspace, spaces)


def template_tensors(store: Store) -> tuple[torch.Tensor, torch.Tensor]:
    """Vertices and faces of the data's template, as models take them."""
    mesh = store.template.mesh
    vertices = np.asarray(mesh.vertices, dtype=np.float32)
    return torch.from_numpy(vertices), torch.from_numpy(mesh.faces)


def linear_facts(start: LinearStart) -> dict[str, float]:
    """What model.json says about the fit."""
    return {"variance_in_directions": start.subspace.share}
