"""The decoupled GAN: its settings, and everything between a data set and its first step."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from meshgan import seeding
from meshgan.apps.mirror_images import Faces, with_mirror_images
from meshgan.apps.prepare import (
    Prepared,
    displacement_chunks,
    faces_at_rest,
    present_labels,
    training_part,
    with_length,
    with_uv,
)
from meshgan.apps.run_config import RunConfig
from meshgan.data.dataset import MeshDataset, geometry_images
from meshgan.data.sampling import BatchStream
from meshgan.data.store import Store
from meshgan.data.template import Template
from meshgan.errors import ConfigError, InputError
from meshgan.evaluation.diversity import data_diversity
from meshgan.geometry.operators import cotangent_laplacian, mass_matrix
from meshgan.geometry.rasterize import rasterize_uv
from meshgan.models.base import PERSON
from meshgan.models.baselines.additive import fit_additive
from meshgan.models.discriminator import DecoupledDiscriminator
from meshgan.models.generator import DecoupledGenerator
from meshgan.models.geometry_map import GeometryMap
from meshgan.models.independent_axes import with_independent_axes
from meshgan.models.mapped_output import MappedOutput, laplacian_regulariser
from meshgan.models.roughness import vertex_energies, weigh_by_data
from meshgan.models.spread import match_diversity
from meshgan.models.start import bend_codes, mix_codes, start_from_additive
from meshgan.pictures.paint import paint_template
from meshgan.training.tasks.decoupled_gan import DecoupledGAN
from meshgan.training.tasks.decoupled_gan_anchor import Anchor
from meshgan.training.tasks.decoupled_gan_batches import ImageStream, Normalisation
from meshgan.training.tasks.decoupled_gan_config import LossConfig, ModelConfig, StepConfig

log = logging.getLogger(__name__)
REFERENCE_PAIRS = 4000


@dataclass(frozen=True)
class Config(RunConfig):
    """All settings of a decoupled GAN. The defaults are the paper's; presets change them."""

    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    step: StepConfig = field(default_factory=StepConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss.anchor and self.model.start != "additive":
            raise ConfigError(
                f"loss.anchor = {self.loss.anchor:g} holds the generator to its start, but "
                f"model.start is {self.model.start}; set model.start=additive or loss.anchor=0"
            )


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
    dataset = training_part(store, config.part)
    factors, labels = present_labels(dataset, list(config.model.codes))
    template = with_uv(store.template, config.model.uv)
    assert template.mesh.uv is not None
    lookup = rasterize_uv(template.mesh.uv, template.mesh.faces, config.model.image_size)
    images = geometry_images(dataset, lookup, dtype="float32")
    scale = dataset.rms()
    if scale == 0:
        raise InputError(f"{store.path}: all {len(dataset):,} training meshes are the same")
    geometry_map = GeometryMap(lookup)
    mean = torch.from_numpy(np.asarray(dataset.mean(), dtype=np.float32))
    normalisation = Normalisation(geometry_map(mean[None])[0], scale)
    reference = _reference(dataset, list(factors), config)
    generator = _make_generator(template, factors, scale, config)
    if fresh and config.model.start != "random":
        _start_additive(generator, dataset, labels, reference, config)
    laplacian, areas = _surface_operators(template)
    regulariser = laplacian_regulariser(laplacian, areas, scale, config.loss.laplacian_length_mm)
    energies = vertex_energies(regulariser, _some_displacements(dataset) / scale)
    if config.loss.laplacian_weights == "data":
        regulariser = weigh_by_data(regulariser, energies, areas)  # keeps the sum of energies
    reference["score/laplacian"] = float(energies.sum())
    low = torch.bfloat16 if config.train.precision == "bf16" else torch.float32
    order = BatchStream(len(dataset), config.step.batch, seed=config.train.seed + 7919 * rank)
    task = DecoupledGAN(
        generator,
        _make_discriminator(factors, config),
        MappedOutput(generator, geometry_map, regulariser, low),
        ImageStream(images, labels, normalisation, order),
        normalisation,
        config.loss,
        config.step,
        _class_weights(dataset, factors, config),
        reference,
        paint_template(template),
        Anchor(generator) if config.loss.anchor else None,
    )
    seen = config.step.batch * config.step.discriminator_steps
    return Prepared(task, generator, template, with_length(config, len(dataset), seen), store)


def _surface_operators(template: Template) -> tuple[Any, np.ndarray]:
    vertices, faces = template.mesh.vertices.astype(np.float64), template.mesh.faces
    return cotangent_laplacian(vertices, faces), mass_matrix(vertices, faces).diagonal()


def _make_generator(
    template: Template, factors: dict[str, tuple[str, ...]], scale: float, config: Config
) -> DecoupledGenerator:
    rng = seeding.torch_generator(config.train.seed, "weights")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rng.initial_seed())
        generator = DecoupledGenerator(
            torch.from_numpy(np.asarray(template.mesh.vertices, dtype=np.float32)),
            torch.from_numpy(template.mesh.faces),
            factors,
            config.model.code_sizes,
            config.model.hidden,
            config.model.slope,
            scale,
            0 if config.model.start == "random" else config.model.details,
        )
    generator.draw_label_codes(seeding.torch_generator(config.train.seed, "label codes"))
    return generator


