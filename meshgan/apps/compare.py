"""One table for many models: trained, judged and scored by the same commands.

Whatever is finished is kept: a comparison that was interrupted goes on where it stopped. A result
is used again only if weights, data, judges, metrics and sizes are the same.
"""

import hashlib
import json
import logging
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from meshgan import __version__
from meshgan.apps.compare_page import write_comparison
from meshgan.apps.contenders import (
    STANDARD,
    Contender,
    given_contenders,
    standard_contenders,
    train_contender,
    training_seconds,
)
from meshgan.apps.controls import control_models
from meshgan.apps.evaluate import ALL_METRICS, DataScores, Scores, check_metrics, score, score_data
from meshgan.apps.evaluate_run import JUDGES, make_yardstick
from meshgan.apps.face_model import FaceModel
from meshgan.apps.measures import MEASURES
from meshgan.apps.prepare import held_out_part, training_part
from meshgan.apps.yardstick import Yardstick
from meshgan.data.store import Store
from meshgan.errors import FileFormatError
from meshgan.evaluation.decoupling import FaceEmbedder
from meshgan.evaluation.estimate import Estimate
from meshgan.files import checksum, read_json, write_json
from meshgan.models.base import MeshModel
from meshgan.training.run_folder import RunFolder

log = logging.getLogger(__name__)

CONTROL_METRICS = ("diversity", "oracle", "decoupling")
ABLATION_METRICS = ("diversity", "specificity", "quality", "oracle", "decoupling")


@dataclass(frozen=True)
class Comparison:
    """What is compared, and how thoroughly.

    Args:
        data: DATA folder.
        out: folder of everything that is made.
        runs: RUNs to compare; none: the standard ones are trained in ``out``.
        models: which of the standard ones.
        preset: of the GAN.
        metrics: names of metrics.
        seed: of trainings and draws.
        pairs: random pairs per diversity.
        samples: faces for specificity and its companions.
        overrides: settings of every training, for example of its length.
    """

    data: Path
    out: Path
    runs: tuple[Path, ...] = ()
    models: tuple[str, ...] = STANDARD
    preset: str = "quick"
    metrics: tuple[str, ...] = ALL_METRICS
    seed: int = 0
    pairs: int = 10_000
    samples: int = 1000
    overrides: tuple[str, ...] = ()


def compare(asked: Comparison) -> dict[str, Any]:
    """Train what is missing, score everything, and write the tables.

    Returns:
        ``rows`` (one per model, numbers by name), ``data`` (the data's own), ``table`` (path of
        the Markdown), ``page`` (path of the HTML), ``not_available``, ``seconds``.

    Raises:
        InputError: an unknown model or metric, or a folder that is not a RUN.
        ShapeError: a model of another topology than the data's.
    """
    check_metrics(asked.metrics)
    started = time.monotonic()
    contenders = (
        given_contenders(asked.runs)
        if asked.runs
        else standard_contenders(asked.out / "runs", asked.models, asked.preset)
    )
    store = Store.open(asked.data)
    for contender in contenders:
        train_contender(contender, asked.data, asked.seed, asked.overrides)
    yardstick, metrics, missing = make_yardstick(
        store,
        training_part(store, "train"),
        held_out_part(store),
        asked.metrics,
        asked.out / JUDGES,
        asked.seed,
        asked.pairs,
        asked.samples,
    )
    records = _Records(asked, store, yardstick, metrics)
    data = records.data()
    rows = [records.row(contender, data) for contender in contenders]
    controls = records.controls(contenders, data)
    result = {
        "rows": rows,
        "controls": controls,
        "data": {"training": _plain(data.training), "fresh": _plain(data.fresh)},
        "not_available": missing,
        "settings": {
            "data": str(asked.data),
            "meshes": yardstick.training.count,
            "content": store.content_hash,
            "seed": asked.seed,
            "pairs": asked.pairs,
            "samples": asked.samples,
            "judges": records.judges,
            "command": " ".join(["meshgan", *sys.argv[1:]]),
            "version": __version__,
        },
        "times": records.times(),
        "seconds": time.monotonic() - started,
    }
    written = write_comparison(asked.out, result, contenders, yardstick)
    return {**result, **written}


