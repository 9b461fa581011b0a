"""Binary glTF 2.0 as a container: a JSON document, one block of bytes, arrays laid out in it."""

import json
import struct
from typing import Any

import numpy as np
from jaxtyping import Shaped

from meshgan.data.mesh_formats.raw import BadMesh

GLB_MAGIC = b"glTF"
_JSON_CHUNK, _BINARY_CHUNK = b"JSON", b"BIN\0"
_COMPONENTS: dict[int, str] = {
    5120: "<i1",
    5121: "<u1",
    5122: "<i2",
    5123: "<u2",
    5125: "<u4",
    5126: "<f4",
}
_CODES = {np.dtype(kind): code for code, kind in _COMPONENTS.items()}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_TYPES = {width: name for name, width in _WIDTHS.items()}
VERTEX_DATA, VERTEX_IDS = 34962, 34963  # what a graphics card uses a buffer view for


def join_glb(document: dict[str, Any], body: bytes) -> bytes:
    """One binary file of a document and the bytes of its only buffer."""
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 4)
    body += b"\0" * (-len(body) % 4)
    size = 12 + 8 + len(text) + 8 + len(body)
    return b"".join(
        [
            struct.pack("<4sII", GLB_MAGIC, 2, size),
            struct.pack("<I4s", len(text), _JSON_CHUNK) + text,
            struct.pack("<I4s", len(body), _BINARY_CHUNK) + body,
        ]
    )


def split_glb(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The document of a binary file, and the bytes of its first buffer.

    Raises:
        BadMesh: no binary glTF, cut short, or its document is not JSON.
    """
    announced = int.from_bytes(content[8:12], "little")
    length = int.from_bytes(content[12:16], "little")
    if content[:4] != GLB_MAGIC:
        raise BadMesh("not binary glTF")
    if len(content) < announced or content[16:20] != _JSON_CHUNK:
        raise BadMesh(f"cut short: {len(content):,} of {announced:,} bytes")
    body = b""
    at = 20 + length
    if content[at + 4 : at + 8] == _BINARY_CHUNK:
        size = int.from_bytes(content[at : at + 4], "little")
        body = content[at + 8 : at + 8 + size]
    return read_document(content[20 : 20 + length]), body


def read_document(text: bytes) -> dict[str, Any]:
    """The JSON of a glTF file.

    Raises:
        BadMesh: not JSON, or JSON of something else.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise BadMesh(f"not glTF ({error})") from error
    if not isinstance(document, dict) or "asset" not in document:
        raise BadMesh("not glTF: no asset entry")
    return document


class BufferWriter:
    """Collects arrays for one GLB: bytes, views of them, and accessors of these."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(
        self,
        array: Shaped[np.ndarray, "n ..."],
        bounds: bool = False,
        purpose: int | None = None,
    ) -> int:
        """Store one row per entry, and give its accessor; with the smallest and largest values."""
        self.accessors.append(
            {
                "bufferView": self._view(array, purpose),
                "componentType": _CODES[array.dtype],
                **_described(array),
                **(_bounds(array) if bounds else {}),
            }
        )
        return len(self.accessors) - 1

    def add_sparse(
        self, array: Shaped[np.ndarray, "n d"], smallest: float, bounds: bool = False
    ) -> int:
        """Store only the rows with a value of at least ``smallest``; the others read as zero."""
        rows = np.flatnonzero(np.abs(array).max(axis=1) >= smallest)
        rows = rows if len(rows) else np.zeros(1, dtype=np.int64)  # none is not allowed
        kept = np.zeros_like(array)
        kept[rows] = array[rows]
        ids = rows.astype(np.uint16 if len(array) <= 2**16 else np.uint32)
        self.accessors.append(
            {
                "componentType": _CODES[array.dtype],
                **_described(array),
                **(_bounds(kept) if bounds else {}),
                "sparse": {
                    "count": len(rows),
                    "indices": {"bufferView": self._view(ids), "componentType": _CODES[ids.dtype]},
                    "values": {"bufferView": self._view(array[rows])},
                },
            }
        )
        return len(self.accessors) - 1

    def _view(self, array: np.ndarray, purpose: int | None = None) -> int:
        self.body += b"\0" * (-len(self.body) % 4)
        view = {"buffer": 0, "byteOffset": len(self.body), "byteLength": array.nbytes}
        self.views.append(view if purpose is None else {**view, "target": purpose})
        self.body += np.ascontiguousarray(array).tobytes()
        return len(self.views) - 1

    def parts(self) -> dict[str, Any]:
        """The entries of the document that describe the buffer."""
        return {
            "accessors": self.accessors,
            "bufferViews": self.views,
            "buffers": [{"byteLength": len(self.body)}],
        }


def read_accessor(document: dict[str, Any], body: bytes, index: int) -> Shaped[np.ndarray, "n ..."]:
    """The array (n,) or (n, d) of an accessor; whole numbers that stand for fractions as float32.

    Raises:
        BadMesh: it points outside of the file, or is of a kind that meshes do not need.
    """
    try:
        accessor = document["accessors"][index]
        kind = np.dtype(_COMPONENTS[accessor["componentType"]])
        width, count = _WIDTHS[accessor["type"]], int(accessor["count"])
        sparse = accessor.get("sparse")
        if "bufferView" in accessor:
            start = accessor.get("byteOffset", 0)
            values = _rows(document, body, accessor["bufferView"], start, kind, count, width)
        else:
            _refuse_more_than(len(body), count)
            values = np.zeros((count, width), kind)
        if sparse is not None:
            values = values.copy()
            entries, held = int(sparse["count"]), sparse["indices"]
            id_kind = np.dtype(_COMPONENTS[held["componentType"]])
            start = held.get("byteOffset", 0)
            ids = _rows(document, body, held["bufferView"], start, id_kind, entries, 1)[:, 0]
            changed = sparse["values"]
            start = changed.get("byteOffset", 0)
            values[ids] = _rows(document, body, changed["bufferView"], start, kind, entries, width)
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise BadMesh(f"accessor {index} cannot be read ({error!r})") from error
    if accessor.get("normalized") and kind.kind in "iu":
        values = np.maximum(values.astype(np.float32) / np.iinfo(kind).max, -1)
    return values[:, 0] if width == 1 else values


def _rows(
    document: dict[str, Any],
    body: bytes,
    view_index: int,
    start: int,
    kind: np.dtype,
    count: int,
    width: int,
) -> np.ndarray:
    view = document["bufferViews"][view_index]
    if view.get("buffer", 0) != 0 or "uri" in document["buffers"][0]:
        raise BadMesh("its arrays are not inside of the file")
    step = view.get("byteStride", kind.itemsize * width)
    start += view.get("byteOffset", 0)
    return np.ndarray((count, width), kind, body, start, (step, kind.itemsize))


def _refuse_more_than(available: int, count: int) -> None:
    """An accessor without bytes of its own may not ask for memory without end."""
    if count > max(available, 2**20):
        raise BadMesh(f"an accessor announces {count:,} entries in {available:,} bytes")


def _described(array: np.ndarray) -> dict[str, Any]:
    return {"count": len(array), "type": _TYPES[1 if array.ndim == 1 else array.shape[1]]}


def _bounds(array: np.ndarray) -> dict[str, Any]:
    columns = array.reshape(len(array), -1)
    return {"min": columns.min(axis=0).tolist(), "max": columns.max(axis=0).tolist()}
