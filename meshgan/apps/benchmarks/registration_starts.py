"""How often a registration without landmarks ends where one from true landmarks does."""

import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from meshgan.apps.benchmarks.register_faces import FacesToScan
from meshgan.apps.benchmarks.registration_cases import Case, make_case
from meshgan.arrays import Vertices
from meshgan.registration.prior import default_prior
from meshgan.registration.register import Registrar, Registration
from meshgan.registration.scan import prepare_scan
from meshgan.registration.start import find_start

log = logging.getLogger(__name__)

NEAR_MM = 2.0  # both results are the same


def measure_starts(
    sources: Sequence[FacesToScan],
    count: int,
    journal: Path | None = None,
    faces: int | None = None,
) -> dict[str, Any]:
    """Register ``count`` cases with and without landmarks and compare vertex by vertex.

    Args:
        sources: whose faces are scanned, each to its own template.
        count: cases, see ``make_case``.
        journal: a line of JSON per case; those it has are not done again.
        faces: triangles of the scans (tests).

    Returns:
        How many are within ``NEAR_MM`` of the result that started from landmarks (``near``; kinds
        and sources: near, all) and of the one that they hold (``near_guided``), what the others
        are, medians.
    """
    registrars = {source.name: Registrar(source.template) for source in sources}
    rows = {row["case"]: row for row in _known(journal)}
    for number in range(count):
        if number in rows:
            continue
        case = make_case(number, sources, faces)
        row = {"case": number, **compare_starts(case, registrars[case.source.name])}
        rows[number] = row
        log.info("case %d: %s", number, json.dumps(row))
        if journal is not None:
            with journal.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
    return summarise([rows[number] for number in range(count)])


def compare_starts(case: Case, registrar: Registrar) -> dict[str, Any]:
    """The result without landmarks beside two that true landmarks help.

    Returns:
        ``apart_mm``: mean distance from the result whose start came from the landmarks, where both
        lie on the scan; ``apart_guided_mm``: from the one that landmarks hold to the end;
        ``error_mm``, ``error_started_mm``, ``error_guided_mm``: of the three, from the truth, where
        each lies on the scan; None where there is no mesh. ``seconds`` without landmarks.
    """
    began = time.perf_counter()
    scan = prepare_scan(case.scan)
    found = registrar.register(scan)
    seconds = time.perf_counter() - began
    started = registrar.register_from(find_start(scan, default_prior(), case.landmarks.points))
    guided = registrar.register(scan, case.landmarks)
    return {
        "kind": case.kind,
        "faces": case.source.name,
        "status": found.status,
        "started": started.status,
        "guided": guided.status,
        "apart_mm": _apart(found, started.vertices, started.matched),
        "apart_guided_mm": _apart(found, guided.vertices, guided.matched),
        "error_mm": _apart(found, case.vertices, found.matched),
        "error_started_mm": _apart(started, case.vertices, started.matched),
        "error_guided_mm": _apart(guided, case.vertices, guided.matched),
        "seconds": round(seconds, 2),
    }


def _apart(found: Registration, vertices: Vertices, where: np.ndarray) -> float | None:
    both = found.matched & where
    if not both.any():
        return None
    return round(float(np.linalg.norm(found.vertices - vertices, axis=1)[both].mean()), 3)


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Counts over the rows of ``compare_starts``."""
    near = [_near(row, "apart_mm") for row in rows]

    def counted(key: str) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for row, good in zip(rows, near, strict=True):
            counts = found.setdefault(row[key], [0, 0])
            counts[0] += good
            counts[1] += 1
        return found

    def median(key: str) -> float | None:
        known = [row[key] for row in rows if row[key] is not None]
        return round(float(np.median(known)), 3) if known else None

    return {
        "cases": len(rows),
        "near_mm": NEAR_MM,
        "near": sum(near),
        "near_guided": sum(_near(row, "apart_guided_mm") for row in rows),
        "by_kind": counted("kind"),
        "by_faces": counted("faces"),
        **{f"{key}_median": median(key) for key in rows[0] if key.endswith("_mm")},
        "others": [row for row, good in zip(rows, near, strict=True) if not good],
        "seconds_each": median("seconds"),
    }


def _near(row: dict[str, Any], key: str) -> bool:
    return row[key] is not None and row[key] <= NEAR_MM


def _known(journal: Path | None) -> list[dict[str, Any]]:
    """Whole lines; one that was cut short does not count."""
    if journal is None or not journal.exists():
        return []
    text = journal.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        journal.write_text(whole, encoding="utf-8")
    return [json.loads(line) for line in whole.splitlines()]
