"""``meshgan data join``: several data sets of one topology as one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from meshgan.apps.data import describe_data
from meshgan.data.rows import UNLABELLED, FaceRows
from meshgan.data.store import Store, StoreWriter
from meshgan.errors import InputError
from meshgan.reporting import progress

ROWS = 256


def join_data(
    parts: Sequence[Path | str],
    out: Path | str,
    fill: Mapping[str, str] | None = None,
    resume: bool = False,
) -> dict[str, Any]:
    """Write the meshes of several DATA folders into a new one, in order.

    People and labels are told apart by their names: equal names are one person, one label. A
    factor that a part does not have is unlabelled there, or ``fill``. Recordings stay apart. Of
    the extras, those that all parts have are kept.

    Args:
        parts: DATA folders, two or more, whose meshes share one topology.
        out: DATA folder to make.
        fill: by factor the label of all meshes of parts that do not have the factor.
        resume: go on with an interrupted join of the same parts.

    Returns:
        As ``describe_data``.

    Raises:
        InputError: fewer than two parts, a part of another topology, or no such label to fill in.
        FileFormatError: a part is no DATA folder, or damaged.
    """
    stores = [Store.open(part) for part in parts]
    if len(stores) < 2:
        raise InputError(f"join: {len(stores)} data sets, expected two or more")
    first = stores[0]
    for store in stores[1:]:
        if store.manifest.topology_hash != first.manifest.topology_hash:
            raise InputError(
                f"{store.path}: topology {store.manifest.topology_hash} of "
                f"{store.vertex_count:,} vertices, but {first.path} has "
                f"{first.manifest.topology_hash} of {first.vertex_count:,}; register it first"
            )
    names: dict[str, list[str]] = {}
    for store in stores:
        for factor, labels in store.factors.items():
            names[factor] = _united(names.get(factor, []), labels)
    for factor, label in (fill or {}).items():
        if label not in names.get(factor, ()):
            known = ", ".join(names.get(factor, [])[:12]) or "no labels, for no part has the factor"
            raise InputError(f"--fill {factor}={label}: the data sets have {known}")
    people: list[str] = []
    for store in stores:
        people = _united(people, store.subjects)
    kept = [name for name in first.manifest.extras if all(_has(s, first, name) for s in stores)]
    provenance = {
        "source": "join",
        "parts": [dict(store.manifest.provenance) for store in stores],
        "content": [store.content_hash for store in stores],
        "fill": dict(fill or {}),
    }
    writer = StoreWriter.create(out, first.template, names, people, provenance, resume=resume)
    with writer:
        skipped, recordings = writer.rows_written, 0
        for store in stores:
            starts = range(min(skipped, store.count), store.count, ROWS)
            for start in progress(starts, f"joining {store.path.name}", unit="batches"):
                rows = store.rows(np.arange(start, min(start + ROWS, store.count)))
                writer.append(_renamed(rows, store, names, people, recordings, kept, fill or {}))
            skipped -= min(skipped, store.count)
            recordings += int(store.sequence.max(initial=-1)) + 1
    return describe_data(out)


def _united(known: Sequence[str], more: Sequence[str]) -> list[str]:
    return [*known, *(name for name in more if name not in set(known))]


def _has(store: Store, first: Store, name: str) -> bool:
    return store.manifest.extras.get(name) == first.manifest.extras[name]


def _renamed(
    rows: FaceRows,
    store: Store,
    names: dict[str, list[str]],
    people: list[str],
    recordings: int,
    kept: Sequence[str],
    fill: Mapping[str, str],
) -> FaceRows:
    """The same rows in the numbers of the joined set."""
    labels = {}
    for factor, united in names.items():
        filled = united.index(fill[factor]) if factor in fill else UNLABELLED
        labels[factor] = np.full(rows.count, filled, dtype=np.int64)
        if factor in store.factors:
            places = np.array([united.index(label) for label in store.factors[factor]])
            given = rows.labels[factor]
            labels[factor] = np.where(given == UNLABELLED, UNLABELLED, places[given])
    whose = np.array([people.index(name) for name in store.subjects])[rows.subject]
    sequence = np.where(rows.sequence < 0, rows.sequence, rows.sequence + recordings)
    extras = {name: rows.extras[name] for name in kept}
    return FaceRows(rows.vertices, labels, whose, sequence, rows.frame, extras)