def _start_additive(
    generator: DecoupledGenerator,
    dataset: MeshDataset,
    labels: Mapping[str, np.ndarray],
    reference: Mapping[str, float],
    config: Config,
) -> None:
    rng = seeding.torch_generator(config.train.seed, "start")
    counts = {name: len(names) for name, names in generator.factors.items()}
    mirror = dataset.template.mirror if config.model.mirrored_start else None
    if config.model.mirrored_start and mirror is None:
        log.warning("%s: no mirror map; the start sees no mirror images", dataset.template.name)
    faces = (
        Faces(lambda: displacement_chunks(dataset), labels, counts)
        if mirror is None
        else with_mirror_images(dataset, mirror, labels, counts)
    )
    model = fit_additive(
        faces.chunks,
        faces.labels,
        faces.label_counts,
        config.model.code_sizes,
        seeding.generator(config.train.seed, "additive"),
        siblings=faces.siblings,
        at_rest=faces_at_rest(generator.factors, faces.labels, config.model.neutral),
        details={PERSON: config.model.details},
    )
    model = faces.without_images(model)
    if config.model.axes == "independent":
        model = with_independent_axes(model)
    of_label = {name: reference.get(f"score/diversity_{name}") for name in generator.factors}
    model = match_diversity(
        model,
        reference["score/diversity"],
        {name: value for name, value in of_label.items() if value},
        seeding.generator(config.train.seed, "spread"),
    )
    start_from_additive(generator, model, rng)
    bend_codes(generator, model, rng)
    if config.model.start == "mixed":
        mix_codes(generator, seeding.torch_generator(config.train.seed, "mixed"))


def _make_discriminator(
    factors: dict[str, tuple[str, ...]], config: Config
) -> DecoupledDiscriminator:
    with torch.random.fork_rng(devices=[]):
        seed = seeding.torch_generator(config.train.seed, "discriminator").initial_seed()
        torch.manual_seed(seed)
        return DecoupledDiscriminator(
            {name: len(names) for name, names in factors.items()},
            config.model.image_size,
            config.model.trunk,
            config.model.branch,
            config.model.slope,
        )


def _class_weights(
    dataset: MeshDataset, factors: dict[str, tuple[str, ...]], config: Config
) -> dict[str, np.ndarray]:
    weights = {}
    for name, present in factors.items():
        known = dataset.factors[name]
        by_label = dataset.class_weights(name, config.loss.class_weights)
        weights[name] = by_label[[known.index(label) for label in present]]
    return weights


def _reference(dataset: MeshDataset, factors: Sequence[str], config: Config) -> dict[str, float]:
    measured = data_diversity(dataset, pairs=REFERENCE_PAIRS, seed=config.train.seed)
    names = ["diversity", *(f"diversity_{name}" for name in factors)]
    return {f"score/{name}": measured[name].mean for name in names if name in measured}


def _some_displacements(dataset: MeshDataset, count: int = 256) -> np.ndarray:
    """Displacements (b, V, 3) in mm of meshes from all over the data set."""
    rows = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).astype(int)
    return dataset.vertices(rows) - dataset.store.template.mesh.vertices
