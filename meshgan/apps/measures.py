"""The metrics by name: each of a model, and of the data for comparison."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.apps.reconstruction import reconstruction_table
from meshgan.apps.yardstick import GRID, SampledModel, Yardstick
from meshgan.data.dataset import MeshDataset
from meshgan.errors import InputError
from meshgan.evaluation.companions import (
    Companions,
    fresh_companions,
    model_companions,
    training_companions,
)
from meshgan.evaluation.decoupling import Decoupling, data_decoupling, decoupling
from meshgan.evaluation.diversity import data_diversity, model_diversity
from meshgan.evaluation.estimate import Estimate, FaceCollection, some_meshes
from meshgan.evaluation.oracle import grid_indices, grid_retrieval, model_decoupling
from meshgan.evaluation.reconstruction import sparse_reconstruction
from meshgan.evaluation.specificity import specificity
from meshgan.evaluation.transfer_error import (
    FROM_REST,
    PAIR,
    model_transfers,
    source_interaction,
    transfer_errors,
)
from meshgan.fitting.meshes import fit_meshes
from meshgan.training.tasks.embedding_batches import LabelledFaces

BY_VERTEX = "vertices"  # mean error of each vertex, mm, among the details of a transfer
THIS = "model"  # a table of one model needs a name for it


@dataclass(frozen=True)
class Findings:
    """What one metric found.

    Args:
        numbers: estimates by name.
        details: curves and lists behind them, plain values.
    """

    numbers: dict[str, Estimate]
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measure:
    """A metric: how it is taken of a model and, where that makes sense, of the data.

    Args:
        model: of what a model draws.
        training: of the training faces.
        fresh: of real faces that no model saw.
        needs: what must be known, by the field of ``Yardstick``.
        factors: codes that a model must have.
    """

    model: Callable[[SampledModel, Yardstick], Findings]
    training: Callable[[Yardstick], Findings] | None = None
    fresh: Callable[[Yardstick], Findings] | None = None
    needs: tuple[str, ...] = ()
    factors: tuple[str, ...] = ()

    def missing(self, yardstick: Yardstick) -> list[str]:
        """What it needs and the yardstick does not have."""
        return [name for name in self.needs if not getattr(yardstick, name)]


# ---- diversity, specificity, quality


def _diversity(model: SampledModel, yard: Yardstick) -> Findings:
    return Findings(model_diversity(model.model, yard.pairs, yard.seed))


def _diversity_of(collection: FaceCollection, yard: Yardstick) -> Findings:
    return Findings(data_diversity(collection, yard.pairs, yard.seed))


def _specificity(model: SampledModel, yard: Yardstick) -> Findings:
    return Findings({"specificity": specificity(model.faces, yard.training).estimate})


def _specificity_of_fresh(yard: Yardstick) -> Findings:
    faces = torch.cat(list(some_meshes(_fresh(yard), yard.samples, yard.seed)))
    return Findings({"specificity": specificity(faces, yard.training).estimate})


def _quality(model: SampledModel, yard: Yardstick) -> Findings:
    return Findings(yard.quality.measure([model.faces]))


def _quality_of(collection: FaceCollection, yard: Yardstick) -> Findings:
    return Findings(yard.quality.measure(some_meshes(collection, yard.samples, yard.seed)))


# ---- decoupling, by the truth and by networks


def _oracle(model: SampledModel, yard: Yardstick) -> Findings:
    return _shares(model_decoupling(model.model, yard.oracle, GRID, GRID, yard.seed))


def _oracle_of_source(yard: Yardstick) -> Findings:
    return _shares(grid_retrieval(yard.true_grid, *grid_indices(GRID, GRID)))


def _shares(found: Mapping[str, float]) -> Findings:
    count = GRID * GRID
    return Findings(
        {
            name: Estimate(share, (share * (1 - share) / count) ** 0.5, count)
            for name, share in found.items()
        }
    )


def _decoupling(model: SampledModel, yard: Yardstick) -> Findings:
    judged = [
        decoupling(model.model, embedder, seed=yard.seed)
        for factor, embedder in yard.embedders.items()
        if factor in model.model.factors
    ]
    return _judgements(judged)


def _decoupling_of_fresh(yard: Yardstick) -> Findings:
    """Of real faces of people that the networks never saw: what a perfect model would reach."""
    faces = yard.fresh
    if not isinstance(faces, MeshDataset):
        return Findings({})
    judged = []
    for factor, embedder in yard.embedders.items():
        if factor in faces.factors:
            labelled = LabelledFaces.of(faces, factor)
            judged.append(data_decoupling(labelled, embedder, seed=yard.seed))
    return _judgements(judged)


def _judgements(judged: list[Decoupling]) -> Findings:
    numbers: dict[str, Estimate] = {}
    for one in judged:
        error, count = one.estimate.standard_error, len(one.distances)
        numbers[f"decoupling_{one.factor}"] = Estimate(one.share, error, count, one.interval)
        numbers[f"accepted_{one.factor}"] = Estimate(one.chance, 0.0, count, one.chance_interval)
    return Findings(numbers, {one.factor: one.as_dict() for one in judged})


# ---- companions


def _companions(model: SampledModel, yard: Yardstick) -> Findings:
    found = model_companions(model.model, yard.companions, fit_meshes, yard.samples, seed=yard.seed)
    return _of_companions(found)


def _companions_of_training(yard: Yardstick) -> Findings:
    return _of_companions(training_companions(yard.companions))


def _companions_of_fresh(yard: Yardstick) -> Findings:
    found = fresh_companions(yard.companions, yard.source, yard.seed)
    return Findings({}) if found is None else _of_companions(found)


def _of_companions(found: Companions) -> Findings:
    details: dict[str, Any] = {
        "compactness": found.compactness.cumulative[:100].tolist(),
        "span_mm": {str(k): estimate.mean for k, estimate in found.span.items()},
    }
    if found.memorisation is not None:
        closest = found.memorisation.closest[:8]
        details["closest_samples"] = closest.tolist()
        details["closest_training_faces"] = found.memorisation.nearest[closest].tolist()
    return Findings(found.numbers, details)


# ---- what a model is used for: sparse landmarks, transfer


def _reconstruction(model: SampledModel, yard: Yardstick) -> Findings:
    targets = yard.targets
    assert targets is not None  # a need
    found = {
        THIS: sparse_reconstruction(
            model.model,
            targets.vertices,
            targets.landmark_ids,
            people=targets.people,
            seed=yard.seed,
        )
    }
    numbers = {}
    for weight, one in found[THIS].items():
        mean, error, count = one.estimate.mean, one.estimate.standard_error, one.estimate.count
        numbers[f"reconstruction_{weight:g}"] = Estimate(mean, error, count, one.interval)
    table = reconstruction_table(found, targets)
    return Findings(numbers, {**table, "models": table["models"][THIS]})


def _transfer(model: SampledModel, yard: Yardstick) -> Findings:
    ways = {"transfer": PAIR, "rest_transfer": FROM_REST}
    template = getattr(yard.training, "template", None)
    moved = model_transfers(model.model, yard.transfers, ways, template=template)
    found = [_transferred(faces, yard, way) for way, faces in moved.items()]
    numbers = {name: one for part in found for name, one in part.numbers.items()}
    return Findings(numbers, found[0].details)


def _transfer_of_additive(yard: Yardstick) -> Findings:
    """Adding the true displacement of one person to another: no model, yet not the truth."""
    found = _transferred(yard.transfers.additive(), yard)
    assert yard.source is not None  # a need
    left = source_interaction(yard.source, yard.regions, seed=yard.seed)
    numbers = {f"interaction_{region}": one.mean for region, one in left.items()}
    return Findings({**found.numbers, **numbers}, found.details)


def _transferred(
    moved: Float[Tensor, "N V 3"], yard: Yardstick, name: str = "transfer"
) -> Findings:
    """Errors by region, and for a picture those of each vertex."""
    truth = yard.transfers.truth
    errors = transfer_errors(moved, truth, yard.regions)
    each = (moved.cpu() - truth.cpu()).norm(dim=-1).mean(dim=0)
    details: dict[str, Any] = {
        region: {"percentile_95": one.percentile_95} for region, one in errors.items()
    }
    details[BY_VERTEX] = [round(float(value), 3) for value in each]
    return Findings({f"{name}_{region}": one.mean for region, one in errors.items()}, details)


def _fresh(yard: Yardstick) -> FaceCollection:
    if yard.fresh is None:
        raise InputError("metrics: there are no fresh faces to compare with")
    return yard.fresh


MEASURES: dict[str, Measure] = {
    "diversity": Measure(
        _diversity,
        lambda yard: _diversity_of(yard.training, yard),
        lambda yard: _diversity_of(_fresh(yard), yard),
    ),
    "specificity": Measure(_specificity, fresh=_specificity_of_fresh),
    "quality": Measure(
        _quality,
        lambda yard: _quality_of(yard.training, yard),
        lambda yard: _quality_of(_fresh(yard), yard),
    ),
    "oracle": Measure(
        _oracle, fresh=_oracle_of_source, needs=("source",), factors=("identity", "expression")
    ),
    "decoupling": Measure(_decoupling, fresh=_decoupling_of_fresh, needs=("embedders",)),
    "companions": Measure(_companions, _companions_of_training, _companions_of_fresh),
    "reconstruction": Measure(_reconstruction, needs=("targets",)),
    "transfer": Measure(
        _transfer,
        fresh=_transfer_of_additive,
        needs=("source", "regions"),
        factors=("identity", "expression"),
    ),
}
USUAL = ("diversity", "specificity", "quality")
