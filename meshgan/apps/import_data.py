"""``meshgan data import``: files of a public format become a DATA folder, faces counted and named.

A face that cannot be used is named with its reason and left out, or ends the import; the rest is
imported. Memory stays bounded, and an import that was killed goes on where it stopped.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, cast

from meshgan import __version__, config
from meshgan.apps.data import describe_data
from meshgan.data.importers import importer_class, open_importer
from meshgan.data.importers.base import Importer, SourceItem
from meshgan.data.importers.catalogue import Catalogue, Skipped, catalogue
from meshgan.data.importers.decision import Decision, decide_conversion
from meshgan.data.importers.earlier_rows import recall, widen_factors
from meshgan.data.importers.reading import BadFace, SourceReader, read_source_face
from meshgan.data.importers.report import make_report
from meshgan.data.importers.row_maker import Numbering, Placing, RowMaker
from meshgan.data.mesh_io import Unit
from meshgan.data.rows import FaceRows
from meshgan.data.splits import Split, write_split
from meshgan.data.store import Store, StoreWriter
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.reporting import progress

log = logging.getLogger(__name__)
_SHOWN = 3


@dataclass(frozen=True)
class ImportSettings:
    """How a source is imported, whatever its format.

    Args:
        unit: of the source, instead of what its format says or its faces suggest.
        axis_map: which source axes are our x, y and z ("x z -y"), instead of what its format says.
        align: over which vertices each face is moved rigidly onto the template, without scale:
            "vertices" (all), a region of the template, or "none".
        on_error: "skip" a face that cannot be used, or "stop" there.
    """

    unit: Unit | None = None
    axis_map: str | None = None
    align: str = "vertices"
    on_error: Literal["skip", "stop"] = "skip"


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
        template: for raw scans, what they are registered to; for a registered source, another
            template of the same topology to take instead of its own.
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
    if resume and append:
        raise InputError("--resume and --append exclude each other; an append goes on by itself")
    importer = open_importer(word, path, _with_settings(word, options or {}, settings))
    listed = catalogue(importer.items())
    if not importer.registered:
        return register_raw_scans(importer, listed, Path(out), settings, template)
    job = _plan(word, importer, listed, Path(out), settings, template)
    with job.open_writer(resume, append) as writer:
        before = writer.rows_written
        job.write(writer, resume, append)
    report = make_report(
        word,
        listed,
        job.imported,
        job.skipped,
        job.decision.conversion.record(),
        job.decision.messages,
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
    }


def register_raw_scans(
    importer: Importer,
    listed: Catalogue,
    out: Path,
    settings: ImportSettings,
    template: Template | None,
) -> dict[str, Any]:
    """Scans that differ in topology, on their way through registration to a data set."""
    raise InputError(
        f"{importer.format}: its {listed.found:,} faces are raw scans that differ in topology; "
        "this version imports registered sources only"
    )


@dataclass(eq=False)
class _Job:
    """The import of a registered source: what was decided, and what became of each face."""

    word: str
    importer: Importer
    listed: Catalogue
    out: Path
    settings: ImportSettings
    decision: Decision
    placing: Placing
    imported: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def template(self) -> Template:
        return self.placing.template

    @property
    def reader(self) -> SourceReader:
        return SourceReader(self.importer, self.decision.conversion, self.template)

    def provenance(self) -> dict[str, Any]:
        """How to make the same rows again; an import is resumed only under the same."""
        options = config.values_of(self.importer)
        root = Path(options.pop("root"))
        return {
            "source": self.word,
            "name": root.resolve().name,
            "options": options,
            "conversion": self.decision.conversion.record(),
            "alignment": self.placing.record(),
            "faces": self.listed.found,
            "list": self.listed.digest(),
            "versions": {"meshgan": __version__},
        }

    def open_writer(self, resume: bool, append: bool) -> StoreWriter:
        if append:
            widen_factors(self.out, self.listed, self.template.topology_hash)
            return StoreWriter.append_to(
                self.out,
                template=self.template,
                new_subjects=self.listed.subjects,
                provenance=self.provenance(),
            )
        conversion = self.decision.conversion
        return StoreWriter.create(
            self.out,
            self.template,
            self.listed.factors,
            self.listed.subjects,
            self.provenance(),
            resume=resume,
            source_unit=conversion.unit,
            axis_map=conversion.axis_map,
        )

    def write(self, writer: StoreWriter, resume: bool, append: bool) -> None:
        """Read every face and append its row; fills ``imported`` and ``skipped``."""
        for entry in self.listed.refused:
            self._skip(entry)
        maker = self._row_maker(writer, resume or append, append)
        items = progress(self.listed.items, "importing faces", unit="faces")
        for row in self._rows(maker, items):
            writer.append(row)

    def _row_maker(self, writer: StoreWriter, recalled: bool, append: bool) -> RowMaker:
        store = Store(self.out, partial=True)
        earlier, first = None, 0
        if recalled and store.count:
            earlier = recall(store, self.provenance(), self.listed, in_order=not append)
            first = int(store.sequence.max()) + 1 if append else 0
        numbering = Numbering(store.factors, writer.subjects, first)
        return RowMaker(self.reader, self.listed, self.placing, numbering, earlier)

    def _rows(self, maker: RowMaker, items: Iterator[SourceItem]) -> Iterator[FaceRows]:
        for item in items:
            if not maker.holds(item):
                try:
                    row = maker.make(item)
                except BadFace as error:
                    self._skip(Skipped(item.where, str(error)))
                    continue
                yield row
            self.imported.append(item.where)

    def _skip(self, entry: Skipped) -> None:
        if self.settings.on_error == "stop":
            raise InputError(
                f"{entry.where}: {entry.reason}; repair or remove it, or leave out what is bad "
                "with --on-error skip"
            )
        log.warning("skipped %s: %s", entry.where, entry.reason)
        self.skipped.append(entry)


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
) -> _Job:
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
            SourceReader(importer, decision.conversion, chosen).read(item)
        except BadFace as error:
            refused.append(Skipped(item.where, str(error)))
            continue
        return _Job(
            word, importer, listed, out, settings, decision, Placing.on(chosen, settings.align)
        )
    shown = "; ".join(f"{entry.where}: {entry.reason}" for entry in refused[:_SHOWN])
    more = "; and more" if len(refused) > _SHOWN else ""
    raise InputError(f"{word}: none of the {listed.found:,} faces can be used; {shown}{more}")


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
