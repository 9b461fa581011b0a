"""Score a model: every number with its error, and the training data's own beside it."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from meshgan.apps.measures import MEASURES, USUAL, Findings
from meshgan.apps.yardstick import SampledModel, Yardstick
from meshgan.errors import InputError
from meshgan.evaluation.estimate import Estimate, FaceCollection
from meshgan.evaluation.source_oracle import ParametricSource
from meshgan.files import write_json
from meshgan.models.base import MeshModel

log = logging.getLogger(__name__)

METRICS = USUAL
REPORTED = (*USUAL, "oracle")
ALL_METRICS = tuple(MEASURES)
RESULT_FILE = "metrics.json"
WHY_NOT = {
    "source": "the parametric source of the data, whose truth is known",
    "embedders": "networks that judge faces (meshgan train --preset embedding)",
    "targets": "faces of people that no model saw, and landmarks on the template",
    "regions": "regions on the template",
}


@dataclass(frozen=True)
class Scores:
    """Numbers by name, curves and lists by metric, seconds by metric."""

    numbers: dict[str, Estimate] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, metric: str, findings: Findings, seconds: float) -> None:
        """Take in what one metric found."""
        self.numbers.update(findings.numbers)
        if findings.details:
            self.details[metric] = findings.details
        self.seconds[metric] = round(seconds, 3)


@dataclass(frozen=True)
class DataScores:
    """The data's own numbers: what the training faces and fresh real faces reach."""

    training: Scores
    fresh: Scores


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
        metrics: names in ``measures.MEASURES`` that need no more than what is given here.
        seed: of every draw; the same seed gives the same numbers.
        pairs: random pairs per diversity (the paper: 10,000).
        samples: faces for specificity and quality (the paper: 1,000).
        out: folder for ``metrics.json``; nothing is written if None.
        fresh: real faces that the model never saw: the floor of specificity.
        source: the parametric source of the data (``apps.oracle_source.find_source``), which
            ``oracle`` asks for the truth.

    Returns:
        What ``score`` returns.

    Raises:
        InputError: an unknown metric, or one that needs more.
        ShapeError: model and data differ in topology.
    """
    surface = (model.template_vertices.cpu(), model.faces.cpu())
    yardstick = Yardstick(store, surface, fresh, source, seed=seed, pairs=pairs, samples=samples)
    result = score(model, yardstick, metrics)
    if out is not None:
        write_json(Path(out) / RESULT_FILE, result)
    return result


def score(
    model: MeshModel,
    yardstick: Yardstick,
    metrics: Sequence[str],
    data: DataScores | None = None,
) -> dict[str, Any]:
    """Score ``model`` with a yardstick that may serve several models.

    Args:
        model: draws and decodes faces.
        yardstick: what it is measured against.
        metrics: names in ``measures.MEASURES``.
        data: the data's own numbers, if they are known already (``score_data``).

    Returns:
        Numbers by name: ``diversity``, ``diversity_FACTOR``, ``specificity`` (mm),
        ``inverted_triangles`` (per mesh), ``laplacian_residual`` (1/mm), ``oracle_FACTOR`` and
        ``chance_FACTOR`` (0 to 1), ``decoupling_FACTOR`` (0 to 1) and ``accepted_FACTOR`` (pairs
        that share nothing), ``reconstruction_LAMBDA`` and ``transfer_REGION`` (mm), and those of
        ``evaluation.companions``. With the same keys: ``standard_error``, ``interval`` (95 %),
        ``training``, ``fresh``; ``ratios``: each number over the training data's, specificity
        over the training data's diversity. ``details``: curves and lists by metric; ``seconds``
        per metric, and the settings.

    Raises:
        InputError: an unknown metric, or the yardstick lacks what one needs.
        ShapeError: model and data differ in topology.

    Source: Fernández Abrevaya et al. 2019, Sec. 5.3, Table 1.
    """
    check_metrics(metrics)
    for name in metrics:
        if missing := MEASURES[name].missing(yardstick):
            raise InputError(
                f"metrics: {name} needs {' and '.join(WHY_NOT[need] for need in missing)}; leave "
                "it out for these data"
            )
    yardstick.check_topology(model)
    sampled, found = SampledModel(model, yardstick), Scores()
    for name in _in_order(metrics):
        if missing := [f for f in MEASURES[name].factors if f not in model.factors]:
            raise InputError(f"metrics: {name} needs a model with a code for {', '.join(missing)}")
        log.info("measuring %s", name)
        start = time.perf_counter()
        found.add(name, MEASURES[name].model(sampled, yardstick), time.perf_counter() - start)
    data = data or score_data(yardstick, metrics)
    return _as_result(found, data) | {
        "settings": {
            "metrics": list(metrics),
            "seed": yardstick.seed,
            "pairs": yardstick.pairs,
            "samples": yardstick.samples,
            "training_meshes": yardstick.training.count,
            "fresh_meshes": 0 if yardstick.fresh is None else yardstick.fresh.count,
        },
        "seconds": found.seconds,
    }


def score_data(yardstick: Yardstick, metrics: Sequence[str]) -> DataScores:
    """The same numbers of the training faces and of fresh real faces, where they make sense."""
    data = DataScores(Scores(), Scores())
    for name in _in_order(metrics):
        measure = MEASURES[name]
        known = yardstick.fresh is not None or "source" in measure.needs
        for scores, of_data in (
            (data.training, measure.training),
            (data.fresh, measure.fresh if known else None),
        ):
            if of_data is not None:
                log.info("measuring %s of the data", name)
                start = time.perf_counter()
                scores.add(name, of_data(yardstick), time.perf_counter() - start)
    return data


def _in_order(metrics: Sequence[str]) -> list[str]:
    return [name for name in MEASURES if name in metrics]


def _as_result(found: Scores, data: DataScores) -> dict[str, Any]:
    means = _means(found)
    training, fresh = _means(data.training), _means(data.fresh)
    ratios = {name: value / training[name] for name, value in means.items() if training.get(name)}
    if "specificity" in means and training.get("diversity"):
        ratios["specificity"] = means["specificity"] / training["diversity"]
    uncertain = {
        name: estimate for name, estimate in found.numbers.items() if not name.startswith("chance_")
    }
    return {
        **means,
        "standard_error": {name: one.standard_error for name, one in uncertain.items()},
        "interval": {name: list(one.interval_95) for name, one in uncertain.items()},
        "training": training,
        "fresh": fresh,
        "ratios": ratios,
        "details": found.details,
        "data_details": {"training": data.training.details, "fresh": data.fresh.details},
    }


def _means(scores: Scores) -> dict[str, float]:
    return {name: estimate.mean for name, estimate in scores.numbers.items()}


def check_metrics(metrics: Sequence[str]) -> None:
    """Refuse metrics that there are not.

    Raises:
        InputError: one is unknown, or none is given.
    """
    choice = f"choose from {', '.join(ALL_METRICS)}"
    if not metrics:
        raise InputError(f"metrics: none given; {choice}")
    for name in metrics:
        if name not in MEASURES:
            raise InputError(f'metrics: "{name}" is not known; {choice}')
