"""``meshgan train``."""

from dataclasses import dataclass
from pathlib import Path

from meshgan.cli.command import Command, Summary
from meshgan.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Train(Command):
    """Train a decoupled model on a data set.

    Example: meshgan train --data faces --out runs/first --preset quick --set train.iterations=500
    """

    data: Path | None = None
    """DATA folder, from meshgan data build or import."""
    out: Path | None = None
    """RUN folder to write."""
    preset: str | None = "quick"
    """A named configuration: quick, full, paper, ..."""
    config: Path | None = None
    """YAML file with settings on top of the preset."""
    set: tuple[str, ...] = ()
    """key.path=value: settings on top of both."""
    resume: bool = False
    """Go on with the run in --out and its own settings, exactly where its last state was saved."""
    devices: int | None = None
    """Processes to train with, each on its own share of the batches."""
    dry_run: bool = False
    """Show the configuration that would be used, and stop."""

    def __call__(self) -> Summary:
        from meshgan import config as configuration
        from meshgan.apps.run_config import read_config
        from meshgan.apps.train import resumed_config, train

        overrides = list(self.set)
        if self.devices is not None:
            overrides.append(f"train.devices={self.devices}")
        if self.resume and self.out is not None and self.config is None and self.preset == "quick":
            settings = resumed_config(self.out, overrides)
        else:
            settings = read_config(self.preset, self.config, overrides)
        if self.dry_run:
            return configuration.values_of(settings)
        if self.data is None or self.out is None:
            missing = "--data" if self.data is None else "--out"
            raise InputError(f"meshgan train: {missing} is missing; see meshgan train --help")
        return train(self.data, self.out, settings, self.resume)
