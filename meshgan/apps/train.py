"""Train a model on a data set, or go on with a run."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric

from meshgan import config as configuration
from meshgan.apps.prepare import Prepared
from meshgan.apps.run_config import RunConfig, read_config
from meshgan.apps.tasks import module_of
from meshgan.data.store import Store
from meshgan.errors import InputError
from meshgan.files import read_json, write_json
from meshgan.models.kinds import GENERATOR
from meshgan.training.run_folder import RunFolder
from meshgan.training.train_config import make_fabric
from meshgan.training.trainer import Trainer

log = logging.getLogger(__name__)
CHANGED_ON_RESUME = ("iterations", "minutes", "devices", "accelerator")


def train(data: Path, out: Path, config: RunConfig, resume: bool = False) -> dict[str, Any]:
    """Train what ``config.task`` names on ``data``, and write the RUN ``out``.

    Returns:
        iterations, seconds, final_losses, weights.

    Raises:
        InputError: data and configuration do not fit, or ``out`` holds another run.
        DivergenceError: a loss left every reasonable range.
    """
    started = time.monotonic()
    run = RunFolder(out)
    if resume:
        run.start(resume)
        config = _resumed(run, config)
    fabric = make_fabric(config.train)
    if not resume and fabric.local_rank == 0:
        run.start(resume)  # a refusal must come before there are processes that wait for others
    fabric.launch()
    chief = fabric.is_global_zero
    prepared: Prepared = module_of(config.task).prepare(
        Store.open(data), config, fabric.global_rank, fresh=not (resume and run.has_state())
    )
    config = prepared.config
    if resume:
        _refuse_other_data(run, prepared.store)
    elif chief:
        prepared.template.save(run.path / "template.npz")
        write_json(run.path / "model.json", prepared.description(data))
        run.write_provenance(config.train.seed, str(fabric.device))
        configuration.write(run.config_file, config)  # last: now the folder is a run
    fabric.barrier()
    iterations, values = _learn(prepared, run, fabric, resume)
    seconds = time.monotonic() - started
    if chief:
        write_json(run.result_file, {"iterations": iterations, "seconds": seconds})
    return {
        "run": str(run.path),
        "iterations": iterations,
        "seconds": seconds,
        "final_losses": values or _last_losses(run),
        "weights": str(run.weights_file),
    }


def _learn(
    prepared: Prepared, run: RunFolder, fabric: Fabric, resume: bool
) -> tuple[int, dict[str, float]]:
    """Iterations done and the last losses; a model that needs no training is only written."""
    if prepared.task is None:
        assert prepared.model is not None  # one of the two there must be
        run.write_weights(
            {f"{GENERATOR}.{key}": value for key, value in prepared.model.state_dict().items()}
        )
        return 0, {}
    trainer = Trainer(prepared.task, prepared.config.train, run, fabric)
    values = trainer.fit(resume=resume)
    if prepared.finish is not None and fabric.is_global_zero:
        prepared.finish(run)
        trainer.save()
    return trainer.iteration, values


def resumed_config(out: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """The settings of the run in ``out``, with overrides on top: what it goes on with.

    Raises:
        InputError: there is no run.
        ConfigError: unknown or wrong settings.
    """
    run = RunFolder(out)
    run.start(resume=True)
    return read_config(None, run.config_file, overrides)


def _resumed(run: RunFolder, asked: RunConfig) -> RunConfig:
    """The run's own configuration, with only length and device taken from what is asked now."""
    kept = read_config(None, run.config_file)
    if asked.task != kept.task:
        raise InputError(
            f"{run.path}: holds a run of {kept.task}, asked for is {asked.task}; choose another "
            "--out"
        )
    if getattr(asked, "model", None) != getattr(kept, "model", None):
        raise InputError(
            f"{run.path}: trained with other model settings; use --config {run.config_file}, "
            "or another --out"
        )
    now = {name: getattr(asked.train, name) for name in CHANGED_ON_RESUME}
    resumed = replace(kept, epochs=asked.epochs, train=replace(kept.train, **now))
    unused = _differences(configuration.values_of(asked), configuration.values_of(resumed))
    if unused:
        log.warning(
            "%s: goes on with its own settings; not used: %s", run.path, ", ".join(sorted(unused))
        )
    return resumed


def _differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    found = []
    for key in {**first, **second}:
        a, b = first.get(key), second.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += [f"{key}.{inner}" for inner in _differences(a, b)]
        elif a != b:
            found.append(key)
    return found


def _refuse_other_data(run: RunFolder, store: Store) -> None:
    description = read_json(run.path / "model.json")
    trained_on = description.get("data", {}) if isinstance(description, dict) else {}
    if trained_on.get("content") != store.content_hash:
        raise InputError(
            f"{store.path}: other meshes than {run.path} was trained on "
            f"({trained_on.get('path')}, {trained_on.get('meshes')} meshes); resume with those, "
            "or choose another --out"
        )


def _last_losses(run: RunFolder) -> dict[str, float]:
    """The losses of the last logged line: for a run that had nothing left to do."""
    lines = run.read_metrics()
    last = lines[-1] if lines else {}
    return {name: value for name, value in last.items() if "/" in name and "score/" not in name}
