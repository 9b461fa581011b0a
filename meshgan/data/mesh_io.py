"""Mesh files <-> TriMesh in millimetres, with the order of vertices and faces kept.

Order is what makes meshes comparable: vertex 17 must be the same place in every file of a data
set. So nothing is merged, sorted or cleaned on the way in; polygons are split as fans, in place.
The one exception is STL, which has no shared vertices (see ``mesh_formats.stl``).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from meshgan.arrays import Vertices
from meshgan.data.mesh_formats.gltf import read_gltf, write_gltf
from meshgan.data.mesh_formats.obj import read_obj, write_obj
from meshgan.data.mesh_formats.off import read_off, write_off
from meshgan.data.mesh_formats.ply import read_ply, write_ply
from meshgan.data.mesh_formats.raw import BadMesh, RawMesh, smallest_exact
from meshgan.data.mesh_formats.stl import read_stl, write_stl
from meshgan.data.mesh_formats.wrl import read_wrl
from meshgan.data.npz import read_npz, write_npz
from meshgan.errors import FileFormatError, InputError
from meshgan.files import atomic_path
from meshgan.geometry.mesh import TriMesh

Unit = Literal["mm", "cm", "dm", "m", "um", "inch"]

MILLIMETRES: dict[Unit, float] = {
    "mm": 1.0,
    "cm": 10.0,
    "dm": 100.0,
    "m": 1000.0,
    "um": 0.001,
    "inch": 25.4,
}
"""How many millimetres one of each unit is."""

_READERS: dict[str, Callable[[bytes], RawMesh]] = {
    "obj": read_obj,
    "ply": read_ply,
    "stl": read_stl,
    "off": read_off,
    "wrl": read_wrl,
}
_WRITERS: dict[str, Callable[[RawMesh], bytes]] = {
    "obj": write_obj,
    "ply": write_ply,
    "stl": write_stl,
    "off": write_off,
    "gltf": lambda mesh: write_gltf(mesh, binary=False),
    "glb": lambda mesh: write_gltf(mesh, binary=True),
}
FORMATS = (*_WRITERS, "npz")
READABLE_FORMATS = (*FORMATS, "wrl")
_METRES_BY_STANDARD = ("gltf", "glb")
_FACE_HEIGHT_MM = 177.0  # geometric middle of 120 to 260 mm


def read_mesh(path: Path | str, unit: Unit | None = None) -> TriMesh:
    """Read a triangle mesh and convert it to millimetres.

    Args:
        path: an OBJ, PLY, STL, OFF, glTF, GLB, NPZ or WRL (VRML) file; its suffix names the
            format.
        unit: of the file. By default mm, and metres for glTF, whose standard says so.

    Returns:
        The mesh, vertices as float64: whatever the file says, to the last bit. Texture
        coordinates only where each vertex has one.

    Raises:
        FileFormatError: the file is missing, empty, of an unknown format, not what its suffix
            says, cut short, or has no faces, values that are not finite, or faces that name
            vertices which do not exist.
        InputError: ``unit`` is unknown.
    """
    path = Path(path)
    kind = _format_of(path)
    factor = _factor(unit, kind)
    raw = _checked(path, kind, _refuse_nonsense)
    vertices = raw.vertices.astype(np.float64) * factor
    uv = None if raw.uv is None else raw.uv.astype(np.float64)
    return TriMesh(vertices=vertices, faces=raw.faces, uv=uv)


def read_scan(path: Path | str) -> RawMesh:
    """Read a raw scan as it is: in its own unit, with triangles or without, with holes of NaN.

    ``prepare_scan`` and ``register`` take what it gives, clean it and find the unit.

    Args:
        path: as for ``read_mesh``.

    Raises:
        FileFormatError: as for ``read_mesh``, but for missing faces and values that are not
            finite.
    """
    path = Path(path)
    return _checked(path, _format_of(path), _refuse_missing_vertices)


def write_mesh(path: Path | str, mesh: TriMesh, unit: Unit | None = None) -> None:
    """Write a mesh, whole or not at all; reading it back gives the same mesh.

    Args:
        path: suffix obj, ply, stl, off, gltf, glb or npz.
        mesh: in mm. STL and glTF hold float32 only and round; the others are exact. OFF and STL
            hold no texture coordinates.
        unit: of the file. By default mm, and metres for glTF, whose standard says so.

    Raises:
        InputError: the format or the unit is unknown.
        JobError: the file cannot be written.
    """
    path = Path(path)
    kind = path.suffix[1:].lower()
    if kind not in FORMATS:
        raise InputError(f"{path}: cannot write {kind or 'no suffix'!r}; use {', '.join(FORMATS)}")
    factor = _factor(unit, kind)
    vertices = mesh.vertices if factor == 1 else mesh.vertices.astype(np.float64) / factor
    raw = RawMesh(vertices=vertices, faces=mesh.faces, uv=mesh.uv)
    if kind == "npz":
        write_npz(path, _as_arrays(raw))
        return
    content = _WRITERS[kind](raw)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def guess_unit(vertices: Vertices) -> Unit:
    """The unit in which a face or head of this size is most likely given.

    Args:
        vertices: positions (V, 3), y up, unit unknown.

    Returns:
        The unit that brings the height closest to that of a face (120 to 260 mm).

    Raises:
        InputError: the vertices have no extent in y.
    """
    height = float(np.ptp(vertices[:, 1])) if len(vertices) else 0.0
    return unit_of_length(height, _FACE_HEIGHT_MM)


def unit_of_length(length: float, expected_mm: float) -> Unit:
    """The unit that brings ``length`` closest (as a ratio) to ``expected_mm``.

    Raises:
        InputError: ``length`` is not positive and finite.
    """
    if not (np.isfinite(length) and length > 0):
        raise InputError(f"the unit cannot be guessed from a length of {length}")
    return min(MILLIMETRES, key=lambda unit: abs(np.log(length * MILLIMETRES[unit] / expected_mm)))


def _format_of(path: Path) -> str:
    if path.is_dir():
        raise FileFormatError(f"{path}: is a folder, expected a mesh file")
    if not path.exists():
        raise FileFormatError(f"{path}: no such file")
    kind = path.suffix[1:].lower()
    if kind not in READABLE_FORMATS:
        raise FileFormatError(
            f"{path}: unknown mesh format {kind or 'without a suffix'!r}; "
            f"known are {', '.join(READABLE_FORMATS)}"
        )
    return kind


def _factor(unit: str | None, kind: str) -> float:
    if unit is None:
        unit = "m" if kind in _METRES_BY_STANDARD else "mm"
    if unit not in MILLIMETRES:
        raise InputError(f"unit {unit!r} is unknown; use {', '.join(MILLIMETRES)}")
    return MILLIMETRES[unit]


def _read_raw(path: Path, kind: str) -> RawMesh:
    if kind == "npz":
        return _from_arrays(read_npz(path))
    content = path.read_bytes()
    if not content.strip():
        raise BadMesh("the file is empty")
    if kind in _METRES_BY_STANDARD:
        return read_gltf(content, path)
    return _READERS[kind](content)


def _checked(path: Path, kind: str, refuse: Callable[[RawMesh], None]) -> RawMesh:
    """The file's arrays, unless ``refuse`` has a reason not to take them."""
    try:
        raw = _read_raw(path, kind)
        refuse(raw)
    except BadMesh as error:
        raise FileFormatError(f"{path}: {error}") from error
    except (OSError, MemoryError) as error:
        raise FileFormatError(f"{path}: cannot be read ({error})") from error
    return raw


