"""The small trained model that comes with the package, and how a RUN is packed to become it."""

from importlib import resources
from pathlib import Path
from shutil import copyfile
from typing import Any

import torch

from meshgan import seeding
from meshgan.errors import FileFormatError, InputError
from meshgan.files import atomic_folder
from meshgan.models.base import MeshModel
from meshgan.models.kinds import GENERATOR
from meshgan.training.run_folder import RunFolder

CARD_FILE, METRICS_FILE = "MODEL_CARD.md", "metrics.json"
PRETRAINED = "pretrained"
"""Stands for the model that comes with the package wherever a RUN is asked for."""
KEPT = ("config.yaml", "model.json", "template.npz", "provenance.json")


def run_or_pretrained(run: Path | str | None) -> Path:
    """The folder of ``run``; of the model that comes with the package, if None or ``pretrained``.

    A folder of that name in the working directory comes first.

    Raises:
        FileFormatError: no run is given and the package came without its model.
    """
    if run is not None and (str(run) != PRETRAINED or Path(run).exists()):
        return Path(run)
    shipped = Path(str(resources.files("meshgan") / "pretrained"))
    if not RunFolder(shipped).config_file.exists():
        raise FileFormatError(f"{shipped}: holds no model; reinstall meshgan, or name a RUN")
    return shipped


def is_named_run(word: str) -> bool:
    """Whether a word of a command line names a RUN, and not something else, such as a face."""
    return word == PRETRAINED or RunFolder(word).config_file.is_file()


def pack_run(run: Path | str, out: Path | str) -> dict[str, Any]:
    """Write what is needed to use the model of ``run``, and to know where it came from, to ``out``.

    Weights of layers, and details, are stored in float16 and used in float32; the discriminator
    and the training states stay behind. ``out`` is a RUN like any other, but cannot be trained on.

    Returns:
        folder, megabytes.

    Raises:
        InputError: a value is too large for float16, or ``out`` is not empty.
        FileFormatError: ``run`` is not a RUN.
    """
    source = RunFolder(run)
    weights = {
        name: value.half() if name.endswith((".weight", ".details")) else value
        for name, value in source.read_weights().items()
        if name.startswith(f"{GENERATOR}.")
    }
    if large := [name for name, value in weights.items() if not bool(value.isfinite().all())]:
        raise InputError(f"{source.path}: too large for float16: {', '.join(large)}")
    with atomic_folder(out) as folder:
        RunFolder(folder).write_weights(weights)
        for name in KEPT:
            copyfile(source.path / name, folder / name)
    size = sum(path.stat().st_size for path in Path(out).iterdir())
    return {"folder": str(out), "megabytes": size / 1e6}


@torch.no_grad()
def storage_facts(run: MeshModel, packed: MeshModel, count: int = 256) -> dict[str, float]:
    """How far the packed weights move the vertices of random faces, mm: on average, at most."""
    codes = run.sample_codes(count, seeding.torch_generator(0, "storage"))
    moved = (run.decode(codes) - packed.decode(codes)).norm(dim=2)
    return {"mean_error_mm": float(moved.mean()), "largest_error_mm": float(moved.max())}
