"""The main job from end to end: data, training, pictures, scores, one page to read."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from meshgan.apps.data import build_data
from meshgan.apps.evaluate import REPORTED, evaluate
from meshgan.apps.face_model import FaceModel
from meshgan.apps.report_run import write_run_report
from meshgan.apps.run_config import RunConfig, read_config
from meshgan.apps.train import train
from meshgan.data.dataset import MeshDataset
from meshgan.data.store import Store
from meshgan.data.store_writer import StoreWriter
from meshgan.data.synthetic.plan import FRESH_PEOPLE, plan_dataset
from meshgan.data.synthetic.source import FaceSource, open_source
from meshgan.training.run_folder import RunFolder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DemoSize:
    """How much data the demo makes, and how thoroughly it scores.

    Args:
        meshes: training meshes.
        subjects: training people.
        fresh: faces of people that the model never sees.
        pairs: pairs per diversity.
        samples: faces for specificity.
    """

    meshes: int = 8250
    subjects: int = 180
    fresh: int = 1000
    pairs: int = 10_000
    samples: int = 1000


def demo(
    out: Path,
    minutes: float | None = None,
    seed: int = 0,
    preset: str = "quick",
    overrides: tuple[str, ...] = (),
    size: DemoSize | None = None,
) -> dict[str, Any]:
    """Run the main job in the folder ``out``; what is there already is used again.

    Args:
        out: gets ``data``, ``fresh`` (unseen people), ``run`` and the report with its pictures.
        minutes: cap on the training time; None: the preset's own length.
        seed: of data, training and pictures.
        preset: training configuration.
        overrides: ``key.path=value`` settings on top of it.
        size: how much of everything; the standard size by default.

    Returns:
        ``report`` (path), ``metrics``, ``seconds`` in all and per part.
    """
    size = size or DemoSize()
    clock = _Clock()
    log.info("1 of 4: faces")
    data = out / "data"
    build_data(data, size.meshes, subjects=size.subjects, seed=seed, resume=True)
    source = open_source("low")
    fresh = build_fresh(source, out / "fresh", size, seed)
    clock.lap("data")

    log.info("2 of 4: training")
    run = out / "run"
    given = (f"train.seed={seed}", "part=all", *overrides)
    config = read_config(preset, None, given)
    if minutes is not None:
        config = replace(config, train=replace(config.train, minutes=minutes))
    _train_or_continue(data, run, config)
    clock.lap("training")

    log.info("3 of 4: scores")
    model = FaceModel.load(run)
    store = MeshDataset(Store.open(data), split=None)
    metrics = evaluate(
        model.model, store, REPORTED, seed, size.pairs, size.samples, out, fresh, source
    )
    clock.lap("scores")

    log.info("4 of 4: pictures and report")
    metrics["seconds"] = {**clock.laps}
    summary = (
        f"A decoupled model of 3D faces, trained on {size.meshes:,} default faces of "
        f"{size.subjects} people. In every picture a person and an expression are two separate "
        "codes."
    )
    report = write_run_report(run, store, metrics, out, summary, seed)
    clock.lap("report")
    return {
        "report": str(report),
        "metrics": metrics,
        "seconds": clock.total(),
        "seconds_by_part": clock.laps,
    }


def build_fresh(source: FaceSource, path: Path, size: DemoSize, seed: int) -> Store:
    """As many faces as asked of people that no training set holds, in the same mixture."""
    plan = plan_dataset(size.meshes, size.subjects, first_subject=FRESH_PEOPLE)
    chosen = np.linspace(0, plan.count - 1, min(size.fresh, plan.count)).astype(int)
    provenance = {"source": "anny", "seed": seed, "people": "fresh", "count": len(chosen)}
    writer = StoreWriter.create(
        path, source.template, plan.label_names, plan.subject_names, provenance, resume=True
    )
    with writer:
        if writer.rows_written < len(chosen):
            for rows in _some_rows(source, plan, seed, chosen[writer.rows_written :]):
                writer.append(rows)
            writer.finish()
    return Store.open(path)


def _some_rows(source: FaceSource, plan: Any, seed: int, chosen: np.ndarray) -> Iterator[Any]:
    done = int(chosen[0])
    for rows in source.stream(plan, seed, start=done):
        wanted = chosen[(chosen >= done) & (chosen < done + rows.count)] - done
        done += rows.count
        if len(wanted):
            yield rows.take(wanted)


def _train_or_continue(data: Path, run: Path, config: RunConfig) -> dict[str, Any]:
    folder = RunFolder(run)
    return train(data, run, config, resume=folder.config_file.exists())


class _Clock:
    def __init__(self) -> None:
        self.started = self.last = time.monotonic()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps[name] = round(now - self.last, 1)
        self.last = now

    def total(self) -> float:
        return round(time.monotonic() - self.started, 1)
