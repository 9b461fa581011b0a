"""Everything between a data set and the first step of training."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from meshgan import config as configuration
from meshgan import seeding
from meshgan.apps.run_config import RunConfig
from meshgan.data.dataset import MeshDataset, geometry_images
from meshgan.data.sampling import BatchStream
from meshgan.data.store import Store
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.evaluation.diversity import data_diversity
from meshgan.geometry.operators import cotangent_laplacian, mass_matrix
from meshgan.geometry.parameterize import Method, parameterize
from meshgan.geometry.rasterize import rasterize_uv
from meshgan.models.baselines.additive import fit_additive
from meshgan.models.discriminator import DecoupledDiscriminator
from meshgan.models.generator import DecoupledGenerator
from meshgan.models.geometry_map import GeometryMap
from meshgan.models.mapped_output import MappedOutput, laplacian_regulariser
from meshgan.models.roughness import vertex_energies, weigh_by_data
from meshgan.models.start import bend_codes, start_from_additive
from meshgan.pictures.paint import paint_template
from meshgan.training.run_folder import RunFolder
from meshgan.training.tasks.decoupled_gan import DecoupledGAN
from meshgan.training.tasks.decoupled_gan_batches import ImageStream, Normalisation

log = logging.getLogger(__name__)
REFERENCE_PAIRS = 2000


@dataclass(frozen=True, eq=False)
class Prepared:
    """A task ready to train, and what a RUN must record of it."""

    task: DecoupledGAN
    template: Template
    config: RunConfig
    store: Store

    def description(self, data: Path) -> dict[str, Any]:
        """What is needed, beside weights and template, to use the model."""
        generator = self.task.generator
        return {
            "kind": self.config.task,
            "factors": {name: list(labels) for name, labels in generator.factors.items()},
            "code_sizes": dict(generator.code_sizes),
            "hidden": self.config.model.hidden,
            "slope": self.config.model.slope,
            "topology": self.template.topology_hash,
            "data": {
                "path": str(data),
                "meshes": self.store.count,
                "content": self.store.content_hash,
            },
        }


def prepare(store: Store, config: RunConfig, rank: int = 0, fresh: bool = True) -> Prepared:
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
    factors, labels = _present_labels(dataset, config)
    template = _with_uv(store.template, config.model.uv)
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
    if fresh and config.model.start == "additive":
        _start_additive(generator, dataset, labels, config)
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
    )
    return Prepared(task, template, _with_length(config, len(dataset)), store)


def training_part(store: Store, part: str) -> MeshDataset:
    """The meshes that a run with this ``part`` learns from."""
    return MeshDataset(store, split=None if part == "all" else "train")


def training_part_of(run: Path | str, store: Store) -> MeshDataset:
    """The meshes of ``store`` that the RUN learned from (or would have, if it is another store)."""
    config = configuration.read(RunConfig, RunFolder(run).config_file)
    return training_part(store, config.part)


def held_out_part_of(run: Path | str, store: Store) -> MeshDataset | None:
    """The test people of ``store``; None if the RUN learned from everyone, or there are none."""
    config = configuration.read(RunConfig, RunFolder(run).config_file)
    if config.part == "all":
        return None
    try:
        return MeshDataset(store, split="test")
    except InputError:
        return None


def _present_labels(
    dataset: MeshDataset, config: RunConfig
) -> tuple[dict[str, tuple[str, ...]], dict[str, np.ndarray]]:
    """Label names and labels (N,) of the model's factors; only labels that occur here.

    People of other splits have no place in the model: their labels are left out and the others
    numbered anew.
    """
    store = dataset.store
    missing = [name for name in config.model.codes if name not in store.factors]
    if missing:
        raise InputError(
            f"{store.path}: has factors {', '.join(store.factors)}, but the model asks for "
            f"{', '.join(missing)}; change model.codes or build the data with --factors"
        )
    names, labels = {}, {}
    for factor in config.model.codes:
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


def _with_uv(template: Template, method: Method | Literal["template"]) -> Template:
    if method == "template" and template.mesh.uv is not None:
        return template
    chosen = "harmonic" if method == "template" else method
    uv = parameterize(template.mesh, method=chosen, mirror=template.mirror).uv
    return replace(template, mesh=replace(template.mesh, uv=uv))


def _surface_operators(template: Template) -> tuple[Any, np.ndarray]:
    vertices, faces = template.mesh.vertices.astype(np.float64), template.mesh.faces
    return cotangent_laplacian(vertices, faces), mass_matrix(vertices, faces).diagonal()


def _make_generator(
    template: Template, factors: dict[str, tuple[str, ...]], scale: float, config: RunConfig
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
        )
    generator.draw_label_codes(seeding.torch_generator(config.train.seed, "label codes"))
    return generator


def _start_additive(
    generator: DecoupledGenerator,
    dataset: MeshDataset,
    labels: Mapping[str, np.ndarray],
    config: RunConfig,
) -> None:
    rng = seeding.torch_generator(config.train.seed, "start")
    model = fit_additive(
        lambda: _displacements(dataset),
        labels,
        {name: len(names) for name, names in generator.factors.items()},
        config.model.code_sizes,
        seeding.generator(config.train.seed, "additive"),
    )
    start_from_additive(generator, model, rng)
    bend_codes(generator, model, rng)


def _make_discriminator(
    factors: dict[str, tuple[str, ...]], config: RunConfig
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
    dataset: MeshDataset, factors: dict[str, tuple[str, ...]], config: RunConfig
) -> dict[str, np.ndarray]:
    weights = {}
    for name, present in factors.items():
        known = dataset.factors[name]
        by_label = dataset.class_weights(name, config.loss.class_weights)
        weights[name] = by_label[[known.index(label) for label in present]]
    return weights


def _displacements(
    dataset: MeshDataset, size: int = 256
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Row numbers and displacements (b, 3V) in mm, chunk by chunk."""
    reference = dataset.store.template.mesh.vertices.astype(np.float32)
    for start in range(0, len(dataset), size):
        rows = np.arange(start, min(start + size, len(dataset)))
        yield rows, (dataset.vertices(rows) - reference).reshape(len(rows), -1)


def _reference(dataset: MeshDataset, factors: Sequence[str], config: RunConfig) -> dict[str, float]:
    measured = data_diversity(dataset, pairs=REFERENCE_PAIRS, seed=config.train.seed)
    names = ["diversity", *(f"diversity_{name}" for name in factors)]
    return {f"score/{name}": measured[name].mean for name in names if name in measured}


def _some_displacements(dataset: MeshDataset, count: int = 256) -> np.ndarray:
    """Displacements (b, V, 3) in mm of meshes from all over the data set."""
    rows = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).astype(int)
    return dataset.vertices(rows) - dataset.store.template.mesh.vertices


def _with_length(config: RunConfig, meshes: int) -> RunConfig:
    if config.epochs is None:
        return config
    per_iteration = config.step.batch * config.step.discriminator_steps
    iterations = max(1, round(config.epochs * meshes / per_iteration))
    return replace(config, train=replace(config.train, iterations=iterations))
