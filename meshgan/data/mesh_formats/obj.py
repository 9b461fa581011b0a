"""Wavefront OBJ: positions and faces, in the file's order."""

import numpy as np

from meshgan.data.mesh_formats.raw import (
    BadMesh,
    RawMesh,
    exact_text,
    integers,
    numbers,
    split_polygons,
)


def read_obj(content: bytes) -> RawMesh:
    """Parse OBJ text: ``v``, ``vt`` and ``f`` lines; all else (materials, groups) is passed over.

    Every ``v`` line is one vertex, in order, used or not. Texture coordinates are kept where each
    vertex has one; along UV seams a vertex has several, and they are dropped, for doubling the
    vertex would break its correspondence.
    """
    positions: list[list[bytes]] = []
    textures: list[list[bytes]] = []
    counts: list[int] = []
    corners: list[bytes] = []
    seen_before: list[int] = []  # vertices above each face, for ids that count backwards
    for line in content.replace(b"\\\r\n", b" ").replace(b"\\\n", b" ").splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] == b"v":
            positions.append(words[1:4])
        elif words[0] == b"vt":
            textures.append([*words[1:3], b"0"][:2])
        elif words[0] == b"f":
            tokens = _without_comment(words[1:])
            counts.append(len(tokens))
            corners += tokens
            seen_before.append(len(positions))
    vertices = numbers([row + [b""] * (3 - len(row)) for row in positions], "vertex")
    polygon_sizes = np.array(counts, dtype=np.int64)
    fields = [corner.split(b"/") for corner in corners]
    before = np.repeat(np.array(seen_before, dtype=np.int64), polygon_sizes)
    ids = _from_zero(integers([field[0] for field in fields], "vertex id"), before)
    return RawMesh(
        vertices=vertices.reshape(-1, 3),
        faces=split_polygons(polygon_sizes, ids),
        uv=_one_uv_per_vertex(len(positions), ids, fields, textures),
    )


def write_obj(mesh: RawMesh) -> bytes:
    """OBJ text of a mesh; numbers read back to the same bits."""
    lines = [f"v {row}" for row in exact_text(mesh.vertices)]
    if mesh.uv is not None:
        lines += [f"vt {row}" for row in exact_text(mesh.uv)]
    corner = "{0}/{0}" if mesh.uv is not None else "{0}"
    lines += [
        "f " + " ".join(corner.format(vertex) for vertex in face)
        for face in (mesh.faces + 1).tolist()
    ]
    return "\n".join([*lines, ""]).encode()


def _without_comment(tokens: list[bytes]) -> list[bytes]:
    for place, token in enumerate(tokens):
        if token.startswith(b"#"):
            return tokens[:place]
    return tokens


def _from_zero(ids: np.ndarray, before: np.ndarray) -> np.ndarray:
    """OBJ counts from 1, and -1 is the latest vertex so far."""
    if (ids == 0).any():
        raise BadMesh("a face names vertex 0, but OBJ counts from 1")
    return np.where(ids > 0, ids - 1, before + ids)


def _one_uv_per_vertex(
    vertex_count: int, ids: np.ndarray, fields: list[list[bytes]], textures: list[list[bytes]]
) -> np.ndarray | None:
    if not textures or not all(len(field) > 1 and field[1] for field in fields):
        return None
    if not len(ids) or ids.min() < 0 or ids.max() >= vertex_count:
        return None  # the vertex ids are wrong anyway; read_mesh says so
    places = integers([field[1] for field in fields], "texture id")
    places = np.where(places > 0, places - 1, len(textures) + places)
    if places.min() < 0 or places.max() >= len(textures):
        raise BadMesh(f"a face names texture coordinate {places.max() + 1:,} of {len(textures):,}")
    table = numbers(textures, "texture coordinate")
    if len(table) == vertex_count and np.array_equal(places, ids):
        return table
    coordinates = table[places]
    uv = np.zeros((vertex_count, 2))
    uv[ids] = coordinates
    return uv if np.array_equal(uv[ids], coordinates) else None
