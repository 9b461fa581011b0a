"""``meshgan export``."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from meshgan.cli.command import Command, Summary, labels_of


@dataclass(frozen=True, kw_only=True)
class Export(Command):
    """Take a model to Blender, Unity, three.js or a browser.

    The suffix says what: face.glb, a resting face with named morph targets; face.html, a page with
    sliders that needs nothing else; face.obj (ply, stl, ...), one face; walk.pc2 or a folder, all
    faces of a file of codes.

    Example: meshgan export runs/demo --out face.html
    """

    run: tyro.conf.Positional[Path | None] = None
    """RUN folder of a trained model; none: the model that comes with the package."""
    out: Path
    """File to write, or a new folder for a sequence of meshes."""
    codes: Path | None = None
    """Faces of meshgan sample or fit (.npz); without it, the mean person."""
    row: int | None = None
    """Which face of the codes, from 0."""
    seed: int | None = None
    """A random person instead."""
    label: tuple[str, ...] = ()
    """factor=label: the code to take, for example identity=person007."""
    targets: tuple[str, ...] = ("labels", "directions")
    """Kinds of morph targets: labels (happiness, ...), directions (leading ones of each code),
    arkit (Apple's 52 actions; default faces only)."""
    directions: int | None = None
    """Leading directions of each factor: 5 by default, in a page as many as are worth it."""
    deviations: float = 2.0
    """How far weight 1 of a direction goes, in standard deviations."""
    sparse: bool = False
    """Smaller GLB; some small players do not read it."""
    format: str = "obj"
    """Of a sequence of meshes: obj, ply, stl, off, gltf, glb or npz."""

    def __call__(self) -> Summary:
        from meshgan.apps.export import export_model

        return export_model(
            self.run,
            self.out,
            codes=self.codes,
            row=self.row,
            seed=self.seed,
            labels=labels_of(self.label),
            targets=self.targets,
            directions=self.directions,
            deviations=self.deviations,
            sparse=self.sparse,
            file_format=self.format,
        )
