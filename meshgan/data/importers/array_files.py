"""NumPy files of published sets, larger than memory where they must be, never unpickled as code."""

import io
import struct
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from meshgan.data.importers.safe_pickle import LARGEST_FILE, parse_pickle
from meshgan.errors import FileFormatError

_LARGEST_RATIO = 1100  # deflate cannot shrink further; a directory that says so lies
_LOCAL_HEADER = 30  # bytes before name and extra field of a zip member
_File = Any  # open for bytes: a file, or a member of an archive, which have no type in common
_BROKEN = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    SyntaxError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
    OverflowError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def open_npy(path: Path) -> np.ndarray:
    """The array of a ``.npy`` file, mapped and not read: rows are fetched as they are used.

    Raises:
        FileFormatError: missing, cut short, or not a NumPy file of numbers.
    """
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file") from error
    except _BROKEN as error:
        raise FileFormatError(f"{path}: not a readable NumPy file ({error})") from error


def read_pickled_npy(path: Path) -> Any:
    """What ``numpy.save`` wrote of a Python object (a dict, say), read as data only.

    Raises:
        FileFormatError: missing, damaged, or it holds more than arrays and plain containers.
    """
    try:
        with path.open("rb") as file:
            return _unpacked(_parse_npy(file, str(path), path.stat().st_size))
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file") from error
    except _BROKEN as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{path}: not a readable NumPy file ({error})") from error


def npz_names(path: Path) -> tuple[str, ...]:
    """Names of the arrays in a ``.npz`` file.

    Raises:
        FileFormatError: missing or not a zip archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(name.removesuffix(".npy") for name in archive.namelist())
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file") from error
    except _BROKEN as error:
        raise FileFormatError(f"{path}: not a readable NPZ file ({error})") from error


def read_npz_arrays(path: Path, names: Collection[str]) -> dict[str, Any]:
    """Those of ``names`` that a ``.npz`` file holds; all others are not even looked at.

    Arrays that the archive does not compress are mapped, not read. Objects are read through the
    restricted unpickler, as plain containers.

    Raises:
        FileFormatError: missing, damaged, or an object is more than data.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            return {
                name: _read_member(path, archive, members[name], f"{path}: {name}")
                for name in names
                if name in members
            }
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file") from error
    except _BROKEN as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{path}: not a readable NPZ file ({error})") from error


def _read_member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> Any:
    limit = min(info.file_size, _LARGEST_RATIO * max(info.compress_size, 1))
    with archive.open(info) as member:
        shape, fortran, dtype = _header(member)
        start = member.tell()
        if not dtype.hasobject and info.compress_type == zipfile.ZIP_STORED and shape:
            offset = _content_offset(path, info) + start
            order = "F" if fortran else "C"
            return np.memmap(path, dtype, "r", offset=offset, shape=shape, order=order)
    with archive.open(info) as member:
        return _unpacked(_parse_npy(member, where, limit))


def _parse_npy(file: _File, where: str, limit: int) -> np.ndarray:
    content = io.BytesIO(file.read(min(limit, LARGEST_FILE)) if _is_object(file) else b"")
    if content.getbuffer().nbytes:
        return parse_pickle(content.getvalue(), where)
    file.seek(0)
    shape, _, dtype = _header(file)
    announced = int(np.prod([int(size) for size in shape], dtype=object)) * dtype.itemsize
    if announced > limit:
        raise ValueError(f"an array announces {announced:,} bytes but the file holds {limit:,}")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def _is_object(file: _File) -> bool:
    return _header(file)[2].hasobject


def _header(file: _File) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)


def _content_offset(path: Path, info: zipfile.ZipInfo) -> int:
    with path.open("rb") as file:
        file.seek(info.header_offset)
        header = file.read(_LOCAL_HEADER)
    name_length, extra_length = struct.unpack("<HH", header[26:30])
    return info.header_offset + _LOCAL_HEADER + name_length + extra_length


def _unpacked(array: Any) -> Any:
    """A lone object stands in an array without dimensions."""
    lone = isinstance(array, np.ndarray) and array.dtype == object and array.shape == ()
    return array.item() if lone else array
