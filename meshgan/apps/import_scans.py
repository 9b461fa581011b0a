"""Raw scans of a source on their way to a DATA folder: registered first, then written in order.

All scans are registered into the folder ``registration`` inside the DATA folder, in whatever order
they get done. Then their rows are written in the source's order, and the meshes there deleted; the
journal and the report with pictures stay.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from meshgan import config
from meshgan.apps.batch import Batch
from meshgan.apps.import_job import ImportJob, ImportSettings, none_usable
from meshgan.apps.register import provenance_of, register_jobs
from meshgan.apps.register_jobs import ItemJob
from meshgan.apps.register_record import ScanRecord
from meshgan.apps.register_report import (
    REPORT_FILE,
    status_counts,
    summary_table,
    write_register_report,
)
from meshgan.apps.register_store import JOURNAL, ResultFolder
from meshgan.apps.register_work import ScanSetup
from meshgan.data.area import choose_area
from meshgan.data.importers.base import Importer, MeasuredLandmarks, SourceItem
from meshgan.data.importers.catalogue import Catalogue, Skipped
from meshgan.data.importers.decision import decide_conversion
from meshgan.data.importers.earlier_rows import EarlierRows, stored_name
from meshgan.data.importers.plausibility import measure_size
from meshgan.data.importers.reading import (
    BadFace,
    ConvertedFace,
    SourceReader,
    read_source_face,
)
from meshgan.data.importers.row_maker import Placing
from meshgan.data.origin import as_json
from meshgan.data.template import Template
from meshgan.registration.register import RegisterSettings

log = logging.getLogger(__name__)

REGISTRATION_FOLDER = "registration"
_GONE = "was skipped before the interruption; import anew to have it"


@dataclass(frozen=True, eq=False)
class RegisteredReader(SourceReader):
    """Gives the registered mesh of a scan in place of the scan.

    Args:
        results: where the meshes are.
        keep: statuses of scans that are used.
    """

    results: ResultFolder | None = None
    keep: tuple[str, ...] = ("ok",)

    def read(self, item: SourceItem) -> ConvertedFace:
        """The template on the scan, in the template's frame.

        Raises:
            BadFace: the scan was not registered well enough; the message says why.
        """
        assert self.results is not None
        record = self.results.record(item.where)
        if record is None:
            raise BadFace(_GONE)
        if record.status not in self.keep or not record.has_mesh:
            raise BadFace(f"{record.status}: {record.message}")
        if not self.results.has_mesh(record):
            raise BadFace(_GONE)
        arrays = self.results.arrays(record)
        vertices, measured = arrays["vertices"].astype(np.float64), arrays.get("measured")
        return ConvertedFace(
            vertices=vertices,
            faces=None,
            landmarks=None if measured is None else MeasuredLandmarks("", measured),
            extras=_numbers(record),
            size=measure_size(vertices, None),
            judged_by=None,
        )


@dataclass(eq=False)
class ScanImportJob(ImportJob):
    """The import of raw scans.

    Args:
        whole: the template that is bent onto the scans; ``area`` is what is kept of it.
    """

    whole: Template | None = None
    register_settings: RegisterSettings = field(default_factory=RegisterSettings)

    def provenance(self) -> dict[str, Any]:
        """As for registered sources, and how scans are registered."""
        assert self.whole is not None
        how = provenance_of(self.whole, self.register_settings)
        del how["versions"]
        kept = {**how, "keep": self.settings.keep, "sequences": self.settings.sequences}
        return as_json(self.out, {**super().provenance(), "registration": kept})

    def prepare(self, earlier: EarlierRows) -> None:
        """Register what the data set has not got yet."""
        assert self.whole is not None
        results = ResultFolder(self.out / REGISTRATION_FOLDER, self.whole, None, resume=True)
        self.reader = RegisteredReader(
            self.importer, self.reader.conversion, self.whole, results, self.settings.keep
        )
        raw = SourceReader(self.importer, self.decision.conversion)
        setup = ScanSetup(self.whole, self.register_settings, raw)
        jobs = [self._job(item) for item in self._waiting(earlier)]
        together = self.settings.sequences
        with Batch(setup, self.settings.batch) as batch:
            for record in register_jobs(jobs, results, setup, batch, together):
                if self.settings.on_error == "stop" and record.status not in self.settings.keep:
                    self.skip(Skipped(record.name, f"{record.status}: {record.message}"))
            if jobs:
                self._report(results, batch)

    def finish(self) -> dict[str, Any]:
        """Delete the meshes that are rows now; what the summary says of the registration."""
        assert isinstance(self.reader, RegisteredReader)
        results = self.reader.results
        assert results is not None
        results.remove_meshes()
        results.close()
        records = self._records(results, [item.where for item in self.listed.items])
        report = self.out / REGISTRATION_FOLDER / REPORT_FILE
        return {
            "registration": {"counts": status_counts(records), "report": str(report)},
            "scans": [record.shown() for record in records],
        }

    def _waiting(self, earlier: EarlierRows) -> list[SourceItem]:
        layout = earlier.layout

        def known(item: SourceItem) -> bool:
            name = item.where if layout is None else stored_name(item.where, layout)
            return name in earlier.held or item.where in earlier.passed

        return [item for item in self.listed.items if not known(item)]

    def _job(self, item: SourceItem) -> ItemJob:
        root = Path(getattr(self.importer, "root", "."))
        return ItemJob(item, root, str(self.decision.conversion.record()))

    def _report(self, results: ResultFolder, batch: Batch) -> None:
        assert self.whole is not None
        how = provenance_of(self.whole, self.register_settings)
        jobs = {item.where: self._job(item) for item in self.listed.items}
        records = self._records(results, list(jobs))
        write_register_report(
            results.folder / REPORT_FILE,
            records,
            jobs,
            results,
            self.whole,
            batch,
            {"source": self.word, "template": self.whole.name, "versions": how["versions"]},
            numbers_file=JOURNAL,
        )
        log.info("%s", summary_table(records))

    @staticmethod
    def _records(results: ResultFolder, names: Sequence[str]) -> list[ScanRecord]:
        found = (results.record(name) for name in names)
        return [record for record in found if record is not None]


def plan_scans(
    word: str,
    importer: Importer,
    listed: Catalogue,
    out: Path,
    settings: ImportSettings,
    template: Template,
) -> ScanImportJob:
    """Decide unit and axes by the first scan that can be read; nothing is written.

    Raises:
        InputError: no scan can be read, or the first one contradicts what is said of the source.
    """
    how = config.build(RegisterSettings, settings.registration, "registration")
    area = choose_area(template, settings.area)
    placing = Placing.on(area.template, settings.align)
    refused = list(listed.refused)
    for item in listed.items:
        try:
            example = read_source_face(importer, item)
            decision = decide_conversion(importer, example, None, settings.unit, settings.axis_map)
        except BadFace as error:
            refused.append(Skipped(item.where, str(error)))
            continue
        reader = SourceReader(importer, decision.conversion)
        return ScanImportJob(
            word, importer, listed, out, settings, reader, decision, area, placing,
            whole=template, register_settings=how,
        )  # fmt: skip
    raise none_usable(word, listed, refused)


def _numbers(record: ScanRecord) -> dict[str, np.ndarray]:
    """What a row of the data set keeps of its registration."""
    unknown = float("nan")
    landmark_mm = unknown if record.landmark_mm is None else record.landmark_mm
    return {
        "registration_status": np.array(record.status, dtype="<U16"),
        "rms_mm": np.array(unknown if record.rms_mm is None else record.rms_mm, np.float32),
        "coverage": np.array(record.coverage, np.float32),
        "landmark_mm": np.array(landmark_mm, np.float32),
    }
