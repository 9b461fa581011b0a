"""``meshgan evaluate``: score the model of a RUN against the data it was trained on."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from meshgan.apps.embedding import TrainedEmbedder, embedders_of
from meshgan.apps.evaluate import METRICS, RESULT_FILE, WHY_NOT, check_metrics, score
from meshgan.apps.face_model import load_model
from meshgan.apps.measures import MEASURES
from meshgan.apps.oracle_source import find_source
from meshgan.apps.prepare import held_out_part_of, training_part_of
from meshgan.apps.pretrained import run_or_pretrained
from meshgan.apps.reconstruction import Targets, reconstruction_targets
from meshgan.apps.yardstick import Yardstick
from meshgan.data.store import Store
from meshgan.errors import InputError
from meshgan.evaluation.estimate import FaceCollection
from meshgan.evaluation.source_oracle import ParametricSource
from meshgan.files import write_json

log = logging.getLogger(__name__)

JUDGES = "judges"
HELPED_BY_SOURCE = ("oracle", "transfer", "companions", "reconstruction")


def evaluate_run(
    run: Path | str | None,
    data: Path | str,
    metrics: Sequence[str] = METRICS,
    seed: int = 0,
    pairs: int = 10_000,
    samples: int = 1000,
    out: Path | str | None = None,
    fresh: Path | str | None = None,
    judges: Path | str | None = None,
) -> dict[str, Any]:
    """Score a RUN.

    Args:
        run: folder of a trained model; None for the one that comes with the package.
        data: DATA folder that it was trained on.
        metrics: as for ``score``; what cannot be measured on these data is left out, with the
            reason, as long as something is left.
        seed: of every draw.
        pairs: random pairs per diversity.
        samples: faces for specificity and quality.
        out: folder for ``metrics.json``; nothing is written if None.
        fresh: DATA folder of real faces that the model never saw; by default the test people of
            ``data``, if the run left them out of its training.
        judges: folder of the networks that judge decoupling, by factor; they are trained on
            ``data`` if they are not there. By default a folder in the cache of ``data``.

    Returns:
        As ``score``; and ``not_available``: metric -> why it was left out.

    Raises:
        InputError: an unknown metric; or none of them can be measured.
        ShapeError: model and data differ in topology.
    """
    check_metrics(metrics)
    run, store = run_or_pretrained(run), Store.open(data)
    yardstick, wanted, missing = make_yardstick(
        store,
        training_part_of(run, store),
        held_out_part_of(run, store) if fresh is None else Store.open(fresh),
        metrics,
        Path(data) / "cache" / JUDGES if judges is None else Path(judges),
        seed,
        pairs,
        samples,
    )
    model = load_model(run)
    for name in list(wanted):
        if lacking := [f for f in MEASURES[name].factors if f not in model.factors]:
            wanted.remove(name)
            missing[name] = f"{name}: the model has no code for {', '.join(lacking)}"
    if not wanted:
        raise InputError("; ".join(missing.values()))
    result = score(model, yardstick, wanted)
    result["not_available"] = missing
    if out is not None:
        write_json(Path(out) / RESULT_FILE, result)
    return result


def make_yardstick(
    store: Store,
    training: FaceCollection,
    fresh: FaceCollection | None,
    metrics: Sequence[str],
    judges: Path,
    seed: int = 0,
    pairs: int = 10_000,
    samples: int = 1000,
) -> tuple[Yardstick, list[str], dict[str, str]]:
    """Gather what ``metrics`` need; networks that judge are trained where there are none yet.

    Args:
        store: the data set.
        training: the part of it that models learned from.
        fresh: real faces that no model saw.
        metrics: names in ``measures.MEASURES``.
        judges: folder of the networks, by factor.
        seed: of every draw.
        pairs: random pairs per diversity.
        samples: faces for specificity and its companions.

    Returns:
        The yardstick; the metrics that it can measure; metric -> why not, for the others.
    """
    reasons: dict[str, str] = {}
    source = _source(store, reasons) if set(metrics) & set(HELPED_BY_SOURCE) else None
    template = store.template
    vertices = torch.from_numpy(np.asarray(template.mesh.vertices, dtype=np.float32))
    yardstick = Yardstick(
        training,
        (vertices, torch.from_numpy(template.mesh.faces)),
        fresh,
        source,
        _embedders(store, judges, reasons) if "decoupling" in metrics else {},
        _targets(store, seed, reasons) if "reconstruction" in metrics else None,
        template.regions,
        seed,
        pairs,
        samples,
    )
    wanted, missing = [], {}
    for name in metrics:
        if lacking := MEASURES[name].missing(yardstick):
            why = [reasons.get(need, f"{name} needs {WHY_NOT[need]}") for need in lacking]
            missing[name] = "; ".join(why)
            log.warning("%s is left out: %s", name, missing[name])
        else:
            wanted.append(name)
    return yardstick, wanted, missing


def _source(store: Store, reasons: dict[str, str]) -> ParametricSource | None:
    try:
        return find_source(store)
    except InputError as error:
        reasons["source"] = str(error)
        return None


def _embedders(store: Store, judges: Path, reasons: dict[str, str]) -> dict[str, TrainedEmbedder]:
    """A judge for each factor that the data have labels enough for."""
    found = {}
    for factor in store.factors:
        try:
            found.update(embedders_of(store.path, [factor], judges))
        except InputError as error:
            log.warning("no network judges %s: %s", factor, error)
            reasons["embedders"] = str(error)
    return found


def _targets(store: Store, seed: int, reasons: dict[str, str]) -> Targets | None:
    try:
        return reconstruction_targets(store, seed)
    except InputError as error:
        reasons["targets"] = str(error)
        return None
