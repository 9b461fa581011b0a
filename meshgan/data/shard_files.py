"""The two files of a shard: positions as ``.npy``, what is known of them as ``.npz``."""

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


def map_vertices(folder: Path, shard: Shard, vertex_count: int) -> Float[np.ndarray, "b V 3"]:
    """Memory-map the positions of a shard.

    Raises:
        FileFormatError: the file is missing, cut short, or not what the manifest says.
    """
    path = folder / shard.vertices_file
    try:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: is missing; build the data set again") from error
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise FileFormatError(f"{path}: cut short or damaged ({error})") from error
    expected = (shard.rows, vertex_count, 3)
    if not isinstance(mapped, np.ndarray) or mapped.dtype != "<f4" or mapped.shape != expected:
        found = f"{getattr(mapped, 'dtype', 'no array')} {getattr(mapped, 'shape', '')}"
        raise FileFormatError(f"{path}: holds {found}, expected float32 {expected}")
    return np.asarray(mapped)  # a plain view: indexing np.memmap itself is three times slower


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
