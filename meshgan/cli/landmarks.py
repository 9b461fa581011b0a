"""``meshgan landmarks``."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from meshgan.cli.command import Command, Summary


@dataclass(frozen=True, kw_only=True)
class Check(Command):
    """Check a list of landmarks: order, left and right, unit, strays; exit status 1 if wrong.

    Example: meshgan landmarks check scan.pts --order ibug68
    """

    file: tyro.conf.Positional[Path]
    """Points (pts, csv, json, npy, bnd, lm3, pp), or a TOML file of sets with --mesh."""
    order: str | None = None
    """ibug68, fit85, bu83, bosphorus22, bosphorus24, mediapipe468, mediapipe478; told by the
    number of points if it can be."""
    mesh: Path | None = None
    """Mesh file that the sets of a TOML file belong to, mm."""

    def __call__(self) -> Summary:
        from meshgan.apps.landmarks import check_landmarks

        return check_landmarks(self.file, self.order, self.mesh)


@dataclass(frozen=True, kw_only=True)
class Carry(Command):
    """Carry landmark sets to a mesh of another topology that lies on the source.

    Example: meshgan landmarks carry anny_low --registered fit.ply --target scan.ply --out scan.toml
    """

    source: tyro.conf.Positional[str]
    """Template whose sets are carried (anny_low, a file), or a mesh file with --landmarks."""
    target: Path
    """Mesh of the other topology, mm."""
    out: Path
    """TOML file for the sets; a landmark is a place in a triangle."""
    landmarks: Path | None = None
    """TOML file of sets of the source, instead of its own."""
    registered: Path | None = None
    """The source fitted to the target: a mesh of its topology; by default it lies there already."""
    max_distance: float = 10.0
    """How far (mm) a landmark may have to go before the meshes are thought not to match."""

    def __call__(self) -> Summary:
        from meshgan.apps.landmarks import carry_sets

        return carry_sets(
            self.source,
            self.target,
            self.out,
            landmarks=self.landmarks,
            registered=self.registered,
            max_distance_mm=self.max_distance,
        )
