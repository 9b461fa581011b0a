"""``meshgan data align``: a data set brought to one place by generalised Procrustes analysis."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from meshgan import __version__
from meshgan.data.rows import FaceRows
from meshgan.data.store import Store, StoreWriter
from meshgan.errors import InputError
from meshgan.geometry.alignment import procrustes
from meshgan.geometry.generalised_procrustes import CommonAlignment, generalised_procrustes
from meshgan.reporting import progress

EVERYTHING = "vertices"
SCALE = "alignment_scale"
_BATCH = 64


def align_data(
    data: Path | str,
    out: Path | str,
    *,
    over: str = EVERYTHING,
    scale: bool = False,
    robust: bool = False,
    resume: bool = False,
) -> dict[str, Any]:
    """Write a data set anew with all meshes aligned to their own mean, and that to the template.

    Labels, subjects, frames and extras are carried over; with ``scale`` the extra
    ``alignment_scale`` keeps each mesh's factor. Memory use is bounded.

    Args:
        data: DATA folder to read.
        out: DATA folder to make.
        over: what is brought together: "vertices", a landmark set or a region of the template.
        scale: bring all to one size too; by default people keep theirs.
        robust: distrust vertices that lie far from the mean.
        resume: go on with an interrupted run of the same arguments.

    Returns:
        What ``--json`` prints: rounds, distance of the meshes from the mean before and after,
        range of the scales; ``problems`` if the mean had not settled.

    Raises:
        InputError: the template has no such set or region, or ``out`` holds something else.
    """
    store = Store.open(data)
    ids = _chosen_vertices(store, over)
    chunks = _reader(store, ids)
    found = generalised_procrustes(
        chunks, scale=scale, robust=robust, reference=_first(store)[ids], tolerance=1e-3
    )
    reference = store.template.mesh.vertices.astype(np.float64)[ids]
    found = found.then(procrustes(found.mean, reference))
    provenance = {
        "source": "align",
        "aligned": {"over": over, "scale": scale, "robust": robust, "content": store.content_hash},
        "from": dict(store.manifest.provenance),
        "versions": {"meshgan": __version__},
    }
    with StoreWriter.create(
        out,
        store.template,
        store.factors,
        store.subjects,
        provenance,
        resume=resume,
        source_unit=store.manifest.source_unit,
        axis_map=store.manifest.axis_map,
    ) as writer:
        starts = range(writer.rows_written, store.count, _BATCH)
        for start in progress(starts, "aligning meshes", unit="batches"):
            rows = store.rows(np.arange(start, min(start + _BATCH, store.count)))
            writer.append(_moved(rows, found, start, scale))
    settled = f"{data}: the mean still moved by {found.change:.2g} mm after {len(found.rms)} rounds"
    return {
        "data": str(out),
        "meshes": store.count,
        "over": over,
        "points": len(ids),
        "rounds": len(found.rms),
        "rms_before_mm": _spread(chunks),
        "rms_mm": found.rms[-1],
        "scale_range": [float(found.scales.min()), float(found.scales.max())],
        "problems": [] if found.converged else [settled],
    }


def _chosen_vertices(store: Store, over: str) -> np.ndarray:
    template = store.template
    if over == EVERYTHING:
        return np.arange(store.vertex_count)
    known = {**template.landmarks, **template.regions}
    if over not in known:
        raise InputError(
            f"--over {over}: the template {template.name} has no such landmarks or region; it has "
            f"{', '.join((EVERYTHING, *known))}"
        )
    return np.asarray(known[over], dtype=np.int64)


def _first(store: Store) -> np.ndarray:
    if not store.count:
        raise InputError(f"{store.path}: holds no meshes")
    return store.vertices(np.array([0]))[0].astype(np.float64)


def _reader(store: Store, ids: np.ndarray) -> Callable[[], Iterator[np.ndarray]]:
    """Passes over the chosen vertices; few of them are read once and kept."""
    if len(ids) == store.vertex_count:
        return lambda: store.chunks(_BATCH)
    chosen = progress(
        store.chunks(_BATCH), "reading", unit="batches", total=-(-store.count // _BATCH)
    )
    kept = np.concatenate([chunk[:, ids] for chunk in chosen])
    return lambda: (kept[start : start + _BATCH] for start in range(0, len(kept), _BATCH))


def _spread(chunks: Callable[[], Iterator[np.ndarray]]) -> float:
    """Root mean square distance of the points from their mean, as they are."""
    total, squares, count = np.zeros(()), 0.0, 0
    for chunk in chunks():
        values = chunk.astype(np.float64)
        total = total + values.sum(axis=0)
        squares += float((values**2).sum())
        count += len(values)
    mean = total / count
    variance = squares / (count * len(mean)) - float((mean**2).sum(axis=1).mean())
    return float(np.sqrt(max(variance, 0.0)))


def _moved(rows: FaceRows, found: CommonAlignment, start: int, scale: bool) -> FaceRows:
    part = slice(start, start + rows.count)
    turned = rows.vertices @ found.rotations[part].transpose(0, 2, 1)
    vertices = found.scales[part, None, None] * turned + found.translations[part, None]
    extras = dict(rows.extras)
    if scale:
        factors = found.scales[part].astype(np.float32)
        extras[SCALE] = extras.get(SCALE, np.float32(1)) * factors
    return FaceRows(
        vertices.astype(np.float32), rows.labels, rows.subject, rows.sequence, rows.frame, extras
    )