class _Records:
    """Results on disk, each under the key of all that it depends on."""

    def __init__(
        self, asked: Comparison, store: Store, yardstick: Yardstick, metrics: Sequence[str]
    ) -> None:
        self.folder = asked.out / "results"
        self.yardstick, self.metrics = yardstick, tuple(metrics)
        self.data_seconds: dict[str, float] = {}
        self.judges = {
            factor: _about_judge(embedder) for factor, embedder in yardstick.embedders.items()
        }
        self.common = {
            "data": store.content_hash,
            "judges": self.judges,
            "seed": asked.seed,
            "pairs": asked.pairs,
            "samples": asked.samples,
            "version": __version__,
        }

    def data(self) -> DataScores:
        """The data's own numbers."""
        key = self._key("data", self.metrics)

        def measure() -> dict[str, Any]:
            found = score_data(self.yardstick, self.metrics)
            return {"training": _stored(found.training), "fresh": _stored(found.fresh)}

        kept = self._kept("data", key, measure)
        for part in kept.values():
            for name, spent in part["seconds"].items():
                self.data_seconds[name] = self.data_seconds.get(name, 0.0) + spent
        return DataScores(_restored(kept["training"]), _restored(kept["fresh"]))

    def row(self, contender: Contender, data: DataScores) -> dict[str, Any]:
        """The numbers of one RUN, with where they come from."""
        folder = RunFolder(contender.run)
        weights = checksum(folder.weights_file)
        ablation = contender.group == "ablation"
        wanted = [n for n in self.metrics if not ablation or n in ABLATION_METRICS]
        found = self._scores(
            contender.name,
            contender.title,
            weights,
            lambda: FaceModel.load(contender.run).model,
            wanted,
            data,
        )
        made = dict(read_json(folder.provenance_file))
        return {
            "name": contender.name,
            "title": contender.title,
            "group": contender.group,
            "run": str(contender.run),
            "seed": made.get("seed"),
            "command": made.get("command"),
            "weights": weights,
            "training_seconds": training_seconds(contender.run),
            **found,
        }

    def times(self) -> dict[str, Any]:
        """Seconds of the judges' trainings, and of each metric of the data's own numbers."""
        spent = {name: training_seconds(self.folder.parent / JUDGES / name) for name in self.judges}
        return {"judges": spent, "data": self.data_seconds}

    def controls(self, contenders: Sequence[Contender], data: DataScores) -> list[dict[str, Any]]:
        """Models whose answer is known beforehand: what the metrics say of them."""
        wanted = [name for name in CONTROL_METRICS if name in self.metrics]
        rows = []
        for control in control_models(contenders, self.yardstick) if wanted else []:
            name = f"control_{control.name}"
            found = self._scores(name, control.title, control.key, control.make, wanted, data)
            about = {"name": control.name, "title": control.title, "group": "control"}
            rows.append({**about, "expected": control.expected, **found})
        return rows

    def _scores(
        self,
        name: str,
        title: str,
        what: str,
        make: Callable[[], MeshModel],
        metrics: Sequence[str],
        data: DataScores,
    ) -> dict[str, Any]:
        """Each metric kept by itself: a comparison that is stopped has lost one at most."""
        made: list[MeshModel] = []  # only if something is left to measure

        def measure(metric: str) -> dict[str, Any]:
            if not made:
                log.info("scoring %s", title)
                made.append(make())
            able = set(MEASURES[metric].factors) <= set(made[0].factors)
            return score(made[0], self.yardstick, [metric], data) if able else {}

        together: dict[str, Any] = {}
        for metric in metrics:
            key = self._key(what, [metric])
            found = self._kept(f"{name}/{metric}", key, partial(measure, metric))
            for entry, value in found.items():
                nested = isinstance(value, dict)
                together[entry] = {**together.get(entry, {}), **value} if nested else value
        if together:
            together["settings"]["metrics"] = list(together["seconds"])
        return together

    def _key(self, what: str, metrics: Sequence[str]) -> str:
        everything = {**self.common, "of": what, "metrics": list(metrics)}
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:16]

    def _kept(self, name: str, key: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        path = self.folder / f"{name}.json"
        try:
            kept = read_json(path) if path.exists() else {}
        except FileFormatError as error:
            log.warning("%s: measured again (%s)", path, error)
            kept = {}
        if kept.get("key") != key:
            kept = {"key": key, "result": measure()}
            write_json(path, kept)
        return kept["result"]


def _about_judge(embedder: FaceEmbedder) -> dict[str, Any]:
    """How well a judge does on people whom it never saw."""
    known = getattr(embedder, "verification", {})
    shown = ("accuracy", "false_acceptance", "true_acceptance", "area", "people", "seed")
    return {"threshold": embedder.threshold, **{key: known[key] for key in shown if key in known}}


def _stored(scores: Scores) -> dict[str, Any]:
    numbers = {
        name: [one.mean, one.standard_error, one.count, one.interval]
        for name, one in scores.numbers.items()
    }
    return {"numbers": numbers, "details": scores.details, "seconds": scores.seconds}


def _restored(stored: Mapping[str, Any]) -> Scores:
    numbers = {
        name: Estimate(mean, error, count, None if interval is None else tuple(interval))
        for name, (mean, error, count, interval) in stored["numbers"].items()
    }
    return Scores(numbers, dict(stored["details"]), dict(stored["seconds"]))


def _plain(scores: Scores) -> dict[str, Any]:
    return {
        **{name: one.mean for name, one in scores.numbers.items()},
        "standard_error": {name: one.standard_error for name, one in scores.numbers.items()},
        "interval": {name: list(one.interval_95) for name, one in scores.numbers.items()},
        "details": scores.details,
    }
