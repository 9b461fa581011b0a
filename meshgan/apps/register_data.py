"""``meshgan register --data``: scan files straight into a DATA folder."""

import os
from collections.abc import Sequence
from dataclasses import InitVar, dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

from meshgan.apps.import_data import import_source
from meshgan.apps.import_job import ImportSettings
from meshgan.apps.register_files import check_orders
from meshgan.apps.register_jobs import FileJob
from meshgan.data.importers.base import Importer, SourceFace, SourceItem
from meshgan.data.template import Template


@dataclass(frozen=True)
class ScanFiles:
    """Scan files as a source: a person per folder, or per file where there are none.

    Args:
        root: folder above all of them.
        unit: of all files; None if it is to be guessed.
        recorded: the files of a folder are frames of one recording.
        jobs: the files.
    """

    root: Path
    unit: str | None
    recorded: bool
    jobs: InitVar[Sequence[FileJob]]

    format: ClassVar[str] = "scans"
    axis_map: ClassVar[str] = "x y z"
    registered: ClassVar[bool] = False

    def __post_init__(self, jobs: Sequence[FileJob]) -> None:
        where = {os.path.relpath(job.path, self.root): job for job in jobs}
        object.__setattr__(self, "_jobs", {Path(name).as_posix(): where[name] for name in where})

    def template(self) -> Template | None:
        """None: each scan has its own topology."""
        return None

    def items(self) -> Sequence[SourceItem]:
        """One per file, unlabelled; the subject is the first folder of its name."""
        jobs: dict[str, FileJob] = self._jobs  # pyright: ignore[reportAttributeAccessIssue]
        items, frames = [], dict[str, int]()
        for where, job in jobs.items():
            folder, _, rest = job.name.partition("/")
            sequence = job.recording if self.recorded else ""
            frame = frames.setdefault(sequence, 0) if sequence else 0
            frames[sequence] = frame + 1
            subject = folder if rest or not sequence else self.root.name
            items.append(SourceItem(where, subject, sequence=sequence, frame=frame))
        return items

    def read(self, item: SourceItem) -> SourceFace:
        """Read a scan and its landmarks."""
        scan = self._jobs[item.where].load()  # pyright: ignore[reportAttributeAccessIssue]
        return SourceFace(scan.mesh.vertices, scan.mesh.faces, scan.landmarks)


def register_into_data(
    jobs: Sequence[FileJob],
    template: Template,
    out: Path,
    settings: ImportSettings,
    resume: bool = False,
) -> dict[str, Any]:
    """Register scan files and write the good ones to a DATA folder, as an import does.

    Args:
        jobs: from ``register_files.find_jobs``.
        template: what is bent onto them.
        out: DATA folder.
        settings: of the import; statuses to keep, sequences, where to work.
        resume: go on with an interrupted run.

    Returns:
        As ``import_data``, with ``scans``: per scan ``status``, ``rms_mm``, ``seconds``, ...

    Raises:
        InputError: as for ``import_data``.
    """
    check_orders(jobs, template)
    root = Path(os.path.commonpath([job.path.parent for job in jobs]))
    source = cast(Importer, ScanFiles(root, jobs[0].unit, settings.sequences, jobs))
    return import_source("scans", source, out, settings, template, resume, append=False)
