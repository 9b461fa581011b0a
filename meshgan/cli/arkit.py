"""``meshgan arkit``."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from meshgan.cli.command import Command, Summary, labels_of


@dataclass(frozen=True, kw_only=True)
class Weights(Command):
    """Read faces as weights of ARKit's 52 actions, for game engines and animation programs.

    Example: meshgan arkit weights faces/codes.npz --out weights.csv
    """

    faces: tyro.conf.Positional[tuple[Path, ...]]
    """Registered meshes (files or folders), a point cache (.pc2), or codes (.npz)."""
    run: Path | None = None
    """RUN folder of a model of the default faces; the model in the package if not given."""
    out: Path
    """File to write: .csv as Live Link Face records it, or .json."""
    neutral: Path | None = None
    """The person at rest, a registered mesh; without it, as the model sees them at rest."""
    smooth: float = 0.0
    """For the frames of a sequence: 0.1 takes noise off, 1 also flattens quick blinks."""
    different: bool = False
    """Each mesh is another person; else all are frames of one."""
    fps: float = 30.0
    """Frames per second, for the time codes."""

    def __call__(self) -> Summary:
        from meshgan.apps.arkit import read_arkit

        return read_arkit(
            self.run, self.faces, self.out, self.neutral, self.smooth, self.different, self.fps
        )


@dataclass(frozen=True, kw_only=True)
class Drive(Command):
    """Move a face by weights of ARKit's actions.

    The suffix says what is written: walk.glb, the actions as morph targets with an animation;
    walk.pc2 or a folder, the faces; walk.npz, codes of the model that show them; face.obj (ply,
    ...), one face.

    Example: meshgan arkit drive weights.csv --out walk.glb
    """

    weights: tyro.conf.Positional[Path]
    """.csv (Live Link Face, or meshgan arkit weights) or .json."""
    run: Path | None = None
    """RUN folder of a model of the default faces; the model in the package if not given."""
    out: Path
    """File to write, or a new folder."""
    codes: Path | None = None
    """Whose face: a file of codes; without any choice the mean person,"""
    row: int | None = None
    """and its row, from 0;"""
    seed: int | None = None
    """or a random person;"""
    label: tuple[str, ...] = ()
    """or factor=label, for example identity=person007;"""
    neutral: Path | None = None
    """or a registered mesh of someone at rest."""
    through_model: bool = False
    """Faces as the model can show them, instead of the default faces' own rig."""
    fps: float | None = None
    """Frames per second; by default those of the file."""
    format: str = "obj"
    """Of a folder of meshes: obj, ply, stl, off, gltf, glb or npz."""

    def __call__(self) -> Summary:
        from meshgan.apps.arkit import drive_arkit

        return drive_arkit(
            self.run,
            self.weights,
            self.out,
            codes=self.codes,
            row=self.row,
            seed=self.seed,
            labels=labels_of(self.label),
            neutral=self.neutral,
            through_model=self.through_model,
            fps=self.fps,
            file_format=self.format,
        )
