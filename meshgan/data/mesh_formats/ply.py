"""PLY, text and binary of both byte orders: vertex positions, UVs and polygons."""

import numpy as np

from meshgan.data.mesh_formats.ply_body import Element, Property, read_binary, read_text
from meshgan.data.mesh_formats.raw import BadMesh, RawMesh, smallest_exact, split_polygons

_TYPES = {
    "char": "i1",
    "uchar": "u1",
    "short": "i2",
    "ushort": "u2",
    "int": "i4",
    "uint": "u4",
    "float": "f4",
    "double": "f8",
    "int8": "i1",
    "uint8": "u1",
    "int16": "i2",
    "uint16": "u2",
    "int32": "i4",
    "uint32": "u4",
    "int64": "i8",
    "uint64": "u8",
    "float32": "f4",
    "float64": "f8",
}
_UV_NAMES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))
_LARGEST_HEADER = 2**20


def read_ply(content: bytes) -> RawMesh:
    """Parse a PLY file.

    The header's counts are compared with the bytes that follow before any memory is taken.
    """
    encoding, elements, body = _read_header(content)
    rest = memoryview(content)[body:]
    _refuse_impossible_counts(elements, len(rest), text=encoding == "ascii")
    columns = (
        read_text(rest, elements)
        if encoding == "ascii"
        else read_binary(rest, elements, ">" if "big" in encoding else "<")
    )
    if "vertex" not in columns or not set("xyz") <= columns["vertex"].keys():
        raise BadMesh("has no vertices with x, y and z")
    vertex = columns["vertex"]
    uv = next((pair for pair in _UV_NAMES if set(pair) <= vertex.keys()), None)
    return RawMesh(
        vertices=np.stack([_real(vertex[axis]) for axis in "xyz"], axis=1),
        faces=_faces(columns.get("face", {})),
        uv=None if uv is None else np.stack([_real(vertex[axis]) for axis in uv], axis=1),
    )


def write_ply(mesh: RawMesh) -> bytes:
    """Binary little-endian PLY: float positions if that is exact, else double."""
    positions = smallest_exact(mesh.vertices)
    kind = {4: "float", 8: "double"}
    columns = [(axis, positions[:, number]) for number, axis in enumerate("xyz")]
    if mesh.uv is not None:
        uv = smallest_exact(mesh.uv)
        columns += [("s", uv[:, 0]), ("t", uv[:, 1])]
    vertex = np.empty(
        len(positions), [(name, values.dtype.newbyteorder("<")) for name, values in columns]
    )
    for name, values in columns:
        vertex[name] = values
    face = np.empty(len(mesh.faces), [("count", "u1"), ("corners", "<i4", 3)])
    face["count"], face["corners"] = 3, mesh.faces
    header = [
        "ply",
        "format binary_little_endian 1.0",
        f"element vertex {len(vertex)}",
        *(f"property {kind[values.dtype.itemsize]} {name}" for name, values in columns),
        f"element face {len(face)}",
        "property list uchar int vertex_indices",
        "end_header\n",
    ]
    return "\n".join(header).encode() + vertex.tobytes() + face.tobytes()


def _read_header(content: bytes) -> tuple[str, list[Element], int]:
    if content[:3] != b"ply":
        raise BadMesh("does not begin with ply")
    end = content.find(b"end_header", 0, _LARGEST_HEADER)
    newline = content.find(b"\n", end)
    if end < 0 or newline < 0:
        raise BadMesh("the header has no end_header")
    encoding, elements = "", []
    for line in content[:end].decode("latin-1").splitlines()[1:]:
        words = line.split()
        match words:
            case [] | ["comment", *_] | ["obj_info", *_]:
                continue
            case ["format", "ascii" | "binary_little_endian" | "binary_big_endian" as found, _]:
                encoding = found
            case ["element", name, count] if count.isdigit():
                elements.append(Element(name, int(count)))
            case ["property", "list", size, kind, name] if elements and {size, kind} <= {*_TYPES}:
                elements[-1].properties.append(Property(name, _TYPES[kind], _TYPES[size]))
            case ["property", kind, name] if elements and kind in _TYPES:
                elements[-1].properties.append(Property(name, _TYPES[kind]))
            case _:
                raise BadMesh(f"cannot understand the header line {line[:80]!r}")
    if not encoding:
        raise BadMesh("the header names no known format")
    return encoding, elements, newline + 1


def _refuse_impossible_counts(elements: list[Element], size: int, text: bool) -> None:
    for element in elements:
        least = sum(
            2 if text else int((column.count_type or column.type)[1:])
            for column in element.properties
        )
        if element.count * max(least, 1) > size + 1:
            raise BadMesh(
                f"the header announces {element.count:,} of {element.name}, "
                f"but only {size:,} bytes follow"
            )


def _real(values: np.ndarray) -> np.ndarray:
    return values if values.dtype.kind == "f" else values.astype(np.float64)


def _faces(columns: dict) -> np.ndarray:
    lists = columns.get("vertex_indices", columns.get("vertex_index"))
    if lists is None:
        return np.empty((0, 3), dtype=np.int64)
    counts, corners = lists
    return split_polygons(counts, corners.astype(np.int64))
