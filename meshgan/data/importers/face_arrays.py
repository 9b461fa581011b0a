"""A whole data set in one NPZ file: ``vertices``, ``faces`` and an array per label."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from meshgan.arrays import Faces
from meshgan.data.importers.base import SourceItem
from meshgan.data.importers.face_table import SPLITS
from meshgan.data.importers.labels import common_expression
from meshgan.data.npz import read_npz
from meshgan.errors import FileFormatError

_SHARED = ("vertices", "faces", "uv")


@dataclass(frozen=True, eq=False)
class FaceArrays:
    """Contents of such a file.

    Args:
        vertices: (N, V, 3).
        faces: (F, 3).
        items: one per mesh.
        extras: further arrays with a row per mesh.
        split: subject -> part, if there is such an array.
    """

    vertices: Float[np.ndarray, "N V 3"]
    faces: Faces
    items: tuple[SourceItem, ...]
    extras: Mapping[str, np.ndarray]
    split: Mapping[str, str]


def read_face_arrays(path: Path) -> FaceArrays:
    """Read a data set from one file.

    ``vertices`` (N, V, 3) and ``faces`` (F, 3) are needed, and ``subject`` (N,) as names or
    numbers. ``sequence``, ``frame`` and ``split`` (N,) have their meaning. Every other array (N,)
    of texts, or of whole numbers with an array ``NAME_names`` beside it, is a factor; an empty
    text or -1 is unlabelled. Other arrays with N rows are kept as extras.

    Raises:
        FileFormatError: the file is damaged, an array is missing or does not fit; all problems
            in one message.
    """
    arrays = read_npz(path)
    if problems := list(_problems(arrays)):
        raise FileFormatError(f"{path}: " + "; ".join(problems))
    vertices = arrays["vertices"]
    vertices = vertices if vertices.dtype.kind == "f" else vertices.astype(np.float64)
    count = len(vertices)
    per_face = {
        name: values
        for name, values in arrays.items()
        if name not in _SHARED and values.shape[:1] == (count,) and not name.endswith("_names")
    }
    subject = _words(per_face.pop("subject"), arrays.get("subject_names"))
    sequence = _words(per_face.pop("sequence", np.full(count, "")), arrays.get("sequence_names"))
    frame = per_face.pop("frame", np.zeros(count, dtype=np.int64))
    parts = _words(per_face.pop("split", np.full(count, "")), arrays.get("split_names"))
    factors = {
        name: _words(values, arrays.get(f"{name}_names"))
        for name, values in per_face.items()
        if values.ndim == 1 and (values.dtype.kind == "U" or f"{name}_names" in arrays)
    }
    items = tuple(
        SourceItem(
            where=f"{path.name}#{row}",
            subject=subject[row],
            labels={
                name: (common_expression("folder", words[row]) or words[row])
                if name == "expression"
                else words[row]
                for name, words in factors.items()
                if words[row]
            },
            sequence=sequence[row],
            frame=int(frame[row]),
        )
        for row in range(count)
    )
    return FaceArrays(
        vertices=vertices,
        faces=arrays["faces"].astype(np.int64),
        items=items,
        extras={name: values for name, values in per_face.items() if name not in factors},
        split={who: SPLITS[part.lower()] for who, part in zip(subject, parts, strict=True) if part},
    )


def _problems(arrays: Mapping[str, np.ndarray]) -> Iterator[str]:
    if missing := [name for name in ("vertices", "faces", "subject") if name not in arrays]:
        yield f"has no array {', '.join(missing)} (it has {', '.join(arrays) or 'none'})"
        return
    vertices, faces = arrays["vertices"], arrays["faces"]
    if vertices.ndim != 3 or vertices.shape[2] != 3 or vertices.dtype.kind not in "fiu":
        yield f"vertices are {vertices.dtype} {vertices.shape}, expected numbers (N, V, 3)"
        return
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu":
        yield f"faces are {faces.dtype} {faces.shape}, expected whole numbers (F, 3)"
    elif len(faces) and (faces.min() < 0 or faces.max() >= vertices.shape[1]):
        yield f"faces name vertex {int(faces.max()):,} of {vertices.shape[1]:,}"
    for name in ("subject", "sequence", "frame", "split"):
        if name in arrays and arrays[name].shape != (len(vertices),):
            yield f"{name} has shape {arrays[name].shape}, expected ({len(vertices)},)"
        elif name == "frame" and name in arrays and arrays[name].dtype.kind not in "iu":
            yield f"frame is {arrays[name].dtype}, expected whole numbers"
    if "split" in arrays and arrays["split"].ndim == 1:
        parts = set(_words(arrays["split"], arrays.get("split_names")))
        if wrong := sorted(part for part in parts if part and part.lower() not in SPLITS):
            yield f"split holds {', '.join(wrong)}, expected train, validation or test"


def _words(values: np.ndarray, names: np.ndarray | None) -> list[str]:
    """Labels as texts: numbers through their names, -1 as nothing."""
    if values.dtype.kind == "U":
        return [str(value).strip() for value in values]
    known = {} if names is None else {k: str(name) for k, name in enumerate(names.tolist())}
    return ["" if value == -1 else known.get(value, str(value)) for value in values.tolist()]
