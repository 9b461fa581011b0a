"""The multilinear autoencoder: its settings, and everything between a data set and its training."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from meshgan import seeding
from meshgan.apps.prepare import (
    Prepared,
    refuse_average,
    training_part,
    with_length,
    with_uv,
)
from meshgan.apps.run_config import RunConfig
from meshgan.apps.tasks.pca import LinearModelConfig, LinearStart, linear_start, template_tensors
from meshgan.data.dataset import MeshDataset, geometry_images
from meshgan.data.image_cache import map_displacements
from meshgan.data.sampling import BatchStream
from meshgan.data.store import Store
from meshgan.errors import InputError
from meshgan.geometry.rasterize import PixelLookup, rasterize_uv
from meshgan.models.baselines.factor_spaces import WELL_LABELLED
from meshgan.models.baselines.mae import MultilinearAutoencoder
from meshgan.models.baselines.tucker import fit_tucker
from meshgan.models.geometry_map import GeometryMap
from meshgan.pictures.paint import paint_template
from meshgan.training.tasks.mae import CodedImageStream, ImagedFaces, MultilinearAutoencoding
from meshgan.training.tasks.mae_config import LossConfig, ModelConfig, StepConfig

CHECKED = 256


@dataclass(frozen=True)
class Config(RunConfig):
    """All settings of a multilinear autoencoder."""

    task: str = "mae"
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
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
    template = with_uv(store.template, config.model.uv)
    assert template.mesh.uv is not None
    lookup = rasterize_uv(template.mesh.uv, template.mesh.faces, config.model.image_size)
    images = geometry_images(dataset, lookup, dtype="float32")
    linear = LinearModelConfig(
        config.model.codes, config.model.directions, neutral=config.model.neutral
    )
    start = linear_start(store, linear, config.part, config.train.seed)
    model = _make_model(store, start, lookup, config)
    if fresh:
        _begin_multilinear(model, start, config.model.interaction)
    order = _order(len(dataset), start.labels, config, rank)
    task = MultilinearAutoencoding(
        model,
        CodedImageStream(images, start.subspace.coefficients, start.labels, order),
        config.loss,
        config.step,
        _checked_faces(dataset, lookup, config),
        paint_template(template),
    )
    final = with_length(config, len(dataset), config.step.batch)
    return Prepared(task, model, template, final, store, finish=lambda run: task.standardise())


def _begin_multilinear(
    model: MultilinearAutoencoder, start: LinearStart, interaction: float
) -> None:
    """Begin with the Tucker model of the labelled faces; of one factor, with its linear space."""
    if start.spaces.last is not None:
        fit = fit_tucker(
            start.subspace.coefficients, start.labels, start.spaces, interaction=interaction
        )
        model.set_core(fit.core, fit.label_codes)
        return
    (name,) = model.factors
    rows = np.concatenate([start.spaces.mean[None], start.spaces.bases[name]])
    model.set_core(rows, start.spaces.label_codes)


@torch.no_grad()
def _make_model(
    store: Store, start: LinearStart, lookup: PixelLookup, config: Config
) -> MultilinearAutoencoder:
    subspace = start.subspace
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeding.torch_generator(config.train.seed, "weights").initial_seed())
        model = MultilinearAutoencoder(
            *template_tensors(store),
            start.factors,
            config.model.codes,
            len(subspace.directions),
            config.model.image_size,
            config.model.channels,
            config.model.slope,
        )
    model.mean.copy_(torch.from_numpy(subspace.mean))
    model.basis.copy_(torch.from_numpy(subspace.directions))
    mean = model.mean.view(1, -1, 3)
    model.encoder.mean_image.copy_(GeometryMap(lookup)(mean)[0])
    variance = (subspace.coefficients**2).sum(axis=1).mean() / mean.numel()
    model.encoder.scale.fill_(float(np.sqrt(variance)))
    return model


def _order(count: int, labels: Mapping[str, np.ndarray], config: Config, rank: int) -> BatchStream:
    """Batches in which the factor with fewest labels has its share of labelled faces."""
    seed = config.train.seed + 7919 * rank
    scarce = min(labels, key=lambda name: (labels[name] >= 0).mean())
    if (labels[scarce] >= 0).mean() >= WELL_LABELLED:
        return BatchStream(count, config.step.batch, seed)
    share = config.step.labelled_share
    return BatchStream(count, config.step.batch, seed, labels[scarce], share)


def _checked_faces(
    dataset: MeshDataset, lookup: PixelLookup, config: Config
) -> dict[str, ImagedFaces]:
    """Faces whose reconstruction is measured: of the training, and of people left out of it."""
    parts = {"": dataset}
    if config.part == "train":
        try:
            parts["_validation"] = MeshDataset(dataset.store, "validation")
        except InputError:  # so few people that none were kept for validation
            pass
    found = {}
    for ending, part in parts.items():
        rows = np.linspace(0, len(part) - 1, min(CHECKED, len(part))).astype(np.int64)
        moved = part.displacements(rows)
        images = torch.from_numpy(map_displacements(moved, lookup))
        found[ending] = ImagedFaces(images, torch.from_numpy(moved))
    return found
