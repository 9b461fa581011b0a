"""``meshgan uv``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from meshgan.cli.command import Command, Summary


@dataclass(frozen=True, kw_only=True)
class UV(Command):
    """Map a mesh to the unit square and find the triangle under every pixel.

    Example: meshgan uv face.ply --out face_uv.npz --method slim
    """

    mesh: tyro.conf.Positional[str]
    """Mesh file (obj, ply, stl, off, glb, npz) in mm, a template, or a RUN or DATA folder."""
    out: Path
    """NPZ file for the UVs and the lookup; a picture goes beside it with the ending .png."""
    method: Literal["harmonic", "slim", "mean_value", "uniform"] = "harmonic"
    """harmonic: as in the paper; slim: squeezes no region, slower; the others never flip."""
    size: int = 64
    """Pixels a side of the geometry image."""

    def __call__(self) -> Summary:
        from meshgan.apps.uv import make_uv

        return make_uv(self.mesh, self.out, method=self.method, size_px=self.size)
