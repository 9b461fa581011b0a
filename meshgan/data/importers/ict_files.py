"""The ICT face model's files: the FaceXModel folder of ICT-FaceKit, or the compact NPZ of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from meshgan.arrays import Faces, VertexIds
from meshgan.data.mesh_io import read_mesh
from meshgan.data.npz import read_npz
from meshgan.errors import FileFormatError, InputError
from meshgan.files import read_json
from meshgan.reporting import progress

Area = Literal["narrow", "face", "head"]
AREAS: dict[str, int] = {"narrow": 6706, "face": 9409, "head": 11248}
"""Vertices of each area: the first ones of the model's 26,719; each area contains the last."""

NEUTRAL, INDICES = "generic_neutral_mesh.obj", "vertex_indices.json"
_SUBSET_ARRAYS = (
    "neutral",
    "identity_modes",
    "identity_names",
    "expression_modes",
    "expression_names",
    "faces",
    "landmarks68",
    "units",
)


@dataclass(frozen=True, eq=False)
class ICTModel:
    """One area of the ICT face model, in the unit of its files: cm in the folder, mm in the NPZ.

    Args:
        neutral: (V, 3).
        faces: triangles (F, 3); quads (a, b, c, d) are (a, b, c), (a, c, d).
        identity_modes: displacements (K, V, 3), each of one standard deviation.
        expression_modes: displacements (E, V, 3) at weight 1.
        expression_names: (E,), ARKit's with _L and _R.
        landmarks: (68,), iBUG order.
        regions: vertex lists of the source inside the area.
        mirror: left-right map, if the file has one.
    """

    neutral: Float[np.ndarray, "V 3"]
    faces: Faces
    identity_modes: Float[np.ndarray, "K V 3"]
    expression_modes: Float[np.ndarray, "E V 3"]
    expression_names: tuple[str, ...]
    landmarks: VertexIds
    regions: dict[str, Int[np.ndarray, " _"]]
    mirror: Int[np.ndarray, " V"] | None


def read_ict(root: Path, area: Area, modes: int | None) -> ICTModel:
    """Read a FaceXModel folder (or the folder that holds it), or the compact NPZ file.

    Args:
        root: folder or file.
        area: which part of the face.
        modes: number of identity modes, the first ones; all if None.

    Raises:
        FileFormatError: something is missing or damaged; the message names the file.
        InputError: the files hold no such area or fewer modes.
    """
    if root.is_file():
        return _read_subset(root, area, modes)
    folder = next(
        (place for place in (root, root / "FaceXModel") if (place / NEUTRAL).exists()), None
    )
    if folder is None:
        raise FileFormatError(
            f"{root}: no {NEUTRAL} in it or in its FaceXModel folder; give ICT-FaceKit's "
            "FaceXModel folder, or the compact NPZ file"
        )
    return _read_folder(folder, area, modes)


def _read_folder(folder: Path, area: Area, modes: int | None) -> ICTModel:
    whole = read_mesh(folder / NEUTRAL)
    total = whole.vertex_count
    count = _area_count(folder / NEUTRAL, area, total)
    indices = _indices(folder / INDICES)
    identities = sorted(folder.glob("identity[0-9]*.obj"))
    if not identities:
        raise FileFormatError(f"{folder}: no identity000.obj, identity001.obj, ...")
    identities = identities[: _mode_count(folder, modes, len(identities))]
    names = tuple(indices["expressions"])
    neutral = whole.vertices[:count]
    paths = [*identities, *(folder / f"{name}.obj" for name in names)]
    shapes = [
        _positions(path, total)[:count] - neutral
        for path in progress(paths, "reading the ICT face model", unit="files")
    ]
    landmarks = np.array(indices["idx_to_landmark_verts"], dtype=np.int64)
    _check_landmarks(folder / INDICES, landmarks, count)
    return ICTModel(
        neutral=neutral,
        faces=_inside(whole.faces, count),
        identity_modes=np.stack(shapes[: len(identities)]).astype(np.float32),
        expression_modes=np.stack(shapes[len(identities) :]).astype(np.float32),
        expression_names=names,
        landmarks=landmarks,
        regions={"rigid": _below(indices["idx_to_rigid_verts"], count)},
        mirror=None,
    )


