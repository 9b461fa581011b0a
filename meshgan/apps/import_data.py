"""``meshgan data import``: files of a public format become a DATA folder, faces counted and named.

A face that cannot be used is named with its reason and left out, or ends the import; the rest is
imported. Memory stays bounded, and an import that was killed goes on where it stopped.
"""

import logging
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from meshgan.apps.data import describe_data
from meshgan.apps.import_job import ImportJob, ImportSettings, none_usable
from meshgan.data.area import choose_area
from meshgan.data.importers import importer_class, open_importer
from meshgan.data.importers.base import Importer
from meshgan.data.importers.catalogue import Catalogue, Skipped, catalogue
from meshgan.data.importers.decision import decide_conversion
from meshgan.data.importers.reading import BadFace, SourceReader, read_source_face
from meshgan.data.importers.report import make_report
from meshgan.data.importers.row_maker import Placing
from meshgan.data.splits import Split, write_split
from meshgan.data.template import Template
from meshgan.errors import InputError

log = logging.getLogger(__name__)
DEFAULT_TEMPLATE = "anny_low"
"""What raw scans are registered to."""


def import_data(
    word: str,
    path: Path | str,
    out: Path | str,
    *,
    options: Mapping[str, Any] | None = None,
    settings: ImportSettings | None = None,
    template: Template | None = None,
    resume: bool = False,
    append: bool = False,
) -> dict[str, Any]:
    """Turn the files of a source into a DATA folder.

    Args:
        word: the format, a key of ``data.importers.IMPORTERS``.
        path: the source's root folder, or its file.
        out: DATA folder to make; with ``append`` a finished one to add to.
        options: of the format's importer, by name.
        settings: of the import.
        template: for raw scans, what they are registered to (anny_low if None); for a registered
            source, another template of the same topology to take instead of its own.
        resume: go on with an interrupted import of the same source and settings; it ends in the
            same files as one that was not interrupted.
        append: add to ``out``; faces that it has from this very source are passed over.

    Returns:
        As ``describe_data``, with ``found``, ``imported`` and ``skipped`` (counts), ``made`` (this
        time), ``problems`` (every skipped face with its reason), ``messages``, ``report`` (the
        file with all this) and ``ok``: nothing was skipped.

    Raises:
        InputError: the source is not laid out like its format, none of its faces can be used,
            unit or axes are wrong, ``out`` holds something else, or a face is bad and
            ``on_error`` is "stop".
        JobError: the disk is full; what was written stays, and ``resume`` goes on from there.
    """
    settings = settings or ImportSettings()
    importer = open_importer(word, path, _with_settings(word, options or {}, settings))
    summary = import_source(word, importer, Path(out), settings, template, resume, append)
    summary.pop("scans", None)  # the journal has them
    return summary


def import_source(
    word: str,
    importer: Importer,
    out: Path,
    settings: ImportSettings,
    template: Template | None,
    resume: bool,
    append: bool,
) -> dict[str, Any]:
    """As ``import_data``, from an importer; with ``scans``, what became of each raw one."""
    if resume and append:
        raise InputError("--resume and --append exclude each other; an append goes on by itself")
    listed = catalogue(importer.items())
    plan = _plan if importer.registered else _plan_scans
    job = plan(word, importer, listed, out, settings, template)
    with job.open_writer(resume, append) as writer:
        before = writer.rows_written
        job.write(writer, resume, append)
    more = job.finish()
    report = make_report(
        word,
        listed,
        job.imported,
        job.skipped,
        job.decision.conversion.record(),
        (*job.decision.messages, *job.area.messages),
    )
    path = report.write(job.out)
    if not append:
        _write_split(importer, listed, job.out)
    log.info("%s", report.table())
    summary = describe_data(job.out)
    return {
        **summary,
        "ok": not report.skipped,
        "found": report.found,
        "imported": report.imported,
        "skipped": len(report.skipped),
        "made": summary["meshes"] - before,
        "problems": [f"{entry.where}: {entry.reason}" for entry in report.skipped],
        "messages": list(report.messages),
        "report": str(path),
        **more,
    }


def _with_settings(
    word: str, options: Mapping[str, Any], settings: ImportSettings
) -> dict[str, Any]:
    """Options of the importer; unit and axes among them where it has such fields."""
    known = {entry.name for entry in fields(importer_class(word)) if entry.init}
    given = {"unit": settings.unit, "axis_map": settings.axis_map}
    shared = {name: value for name, value in given.items() if name in known and value is not None}
    return {**options, **shared}


def _plan(
    word: str,
    importer: Importer,
    listed: Catalogue,
    out: Path,
    settings: ImportSettings,
    template: Template | None,
) -> ImportJob:
    """Decide unit, axes and template by the first face that can be used; nothing is written.

    Raises:
        InputError: no face can be used, or the first one contradicts what is said of the source.
    """
    own = importer.template()
    assert own is not None, f"{word} is registered but has no template"
    if template is not None and template.topology_hash != own.topology_hash:
        raise InputError(
            f"template {template.name}: has {template.vertex_count:,} vertices "
            f"({template.topology_hash}), the faces {own.vertex_count:,} ({own.topology_hash}); "
            "leave --template out, or register the faces to it"
        )
    refused = list(listed.refused)
    for item in listed.items:
        try:
            example = read_source_face(importer, item)
            decision = decide_conversion(importer, example, own, settings.unit, settings.axis_map)
            assert decision.template is not None
            chosen = template or decision.template
            reader = SourceReader(importer, decision.conversion, chosen)
            reader.read(item)
        except BadFace as error:
            refused.append(Skipped(item.where, str(error)))
            continue
        area = choose_area(chosen, settings.area)
        placing = Placing.on(area.template, settings.align)
        return ImportJob(word, importer, listed, out, settings, reader, decision, area, placing)
    raise none_usable(word, listed, refused)


def _plan_scans(
    word: str,
    importer: Importer,
    listed: Catalogue,
    out: Path,
    settings: ImportSettings,
    template: Template | None,
) -> ImportJob:
    """As ``_plan``, for scans that are registered on the way."""
    from meshgan.apps.import_scans import plan_scans  # loads all of registration
    from meshgan.apps.template import find_template

    target = template or find_template(DEFAULT_TEMPLATE)
    return plan_scans(word, importer, listed, out, settings, target)


def _write_split(importer: Importer, listed: Catalogue, out: Path) -> None:
    """Fix the split that the source itself names, if it does."""
    chosen = getattr(importer, "split", None)
    parts = cast(Mapping[str, Split], chosen()) if callable(chosen) else {}
    if not parts:
        return
    split: dict[Split, list[str]] = {"train": [], "validation": [], "test": []}
    for subject in listed.subjects:
        split[parts.get(subject, "train")].append(subject)
    write_split(out, split)
