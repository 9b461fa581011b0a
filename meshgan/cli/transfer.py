"""``meshgan transfer``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from meshgan.cli.command import Command, Summary


@dataclass(frozen=True, kw_only=True)
class Transfer(Command):
    """Put one person's expression on another person's face.

    Source and target are mesh files, codes (.npz of meshgan sample or fit), or folders of meshes
    (frames in the order of their names; one face goes with many). A mesh of another topology is
    registered to the model's template, and its own vertices are moved.

    Example: meshgan transfer runs/demo --source smile.ply --target anna.ply --out anna_smiles.ply
    """

    run: tyro.conf.Positional[Path | None] = None
    """RUN folder of a trained model; none: the model that comes with the package."""
    source: Path
    """Whose expression."""
    target: Path
    """Whose face."""
    out: Path
    """A mesh file for one face; for several a new folder, or .gif, .mp4, .glb, .pc2, .png."""
    mode: Literal["replace", "add"] = "replace"
    """replace: the source's code takes the place of the target's; add: it is added to it (best for
    a target at rest)."""
    keep_residual: bool = False
    """Keep what the model cannot show of the target: the person stays recognisable."""
    source_rest: str | None = None
    """The source person at rest (mesh or codes): the change from there is transferred, which is far
    more exact. Or a label of the factor, such as neutral."""
    factor: tuple[str, ...] = ("expression",)
    """Which codes come from the source."""
    amount: float = 1.0
    """Share of the change: 0.5 is half a smile."""
    source_row: int | None = None
    """Which face of a file or folder of several, from 0."""
    target_row: int | None = None
    """The same of the target."""
    smooth: float = 4.0
    """Of a source of several frames: what is quicker than so many frames is taken out; 0: none."""
    regularisation: float | None = None
    """Lambda of the fits, mm^2 (sum over all vertices) per squared unit of code; by default 3
    where the model knows how people differ beyond its codes, else 10."""
    order: str = "ibug68"
    """Order of landmark files beside meshes that have to be registered."""
    fps: float = 25.0
    """Frames a second of an animation."""
    size: int = 320
    """Pixels a side of a GIF or MP4."""
    format: Literal["ply", "obj", "stl", "off", "glb", "npz"] = "ply"
    """Of the meshes of a folder."""
    picture: Path | None = None
    """PNG of source, target and result."""

    def __call__(self) -> Summary:
        from meshgan.apps.animation import Film
        from meshgan.apps.transfer import Rows, transfer_files
        from meshgan.editing.transfer import TransferSettings

        return transfer_files(
            self.run,
            self.source,
            self.target,
            self.out,
            TransferSettings(
                mode=self.mode,
                factors=self.factor,
                amount=self.amount,
                keep_residual=self.keep_residual,
                regularisation=self.regularisation,
            ),
            source_rest=self.source_rest,
            rows=Rows(self.source_row, self.target_row),
            smooth_frames=self.smooth,
            film=Film(self.fps, self.size, mesh_format=self.format),
            order=self.order,
            picture=self.picture,
        )
