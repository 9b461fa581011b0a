"""``meshgan view``."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from meshgan.cli.command import Command, Summary, labels_of
from meshgan.errors import InputError


@dataclass(frozen=True, kw_only=True)
class View(Command):
    """Show a model, a data set or a mesh in a window; press H there for the keys.

    Example: meshgan view --label expression=happiness --screenshot happy.png
    """

    what: tyro.conf.Positional[Path | None] = None
    """RUN folder, DATA folder or mesh file; none: the model that comes with the package."""
    screenshot: Path | None = None
    """Write this PNG and open no window; needs no screen."""
    label: tuple[str, ...] = ()
    """factor=label: of a RUN the code to begin with, of DATA the faces to show."""
    random: bool = False
    """Begin with a random face."""
    colour: Literal["skin", "neutral", "mean"] = "skin"
    """skin, or distance in mm from the neutral face of the same person or from the mean face."""
    size: str = "1280x800"
    """Width x height of the window or the picture, in pixels."""
    renderer: Literal["auto", "open3d", "own"] = "auto"
    """Of the picture; auto: Open3D where it can draw here, else meshgan's own."""
    seed: int = 0
    """Of random faces."""

    def __call__(self) -> Summary:
        labels = labels_of(self.label)
        numbers = re.fullmatch(r"(\d{2,5})x(\d{2,5})", self.size)
        if numbers is None:
            raise InputError(f"--size {self.size}: expected width x height, for example 1280x800")
        from meshgan.viewer.view import view

        return view(
            self.what,
            self.screenshot,
            labels,
            self.random,
            self.colour,
            (int(numbers[1]), int(numbers[2])),
            self.renderer,
            self.seed,
        )
