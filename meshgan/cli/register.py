"""``meshgan register``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from meshgan.cli.command import Command, Summary


@dataclass(frozen=True, kw_only=True)
class Register(Command):
    """Bring raw scans to the topology of a template; exit status 1 if any gets no mesh.

    Scans may have any triangles, holes, hair, and any pose. Landmarks help; without them the face
    is found. report.html in the output folder shows what went well and what did not.

    Example: meshgan register scans --template anny_low --out registered --jobs 2
    """

    scans: tyro.conf.Positional[tuple[Path, ...]]
    """Mesh files (ply, obj, stl, off, wrl, glb, npz), or folders that are searched for them."""
    out: Path
    """Folder for a mesh per scan, register.json and report.html; new or empty, unless --resume."""
    data: bool = False
    """Make --out a DATA folder: rows of vertices, with a person per folder of scans."""
    keep: str = "ok,bridged"
    """With --data: which registrations are good enough, for example ok,uncertain,poor."""
    sequence: bool = False
    """The scans of a folder are frames of one person, in the order of their names: registered
    together, smooth over time."""
    template: str = "anny_low"
    """anny_low, anny_paper, a template file, a RUN or DATA folder, or a mesh file."""
    landmarks: Path | None = None
    """For one scan its landmark file, for many a folder of files named like the scans; by default
    NAME_landmarks.json, NAME.pts, NAME.bnd, ... beside each scan."""
    order: str = "ibug68"
    """Order of landmark files whose format does not say it: ibug68, fit85, bu83, ..."""
    unit: Literal["mm", "cm", "m", "um"] | None = None
    """Of scans and landmarks; found from the size of each scan by default."""
    format: Literal["ply", "obj", "npz", "glb", "off"] = "ply"
    """Of the registered meshes, which are in mm where their scan is."""
    jobs: int | None = None
    """Scans at a time on this machine; as many as cores by default."""
    scheduler: str | None = None
    """Address of a Dask scheduler (tcp://host:8786) whose workers are used instead."""
    time_limit: float = 300.0
    """Seconds after which a scan is given up."""
    pictures: int = 60
    """Scans with pictures in the report, the worst first."""
    set: tuple[str, ...] = ()
    """key=value: settings of the registration, for example good_rms_mm=1.5."""
    resume: bool = False
    """Go on in the same folder: only scans that are missing, failed or changed are done."""

    def __call__(self) -> Summary:
        from meshgan import config
        from meshgan.apps.register import register_scans
        from meshgan.apps.template import find_template
        from meshgan.registration.register import RegisterSettings

        values = config.override({}, self.set)
        settings = config.build(RegisterSettings, values, "--set")
        template = find_template(self.template)
        if self.data:
            summary = self._into_data(template, values)
        else:
            summary = register_scans(
                self.scans,
                template,
                self.out,
                landmarks=self.landmarks,
                order=self.order,
                unit=self.unit,
                mesh_format=self.format,
                settings=settings,
                batch=self._batch(),
                sequence=self.sequence,
                resume=self.resume,
                pictures=self.pictures,
            )
        if not self.json:
            del summary["scans"]  # the table has been shown
        return summary

    def _into_data(self, template: Any, values: dict[str, Any]) -> Summary:
        from meshgan.apps.import_job import ImportSettings
        from meshgan.apps.register_data import register_into_data
        from meshgan.apps.register_files import find_jobs

        settings = ImportSettings(
            unit=self.unit,
            keep=tuple(word.strip() for word in self.keep.split(",")),
            sequences=self.sequence,
            registration=values,
            batch=self._batch(),
        )
        jobs = find_jobs(self.scans, self.landmarks, self.order, self.unit)
        return register_into_data(jobs, template, self.out, settings, self.resume)

    def _batch(self) -> Any:
        from meshgan.apps.batch import BatchSettings

        return BatchSettings(self.jobs, self.scheduler, self.time_limit)
