"""``meshgan register``: raw scans brought to the topology of a template, many at a time."""

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from meshgan import __version__, config
from meshgan.apps.batch import Answer, Batch, BatchSettings
from meshgan.apps.register_files import check_orders, find_jobs
from meshgan.apps.register_jobs import RegisterJob, SequenceJob, job_key, recordings
from meshgan.apps.register_record import ScanRecord
from meshgan.apps.register_report import (
    MOST_PICTURES,
    REPORT_FILE,
    status_counts,
    summary_table,
    write_register_report,
)
from meshgan.apps.register_store import ResultFolder
from meshgan.apps.register_work import RegisteredFrames, ScanSetup
from meshgan.data.template import Template, template_arrays
from meshgan.files import write_json
from meshgan.registration.prior import default_prior
from meshgan.registration.register import RegisterSettings
from meshgan.reporting import progress

log = logging.getLogger(__name__)

MeshFormat = Literal["ply", "obj", "npz", "glb", "off"]
NUMBERS_FILE = "register.json"


def register_scans(
    scans: Sequence[Path | str],
    template: Template,
    out: Path | str,
    *,
    landmarks: Path | str | None = None,
    order: str = "ibug68",
    unit: str | None = None,
    mesh_format: MeshFormat = "ply",
    settings: RegisterSettings | None = None,
    batch: BatchSettings | None = None,
    sequence: bool = False,
    resume: bool = False,
    pictures: int = MOST_PICTURES,
) -> dict[str, Any]:
    """Register scan files; one that fails never stops the rest.

    Args:
        scans: mesh files, or folders of them.
        template: what is bent onto them.
        out: folder for a mesh per scan (mm, in the scan's frame), ``register.json`` and
            ``report.html``.
        landmarks: file for one scan, or a folder; None to look beside the scans
            (``register_files.find_jobs``).
        order: of landmarks whose format does not say it.
        unit: of the scans, "mm", "cm", "m" or "um"; found from their size if None.
        mesh_format: of the meshes.
        settings: of the registrations.
        batch: on how many cores, or on which cluster.
        sequence: the scans of a folder are frames of one person in the order of their names, and
            are registered together.
        resume: go on in ``out``: only scans that are missing, failed or have changed are done.
        pictures: scans with pictures in the report, the worst first.

    Returns:
        ``ok`` (every scan has a mesh), ``scans`` (a mapping each: ``scan``, ``status``,
        ``rms_mm``, ``seconds``, ``coverage``, ``folded``, ``landmark_mm``, ``notes``, ``file``),
        ``counts`` by status, ``registered`` (this time), ``problems``, ``report``, ``seconds``.

    Raises:
        InputError: a file is missing, of no known format, or landmarks do not fit the template.
        JobError: ``out`` cannot be written, or no process can be started.
    """
    began = time.perf_counter()
    out, settings, batch = Path(out), settings or RegisterSettings(), batch or BatchSettings()
    jobs = find_jobs(
        [Path(scan) for scan in scans],
        None if landmarks is None else Path(landmarks),
        order,
        unit,
    )
    check_orders(jobs, template)
    setup = ScanSetup(template, settings)
    with (
        ResultFolder(out, template, f".{mesh_format}", resume=resume) as results,
        Batch(setup, batch) as place,
    ):
        done = list(register_jobs(jobs, results, setup, place, sequence))
        seconds = time.perf_counter() - began
        records = [record for job in jobs if (record := results.record(job.name)) is not None]
        how = provenance_of(template, settings)
        write_json(out / NUMBERS_FILE, _numbers(records, how))
        write_register_report(
            out / REPORT_FILE,
            records,
            {job.name: job for job in jobs},
            results,
            template,
            place,
            {"template": template.name, **how["settings"], "versions": how["versions"]},
            NUMBERS_FILE,
            pictures,
        )
    log.info("%s", summary_table(records))
    return {
        "ok": all(record.has_mesh for record in records),
        "out": str(out),
        "report": str(out / REPORT_FILE),
        "counts": status_counts(records),
        "registered": len(done),
        "seconds": round(seconds, 2),
        "scans_per_second": round(len(done) / seconds, 3),
        "problems": problems_of(records),
        "scans": [record.shown() for record in records],
    }


