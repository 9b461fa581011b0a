"""``meshgan sample``."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from meshgan.cli.command import Command, Summary, labels_of


@dataclass(frozen=True, kw_only=True)
class Sample(Command):
    """Draw faces from a trained model, or from the one that comes with the package.

    Example: meshgan sample runs/demo --count 16 --label expression=happiness --out faces
    """

    run: tyro.conf.Positional[Path | None] = None
    """RUN folder of a trained model; none: the model that comes with the package."""
    out: Path = Path("samples")
    """New folder for the meshes, their codes and a contact sheet."""
    count: int = 16
    seed: int = 0
    """Face k depends on (seed, k) alone: the same for any count."""
    format: str = "ply"
    """ply, obj, stl, off, glb or npz."""
    fix: str | None = None
    """Factor whose code all faces share."""
    label: tuple[str, ...] = ()
    """factor=label: the code that all faces take, for example expression=happiness."""

    def __call__(self) -> Summary:
        from meshgan.apps.sample import sample_faces

        labels = labels_of(self.label)
        return sample_faces(
            self.run, self.out, self.count, self.seed, self.format, self.fix, labels
        )
