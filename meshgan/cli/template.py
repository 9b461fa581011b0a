"""``meshgan template``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from meshgan.cli.command import Command, Summary


@dataclass(frozen=True, kw_only=True)
class Show(Command):
    """Say what a template holds: landmarks, symmetry, regions, UV map.

    Example: meshgan template show anny_low --out anny_low.png
    """

    name_or_mesh: tyro.conf.Positional[str]
    """anny_low, anny_paper, a template file, a RUN or DATA folder, or a mesh file."""
    out: Path | None = None
    """PNG file for a picture of it."""

    def __call__(self) -> Summary:
        from meshgan.apps.template import show_template

        return show_template(self.name_or_mesh, self.out)


@dataclass(frozen=True, kw_only=True)
class Build(Command):
    """Write a template file, from a default template or from your own mesh.

    Example: meshgan template build face.ply --out face.npz --landmarks face.toml
    """

    name_or_mesh: tyro.conf.Positional[str]
    """anny_low, anny_paper, a template file, a RUN or DATA folder, or a mesh file in mm."""
    out: Path
    """NPZ file for the template; a picture goes beside it with the ending .png."""
    landmarks: Path | None = None
    """TOML file of landmark sets for the mesh."""
    area: str = "all"
    """Part of the mesh: all, largest_piece, face (100 mm around the nose), face:MM, a region of the
    template, or a file of vertex ids."""
    method: Literal["harmonic", "slim", "mean_value", "uniform"] = "harmonic"
    """How a mesh's UV map is made; see meshgan uv."""

    def __call__(self) -> Summary:
        from meshgan.apps.template import build_template

        return build_template(self.name_or_mesh, self.out, self.landmarks, self.method, self.area)