def _refuse_nonsense(raw: RawMesh) -> None:
    _refuse_missing_vertices(raw)
    if len(raw.faces) == 0:
        raise BadMesh("has no faces; a point cloud is not a mesh")
    finite = np.isfinite(raw.vertices).all(axis=1)
    if not finite.all():
        first = int(np.argmin(finite))
        raise BadMesh(f"{int((~finite).sum()):,} vertices are not finite (first: {first:,})")


def _refuse_missing_vertices(raw: RawMesh) -> None:
    count = len(raw.vertices)
    if count == 0:
        raise BadMesh("has no vertices")
    outside = ((raw.faces < 0) | (raw.faces >= count)).any(axis=1)
    if outside.any():
        first = int(np.argmax(outside))
        raise BadMesh(
            f"triangle {first:,} names vertices {raw.faces[first].tolist()}, but there are "
            f"{count:,} (0 to {count - 1:,})"
        )


def _as_arrays(raw: RawMesh) -> dict[str, np.ndarray]:
    arrays = {"vertices": smallest_exact(raw.vertices), "faces": raw.faces}
    return arrays if raw.uv is None else {**arrays, "uv": smallest_exact(raw.uv)}


def _from_arrays(arrays: dict[str, np.ndarray]) -> RawMesh:
    if missing := {"vertices", "faces"} - arrays.keys():
        found = ", ".join(arrays) or "nothing"
        raise BadMesh(f"has no array {' and '.join(sorted(missing))}; it holds {found}")
    vertices, faces, uv = arrays["vertices"], arrays["faces"], arrays.get("uv")
    if vertices.ndim != 2 or vertices.shape[1] != 3 or vertices.dtype.kind != "f":
        raise BadMesh(f"vertices are {vertices.dtype} {vertices.shape}, expected numbers (V, 3)")
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu":
        raise BadMesh(f"faces are {faces.dtype} {faces.shape}, expected whole numbers (F, 3)")
    if uv is not None and (uv.shape != (len(vertices), 2) or uv.dtype.kind != "f"):
        raise BadMesh(f"uv is {uv.dtype} {uv.shape}, expected ({len(vertices)}, 2)")
    return RawMesh(vertices=vertices, faces=faces.astype(np.int64), uv=uv)
