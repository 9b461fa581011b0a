"""Score a model: every number with its standard error and the training data's own beside it."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.diversity import data_diversity, model_diversity
from meshgan.evaluation.estimate import Estimate, FaceCollection, batch_size
from meshgan.evaluation.quality import QualityMeter
from meshgan.evaluation.specificity import sample_faces, specificity
from meshgan.files import write_json
from meshgan.geometry.mesh import topology_hash
from meshgan.models.base import MeshModel
from meshgan.seeding import generator

log = logging.getLogger(__name__)

METRICS = ("diversity", "specificity", "quality")
NOT_BUILT = {
    "decoupling": "decoupling by an embedding network (Dec-Id, Dec-Exp) is not part of this version"
}
RESULT_FILE = "metrics.json"


@dataclass(frozen=True)
class Scores:
    """Numbers by name, with where they came from: the model, the training data, fresh faces."""

    model: dict[str, Estimate]
    training: dict[str, Estimate]
    fresh: dict[str, Estimate]


def evaluate(
    model: MeshModel,
    store: FaceCollection,
    metrics: Sequence[str] = METRICS,
    seed: int = 0,
    pairs: int = 10_000,
    samples: int = 1000,
    out: Path | str | None = None,
    fresh: FaceCollection | None = None,
) -> dict[str, Any]:
    """Score ``model`` against the data it was trained on.

    Args:
        model: draws and decodes faces.
        store: its training data.
        metrics: any of ``diversity``, ``specificity``, ``quality``.
        seed: of every draw; the same seed gives the same numbers.
        pairs: random pairs per diversity (the paper: 10,000).
        samples: faces for specificity and quality (the paper: 1,000).
        out: folder for ``metrics.json``; nothing is written if None.
        fresh: real faces that the model never saw: the floor of specificity.

    Returns:
        ``diversity``, ``diversity_FACTOR``, ``specificity`` (mm), ``inverted_triangles`` (per
        mesh), ``laplacian_residual`` (1/mm); ``standard_error``, ``training``, ``fresh`` with the
        same keys; ``ratios``: each diversity and quality over the training data's, specificity
        over the training data's diversity; ``seconds`` per metric and the settings.

    Raises:
        InputError: an unknown metric, or one that this version does not have.
        ShapeError: model and data differ in topology.

    Source: Fernández Abrevaya et al. 2019, Sec. 5.3, Table 1.
    """
    _check_metrics(metrics)
    _check_topology(
        model, {"training data": store} | ({} if fresh is None else {"fresh faces": fresh})
    )
    scores, seconds = Scores({}, {}, {}), {}
    for metric in METRICS:
        if metric not in metrics:
            continue
        log.info("measuring %s", metric)
        start = time.perf_counter()
        _MEASURES[metric](scores, model, store, fresh, seed, pairs, samples)
        seconds[metric] = round(time.perf_counter() - start, 3)
    result = _as_result(scores) | {
        "settings": {
            "metrics": list(metrics),
            "seed": seed,
            "pairs": pairs,
            "samples": samples,
            "training_meshes": store.count,
            "fresh_meshes": 0 if fresh is None else fresh.count,
        },
        "seconds": seconds,
    }
    if out is not None:
        write_json(Path(out) / RESULT_FILE, result)
    return result


def _measure_diversity(scores: Scores, model, store, fresh, seed, pairs, samples) -> None:
    scores.model.update(model_diversity(model, pairs, seed))
    scores.training.update(data_diversity(store, pairs, seed))
    if fresh is not None:
        scores.fresh.update(data_diversity(fresh, pairs, seed))


def _measure_specificity(scores: Scores, model, store, fresh, seed, pairs, samples) -> None:
    faces = sample_faces(model, samples, seed)
    scores.model["specificity"] = specificity(faces, store).estimate
    if fresh is not None:
        faces = torch.cat(list(_some_meshes(fresh, samples, seed)))
        scores.fresh["specificity"] = specificity(faces, store).estimate


def _measure_quality(scores: Scores, model, store, fresh, seed, pairs, samples) -> None:
    meter = QualityMeter(model.template_vertices, model.faces)
    scores.model.update(meter.measure([sample_faces(model, samples, seed)]))
    scores.training.update(meter.measure(_some_meshes(store, samples, seed)))
    if fresh is not None:
        scores.fresh.update(meter.measure(_some_meshes(fresh, samples, seed)))


_MEASURES = {
    "diversity": _measure_diversity,
    "specificity": _measure_specificity,
    "quality": _measure_quality,
}


def _some_meshes(
    collection: FaceCollection, count: int, seed: int
) -> Iterator[Float[Tensor, "b V 3"]]:
    """At most ``count`` random meshes of a collection, in batches, each once."""
    rng = generator(seed, "some meshes")
    ids = np.sort(rng.permutation(collection.count)[:count])
    size = batch_size(collection.vertices(ids[:1]).shape[1])
    for start in range(0, len(ids), size):
        yield torch.from_numpy(np.array(collection.vertices(ids[start : start + size])))


def _as_result(scores: Scores) -> dict[str, Any]:
    means = {name: _means(getattr(scores, name)) for name in ("model", "training", "fresh")}
    ratios = {
        name: value / means["training"][name]
        for name, value in means["model"].items()
        if means["training"].get(name)
    }
    if "specificity" in means["model"] and means["training"].get("diversity"):
        ratios["specificity"] = means["model"]["specificity"] / means["training"]["diversity"]
    errors = {name: estimate.standard_error for name, estimate in scores.model.items()}
    return {
        **means["model"],
        "standard_error": errors,
        "training": means["training"],
        "fresh": means["fresh"],
        "ratios": ratios,
    }


def _means(estimates: dict[str, Estimate]) -> dict[str, float]:
    return {name: estimate.mean for name, estimate in estimates.items()}


def _check_metrics(metrics: Sequence[str]) -> None:
    if not metrics:
        raise InputError(f"metrics: none given; choose from {', '.join(METRICS)}")
    for name in metrics:
        if name in NOT_BUILT:
            raise InputError(f"metrics: {NOT_BUILT[name]}; choose from {', '.join(METRICS)}")
        if name not in METRICS:
            raise InputError(f'metrics: "{name}" is not known; choose from {", ".join(METRICS)}')


def _check_topology(model: MeshModel, collections: dict[str, FaceCollection]) -> None:
    expected = len(model.template_vertices)
    names = topology_hash(expected, model.faces.cpu().numpy())
    for name, collection in collections.items():
        found = collection.vertices(np.arange(1)).shape[1]
        if found != expected:
            raise ShapeError(
                f"evaluate: the {name} hold meshes of {found:,} vertices, the model {expected:,}; "
                "give data of the model's template"
            )
        template = getattr(collection, "template", None)
        if template is not None and template.topology_hash != names:
            raise ShapeError(
                f"evaluate: the {name} have topology {template.topology_hash}, the model {names}, "
                f"both of {expected:,} vertices; give data of the model's template"
            )
