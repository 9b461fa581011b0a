"""The import of one source: its settings, and from its faces to the rows of a DATA folder."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from meshgan import __version__, config
from meshgan.apps.batch import BatchSettings
from meshgan.data.area import Area
from meshgan.data.importers.base import Importer, SourceItem
from meshgan.data.importers.catalogue import Catalogue, Skipped
from meshgan.data.importers.decision import Decision
from meshgan.data.importers.earlier_rows import EarlierRows, recall
from meshgan.data.importers.reading import BadFace, SourceReader
from meshgan.data.importers.row_maker import Numbering, Placing, RowMaker
from meshgan.data.mesh_io import Unit
from meshgan.data.rows import FaceRows
from meshgan.data.store import Store, StoreWriter
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.reporting import progress

log = logging.getLogger(__name__)

WITH_MESH = ("ok", "bridged", "uncertain", "poor")
"""Statuses of a registration that made a mesh, the best first."""
_SHOWN = 3


@dataclass(frozen=True)
class ImportSettings:
    """How a source is imported, whatever its format.

    Args:
        unit: of the source, instead of what its format says or its faces suggest.
        axis_map: which source axes are our x, y and z ("x z -y"), instead of what its format says.
        align: over which vertices each face is moved rigidly onto the template, without scale:
            "vertices" (all), a region of the template, or "none".
        area: which part of a registered topology is imported: "all", "largest_piece", "face", a
            region of the template, or a file of vertex ids (``data.area.choose_area``).
        on_error: "skip" a face that cannot be used, or "stop" there.
        keep: of raw scans, which statuses of their registration are good enough ("ok", "bridged",
            "uncertain", "poor").
        sequences: register the frames of a recording together, smooth over time.
        registration: settings of the registration of raw scans, as plain values.
        batch: where raw scans are registered.
    """

    unit: Unit | None = None
    axis_map: str | None = None
    align: str = "vertices"
    on_error: Literal["skip", "stop"] = "skip"
    area: str = "all"
    keep: tuple[str, ...] = ("ok", "bridged")
    sequences: bool = False
    registration: Mapping[str, Any] = field(default_factory=dict)
    batch: BatchSettings = field(default_factory=BatchSettings)

    def __post_init__(self) -> None:
        if unknown := sorted({*self.keep} - {*WITH_MESH}):
            raise InputError(
                f"--keep {', '.join(unknown)}: expected some of {', '.join(WITH_MESH)}"
            )


@dataclass(eq=False)
class ImportJob:
    """The import of a source: what was decided, and what became of each face.

    Args:
        word: the source's format.
        importer: reads it.
        listed: its faces.
        out: DATA folder.
        settings: of the import.
        reader: gives a face for a row.
        decision: unit and axes.
        area: the part of each face that is kept.
        placing: where faces are put.
        imported: names of faces that are in the data set.
        skipped: the others.
    """

    word: str
    importer: Importer
    listed: Catalogue
    out: Path
    settings: ImportSettings
    reader: SourceReader
    decision: Decision
    area: Area
    placing: Placing
    imported: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def template(self) -> Template:
        return self.area.template

    def provenance(self) -> dict[str, Any]:
        """How to make the same rows again; an import is resumed only under the same."""
        options = config.values_of(self.importer)
        root = Path(options.pop("root"))
        return {
            "source": self.word,
            "name": root.resolve().name,
            "options": options,
            "conversion": self.decision.conversion.record(),
            **self.area.record(),
            "alignment": self.placing.record(),
            "faces": self.listed.found,
            "list": self.listed.digest(),
            "versions": {"meshgan": __version__},
        }

    def open_writer(self, resume: bool, append: bool) -> StoreWriter:
        if append:
            return StoreWriter.append_to(
                self.out,
                template=self.template,
                new_subjects=self.listed.subjects,
                new_labels=self.listed.factors,
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

    def prepare(self, earlier: EarlierRows) -> None:
        """What is done before rows are made; ``earlier`` is what the data set has already."""

    def finish(self) -> dict[str, Any]:
        """What is done when all rows are on disk; more for the summary."""
        return {}

    def write(self, writer: StoreWriter, resume: bool, append: bool) -> None:
        """Read every face and append its row; fills ``imported`` and ``skipped``."""
        for entry in self.listed.refused:
            self.skip(entry)
        maker = self._row_maker(writer, resume or append, append)
        items = progress(self.listed.items, "importing faces", unit="faces")
        for row in self._rows(maker, items):
            writer.append(row)

    def _row_maker(self, writer: StoreWriter, recalled: bool, append: bool) -> RowMaker:
        store = Store(self.out, partial=True)
        earlier, first = EarlierRows(), 0
        if recalled and store.count:
            earlier = recall(store, self.provenance(), self.listed, in_order=not append)
            first = int(store.sequence.max()) + 1 if append else 0
        self.prepare(earlier)
        numbering = Numbering(writer.factors, writer.subjects, first)
        return RowMaker(self.reader, self.listed, self.area, self.placing, numbering, earlier)

    def _rows(self, maker: RowMaker, items: Iterator[SourceItem]) -> Iterator[FaceRows]:
        for item in items:
            if not maker.holds(item):
                try:
                    row = maker.make(item)
                except BadFace as error:
                    self.skip(Skipped(item.where, str(error)))
                    continue
                yield row
            self.imported.append(item.where)

    def skip(self, entry: Skipped) -> None:
        """Leave a face out.

        Raises:
            InputError: the settings say that a bad face ends the import.
        """
        if self.settings.on_error == "stop":
            raise InputError(
                f"{entry.where}: {entry.reason}; repair or remove it, or leave out what is bad "
                "with --on-error skip"
            )
        log.warning("skipped %s: %s", entry.where, entry.reason)
        self.skipped.append(entry)


def none_usable(word: str, listed: Catalogue, refused: Sequence[Skipped]) -> InputError:
    """What to say if no face of a source can be used."""
    shown = "; ".join(f"{entry.where}: {entry.reason}" for entry in refused[:_SHOWN])
    more = "; and more" if len(refused) > _SHOWN else ""
    return InputError(f"{word}: none of the {listed.found:,} faces can be used; {shown}{more}")
