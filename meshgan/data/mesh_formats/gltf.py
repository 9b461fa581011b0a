"""glTF 2.0, text (.gltf) and binary (.glb), through trimesh."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from meshgan.data.mesh_formats.glb import GLB_MAGIC, read_document, split_glb
from meshgan.data.mesh_formats.raw import BadMesh, RawMesh


def read_gltf(content: bytes, path: Path) -> RawMesh:
    """Read all triangle meshes of the scene, placed by its nodes, one after the other.

    Vertex order is that of the file's accessors. Buffers named by a ``.gltf`` file are looked up
    beside it.
    """
    _refuse_impossible_counts(_document(content), path)
    kind = "glb" if content[:4] == GLB_MAGIC else "gltf"
    resolver = trimesh.resolvers.FilePathResolver(path)
    try:
        scene = trimesh.load_scene(
            io.BytesIO(content), file_type=kind, resolver=resolver, process=False
        )
        meshes = _placed_meshes(scene)
    except Exception as error:  # trimesh raises whatever its parsers run into
        raise BadMesh(f"trimesh cannot read it ({error or type(error).__name__})") from error
    if not meshes:
        raise BadMesh("holds no triangle mesh")
    sizes = [len(mesh.vertices) for mesh in meshes]
    offsets = np.cumsum([0, *sizes[:-1]])
    uvs = [getattr(mesh.visual, "uv", None) for mesh in meshes]
    complete = all(uv is not None and len(uv) == size for uv, size in zip(uvs, sizes, strict=True))
    return RawMesh(
        vertices=np.concatenate([np.asarray(mesh.vertices, np.float64) for mesh in meshes]),
        faces=np.concatenate(
            [
                np.asarray(mesh.faces, np.int64) + offset
                for mesh, offset in zip(meshes, offsets, strict=True)
            ]
        ),
        uv=np.concatenate([np.asarray(uv, np.float64) for uv in uvs]) if complete else None,
    )


def write_gltf(mesh: RawMesh, binary: bool) -> bytes:
    """One file, buffers inside; positions are float32, which is all the format holds."""
    visual = None if mesh.uv is None else trimesh.visual.TextureVisuals(uv=mesh.uv)
    shown = trimesh.Trimesh(mesh.vertices, mesh.faces, visual=visual, process=False)
    if binary:
        return trimesh.exchange.gltf.export_glb(shown, include_normals=False)
    files = trimesh.exchange.gltf.export_gltf(
        trimesh.Scene(shown), include_normals=False, embed_buffers=True
    )
    return files["model.gltf"]


def _placed_meshes(scene: trimesh.Scene) -> list[trimesh.Trimesh]:
    """In the order of the file; ``scene.dump`` has an order of its own."""
    placed = []
    for name, mesh in scene.geometry.items():
        if isinstance(mesh, trimesh.Trimesh):
            for node in sorted(scene.graph.geometry_nodes[name]):
                placed.append(mesh.copy().apply_transform(scene.graph.get(node)[0]))
    return placed


def _document(content: bytes) -> dict[str, Any]:
    return split_glb(content)[0] if content[:4] == GLB_MAGIC else read_document(content)


def _refuse_impossible_counts(document: dict[str, Any], path: Path) -> None:
    """An accessor cannot have more entries than there are bytes, here and beside the file."""
    available = (
        sum(_count(buffer, "byteLength") for buffer in document.get("buffers", ()))
        if path.suffix.lower() == ".gltf"
        else path.stat().st_size
    )
    limit = min(available, 2**36)
    for accessor in document.get("accessors", ()):
        if _count(accessor, "count") > limit:
            raise BadMesh(f"an accessor announces {accessor['count']:,} entries in {limit:,} bytes")


def _count(entry: Any, key: str) -> int:
    value = entry.get(key, 0) if isinstance(entry, dict) else 0
    return value if isinstance(value, int) else 0
