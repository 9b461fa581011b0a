"""OFF: a header, one line per vertex, one line per polygon."""

import numpy as np

from meshgan.data.mesh_formats.raw import (
    BadMesh,
    RawMesh,
    exact_text,
    integers,
    numbers,
    split_polygons,
)


def read_off(content: bytes) -> RawMesh:
    """Parse OFF text; colours and normals behind the coordinates are passed over."""
    rows = [line.split(b"#")[0].split() for line in content.splitlines()]
    rows = [row for row in rows if row]
    if not rows or not rows[0][0].upper().endswith(b"OFF") or len(rows[0][0]) > 4:
        raise BadMesh("does not begin with OFF")
    if b"BINARY" in (word.upper() for word in rows[0]):
        raise BadMesh("binary OFF is not supported; save it as text or PLY")
    head = rows.pop(0)[1:] or (rows.pop(0) if rows else [])
    if len(head) < 2:
        raise BadMesh("has no line with the numbers of vertices and faces")
    vertex_count, face_count = integers(head[:2], "count").tolist()
    if vertex_count < 0 or face_count < 0 or vertex_count + face_count > len(rows):
        raise BadMesh(
            f"announces {vertex_count:,} vertices and {face_count:,} faces, "
            f"but holds {len(rows):,} lines"
        )
    vertices = numbers([row[:3] for row in rows[:vertex_count]], "vertex")
    polygons = rows[vertex_count : vertex_count + face_count]
    counts = integers([row[0] for row in polygons], "number of corners")
    corners = []
    for number, (row, count) in enumerate(zip(polygons, counts.tolist(), strict=True)):
        if not 0 <= count < len(row):
            raise BadMesh(f"face {number:,} announces {count:,} corners but has {len(row) - 1}")
        corners += row[1 : count + 1]
    return RawMesh(
        vertices=vertices if vertices.size else np.empty((0, 3)),
        faces=split_polygons(counts, integers(corners, "vertex id")),
    )


def write_off(mesh: RawMesh) -> bytes:
    """OFF text of a mesh; numbers read back to the same bits."""
    head = ["OFF", f"{len(mesh.vertices)} {len(mesh.faces)} 0"]
    faces = [f"3 {a} {b} {c}" for a, b, c in mesh.faces.tolist()]
    return "\n".join([*head, *exact_text(mesh.vertices), *faces, ""]).encode()
