"""What the sets on FLAME's topology share: landmarks that are given as places in triangles."""

from pathlib import Path

import numpy as np

from meshgan.arrays import Faces
from meshgan.data.importers.array_files import read_npz_arrays, read_pickled_npy
from meshgan.data.importers.safe_pickle import read_pickle
from meshgan.data.landmarks import LandmarkSet
from meshgan.errors import FileFormatError

_FACE_NAMES = ("lmk_face_idx", "static_lmk_faces_idx")
_WEIGHT_NAMES = ("lmk_b_coords", "static_lmk_bary_coords")
_IBUG_INNER, _IBUG_ALL = 51, 68
_SUM_TOLERANCE = 1e-3


def read_embedding(path: Path, faces: Faces) -> LandmarkSet:
    """Landmarks of a FLAME landmark embedding, as published beside the model.

    A pickle, ``.npz`` or ``.npy`` that holds ``lmk_face_idx`` (L,) and ``lmk_b_coords`` (L, 3).
    51 of them are the iBUG points 17 to 67 (no jaw line), called "ibug51"; 68 are "ibug68";
    another number, as of the MediaPipe embedding, is "flameL".

    Raises:
        FileFormatError: missing, damaged, fields absent, or triangles that do not exist.
    """
    fields = _fields(path)
    names = [
        next((name for name in choices if name in fields), choices[0])
        for choices in (_FACE_NAMES, _WEIGHT_NAMES)
    ]
    if missing := [name for name in names if name not in fields]:
        raise FileFormatError(
            f"{path}: holds {', '.join(map(str, fields)) or 'nothing'}, expected "
            f"{' and '.join(missing)}"
        )
    ids, weights = (np.asarray(fields[name]) for name in names)
    if ids.dtype.kind not in "iu" or weights.dtype.kind != "f":
        raise FileFormatError(f"{path}: {names[0]} or {names[1]} are not numbers")
    ids = ids.reshape(-1).astype(np.int64)
    weights = weights.reshape(-1, weights.shape[-1] if weights.ndim else 1).astype(np.float64)
    if weights.shape != (len(ids), 3) or not len(ids):
        raise FileFormatError(
            f"{path}: {names[0]} has {len(ids)} entries, {names[1]} the shape {weights.shape}; "
            "expected (L,) and (L, 3)"
        )
    if ids.min() < 0 or ids.max() >= len(faces):
        raise FileFormatError(
            f"{path}: {names[0]} names triangle {ids.max():,}, but the model has {len(faces):,}"
        )
    sums = weights.sum(axis=1)
    if not np.allclose(sums, 1, atol=_SUM_TOLERANCE):
        raise FileFormatError(f"{path}: weights of {names[1]} do not sum to 1")
    name = {_IBUG_INNER: "ibug51", _IBUG_ALL: "ibug68"}.get(len(ids), f"flame{len(ids)}")
    return LandmarkSet.in_faces(name, ids, weights / sums[:, None], faces)


def _fields(path: Path) -> dict:
    match path.suffix.lower():
        case ".npz":
            return read_npz_arrays(path, (*_FACE_NAMES, *_WEIGHT_NAMES))
        case ".npy":
            content = read_pickled_npy(path)
        case _:
            content = read_pickle(path)
    if not isinstance(content, dict):
        raise FileFormatError(f"{path}: holds no table of landmarks")
    return content
