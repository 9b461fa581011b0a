"""A RUN on disk: what was asked, what is learned, what it needs to go on.

config.yaml         the whole configuration, read back by every later command
provenance.json     versions, machine, seed, command: written before the first step
weights.safetensors the model for use (the average where there is one)
state/              full training states, the last few, for ``--resume``
result.json         how long it took: there once a training has come to its end
metrics.jsonl       one line per logged iteration
tensorboard/        the same for TensorBoard
previews/           sheets to look at, one per step
"""

import json
import logging
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from meshgan.errors import FileFormatError, InputError
from meshgan.files import atomic_path, write_json

log = logging.getLogger(__name__)
PACKAGES = ("meshgan", "torch", "numpy", "scipy", "lightning-fabric", "libigl", "trimesh", "anny")

BEFORE_CONFIG = {"template.npz", "model.json", "provenance.json"}
"""Written before config.yaml: alone, they are what a start that was cut off leaves behind."""


class RunFolder:
    """Paths and files of one RUN; every write is whole or not at all."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    config_file = property(lambda self: self.path / "config.yaml")
    weights_file = property(lambda self: self.path / "weights.safetensors")
    metrics_file = property(lambda self: self.path / "metrics.jsonl")
    provenance_file = property(lambda self: self.path / "provenance.json")
    result_file = property(lambda self: self.path / "result.json")
    states = property(lambda self: self.path / "state")
    previews = property(lambda self: self.path / "previews")

    def start(self, resume: bool) -> None:
        """Make the folder, or make sure that an old one is meant.

        Raises:
            InputError: the folder holds a run and ``resume`` is false, or the other way round.
        """
        holds_run = self.config_file.exists()
        if holds_run and not resume:
            raise InputError(
                f"{self.path}: holds a run already; use --resume to go on, or another --out"
            )
        if resume and not holds_run:
            raise InputError(f"{self.path}: there is no run to resume; leave out --resume")
        foreign = {item.name for item in self.path.glob("*")} - BEFORE_CONFIG
        if not holds_run and foreign:
            raise InputError(f"{self.path}: is not empty and not a run; choose another --out")
        self.path.mkdir(parents=True, exist_ok=True)

    def clear_unfinished(self) -> None:
        """Remove temporary files that a killed process left behind; no other process may write."""
        for folder in (self.path, self.states, self.previews):
            for left in folder.glob(".*-*"):
                if left.is_file():
                    left.unlink(missing_ok=True)

    def write_provenance(self, seed: int, device: str) -> None:
        """Record what could change the result."""
        write_json(
            self.provenance_file,
            {
                "command": " ".join(["meshgan", *sys.argv[1:]]),
                "seed": seed,
                "device": device,
                "machine": f"{platform.system()} {platform.machine()}, {_threads()} threads",
                "python": platform.python_version(),
                "packages": {name: _version(name) for name in PACKAGES},
            },
        )

    def write_weights(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Weights for use: plain tensors, no code."""
        with atomic_path(self.weights_file) as temporary:
            save_file(
                {key: value.detach().cpu().contiguous() for key, value in tensors.items()},
                temporary,
            )

    def read_weights(self) -> dict[str, torch.Tensor]:
        """The weights for use.

        Raises:
            FileFormatError: missing or damaged.
        """
        if not self.weights_file.exists():
            raise FileFormatError(
                f"{self.weights_file}: no weights yet; train first (meshgan train)"
            )
        try:
            return load_file(self.weights_file)
        except Exception as error:
            raise FileFormatError(f"{self.weights_file}: damaged weights ({error})") from error

    def write_state(self, iteration: int, state: Mapping[str, Any], keep: int) -> Path:
        """Write the full training state; keep the last ``keep``."""
        path = self.states / f"{iteration:08d}.pt"
        with atomic_path(path) as temporary:
            torch.save(dict(state), temporary)
        for old in sorted(self.states.glob("[0-9]*.pt"))[:-keep]:
            old.unlink()
        return path

    def read_state(self) -> dict[str, Any]:
        """The newest readable training state; a damaged one is named and passed over.

        Raises:
            FileFormatError: there is none.
        """
        for path in sorted(self.states.glob("[0-9]*.pt"), reverse=True):
            try:
                return torch.load(path, map_location="cpu", weights_only=True)
            except Exception as error:
                log.warning("%s: damaged, trying the one before (%s)", path, error)
        raise FileFormatError(f"{self.states}: no readable training state; start a new run")

    def has_state(self) -> bool:
        """Whether there is anything to resume from."""
        return any(self.states.glob("[0-9]*.pt"))

    def read_metrics(self) -> list[dict[str, Any]]:
        """The logged lines; an unfinished last line is left out."""
        return list(read_json_lines(self.metrics_file))


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Lines of a JSON-lines file; the last one may be unfinished and is then left out."""
    lines = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(line))
            except json.JSONDecodeError:
                break
    return lines


def _version(name: str) -> str:
    try:
        return version(name)
    except Exception:  # not installed as a package: nothing to record
        return "unknown"


def _threads() -> int:
    return torch.get_num_threads()
