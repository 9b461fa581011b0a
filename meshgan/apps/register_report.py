"""The report of a registration: how many scans went well, which did not and why, with pictures."""

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from meshgan.apps.batch import Batch
from meshgan.apps.register_jobs import PictureTask, RegisterJob
from meshgan.apps.register_pictures import LARGEST_MM
from meshgan.apps.register_record import FAILED, ScanRecord, worst_first
from meshgan.apps.register_store import ResultFolder
from meshgan.apps.report_page import Part, inline_picture, write_page
from meshgan.data.template import Template
from meshgan.pictures.sheet import colour_legend
from meshgan.reporting import progress

REPORT_FILE = "report.html"
MOST_PICTURES, MOST_ROWS = 60, 2000
PICTURE_QUALITY = 80
MEANING = {
    "ok": "The template lies on the scan.",
    "bridged": "A frame without a usable scan; the face is that of the frames beside it.",
    "uncertain": "Found without landmarks, and much of the face does not fit. Look at it.",
    "poor": "A mesh was made, but it does not fit well enough.",
    "no_face": "Nothing in the scan looks like a face.",
    "unusable": "The scan has too little surface to look for a face.",
    "empty": "The scan has no finite vertex.",
    "too_small": "The scan has too few vertices.",
    "flat": "The scan has no extent in one direction.",
    "unit_unknown": "No unit makes the scan as large as a face.",
    "mirrored": "Left and right are exchanged.",
    "bad_landmarks": "The landmarks do not fit a face.",
    FAILED: "The scan could not be read, or its registration broke off.",
}
_FOOTER = "Lengths are millimetres. Numbers of all scans are in <code>{numbers}</code>."
_NUMBERS = ("rms_mm", "p95_mm", "coverage", "folded", "landmark_mm", "seconds")
_HEADS = ("scan", "status", "RMS", "95 %", "covered", "folded", "landmarks", "s", "")


def write_register_report(
    path: Path,
    records: Sequence[ScanRecord],
    jobs: Mapping[str, RegisterJob],
    results: ResultFolder,
    template: Template,
    batch: Batch,
    provenance: Mapping[str, Any],
    numbers_file: str,
    pictures: int = MOST_PICTURES,
) -> None:
    """Write the page; pictures are drawn in processes of their own, as scans are registered.

    Args:
        path: HTML file.
        records: of all scans.
        jobs: by name, to read scans again.
        results: where the meshes are.
        template: that was bent.
        batch: where pictures are drawn, set up with a ``ScanSetup``.
        provenance: how it was made.
        numbers_file: what the page names as the place of all numbers.
        pictures: of how many scans, the worst first.
    """
    ordered = worst_first(records)
    drawn = _drawn(ordered[:pictures], jobs, results, template, batch)
    counts = status_counts(records)
    parts = [Part("summary", "What became of them", _status_table(counts, records))]
    if drawn:
        parts.append(_pictures(drawn, len(records)))
    parts.append(_all_scans(ordered))
    good = [record.rms_mm for record in records if record.rms_mm is not None]
    figures = {
        "scans": f"{len(records):,}",
        **{status.replace("_", " "): f"{count:,}" for status, count in counts.items()},
        "median RMS": f"{np.median(good):.2f} mm" if good else "–",
    }
    write_page(
        path,
        parts,
        provenance,
        "Registered scans",
        f"{len(records):,} scans brought to the template {template.name}. The RMS is the distance "
        "of the scan's points to the mesh; it says nothing about sliding along the surface, so "
        "look at eyes, nose and mouth.",
        figures,
        _FOOTER.format(numbers=html.escape(numbers_file)),
    )


def status_counts(records: Sequence[ScanRecord]) -> dict[str, int]:
    """Status -> scans, in the order of the report; those that occur."""
    counts = Counter(record.status for record in records)
    known = [status for status in MEANING if status in counts]
    return {status: counts[status] for status in (*known, *sorted(counts.keys() - {*known}))}


def summary_table(records: Sequence[ScanRecord], shown: int = 20) -> str:
    """A few aligned lines for a terminal: counts, then the worst scans with their reasons."""
    counts = status_counts(records)
    told = ", ".join(f"{count:,} {status}" for status, count in counts.items())
    lines = [f"{len(records):,} scans: {told}"]
    wrong = [record for record in worst_first(records) if record.status != "ok"]
    width = max((len(record.name) for record in wrong[:shown]), default=0)
    lines += [f"  {r.name:<{width}}  {r.status}: {r.message}" for r in wrong[:shown]]
    if len(wrong) > shown:
        lines.append(f"  ... and {len(wrong) - shown:,} more")
    return "\n".join(lines)


