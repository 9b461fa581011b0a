"""Named arrays in one ``.npz``: written reproducibly, read without trusting the file.

NumPy's own ``np.savez`` stamps the time of day into the archive, so the same arrays give other
bytes each time; here equal arrays give equal files, and checksums mean something.
"""

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from meshgan.errors import FileFormatError, InputError
from meshgan.files import atomic_path

_FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest a zip archive can hold
_LARGEST_RATIO = 1100  # deflate cannot shrink further; a directory that says so lies


def write_npz(path: Path | str, arrays: Mapping[str, np.ndarray]) -> None:
    """Write ``arrays`` by name, whole or not at all; the same arrays give the same bytes.

    Raises:
        InputError: an array holds Python objects, which only a pickle could store.
        JobError: the file cannot be written.
    """
    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise InputError(f"{path}: {name!r} holds Python objects, expected numbers or text")
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy", _FIXED_TIME), "w") as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)


def read_npz(path: Path | str) -> dict[str, np.ndarray]:
    """Read every array of a ``.npz`` file; nothing in it is ever unpickled.

    An array whose header announces more bytes than the file holds is refused before any memory
    is taken.

    Raises:
        FileFormatError: the file is missing, damaged, or holds Python objects.
    """
    path = Path(path)
    try:
        limit = _LARGEST_RATIO * path.stat().st_size
        with zipfile.ZipFile(path) as archive:
            return {
                info.filename.removesuffix(".npy"): _read_member(archive, info, limit)
                for info in archive.infolist()
            }
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise FileFormatError(f"{path}: not a readable NPZ file ({error})") from error
    except (KeyError, NotImplementedError, RuntimeError, SyntaxError, MemoryError) as error:
        raise FileFormatError(f"{path}: not a readable NPZ file ({error!r})") from error


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> np.ndarray:
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(member)
    announced = int(np.prod([int(size) for size in shape], dtype=object)) * dtype.itemsize
    if announced > min(info.file_size, limit):
        raise ValueError(
            f"{info.filename} announces {announced:,} bytes but holds {info.file_size:,}"
        )
    with archive.open(info) as member:
        return np.lib.format.read_array(member, allow_pickle=False)
