"""The models that a comparison trains by itself: the GAN, its ablations, the baselines."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from meshgan.apps.run_config import presets, read_config
from meshgan.apps.train import train
from meshgan.errors import InputError
from meshgan.files import read_json
from meshgan.training.run_folder import RunFolder

log = logging.getLogger(__name__)

Group = Literal["model", "ablation", "baseline", "control"]


@dataclass(frozen=True)
class Contender:
    """One row of the table.

    Args:
        name: of its folder and its results.
        title: in tables.
        group: what it is compared as.
        run: its RUN.
        preset: the settings to train it with, if the RUN is not there yet.
    """

    name: str
    title: str
    group: Group
    run: Path
    preset: str | None = None


TITLES: Mapping[str, tuple[str, Group]] = {
    "gan": ("decoupled GAN", "model"),
    "mixed_start": ("GAN from mixed codes, all losses", "ablation"),
    "without_regulariser": ("GAN without mesh regulariser", "ablation"),
    "without_expression_classifier": ("GAN without expression classifier", "ablation"),
    "without_feature_loss": ("GAN without feature loss", "ablation"),
    "pca": ("additive PCA", "baseline"),
    "multilinear": ("multilinear", "baseline"),
    "mae": ("MAE", "baseline"),
    "coma": ("COMA", "baseline"),
}
STANDARD = tuple(TITLES)


def standard_contenders(
    out: Path, names: Sequence[str] = STANDARD, preset: str = "quick"
) -> list[Contender]:
    """The models of the paper's tables, in ``out``.

    Args:
        out: folder of their RUNs.
        names: which of ``STANDARD``.
        preset: of the GAN; ablations and baselines have presets of their own name.

    Raises:
        InputError: an unknown name.
    """
    if unknown := [name for name in names if name not in TITLES]:
        raise InputError(
            f"compare: no model {', '.join(unknown)}; choose from {', '.join(STANDARD)}"
        )
    return [
        Contender(name, *TITLES[name], out / name, preset if name == "gan" else name)
        for name in STANDARD
        if name in names
    ]


def given_contenders(runs: Sequence[Path]) -> list[Contender]:
    """RUNs that a user names, titled by their folders and kinds.

    Raises:
        InputError: one is not a RUN, or two have the same folder name.
    """
    names = [run.resolve().name for run in runs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"compare: two runs named {', '.join(twice)}; rename one folder")
    found = []
    for name, run in zip(names, runs, strict=True):
        if not RunFolder(run).config_file.exists():
            raise InputError(f"{run}: not a RUN; train one first (meshgan train)")
        kind = read_json(run / "model.json").get("kind")
        title, group = TITLES.get(name, (name, "model" if kind == "decoupled_gan" else "baseline"))
        found.append(Contender(name, title, group, run))
    return found


def train_contender(
    contender: Contender, data: Path, seed: int = 0, overrides: Sequence[str] = ()
) -> None:
    """Train what is not trained yet; go on where a training was cut off.

    Args:
        contender: whose RUN.
        data: DATA folder.
        seed: of the training.
        overrides: ``key.path=value`` settings that fit its kind of run, on top of its preset.
    """
    folder = RunFolder(contender.run)
    if contender.preset is None:
        return
    if contender.preset not in presets():
        raise InputError(f"compare: there is no preset {contender.preset}")
    config = read_config(contender.preset, None, (f"train.seed={seed}", *overrides))
    started = folder.config_file.exists()
    if started and _finished(folder):
        return
    log.info("training %s", contender.title)
    train(data, contender.run, config, resume=started)


def training_seconds(run: Path) -> float | None:
    """How long a training took, or its last piece if it was interrupted; None if nothing says."""
    result = RunFolder(run).result_file
    return float(read_json(result)["seconds"]) if result.exists() else None


def _finished(folder: RunFolder) -> bool:
    """Whether the training came to its end, and what follows it did too."""
    if not (folder.weights_file.exists() and folder.result_file.exists()):
        return False
    wanted = read_config(None, folder.config_file).train.iterations
    in_closed_form = not folder.has_state()
    return in_closed_form or read_json(folder.result_file)["iterations"] >= wanted