def _drawn(
    records: Sequence[ScanRecord],
    jobs: Mapping[str, RegisterJob],
    results: ResultFolder,
    template: Template,
    batch: Batch,
) -> list[tuple[ScanRecord, np.ndarray]]:
    readable = [
        record
        for record in records
        if (results.has_mesh(record) if record.has_mesh else record.status != FAILED)
    ]
    tasks = [_task(record, jobs[record.name], results, template) for record in readable]
    answers = batch.run(tasks)
    pictures = {
        answer.number: answer.value
        for answer in progress(answers, "drawing pictures", unit="scans", total=len(tasks))
        if answer.value is not None
    }
    return [(readable[number], pictures[number]) for number in sorted(pictures)]


def _task(
    record: ScanRecord, job: RegisterJob, results: ResultFolder, template: Template
) -> PictureTask:
    if not record.has_mesh:
        return PictureTask(job)
    return PictureTask(
        job,
        results.vertices(record),
        record.matched_vertices(template.vertex_count),
        record.rigid_pose(),
    )


def _pictures(drawn: Sequence[tuple[ScanRecord, np.ndarray]], total: int) -> Part:
    legend = inline_picture(colour_legend(LARGEST_MM, "distance to the scan"))
    rows = [f'<p><img alt="scale of the distance" src="{legend}"></p>']
    for record, pixels in drawn:
        picture = Image.fromarray(np.ascontiguousarray(pixels))
        name, message = html.escape(record.name), html.escape(record.message)
        rows.append(
            f"<p><strong>{name}</strong> · {html.escape(record.status)}: {message}</p>\n"
            f'<figure><img alt="{name}: {message}" width="{picture.width}" '
            f'height="{picture.height}" loading="lazy" '
            f'src="{inline_picture(picture, PICTURE_QUALITY)}"></figure>'
        )
    first = f"The worst {len(drawn)} of {total:,}. " if len(drawn) < total else ""
    text = (
        f"{first}Each row: the scan, the registered mesh, and the mesh coloured by its distance "
        "to the scan, from the front and from the side. Red dots are measured landmarks; grey is "
        "what the scan does not show."
    )
    return Part("pictures", "Pictures, the worst first", "\n".join(rows), text)


def _status_table(counts: Mapping[str, int], records: Sequence[ScanRecord]) -> str:
    body = []
    for status, count in counts.items():
        found = [r.rms_mm for r in records if r.status == status and r.rms_mm is not None]
        median = f"{np.median(found):.2f}" if found else "–"
        meaning = html.escape(MEANING.get(status, ""))
        body.append(
            f"<tr><th>{html.escape(status)}<small>{meaning}</small></th>"
            f'<td class="n">{count:,}</td><td class="n">{median}</td></tr>'
        )
    return (
        '<table><thead><tr><th></th><th class="n">scans</th><th class="n">median RMS, mm</th></tr>'
        f"</thead><tbody>\n{chr(10).join(body)}\n</tbody></table>"
    )


def _all_scans(ordered: Sequence[ScanRecord]) -> Part:
    heads = "".join(
        f'<th class="{"n" if 1 < k < 8 else ""}">{h}</th>' for k, h in enumerate(_HEADS)
    )
    body = "\n".join(_row(record) for record in ordered[:MOST_ROWS])
    table = (
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>\n{body}\n'
        "</tbody></table></div>"
    )
    left = len(ordered) - MOST_ROWS
    text = "Distances in mm, the worst first." + (f" {left:,} more are left out." * (left > 0))
    return Part("scans", "All scans", table, text)


def _row(record: ScanRecord) -> str:
    values = record.shown()
    cells = "".join(f'<td class="n">{_number(name, values[name])}</td>' for name in _NUMBERS)
    told = html.escape("; ".join((record.message, *record.notes)))
    return (
        f"<tr><td>{html.escape(record.name)}</td><td>{html.escape(record.status)}</td>{cells}"
        f'<td class="note">{told}</td></tr>'
    )


def _number(name: str, value: float | int | None) -> str:
    if value is None:
        return "–"
    if name == "coverage":
        return f"{value:.0%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}"
