"""The convolutional mesh autoencoder: its settings, and what comes before its training."""

import logging
from dataclasses import dataclass, field

import numpy as np
import torch

from meshgan import seeding
from meshgan.apps.prepare import (
    Prepared,
    displacement_chunks,
    refuse_average,
    training_part,
    with_length,
)
from meshgan.apps.run_config import RunConfig
from meshgan.apps.tasks.pca import LinearModelConfig, LinearStart, linear_start, template_tensors
from meshgan.data.dataset import MeshDataset
from meshgan.data.sampling import BatchStream
from meshgan.data.store import Store
from meshgan.errors import InputError
from meshgan.geometry.decimation import decimation_hierarchy
from meshgan.models.baselines.coma import ConvolutionalMeshAutoencoder, make_coma
from meshgan.pictures.paint import paint_template
from meshgan.training.tasks.coma import ConvolutionalAutoencoding, ExpressionStream, PersonalFaces
from meshgan.training.tasks.coma_config import ModelConfig, StepConfig

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Config(RunConfig):
    """All settings of a convolutional mesh autoencoder."""

    task: str = "coma"
    model: ModelConfig = field(default_factory=ModelConfig)
    step: StepConfig = field(default_factory=StepConfig)


def prepare(store: Store, config: Config, rank: int = 0, fresh: bool = True) -> Prepared:
    """Everything between a data set and the first step.

    Args:
        store: the data set.
        config: of the run.
        rank: number of this process; each sees the data in an order of its own.
        fresh: False if all weights will be read from a training state: no start is computed.

    Raises:
        InputError: the data set lacks a factor, or labels for one, or is too small.
    """
    refuse_average(config)
    dataset = training_part(store, config.part)
    people, start = _span_people(store, config)
    linear, deep = config.model.codes
    shapes = people.shapes @ start.subspace.directions + start.subspace.mean
    samples = _known_people(dataset, start.labels[linear])
    faces = PersonalFaces(
        dataset,
        samples,
        start.labels[linear][samples],
        shapes.astype(np.float32),
        start.labels[deep][samples],
    )
    model = _make_model(store, start, config)
    some = faces.expressions(faces.some(512))
    if (scale := float(some.square().mean().sqrt())) == 0:
        raise InputError(
            f"{store.path}: the faces of each {linear} are all the same; there is no {deep} to "
            "learn"
        )
    mean = start.subspace.mean + people.mean @ start.subspace.directions
    model.set_people(mean, people.basis @ start.subspace.directions, people.codes, scale)
    order = BatchStream(len(faces), config.step.batch, config.train.seed + 7919 * rank)
    task = ConvolutionalAutoencoding(
        model,
        ExpressionStream(faces, order),
        config.step,
        {"": faces} | _validation_faces(dataset, config),
        paint_template(store.template),
    )
    final = with_length(config, len(faces), config.step.batch)
    return Prepared(
        task, model, store.template, final, store, finish=lambda run: task.standardise()
    )


@dataclass(frozen=True, eq=False)
class _People:
    """Shapes (K, r) of the training people, and the linear space (d, r) of them, in a subspace."""

    mean: np.ndarray
    basis: np.ndarray
    codes: np.ndarray
    shapes: np.ndarray


def _span_people(store: Store, config: Config) -> tuple[_People, LinearStart]:
    """The additive model's space of people, cut to the length of their code, and whole."""
    linear, deep = config.model.codes
    size, everyone = config.model.codes[linear], len(store.factors.get(linear, ()))
    whole = LinearModelConfig(
        {linear: max(size, everyone), deep: config.model.codes[deep]},
        neutral=config.model.neutral,
    )
    start = linear_start(store, whole, config.part, config.train.seed)
    spaces = start.spaces
    if spaces.base != linear:
        raise InputError(
            f"{store.path}: {spaces.base} has more labels than {linear}; this model takes each "
            f"face as a displacement from that of its first factor: name {spaces.base} first in "
            "model.codes"
        )
    basis, codes = spaces.bases[linear], spaces.label_codes[linear]
    shapes = spaces.mean + codes @ basis
    return _People(spaces.mean, basis[:size], codes[:, :size], shapes), start


def _known_people(dataset: MeshDataset, labels: np.ndarray) -> np.ndarray:
    samples = np.flatnonzero(labels >= 0)
    if len(samples) < len(dataset):
        log.warning(
            "%s: %d of %d meshes show people without a label; they are left out",
            dataset.store.path,
            len(dataset) - len(samples),
            len(dataset),
        )
    return samples


def _make_model(store: Store, start: LinearStart, config: Config) -> ConvolutionalMeshAutoencoder:
    mesh, settings = store.template.mesh, config.model
    hierarchy = decimation_hierarchy(
        mesh.vertices, mesh.faces, len(settings.filters), settings.factor
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeding.torch_generator(config.train.seed, "weights").initial_seed())
        return make_coma(
            *template_tensors(store),
            start.factors,
            settings.codes,
            hierarchy,
            settings.filters,
            settings.order,
        )


def _validation_faces(dataset: MeshDataset, config: Config) -> dict[str, PersonalFaces]:
    """Faces of people left out of the training, each with the mean of his faces as his shape."""
    if config.part == "all":
        return {}
    try:
        part = MeshDataset(dataset.store, "validation")
    except InputError:  # so few people that none were kept for validation
        return {}
    subjects, people = np.unique(part.subject, return_inverse=True)
    shapes = np.zeros((len(subjects), 3 * dataset.store.vertex_count))
    for rows, moved in displacement_chunks(part):
        np.add.at(shapes, people[rows], moved)
    shapes /= np.bincount(people)[:, None]
    nothing = np.full(len(part), -1)
    every = np.arange(len(part))
    return {"_validation": PersonalFaces(part, every, people, shapes.astype(np.float32), nothing)}