def _read_subset(path: Path, area: Area, modes: int | None) -> ICTModel:
    arrays = read_npz(path)
    if missing := [name for name in _SUBSET_ARRAYS if name not in arrays]:
        raise FileFormatError(
            f"{path}: has no array {', '.join(missing)}; expected the compact ICT face model"
        )
    if str(arrays["units"]) != "mm":
        raise FileFormatError(f"{path}: units are {str(arrays['units'])!r}, expected mm")
    neutral = arrays["neutral"]
    count = _area_count(path, area, len(neutral))
    landmarks = arrays["landmarks68"].astype(np.int64)
    _check_landmarks(path, landmarks, count)
    used = _mode_count(path, modes, len(arrays["identity_modes"]))
    mirror = arrays.get("mirror")
    if mirror is not None:
        mirror = mirror[:count].astype(np.int64)
        mirror = mirror if mirror.max() < count else None
    return ICTModel(
        neutral=neutral[:count].astype(np.float64),
        faces=_inside(arrays["faces"].astype(np.int64), count),
        identity_modes=arrays["identity_modes"][:used, :count],
        expression_modes=arrays["expression_modes"][:, :count],
        expression_names=tuple(str(name) for name in arrays["expression_names"]),
        landmarks=landmarks,
        regions={"rigid": _below(arrays.get("rigid_vertices", np.empty(0)), count)},
        mirror=mirror,
    )


def _area_count(where: Path, area: Area, total: int) -> int:
    if AREAS[area] > total:
        there = ", ".join(name for name, count in AREAS.items() if count <= total) or "none"
        raise InputError(
            f"{where}: has {total:,} vertices, too few for area {area!r} ({AREAS[area]:,}); "
            f"areas that it holds: {there}"
        )
    return AREAS[area]


def _mode_count(where: Path, wanted: int | None, there: int) -> int:
    if wanted is not None and wanted > there:
        raise InputError(f"{where}: has {there} identity modes, {wanted} were asked for")
    return there if wanted is None else wanted


def _indices(path: Path) -> dict[str, Any]:
    values = read_json(path)
    wanted = {
        "expressions": str,
        "idx_to_landmark_verts": int,
        "idx_to_rigid_verts": int,
    }
    for name, kind in wanted.items():
        listed = values.get(name) if isinstance(values, dict) else None
        if not isinstance(listed, list) or not all(type(entry) is kind for entry in listed):
            raise FileFormatError(f"{path}: {name} is not a list of {kind.__name__} values")
    return values


def _check_landmarks(path: Path, ids: np.ndarray, count: int) -> None:
    if len(ids) != 68 or ids.min() < 0 or ids.max() >= count:
        raise FileFormatError(
            f"{path}: {len(ids)} landmarks with ids up to {ids.max(initial=-1):,}, expected 68 "
            f"below {count:,}"
        )


def _inside(faces: Faces, count: int) -> Int[np.ndarray, "inside 3"]:
    return faces[(faces < count).all(axis=1)]


def _below(ids: Any, count: int) -> VertexIds:
    ids = np.asarray(ids, dtype=np.int64)
    return np.sort(ids[ids < count])


def _positions(path: Path, count: int) -> Float[np.ndarray, "V 3"]:
    """The ``v`` lines of an OBJ file; twenty times faster than reading all of it."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file; the model is not complete") from error
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read ({error})") from error
    rows = [line[2:] for line in content.splitlines() if line.startswith(b"v ")]
    try:
        points = np.array(b" ".join(rows).split(), dtype=np.float64)
    except ValueError as error:
        raise FileFormatError(f"{path}: a vertex is not made of numbers ({error})") from error
    if len(rows) != count or points.size != 3 * count:
        raise FileFormatError(
            f"{path}: {len(rows):,} vertices of {points.size / max(1, len(rows)):.3g} numbers, "
            f"expected {count:,} of 3"
        )
    if not np.isfinite(points).all():
        raise FileFormatError(f"{path}: a vertex is not finite")
    return points.reshape(-1, 3)