def register_jobs(
    jobs: Sequence[RegisterJob],
    results: ResultFolder,
    setup: ScanSetup,
    batch: Batch,
    sequences: bool = False,
) -> Iterator[ScanRecord]:
    """Register what is not in the folder of results yet; records come as scans are done.

    Args:
        jobs: with names of their own.
        results: where meshes and records go.
        setup: template and settings.
        batch: where they are registered, with this setup.
        sequences: register the frames of a recording together; if one has to be done, all have.
    """
    how = provenance_of(setup.template, setup.settings)
    tasks = recordings(jobs) if sequences else [SequenceJob((job,)) for job in jobs]
    waiting: list[tuple[SequenceJob, list[str]]] = []
    for task in tasks:
        keys = _keys(task, how)
        pairs = zip(task.frames, keys, strict=True)
        if any(results.finished(job.name, key) is None for job, key in pairs):
            waiting.append((task, keys))
    left = sum(len(task.frames) for task, _ in waiting)
    if left < len(jobs):
        log.info("%d of %d scans are registered already", len(jobs) - left, len(jobs))
    if not waiting:
        return
    default_prior()  # made once here, not by all processes at the same time
    answers = batch.run(
        [task if task.together else task.frames[0] for task, _ in waiting],
        [float(len(task.frames)) for task, _ in waiting],
    )
    unit = "recordings" if sequences else "scans"
    for answer in progress(answers, "registering scans", unit=unit, total=len(waiting)):
        yield from _kept(results, *waiting[answer.number], answer)


def provenance_of(template: Template, settings: RegisterSettings) -> dict[str, Any]:
    """How scans are registered, as plain values: with the same, results are the same."""
    return {
        "template": template.name,
        "topology": template.topology_hash,
        "template_digest": _digest(template),
        "settings": config.values_of(settings),
        "versions": {"meshgan": __version__},
    }


def problems_of(records: Sequence[ScanRecord]) -> list[str]:
    """A line for each scan that is not "ok", with the reason."""
    return [f"{r.name}: {r.status}: {r.message}" for r in records if r.status != "ok"]


def _keys(task: SequenceJob, how: Mapping[str, Any]) -> list[str]:
    """The keys of its frames; that of one depends on the files of all."""
    if not task.together:
        return [job_key(task.frames[0], how)]
    together = {**how, "frames": [job_key(job, how) for job in task.frames]}
    return [job_key(job, together) for job in task.frames]


def _kept(
    results: ResultFolder, task: SequenceJob, keys: Sequence[str], answer: Answer
) -> Iterator[ScanRecord]:
    pairs = list(zip(task.frames, keys, strict=True))
    if answer.failure:
        log.warning("%s: %s", task.frames[0].name, answer.failure)
        for job, key in pairs:
            yield results.keep_failure(job.name, key, answer.failure, answer.seconds)
    elif isinstance(answer.value, RegisteredFrames):
        results.keep_summary(task.frames[0].recording, answer.value.summary)
        for (job, key), scan in zip(pairs, answer.value.frames, strict=True):
            yield results.keep(job.name, key, scan)
    else:
        (job, key), *_ = pairs
        yield results.keep(job.name, key, answer.value)


def _numbers(records: Sequence[ScanRecord], how: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **how,
        "counts": status_counts(records),
        "scans": [record.shown() for record in records],
    }


def _digest(template: Template) -> str:
    """16 hexadecimal digits of the arrays: positions, landmarks, mirror map, not the UVs."""
    digest = hashlib.sha256()
    for name, array in sorted(template_arrays(template).items()):
        if name != "uv":
            digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()[:16]
