"""``meshgan report``: the web page of a RUN: its faces, its numbers, how it was made."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from meshgan.apps.evaluate import REPORTED
from meshgan.apps.evaluate_run import evaluate_run
from meshgan.apps.face_model import FaceModel
from meshgan.apps.prepare import training_part_of
from meshgan.apps.pretrained import run_or_pretrained
from meshgan.apps.report import model_sections, write_report
from meshgan.data.store import Store
from meshgan.evaluation.estimate import FaceCollection
from meshgan.files import read_json
from meshgan.pictures.paint import paint_template
from meshgan.training.run_folder import RunFolder

Curves = dict[str, tuple[list[float], list[float]]]


def report_run(
    run: Path | str | None,
    data: Path | str,
    out: Path | str,
    fresh: Path | str | None = None,
    seed: int = 0,
    pairs: int = 10_000,
    samples: int = 1000,
) -> dict[str, Any]:
    """Score a RUN and show it on one page.

    Args:
        run: folder of a trained model; None for the one that comes with the package.
        data: DATA folder that it was trained on.
        out: folder for ``report.html``, its pictures and ``metrics.json``.
        fresh: DATA folder of real faces that the model never saw; by default the test people of
            ``data``, if the run left them out of its training.
        seed: of every draw.
        pairs: random pairs per diversity.
        samples: faces for specificity and quality.

    Returns:
        ``report`` (path) and ``metrics``, as ``apps.evaluate_run.evaluate_run`` returns them.

    Raises:
        InputError: there is no such run or data set.
        ShapeError: model and data differ in topology.
    """
    run = run_or_pretrained(run)
    metrics = evaluate_run(run, data, REPORTED, seed, pairs, samples, fresh=fresh)
    store = Store.open(data)
    trained_on = training_part_of(run, store)
    source = store.manifest.provenance.get("source", "unknown")
    summary = (
        f"A decoupled model of 3D faces, trained on {trained_on.count:,} faces of "
        f"{len(set(trained_on.subject.tolist())):,} people (source: {source}; template "
        f"{store.template.name}, {store.vertex_count:,} vertices). In every picture a person and "
        "an expression are two separate codes."
    )
    page = write_run_report(run, trained_on, metrics, out, summary, seed)
    return {"report": str(page), "metrics": metrics}


def write_run_report(
    run: Path,
    store: FaceCollection,
    metrics: Mapping[str, Any],
    out: Path | str,
    summary: str,
    seed: int = 0,
) -> Path:
    """Draw a RUN and write its page.

    Args:
        run: folder of a trained model.
        store: its training data, for the nearest real faces.
        metrics: what ``apps.evaluate.evaluate`` returned.
        out: folder for the page, its pictures and the numbers.
        summary: one or two sentences under the title.
        seed: of every draw.
    """
    folder = RunFolder(run)
    model = FaceModel.load(run)
    lines = folder.read_metrics()
    made = dict(read_json(folder.provenance_file))
    if lines:
        made["iterations"] = lines[-1].get("iteration")
    if missing := metrics.get("not_available"):
        made["not measured"] = missing
    paint = paint_template(model.template)
    sections = model_sections(model.model, store, seed, training_curves_of(run), paint)
    return write_report(out, sections, metrics, made, summary=summary)


def training_curves_of(run: Path) -> Curves:
    """Logged numbers over the iterations, as ``chart/line``: terms of one size share a chart."""
    curves: Curves = {}
    for line in RunFolder(run).read_metrics():
        for name, value in line.items():
            if "/" in name and value is not None and not name.endswith("_ratio"):
                xs, ys = curves.setdefault(_chart_of(name), ([], []))
                xs.append(float(line["iteration"]))
                ys.append(float(value))
    return {name: curve for name, curve in curves.items() if len(curve[0]) > 1}


def _chart_of(name: str) -> str:
    phase, _, term = name.partition("/")
    if term == "wasserstein":
        return f"Wasserstein value/{phase}"
    if term in ("penalty", "laplacian", "feature") and phase != "score":
        return f"penalties, weighted/{term}"
    if phase == "score":
        chart = "Laplacian energy (mm\u00b2)" if term == "laplacian" else "diversity (mm)"
        return f"{chart}/{term.removeprefix('diversity_').replace('_', ' ')}"
    return f"label losses, weighted/{term}, {phase}"
