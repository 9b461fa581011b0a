"""Between a data set and the first step of training: what all kinds of runs need."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from meshgan.apps.run_config import RunConfig, read_config
from meshgan.data.dataset import MeshDataset
from meshgan.data.store import Store
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.geometry.parameterize import Method, parameterize
from meshgan.models.base import FaceDecoder
from meshgan.models.kinds import describe
from meshgan.training.run_folder import RunFolder
from meshgan.training.task import Task

log = logging.getLogger(__name__)
Config = TypeVar("Config", bound=RunConfig)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A run ready to start, and what its folder must record.

    Args:
        task: what is trained; None for a model that is complete as it stands.
        model: the model of faces; None for a network that is none.
        template: topology, landmarks, regions, with the UV map that the run uses.
        config: of the run, with its final length.
        store: the data.
        about: further values for model.json.
        finish: called with the RUN after the training, before its weights are written.
    """

    task: Task | None
    model: FaceDecoder | None
    template: Template
    config: RunConfig
    store: Store
    about: Mapping[str, Any] = field(default_factory=dict)
    finish: Callable[[RunFolder], None] | None = None

    def description(self, data: Path) -> dict[str, Any]:
        """What is needed, beside weights and template, to use the model."""
        kind = self.config.task
        return {
            **({"kind": kind} if self.model is None else describe(kind, self.model)),
            **self.about,
            "topology": self.template.topology_hash,
            "data": {
                "path": str(data),
                "meshes": self.store.count,
                "content": self.store.content_hash,
            },
        }


def training_part(store: Store, part: str) -> MeshDataset:
    """The meshes that a run with this ``part`` learns from."""
    return MeshDataset(store, split=None if part == "all" else "train")


def training_part_of(run: Path | str, store: Store) -> MeshDataset:
    """The meshes of ``store`` that the RUN learned from (or would have, if it is another store)."""
    return training_part(store, _config_of_run(run).part)


def held_out_part_of(run: Path | str, store: Store) -> MeshDataset | None:
    """The test people of ``store``; None if the RUN learned from everyone, or there are none."""
    return None if _config_of_run(run).part == "all" else held_out_part(store)


def held_out_part(store: Store) -> MeshDataset | None:
    """The test people of ``store``; None if there are none."""
    try:
        return MeshDataset(store, split="test")
    except InputError:
        return None


def _config_of_run(run: Path | str) -> RunConfig:
    return read_config(None, RunFolder(run).config_file)


def present_labels(
    dataset: MeshDataset, factors: Sequence[str]
) -> tuple[dict[str, tuple[str, ...]], dict[str, np.ndarray]]:
    """Label names and labels (N,) of a model's factors; only labels that occur here.

    People of other splits have no place in the model: their labels are left out and the others
    numbered anew.

    Raises:
        InputError: the data lack a factor, or labels for one.
    """
    store = dataset.store
    missing = [name for name in factors if name not in store.factors]
    if missing:
        raise InputError(
            f"{store.path}: has factors {', '.join(store.factors)}, but the model asks for "
            f"{', '.join(missing)}; change model.codes or build the data with --factors"
        )
    names, labels = {}, {}
    for factor in factors:
        given = dataset.labels(factor)
        present = np.unique(given[given >= 0])
        if not len(present):
            raise InputError(
                f"{store.path}: no training mesh has a label for {factor}; "
                "leave the factor out of model.codes or label some meshes"
            )
        if len(present) == 1:
            raise InputError(
                f"{store.path}: all labels of {factor} are "
                f"{store.factors[factor][present[0]]!r}; a factor needs at least two"
            )
        number = np.full(len(store.factors[factor]) + 1, -1)  # the last one serves label -1
        number[present] = np.arange(len(present))
        names[factor] = tuple(store.factors[factor][label] for label in present)
        labels[factor] = number[given]
        single = [
            names[factor][k] for k in np.flatnonzero(np.bincount(labels[factor][given >= 0]) == 1)
        ]
        if single:
            log.warning(
                "%s: %d of %d labels of %s have one mesh only (%s, ...)",
                store.path,
                len(single),
                len(present),
                factor,
                single[0],
            )
    return names, labels


def faces_at_rest(
    factors: Mapping[str, tuple[str, ...]],
    labels: Mapping[str, np.ndarray],
    neutral: str | None,
) -> np.ndarray | None:
    """Which faces (N,) have the neutral label in every factor that knows it; None if none does.

    Args:
        factors: label names.
        labels: by factor (N,), -1 where unlabelled.
        neutral: the label; None for no faces at all.
    """
    knowing = [name for name, names in factors.items() if neutral in names]
    if not knowing or neutral is None:
        return None
    return np.logical_and.reduce([labels[name] == factors[name].index(neutral) for name in knowing])


def refuse_average(config: RunConfig) -> None:
    """Refuse an average of weights where codes are whitened after the training.

    Raises:
        InputError: the settings ask for one.
    """
    if config.train.ema_decay is not None:
        raise InputError(
            "train.ema_decay: codes are whitened for the weights as they are; leave the average out"
        )


def with_uv(template: Template, method: Method | Literal["template"]) -> Template:
    """The template with a map to the unit square."""
    if method == "template" and template.mesh.uv is not None:
        return template
    chosen = "harmonic" if method == "template" else method
    uv = parameterize(template.mesh, method=chosen, mirror=template.mirror).uv
    return replace(template, mesh=replace(template.mesh, uv=uv))


def displacement_chunks(
    dataset: MeshDataset, size: int = 256
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Row numbers and displacements (b, 3V) in mm, chunk by chunk."""
    reference = dataset.store.template.mesh.vertices.astype(np.float32)
    for start in range(0, len(dataset), size):
        rows = np.arange(start, min(start + size, len(dataset)))
        yield rows, (dataset.vertices(rows) - reference).reshape(len(rows), -1)


def with_length(config: Config, meshes: int, per_iteration: int) -> Config:
    """The settings with ``epochs``, where given, turned into iterations.

    Args:
        config: of the run.
        meshes: how many there are to learn from.
        per_iteration: meshes seen in one iteration.
    """
    if config.epochs is None:
        return config
    iterations = max(1, round(config.epochs * meshes / per_iteration))
    return replace(config, train=replace(config.train, iterations=iterations))
