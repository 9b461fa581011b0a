"""``meshgan data``: make a DATA folder, say what is in one, check it, fix its split."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from meshgan import __version__
from meshgan.data.splits import Split, read_split, rows_of, split_subjects, write_split
from meshgan.data.store import Store, StoreWriter
from meshgan.data.validation import label_coverage, validate
from meshgan.errors import InputError
from meshgan.reporting import progress

SOURCES = ("anny",)
_BATCH = 64


def build_data(
    out: Path | str,
    count: int,
    *,
    source: str = "anny",
    subjects: int | None = None,
    factors: Sequence[str] = ("identity", "expression"),
    labelled: float = 0.07,
    resolution: str = "low",
    seed: int = 0,
    resume: bool = False,
) -> dict[str, Any]:
    """Make registered, labelled faces from a parametric source.

    Every face depends on the arguments alone, so a build that was interrupted goes on where it
    stopped and ends in the same files.

    Args:
        out: DATA folder to make.
        count: meshes.
        source: ``anny``, the default faces.
        subjects: people; as the plan thinks fit if None.
        factors: identity and expression, and viseme for speech.
        labelled: share of the meshes that gets an expression label.
        resolution: low (about 5,000 vertices) or paper (about 20,000).
        seed: of people and what they do.
        resume: go on with an interrupted build of the same arguments.

    Returns:
        As ``describe_data``, with ``made``, the meshes that were made this time.

    Raises:
        InputError: an argument is out of range, or ``out`` holds something else.
        JobError: the disk is full; what was written stays, and ``resume`` goes on from there.
    """
    from meshgan.data.synthetic import open_source, plan_dataset

    if source not in SOURCES:
        raise InputError(f"source {source!r} is unknown; use {', '.join(SOURCES)}")
    plan = plan_dataset(count, subjects=subjects, factors=factors, labelled=labelled)
    faces = open_source(resolution)
    provenance = {
        "source": source,
        "resolution": resolution,
        "seed": seed,
        "plan": {
            "count": plan.count,
            "subjects": len(plan.subject_names),
            "factors": list(plan.label_names),
            "labelled": labelled,
        },
        "versions": {"meshgan": __version__, source: version(source)},
    }
    with StoreWriter.create(
        out,
        faces.template,
        plan.label_names,
        plan.subject_names,
        provenance,
        resume=resume,
        source_unit="dm",
        axis_map="x y z",
    ) as writer:
        start = writer.rows_written
        batches = -(-(plan.count - start) // _BATCH)
        stream = faces.stream(plan, seed, start=start, batch_size=_BATCH)
        for rows in progress(stream, "making faces", unit="batches", total=batches):
            writer.append(rows)
    return {**describe_data(out), "made": plan.count - start}


def describe_data(path: Path | str) -> dict[str, Any]:
    """What a DATA folder holds, from its manifest and labels; the vertices are not read.

    Returns:
        What ``--json`` prints: counts, factors with their label coverage, units, where the
        meshes come from, ``problems`` (an unfinished build).

    Raises:
        FileFormatError: ``path`` is no DATA folder.
    """
    store = Store.open(path, partial=True)
    manifest = store.manifest
    unfinished = f"{path}: the build stopped after {store.count:,} meshes; go on with --resume"
    return {
        "data": str(path),
        "meshes": store.count,
        "vertices": store.vertex_count,
        "faces": store.template.mesh.face_count,
        "template": manifest.template_name,
        "topology": manifest.topology_hash,
        "subjects": len(store.subjects),
        "labels": label_coverage(store),
        "unit": manifest.unit,
        "source_unit": manifest.source_unit,
        "axis_map": manifest.axis_map,
        "provenance": manifest.provenance,
        "appends": len(manifest.appended),
        "shards": len(manifest.shards),
        "megabytes": round(store.count * store.vertex_count * 12 / 1e6, 1),
        "split": _split_summary(store, read_split(store.path, store.subjects)),
        "problems": [] if manifest.complete else [unfinished],
    }


def validate_data(path: Path | str) -> dict[str, Any]:
    """Check a DATA folder to the last bit.

    Returns:
        What ``--json`` prints: ``ok``, ``problems`` and ``warnings``, each naming its file.
    """
    findings = validate(path)
    return {
        "ok": findings.ok,
        "data": str(path),
        "problems": findings.problems,
        "warnings": findings.warnings,
    }


def split_data(
    path: Path | str, validation: float = 0.1, test: float = 0.1, seed: int = 0
) -> dict[str, Any]:
    """Fix which people train and which are held out; an earlier choice is replaced.

    Returns:
        What ``--json`` prints: per part its subjects and meshes; ``problems``.

    Raises:
        InputError: the shares are out of range, or ``path`` is no finished DATA folder.
    """
    store = Store.open(path)
    split = split_subjects(store.subjects, validation, test, seed)
    write_split(store.path, split)
    empty = [f"{path}: nobody is left for {name}" for name, people in split.items() if not people]
    return {"data": str(path), "split": _split_summary(store, split), "problems": empty}


def _split_summary(store: Store, split: dict[Split, tuple[str, ...]] | None) -> dict[str, Any]:
    stored = split is not None
    parts = split or split_subjects(store.subjects)
    summary: dict[str, Any] = {
        name: {
            "subjects": len(people),
            "meshes": len(rows_of(store.subject, store.subjects, people)),
        }
        for name, people in parts.items()
    }
    return {**summary, "stored": stored}
