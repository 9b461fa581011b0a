"""STL: loose triangles, so that shared vertices have to be found again."""

import re

import numpy as np

from meshgan.data.mesh_formats.raw import BadMesh, RawMesh, numbers

_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_HEADER_BYTES = 84
_VERTEX_LINE = re.compile(rb"vertex\s+(\S+)\s+(\S+)\s+(\S+)", re.IGNORECASE)


def read_stl(content: bytes) -> RawMesh:
    """Parse binary or text STL.

    STL has no shared vertices: corners at exactly the same place become one vertex, numbered in
    the order in which the triangles first name them.
    """
    if len(content) >= _HEADER_BYTES:
        announced = int.from_bytes(content[80:84], "little")
        if len(content) == _HEADER_BYTES + announced * _TRIANGLE.itemsize:
            triangles = np.frombuffer(content, _TRIANGLE, offset=_HEADER_BYTES)
            return _merged(triangles["corners"].reshape(-1, 3))
    if content.lstrip()[:5].lower() == b"solid" and b"facet" in content.lower():
        return _read_text(content)
    raise BadMesh(
        f"neither text STL nor whole binary STL ({len(content):,} bytes do not fit its count)"
    )


def write_stl(mesh: RawMesh) -> bytes:
    """Binary STL; positions are rounded to float32, which is all the format holds."""
    corners = mesh.vertices.astype(np.float32)[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    triangles = np.zeros(len(corners), _TRIANGLE)
    triangles["normal"] = np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0)
    triangles["corners"] = corners
    header = b"binary STL".ljust(80)
    return header + len(corners).to_bytes(4, "little") + triangles.tobytes()


def _read_text(content: bytes) -> RawMesh:
    if not re.search(rb"endsolid\b[^\n]*\s*$", content, re.IGNORECASE):
        raise BadMesh("cut short: the last line is not endsolid")
    rows = [list(match.groups()) for match in _VERTEX_LINE.finditer(content)]
    if len(rows) % 3:
        raise BadMesh(f"{len(rows):,} corners are not whole triangles")
    return _merged(numbers(rows, "vertex").reshape(-1, 3))


def _merged(corners: np.ndarray) -> RawMesh:
    corners = corners + corners.dtype.type(0)  # -0.0 and 0.0 are the same place
    keys = np.ascontiguousarray(corners).view(np.dtype((np.void, corners.itemsize * 3))).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return RawMesh(
        vertices=corners[first[order]], faces=rank[inverse].reshape(-1, 3).astype(np.int64)
    )
