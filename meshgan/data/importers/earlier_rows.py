"""What a data set holds before an import goes on, or adds to it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from meshgan.data.importers.catalogue import Catalogue
from meshgan.data.manifest import Manifest
from meshgan.data.store import Store

SOURCE = "source"
"""The extra that says of every row which file it came from."""
_CHUNK = 64


@dataclass(frozen=True, eq=False)
class EarlierRows:
    """What is known of the rows that are there.

    Args:
        held: names (as stored) of the faces that this very import wrote before.
        passed: faces that it left out before, and must leave out again.
        seen: digest of a face -> its name, for all rows.
        layout: extras of every row, as in the manifest; None if there are no rows.
    """

    held: frozenset[str] = frozenset()
    passed: frozenset[str] = frozenset()
    seen: Mapping[bytes, str] = field(default_factory=dict)
    layout: Mapping[str, Mapping[str, Any]] | None = None


def recall(
    store: Store, provenance: Mapping[str, Any], listed: Catalogue, in_order: bool
) -> EarlierRows:
    """Learn what a data set holds; its vertices are read once, chunk by chunk.

    Args:
        store: the data set, perhaps unfinished.
        provenance: of the import that goes on.
        listed: what the source lists.
        in_order: True when the import was interrupted and must end as if it had not been: faces
            listed before its last row that have no row were left out, and stay so.
    """
    layout = store.manifest.extras
    names = store.extras(SOURCE).tolist() if SOURCE in layout else []
    names = names or [f"row {row:,}" for row in range(store.count)]
    held = {names[row] for row in _own_rows(store.manifest, provenance).tolist()}
    passed: Sequence[str] = ()
    if in_order:
        order = [item.where for item in listed.items]
        last = max(
            (k for k, name in enumerate(order) if stored_name(name, layout) in held), default=0
        )
        passed = order if store.manifest.complete else order[:last]
    return EarlierRows(frozenset(held), frozenset(passed), _digests(store, names), layout)


def digest_of(vertices: Float[np.ndarray, "V 3"]) -> bytes:
    """16 bytes that name a face: equal positions to the bit, equal digest."""
    return hashlib.blake2b(vertices.tobytes(), digest_size=16).digest()


def stored_name(where: str, layout: Mapping[str, Mapping[str, Any]]) -> str:
    """A face's name in a data set: too long for the space there, it loses its beginning."""
    if SOURCE not in layout:
        return where
    width = np.dtype(layout[SOURCE]["dtype"]).itemsize // 4
    return where[-width:]


def _digests(store: Store, names: Sequence[str]) -> dict[bytes, str]:
    seen: dict[bytes, str] = {}
    for start in range(0, store.count, _CHUNK):
        ids = np.arange(start, min(start + _CHUNK, store.count))
        for row, vertices in zip(ids.tolist(), store.vertices(ids), strict=True):
            seen.setdefault(digest_of(vertices), names[row])
    return seen


def _own_rows(manifest: Manifest, provenance: Mapping[str, Any]) -> Int[np.ndarray, " r"]:
    """Rows whose provenance is the same import's."""
    starts = [0, *(entry["first_row"] for entry in manifest.appended), manifest.row_count]
    origins = [manifest.provenance, *(entry["provenance"] for entry in manifest.appended)]
    ranges = [
        np.arange(start, end)
        for start, end, origin in zip(starts[:-1], starts[1:], origins, strict=True)
        if origin == provenance
    ]
    return np.concatenate([np.empty(0, dtype=np.int64), *ranges])
