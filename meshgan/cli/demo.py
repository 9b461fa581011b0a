"""``meshgan demo``."""

from dataclasses import dataclass
from pathlib import Path

from meshgan.cli.command import Command, Summary


@dataclass(frozen=True, kw_only=True)
class Demo(Command):
    """The main job: make faces, train on them, sample, transfer, score, write a report.

    Example: meshgan demo --out runs/demo
    """

    out: Path = Path("runs/demo")
    """Folder for data, run, pictures and report.html; what is there already is used again."""
    minutes: float | None = None
    """Cap on the training time; by default it fits two CPU cores."""
    preset: str = "quick"
    """Training configuration."""
    set: tuple[str, ...] = ()
    """key.path=value: settings on top of the preset."""
    seed: int = 0

    def __call__(self) -> Summary:
        from meshgan.apps.demo import demo

        return demo(self.out, self.minutes, self.seed, self.preset, tuple(self.set))
