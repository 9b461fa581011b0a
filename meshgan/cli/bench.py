"""``meshgan bench``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from meshgan.cli.command import Command, Summary

Benchmark = Literal[
    "train", "geometry", "uv", "specificity", "io", "register", "render", "view", "sample", "fit"
]


@dataclass(frozen=True, kw_only=True)
class Bench(Command):
    """Time what the program does best beside the plain way, in one process, in turn.

    Example: meshgan bench train --rounds 9
    """

    name: tyro.conf.Positional[Benchmark]
    """What to time."""
    rounds: int = 7
    """Counted runs of each; their median is shown."""
    precision: Literal["32", "bf16"] = "32"
    """For train: the precision of our matrix products; the plain version keeps float32."""
    size: Literal["quick", "paper"] = "quick"
    """For specificity: paper makes 30,559 default faces on disk (8.1 GB, in TMPDIR) and takes
    some minutes a round."""
    faces: Path | None = None
    """For register: ICT-FaceKit's folder, or the compact NPZ of its face, to scan its faces
    instead of the default ones."""
    vs_plain: bool = False
    """Kept for scripts: the plain way is always timed as well."""
    small: bool = False
    """A tiny size, to see that it runs."""

    def __call__(self) -> Summary:
        from meshgan.apps.bench import run_benchmark

        options = (self.precision, self.size, self.faces)
        return run_benchmark(self.name, self.rounds, self.small, *options)
