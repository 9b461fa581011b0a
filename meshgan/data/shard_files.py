"""The two files of a shard: positions as ``.npy``, what is known of them as ``.npz``."""

import os
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from meshgan.data.manifest import Manifest, Shard
from meshgan.data.npz import read_npz
from meshgan.data.rows import FaceRows
from meshgan.errors import FileFormatError
from meshgan.files import atomic_path


def write_vertices(path: Path, parts: Sequence[Float[np.ndarray, "_ V 3"]]) -> None:
    """Write positions as one float32 array, whole or not at all.

    Raises:
        JobError: the file cannot be written.
    """
    shape = (sum(len(part) for part in parts), *parts[0].shape[1:])
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(part, dtype="<f4").data)


def table_of(parts: Sequence[FaceRows]) -> dict[str, np.ndarray]:
    """Labels, ids and extras of consecutive rows, by column name."""
    first = parts[0]
    columns = {
        name: np.concatenate([getattr(rows, name) for rows in parts]).astype(np.int64)
        for name in ("subject", "sequence", "frame")
    }
    for name in first.labels:
        columns[f"label.{name}"] = np.concatenate([rows.labels[name] for rows in parts]).astype(
            np.int64
        )
    for name in first.extras:
        columns[f"extra.{name}"] = np.concatenate([rows.extras[name] for rows in parts])
    return columns


class VertexFile:
    """The positions of one shard, open for reading at any place.

    Rows are read straight into the caller's array. A memory map would count every page that was
    ever touched as resident memory of the process, on a large data set all of it; and a plain
    read of a mesh takes less time than the page faults of its map.

    Args:
        folder: the DATA folder.
        shard: which one.
        vertex_count: V.

    Raises:
        FileFormatError: the file is missing, cut short, or not what the manifest says.
    """

    def __init__(self, folder: Path, shard: Shard, vertex_count: int) -> None:
        self.path = folder / shard.vertices_file
        self._first_byte = _first_byte(self.path, (shard.rows, vertex_count, 3))
        self._row_bytes = vertex_count * 12
        self._handle = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._at_end = weakref.finalize(self, os.close, self._handle)

    def read(self, first_row: int, found: Float[np.ndarray, "b V 3"]) -> None:
        """Fill ``found`` (contiguous, float32) with the rows from ``first_row`` on.

        Raises:
            FileFormatError: the file has become shorter since it was opened.
        """
        place = self._first_byte + first_row * self._row_bytes
        left = found.reshape(-1).view(np.uint8).data
        while len(left):
            count = self._read_at(left, place)
            if not count:
                raise FileFormatError(f"{self.path}: cut short while it was open")
            left, place = left[count:], place + count

    def _read_at(self, buffer: memoryview, place: int) -> int:
        """Read without moving a common file position: safe in threads and after a fork."""
        if hasattr(os, "preadv"):
            return os.preadv(self._handle, [buffer], place)
        with self.path.open("rb", buffering=0) as file:  # macOS, Windows
            file.seek(place)
            return file.readinto(buffer)


def read_table(folder: Path, shard: Shard, manifest: Manifest) -> dict[str, np.ndarray]:
    """Labels, ids and extras of a shard, by column name.

    Raises:
        FileFormatError: the file is missing, damaged, or has other columns or row counts.
    """
    path = folder / shard.table_file
    table = read_npz(path)
    expected = empty_table(manifest)
    problems = [
        f"column {name} is {'unknown' if name in table else 'missing'}"
        for name in sorted(table.keys() ^ expected.keys())
    ]
    problems += [
        f"column {name} is {table[name].dtype} {table[name].shape}, expected "
        f"{column.dtype} {(shard.rows, *column.shape[1:])}"
        for name, column in expected.items()
        if name in table
        and (table[name].dtype, table[name].shape)
        != (column.dtype, (shard.rows, *column.shape[1:]))
    ]
    if problems:
        raise FileFormatError(f"{path}: " + "; ".join(problems))
    return table


def empty_table(manifest: Manifest) -> dict[str, np.ndarray]:
    """The columns that every table of a data set has, with no rows."""
    names = ["subject", "sequence", "frame", *(f"label.{name}" for name in manifest.factors)]
    columns = {name: np.empty(0, dtype=np.int64) for name in names}
    for name, layout in manifest.extras.items():
        shape = (0, *layout["shape"])
        columns[f"extra.{name}"] = np.empty(shape, dtype=np.dtype(layout["dtype"]))
    return columns


def _first_byte(path: Path, expected: tuple[int, int, int]) -> int:
    """Where the numbers of a ``.npy`` file begin, which must hold float32 of this shape."""
    try:
        with path.open("rb") as file:
            if np.lib.format.read_magic(file) == (1, 0):
                shape, is_fortran, kind = np.lib.format.read_array_header_1_0(file)
            else:
                shape, is_fortran, kind = np.lib.format.read_array_header_2_0(file)
            start, size = file.tell(), os.fstat(file.fileno()).st_size
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: is missing; build the data set again") from error
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise FileFormatError(f"{path}: cut short or damaged ({error})") from error
    if kind != "<f4" or shape != expected or is_fortran:
        raise FileFormatError(f"{path}: holds {kind} {shape}, expected float32 {expected}")
    wanted = start + 4 * int(np.prod(expected))
    if size != wanted:
        state = "cut short" if size < wanted else "damaged"
        raise FileFormatError(f"{path}: {state}, {size:,} bytes instead of {wanted:,}")
    return start
