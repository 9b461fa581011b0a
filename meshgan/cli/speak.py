"""``meshgan speak``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from meshgan.cli.command import Command, Summary
from meshgan.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Speak(Command):
    """Let a face say phonemes; needs a model with the factor viseme.

    Example: meshgan speak runs/talking "HH AH0 L OW1 , W ER1 L D" --out talk.glb
    """

    words: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[RUN] PHONEMES")]
    """RUN folder of a trained model (without it, the model that comes with the package); then
    ARPAbet or TIMIT in quotes (not text), with commas for pauses, or an alignment file (.TextGrid,
    .lab, .csv)."""
    out: Path
    """.glb (one face, a morph target per viseme, an animation), .gif, .mp4, .pc2, .png (a film
    strip), or a new folder for a mesh per frame."""
    face: str = "mean"
    """Who speaks: mean, seed:5, face.ply, codes.npz:3, identity=person007."""
    expression: str | None = None
    """A mood besides, with a strength: happiness@0.5."""
    speed: float = 1.0
    """2 is twice as fast; a file has its own times."""
    strength: float = 1.0
    """How far the mouth moves."""
    no_blinks: bool = False
    """Keep the eyes open."""
    seed: int = 0
    """Of the times of the blinks."""
    fps: float = 25.0
    """Frames a second."""
    size: int = 320
    """Pixels a side of a GIF or MP4."""
    format: Literal["ply", "obj", "stl", "off", "glb", "npz"] = "ply"
    """Of the meshes of a folder."""
    codes: Path | None = None
    """File (.npz) for the codes of all frames."""

    def __call__(self) -> Summary:
        from meshgan.apps.animation import Film
        from meshgan.apps.speak import speak

        if len(self.words) not in (1, 2):
            raise InputError(
                f"speak: {len(self.words)} words; expected RUN and the phonemes in quotes, or the "
                'phonemes alone: "HH AH0 L OW1"'
            )
        run = Path(self.words[0]) if len(self.words) == 2 else None
        return speak(
            run,
            self.words[-1],
            self.out,
            face=self.face,
            expression=self.expression,
            speed=self.speed,
            strength=self.strength,
            blinks=not self.no_blinks,
            seed=self.seed,
            film=Film(self.fps, self.size, mesh_format=self.format),
            codes=self.codes,
        )
