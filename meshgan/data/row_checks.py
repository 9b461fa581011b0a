"""What a row must be before a store takes it: all problems of a batch in one message."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from meshgan.data.manifest import Manifest
from meshgan.data.rows import UNLABELLED, FaceRows
from meshgan.errors import InputError, ShapeError


def check_rows(folder: Path, manifest: Manifest, rows: FaceRows, first_row: int) -> None:
    """Refuse rows that do not belong into a data set.

    Args:
        folder: named in messages.
        manifest: what the rows must fit.
        rows: about to be appended.
        first_row: number that the first of them will have; messages count from it.

    Raises:
        ShapeError: another number of vertices than the template.
        InputError: anything else that is wrong, all in one message.
    """
    problems = [
        *_vertex_problems(manifest, rows, first_row),
        *_label_problems(manifest, rows, first_row),
        *_id_problems(manifest, rows, first_row),
        *_extra_problems(manifest, rows, first_row),
    ]
    if problems:
        wrong_count = rows.vertices.shape[1] != manifest.vertex_count
        kind = ShapeError if wrong_count else InputError
        raise kind(f"{folder}: rows refused: " + "; ".join(problems))


def extras_layout(rows: FaceRows) -> dict[str, dict[str, Any]]:
    """Shape of one row and dtype of every extra: what later rows must repeat."""
    return {
        name: {"shape": list(values.shape[1:]), "dtype": values.dtype.str}
        for name, values in rows.extras.items()
    }


def _vertex_problems(manifest: Manifest, rows: FaceRows, first_row: int) -> Iterator[str]:
    if rows.vertices.shape[1] != manifest.vertex_count:
        yield (
            f"{rows.vertices.shape[1]:,} vertices, the template {manifest.template_name} has "
            f"{manifest.vertex_count:,}; register the meshes first"
        )
    bad = np.asarray(~np.isfinite(rows.vertices).all(axis=(1, 2)))
    yield from _count(bad, first_row, "vertices that are not finite")


def _label_problems(manifest: Manifest, rows: FaceRows, first_row: int) -> Iterator[str]:
    for name in sorted(manifest.factors.keys() - rows.labels.keys()):
        yield f"labels of factor {name} are missing (-1 says unlabelled)"
    for name in sorted(rows.labels.keys() - manifest.factors.keys()):
        known = ", ".join(manifest.factors)
        yield f"{name} is not a factor of this data set (it has {known})"
    for name in manifest.factors.keys() & rows.labels.keys():
        values, count = rows.labels[name], len(manifest.factors[name])
        bad = (values < UNLABELLED) | (values >= count)
        what = f"{name} label out of range (-1 to {count - 1:,})"
        yield from _count(bad, first_row, what, values)


def _id_problems(manifest: Manifest, rows: FaceRows, first_row: int) -> Iterator[str]:
    people = len(manifest.subjects)
    outside = (rows.subject < 0) | (rows.subject >= people)
    what = f"subject out of range (0 to {people - 1:,})"
    yield from _count(outside, first_row, what, rows.subject)
    yield from _count(rows.sequence < -1, first_row, "sequence below -1", rows.sequence)
    yield from _count(rows.frame < 0, first_row, "frame below 0", rows.frame)


def _extra_problems(manifest: Manifest, rows: FaceRows, first_row: int) -> Iterator[str]:
    layout = extras_layout(rows)
    for name, values in rows.extras.items():
        if values.dtype.hasobject:
            yield f"extra {name} holds Python objects, expected numbers or text"
    if first_row > 0 and layout != manifest.extras:
        yield f"extras are {layout}, earlier rows have {manifest.extras}"


def _count(
    bad: np.ndarray, first_row: int, what: str, values: np.ndarray | None = None
) -> Iterator[str]:
    if bad.any():
        first = int(np.argmax(bad))
        found = "" if values is None else f", which has {int(values[first])}"
        where = f"first: row {first_row + first:,}{found}"
        yield f"{int(bad.sum()):,} of {len(bad):,} with {what} ({where})"
