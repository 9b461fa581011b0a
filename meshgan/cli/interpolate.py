"""``meshgan interpolate``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from meshgan.cli.command import Command, Summary


@dataclass(frozen=True, kw_only=True)
class Interpolate(Command):
    """Go from face to face through the model's codes.

    A face is a mesh file, codes.npz or codes.npz:3, seed:5 (a random one), mean, or a label at a
    strength, expression=happiness@0.6, on the face before it; + joins: seed:5+expression=fear.

    Example: meshgan interpolate runs/demo seed:1 expression=happiness seed:2 --out walk.gif
    """

    words: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[RUN] FACES")]
    """RUN folder of a trained model (without it, the model that comes with the package); then two
    faces or more, in order."""
    out: Path
    """New folder for meshes, or a file: .gif, .mp4, .glb (morph targets and an animation), .pc2,
    .png (a film strip)."""
    frames: int = 50
    """Faces on the way, the ends among them."""
    kind: Literal["spherical", "linear"] = "spherical"
    """spherical keeps faces as distinct as real ones; linear passes nearer to the mean face."""
    easing: Literal["smooth", "linear"] = "smooth"
    """smooth: slow at every face."""
    back: bool = False
    """Return to the first face at the end."""
    fps: float = 25.0
    """Frames a second of an animation."""
    size: int = 320
    """Pixels a side of a GIF or MP4."""
    format: Literal["ply", "obj", "stl", "off", "glb", "npz"] = "ply"
    """Of the meshes of a folder."""
    codes: Path | None = None
    """File (.npz) for the codes of all frames."""

    def __call__(self) -> Summary:
        from meshgan.apps.animation import Film
        from meshgan.apps.interpolate import interpolate_faces
        from meshgan.apps.pretrained import is_named_run

        is_run = bool(self.words) and is_named_run(self.words[0])
        film = Film(self.fps, self.size, mesh_format=self.format)
        return interpolate_faces(
            Path(self.words[0]) if is_run else None,
            self.words[1:] if is_run else self.words,
            self.out,
            frames=self.frames,
            kind=self.kind,
            easing=self.easing,
            back=self.back,
            film=film,
            codes=self.codes,
        )
