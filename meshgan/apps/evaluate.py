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
from meshgan.evaluation.source_oracle import ParametricSource, source_decoupling
from meshgan.evaluation.specificity import sample_faces, specificity
from meshgan.files import write_json
from meshgan.geometry.mesh import topology_hash
from meshgan.models.base import MeshModel
from meshgan.seeding import generator

log = logging.getLogger(__name__)

METRICS = ("diversity", "specificity", "quality")
ALL_METRICS = (*METRICS, "oracle")
NOT_BUILT = {
    "decoupling": "decoupling by an embedding network (Dec-Id, Dec-Exp) is not part of this version"
}
GRID = 20  # persons and expressions of the oracle's grid
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
    source: ParametricSource | None = None,
) -> dict[str, Any]:
    """Score ``model`` against the data it was trained on.

    Args:
        model: draws and decodes faces.
        store: its training data.
        metrics: any of ``diversity``, ``specificity``, ``quality``, ``oracle``.
        seed: of every draw; the same seed gives the same numbers.
        pairs: random pairs per diversity (the paper: 10,000).
        samples: faces for specificity and quality (the paper: 1,000).
        out: folder for ``metrics.json``; nothing is written if None.
        fresh: real faces that the model never saw: the floor of specificity.
        source: the parametric source of the data (``apps.oracle_source.find_source``), which
            ``oracle`` asks for the truth.

    Returns:
        ``diversity``, ``diversity_FACTOR``, ``specificity`` (mm), ``inverted_triangles`` (per
        mesh), ``laplacian_residual`` (1/mm); ``standard_error``, ``training``, ``fresh`` with the
        same keys; ``ratios``: each diversity and quality over the training data's, specificity
        over the training data's diversity; ``oracle_FACTOR`` and ``chance_FACTOR`` (0 to 1), the
        source's own faces under ``fresh``; ``seconds`` per metric and the settings.

    Raises:
        InputError: an unknown metric, or one that this version does not have.
        ShapeError: model and data differ in topology.

    Source: Fernández Abrevaya et al. 2019, Sec. 5.3, Table 1.
    """
    check_metrics(metrics)
    if "oracle" in metrics and source is None:
        raise InputError(
            "metrics: the oracle needs the parametric source of the data, whose truth is known; "
            "leave it out for other data"
        )
    _check_topology(
        model, {"training data": store} | ({} if fresh is None else {"fresh faces": fresh})
    )
    scores, seconds = Scores({}, {}, {}), {}
    asked = _Questions(model, store, fresh, source, seed, pairs, samples)
    for metric in ALL_METRICS:
        if metric not in metrics:
            continue
        log.info("measuring %s", metric)
        start = time.perf_counter()
        _MEASURES[metric](scores, asked)
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


@dataclass(frozen=True)
class _Questions:
    model: MeshModel
    store: FaceCollection
    fresh: FaceCollection | None
    source: ParametricSource | None
    seed: int
    pairs: int
    samples: int


def _measure_diversity(scores: Scores, asked: _Questions) -> None:
    scores.model.update(model_diversity(asked.model, asked.pairs, asked.seed))
    scores.training.update(data_diversity(asked.store, asked.pairs, asked.seed))
    if asked.fresh is not None:
        scores.fresh.update(data_diversity(asked.fresh, asked.pairs, asked.seed))


def _measure_specificity(scores: Scores, asked: _Questions) -> None:
    faces = sample_faces(asked.model, asked.samples, asked.seed)
    scores.model["specificity"] = specificity(faces, asked.store).estimate
    if asked.fresh is not None:
        faces = torch.cat(list(_some_meshes(asked.fresh, asked.samples, asked.seed)))
        scores.fresh["specificity"] = specificity(faces, asked.store).estimate


def _measure_quality(scores: Scores, asked: _Questions) -> None:
    meter = QualityMeter(asked.model.template_vertices, asked.model.faces)
    scores.model.update(meter.measure([sample_faces(asked.model, asked.samples, asked.seed)]))
    scores.training.update(meter.measure(_some_meshes(asked.store, asked.samples, asked.seed)))
    if asked.fresh is not None:
        scores.fresh.update(meter.measure(_some_meshes(asked.fresh, asked.samples, asked.seed)))


def _measure_oracle(scores: Scores, asked: _Questions) -> None:
    persons = expressions = GRID
    assert asked.source is not None  # checked in evaluate
    found = source_decoupling(asked.model, asked.source, persons, expressions, asked.seed)
    for shares, place in ((found["model"], scores.model), (found["source"], scores.fresh)):
        place.update({name: _share(value, persons * expressions) for name, value in shares.items()})


def _share(share: float, count: int) -> Estimate:
    return Estimate(share, (share * (1 - share) / count) ** 0.5, count)


_MEASURES = {
    "diversity": _measure_diversity,
    "specificity": _measure_specificity,
    "quality": _measure_quality,
    "oracle": _measure_oracle,
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
    errors = {
        name: estimate.standard_error
        for name, estimate in scores.model.items()
        if not name.startswith("chance_")
    }
    return {
        **means["model"],
        "standard_error": errors,
        "training": means["training"],
        "fresh": means["fresh"],
        "ratios": ratios,
    }


def _means(estimates: dict[str, Estimate]) -> dict[str, float]:
    return {name: estimate.mean for name, estimate in estimates.items()}


def check_metrics(metrics: Sequence[str]) -> None:
    """Refuse metrics that there are not.

    Raises:
        InputError: one is unknown or not part of this version, or none is given.
    """
    choice = f"choose from {', '.join(ALL_METRICS)}"
    if not metrics:
        raise InputError(f"metrics: none given; {choice}")
    for name in metrics:
        if name in NOT_BUILT:
            raise InputError(f"metrics: {NOT_BUILT[name]}; {choice}")
        if name not in ALL_METRICS:
            raise InputError(f'metrics: "{name}" is not known; {choice}')


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
