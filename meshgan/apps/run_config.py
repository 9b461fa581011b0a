"""The settings of a run, and where they come from: preset, file, overrides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from meshgan import config as configuration
from meshgan.errors import ConfigError
from meshgan.training.train_config import TrainConfig

DEFAULT_TASK = "decoupled_gan"
BASE = "base"
"""In a preset: the name of another one, which it changes."""


@dataclass(frozen=True)
class RunConfig:
    """What the settings of all kinds of runs share; each kind adds its own (``apps.tasks``)."""

    task: str = DEFAULT_TASK
    train: TrainConfig = field(default_factory=TrainConfig)
    part: Literal["train", "all"] = "train"
    """Which people to train on: those of the training split, or everyone."""
    epochs: float | None = None
    """Passes over the training meshes; if given, sets train.iterations."""

    def __post_init__(self) -> None:
        configuration.require(self, epochs=self.epochs is None or self.epochs > 0)


def presets() -> dict[str, Path]:
    """The named configurations that ship with the package."""
    folder = Path(str(resources.files("meshgan") / "presets"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read_config(preset: str | None, file: Path | None, overrides: Sequence[str] = ()) -> RunConfig:
    """A preset, a file on top of it, and overrides on top of both.

    Returns:
        The settings of the kind of run that ``task`` names: a subclass of ``RunConfig``.

    Raises:
        ConfigError: unknown preset or task, unreadable file, unknown or wrong settings.
    """
    from meshgan.apps.tasks import config_of

    values = _preset_values(preset) if preset is not None else {}
    if file is not None:
        # replaced, not merged: a file that names codes means these codes and no others
        given = configuration.read_values(file)
        if isinstance(codes := given.get("model", {}), Mapping) and "codes" in codes:
            values.get("model", {}).pop("codes", None)
        values = configuration.merge(values, given)
    where = str(file) if file else f"preset {preset}" if preset else "settings"
    values = configuration.override(values, overrides)
    kind = config_of(values.get("task", DEFAULT_TASK), where)
    return configuration.build(kind, values, where)


def _preset_values(preset: str) -> dict[str, Any]:
    known = presets()
    if preset not in known:
        raise ConfigError(f"--preset {preset}: there is no such preset; known: {', '.join(known)}")
    values = configuration.read_values(known[preset])
    base = values.pop(BASE, None)
    return values if base is None else configuration.merge(_preset_values(base), values)
