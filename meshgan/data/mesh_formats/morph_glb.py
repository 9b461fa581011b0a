"""GLB with named morph targets, and animations of their weights: what face rigs are passed on as.

A morph target adds displacements to the mesh; its weight says how much of them. Blender calls them
shape keys, Unity blend shapes. The names are in ``mesh.extras.targetNames``, where Blender and
three.js look for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from meshgan.data.mesh_formats.glb import (
    VERTEX_DATA,
    VERTEX_IDS,
    BufferWriter,
    join_glb,
    read_accessor,
    split_glb,
)
from meshgan.data.mesh_formats.raw import BadMesh
from meshgan.errors import FileFormatError, InputError, MeshGANError, ShapeError
from meshgan.files import atomic_path
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.normals import vertex_normals

MM_PER_METRE = 1000.0  # glTF is in metres
SMALLEST_MOVE_MM = 0.02  # what a sparse target leaves out: a tenth of a pixel of a large picture
SMALLEST_TURN = 4e-3  # the same for normals, radians
SKIN: dict[str, Any] = {
    "name": "skin",
    "doubleSided": True,
    "pbrMetallicRoughness": {
        "baseColorFactor": [0.72, 0.49, 0.39, 1.0],
        "metallicFactor": 0.0,
        "roughnessFactor": 0.55,
    },
}


@dataclass(frozen=True, eq=False)
class MorphAnimation:
    """Weights of all targets over time; linear between the times.

    Args:
        times_s: seconds, ascending from 0 or later.
        weights: one row per time, one column per target, in the order of the targets.
        name: what the animation is called in the file.

    Raises:
        InputError: times that do not ascend, or a value that is not finite.
        ShapeError: not one row per time.
    """

    times_s: Float[np.ndarray, " T"]
    weights: Float[np.ndarray, "T K"]
    name: str = "animation"

    def __post_init__(self) -> None:
        if self.weights.ndim != 2 or len(self.times_s) != len(self.weights):
            raise ShapeError(
                f"animation: {len(self.times_s):,} times and weights "
                f"{tuple(self.weights.shape)}, expected a row for each time"
            )
        if not (np.isfinite(self.times_s).all() and np.isfinite(self.weights).all()):
            raise InputError("animation: a time or a weight is not finite")
        stored = np.asarray(self.times_s, np.float32)
        if len(stored) == 0 or stored[0] < 0 or (np.diff(stored) <= 0).any():
            raise InputError("animation: times must ascend from 0 s or later, each larger")


@dataclass(frozen=True, eq=False)
class MorphMesh:
    """A mesh with its morph targets, as read from a file.

    Args:
        mesh: the mesh at weights 0, mm.
        targets: displacements (V, 3) by name, mm, in the order of the file.
        weights: the weights of the file at rest (K,).
        animation: the first animation of the weights, if there is one.
    """

    mesh: TriMesh
    targets: dict[str, Float[np.ndarray, "V 3"]]
    weights: Float[np.ndarray, " K"]
    animation: MorphAnimation | None = None


def write_morph_glb(
    path: Path | str,
    mesh: TriMesh,
    targets: Mapping[str, Float[np.ndarray, "V 3"]],
    normals: bool = True,
    uv: bool = True,
    sparse: bool = False,
    animation: MorphAnimation | None = None,
    colours: Float[np.ndarray, "V 3"] | None = None,
) -> None:
    """Write a mesh with morph targets, whole or not at all.

    Args:
        path: suffix ``.glb``.
        mesh: the face at rest, mm (metres in the file, as the standard wants).
        targets: displacements by name, mm. Any number; players draw the strongest first if they
            can show only some at a time.
        normals: also normals, and how each target changes them.
        uv: also texture coordinates, where the mesh has them.
        sparse: leave out vertices that a target does not move (less than 0.02 mm): smaller files
            for local targets such as a blink. Some small players do not read it.
        animation: weights over time.
        colours: of each vertex, sRGB, 0 to 1, instead of one colour of skin.

    Raises:
        InputError: another suffix, no targets, a name that is empty, or a displacement that is
            not finite.
        ShapeError: displacements of another number of vertices, or weights of another number of
            targets.
        JobError: the file cannot be written.
    """
    path = Path(path)
    _check(path, mesh, targets, animation)
    rest = np.asarray(mesh.vertices, np.float64)
    moves = [np.asarray(move, np.float64) for move in targets.values()]
    buffer = BufferWriter()
    attributes = {"POSITION": buffer.add(_metres(rest), bounds=True, purpose=VERTEX_DATA)}
    shapes = []
    turns = None
    if normals:
        rest_normals, *moved = _normals(np.stack([rest, *(rest + move for move in moves)]), mesh)
        attributes["NORMAL"] = buffer.add(rest_normals, purpose=VERTEX_DATA)
        turns = [found - rest_normals for found in moved]
    if uv and mesh.uv is not None:
        flipped = np.stack([mesh.uv[:, 0], 1 - mesh.uv[:, 1]], axis=1)  # v runs down in glTF
        attributes["TEXCOORD_0"] = buffer.add(flipped.astype(np.float32), purpose=VERTEX_DATA)
    material = SKIN
    if colours is not None:
        linear = np.clip(colours, 0, 1).astype(np.float32) ** np.float32(2.2)
        attributes["COLOR_0"] = buffer.add(linear, purpose=VERTEX_DATA)
        white = {**SKIN["pbrMetallicRoughness"], "baseColorFactor": [1.0, 1.0, 1.0, 1.0]}
        material = {**SKIN, "pbrMetallicRoughness": white}  # multiplied by the vertices' colours
    for k, move in enumerate(moves):
        shape = {"POSITION": _add_change(buffer, _metres(move), sparse, SMALLEST_MOVE_MM / 1e3)}
        if turns is not None:
            shape["NORMAL"] = _add_change(buffer, turns[k], sparse, SMALLEST_TURN)
        shapes.append(shape)
    ids = np.asarray(mesh.faces).astype(np.uint16 if mesh.vertex_count < 2**16 else np.uint32)
    primitive = {
        "attributes": attributes,
        "indices": buffer.add(ids.ravel(), purpose=VERTEX_IDS),
        "material": 0,
        "targets": shapes,
    }
    document = {
        "asset": {"version": "2.0", "generator": "meshgan"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "face"}],
        "meshes": [
            {
                "name": "face",
                "primitives": [primitive],
                "weights": [0.0] * len(moves),
                "extras": {"targetNames": list(targets)},
            }
        ],
        "materials": [material],
    }
    if animation is not None:
        document["animations"] = [_add_animation(buffer, animation)]
    content = join_glb({**document, **buffer.parts()}, bytes(buffer.body))
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def read_morph_glb(path: Path | str) -> MorphMesh:
    """Read the first mesh that has morph targets, in mm.

    Args:
        path: a ``.glb`` with its arrays inside, its mesh of one part and not moved by its node.

    Raises:
        FileFormatError: missing, damaged, or without morph targets.
    """
    path = Path(path)
    try:
        document, body = split_glb(path.read_bytes())
        return _read(document, body)
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file") from error
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read ({error})") from error
    except (BadMesh, MeshGANError) as error:
        raise FileFormatError(f"{path}: {error}") from error
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FileFormatError(f"{path}: damaged glTF ({error!r})") from error


def _check(
    path: Path,
    mesh: TriMesh,
    targets: Mapping[str, np.ndarray],
    animation: MorphAnimation | None,
) -> None:
    if path.suffix.lower() != ".glb":
        raise InputError(f"{path}: morph targets are written as .glb")
    if not targets or not all(targets):
        raise InputError(f"{path}: no morph targets, or one without a name; give at least one")
    for name, move in targets.items():
        if np.shape(move) != (mesh.vertex_count, 3):
            raise ShapeError(
                f"{path}: target {name!r} has shape {np.shape(move)}, expected "
                f"({mesh.vertex_count}, 3)"
            )
        if not np.isfinite(move).all():
            raise InputError(f"{path}: target {name!r} holds values that are not finite")
    if animation is not None and animation.weights.shape[1] != len(targets):
        raise ShapeError(
            f"{path}: the animation has {animation.weights.shape[1]} weights per time, "
            f"expected one for each of {len(targets)} targets"
        )


def _metres(values: np.ndarray) -> np.ndarray:
    return (values / MM_PER_METRE).astype(np.float32)


def _normals(vertices: Float[np.ndarray, "B V 3"], mesh: TriMesh) -> Float[np.ndarray, "B V 3"]:
    found = vertex_normals(torch.from_numpy(vertices), torch.from_numpy(mesh.faces)).numpy()
    found[np.abs(found).max(axis=2) == 0] = (0, 0, 1)  # glTF knows no vertex without a normal
    return found.astype(np.float32)


def _add_change(buffer: BufferWriter, change: np.ndarray, sparse: bool, smallest: float) -> int:
    if sparse:
        return buffer.add_sparse(change, smallest, bounds=True)
    return buffer.add(change, bounds=True, purpose=VERTEX_DATA)


def _add_animation(buffer: BufferWriter, animation: MorphAnimation) -> dict[str, Any]:
    times = buffer.add(np.asarray(animation.times_s, np.float32), bounds=True)
    weights = buffer.add(np.asarray(animation.weights, np.float32).ravel())
    return {
        "name": animation.name,
        "samplers": [{"input": times, "output": weights, "interpolation": "LINEAR"}],
        "channels": [{"sampler": 0, "target": {"node": 0, "path": "weights"}}],
    }


def _read(document: dict[str, Any], body: bytes) -> MorphMesh:
    number, mesh = next(
        (
            (k, mesh)
            for k, mesh in enumerate(document.get("meshes", ()))
            if any(part.get("targets") for part in mesh["primitives"])
        ),
        (-1, {}),
    )
    if number < 0:
        raise BadMesh("no mesh of it has morph targets")
    if len(mesh["primitives"]) > 1:
        raise BadMesh(f"its mesh has {len(mesh['primitives'])} parts, expected one")
    node = next((node for node in document.get("nodes", ()) if node.get("mesh") == number), {})
    if moved := {"matrix", "translation", "rotation", "scale"} & node.keys():
        raise BadMesh(f"its mesh is placed by a {moved.pop()}; apply it before exporting")
    part = mesh["primitives"][0]

    def array(index: int) -> np.ndarray:
        return read_accessor(document, body, index)

    def millimetres(index: int) -> np.ndarray:
        return array(index).astype(np.float64) * MM_PER_METRE

    uv = None
    if "TEXCOORD_0" in part["attributes"]:
        uv = array(part["attributes"]["TEXCOORD_0"]).astype(np.float64)
        uv = np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1)
    faces = array(part["indices"]).astype(np.int64).reshape(-1, 3)
    count = len(part["targets"])
    names = mesh.get("extras", {}).get("targetNames", [f"target_{k}" for k in range(count)])
    if len(names) != count or len(set(names)) != count:
        raise BadMesh(f"{len(set(names))} different names for {count} targets")
    moves = [millimetres(target["POSITION"]) for target in part["targets"]]
    return MorphMesh(
        TriMesh(millimetres(part["attributes"]["POSITION"]), faces, uv),
        dict(zip(names, moves, strict=True)),
        np.array(mesh.get("weights", [0.0] * count), np.float64),
        _read_animation(document, array, count),
    )


def _read_animation(document: dict[str, Any], array: Any, count: int) -> MorphAnimation | None:
    for animation in document.get("animations", ()):
        for channel in animation["channels"]:
            if channel["target"]["path"] == "weights":
                sampler = animation["samplers"][channel["sampler"]]
                weights = array(sampler["output"]).reshape(-1, count)
                name = animation.get("name", "animation")
                return MorphAnimation(array(sampler["input"]), weights, name)
    return None
