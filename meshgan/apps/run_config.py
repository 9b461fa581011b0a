"""All settings of a run, and where they come from: preset, file, overrides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Literal

from meshgan import config as configuration
from meshgan.errors import ConfigError
from meshgan.training.tasks.decoupled_gan_config import LossConfig, ModelConfig, StepConfig
from meshgan.training.train_config import TrainConfig


@dataclass(frozen=True)
class RunConfig:
    """All settings of a run. The defaults are the paper's; presets change them."""

    task: Literal["decoupled_gan"] = "decoupled_gan"
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    step: StepConfig = field(default_factory=StepConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    part: Literal["train", "all"] = "train"
    """Which people to train on: those of the training split, or everyone."""
    epochs: float | None = None
    """Passes of the discriminator over the training meshes; if given, sets train.iterations."""

    def __post_init__(self) -> None:
        configuration.require(self, epochs=self.epochs is None or self.epochs > 0)


def presets() -> dict[str, Path]:
    """The named configurations that ship with the package."""
    folder = Path(str(resources.files("meshgan") / "presets"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def read_config(preset: str | None, file: Path | None, overrides: Sequence[str] = ()) -> RunConfig:
    """A preset, a file on top of it, and overrides on top of both.

    Raises:
        ConfigError: unknown preset, unreadable file, unknown or wrong settings.
    """
    known = presets()
    if preset is not None and preset not in known:
        raise ConfigError(f"--preset {preset}: there is no such preset; known: {', '.join(known)}")
    values = configuration.read_values(known[preset]) if preset else {}
    if file is not None:
        # replaced, not merged: a file that names codes means these codes and no others
        given = configuration.read_values(file)
        if isinstance(codes := given.get("model", {}), Mapping) and "codes" in codes:
            values.get("model", {}).pop("codes", None)
        values = configuration.merge(values, given)
    where = str(file) if file else f"preset {preset}" if preset else "settings"
    return configuration.build(RunConfig, configuration.override(values, overrides), where)
