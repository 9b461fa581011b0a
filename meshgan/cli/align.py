"""``meshgan data align``."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from meshgan.cli.command import Command, Summary


@dataclass(frozen=True, kw_only=True)
class Align(Command):
    """Bring all meshes of a DATA folder to one place, with or without one size.

    Example: meshgan data align data/faces --out data/aligned --over ibug68
    """

    data: tyro.conf.Positional[Path]
    """DATA folder to read."""
    out: Path
    """DATA folder to make; new or empty, unless --resume."""
    over: str = "vertices"
    """What is brought together: vertices (all), or landmarks or a region of the template."""
    scale: bool = False
    """Bring all to one size too; by default people keep theirs."""
    robust: bool = False
    """Distrust vertices far from the mean."""
    resume: bool = False
    """Go on with an interrupted run of the same settings."""

    def __call__(self) -> Summary:
        from meshgan.apps.align import align_data

        return align_data(
            self.data,
            self.out,
            over=self.over,
            scale=self.scale,
            robust=self.robust,
            resume=self.resume,
        )
