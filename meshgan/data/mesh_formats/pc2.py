"""PC2, the point cache: positions of all vertices over time, for a mesh that is kept elsewhere.

A header of 32 bytes (``POINTCACHE2``, version 1, number of points, first frame, frames per sample,
number of samples), then float32 positions, one frame after the other.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from meshgan.errors import FileFormatError, InputError
from meshgan.files import atomic_path

MAGIC = b"POINTCACHE2\0"
_HEADER = struct.Struct("<12siiffi")


@dataclass(frozen=True, eq=False)
class PointCache:
    """A sequence of positions.

    Args:
        vertices: (T, V, 3), float32, mm.
        start: number of the first frame.
        step: frames from one sample to the next.
    """

    vertices: Float[np.ndarray, "T V 3"]
    start: float = 0.0
    step: float = 1.0


def write_pc2(path: Path | str, cache: PointCache) -> None:
    """Write positions over time, whole or not at all.

    Raises:
        InputError: no frame, or a position that is not finite.
        JobError: the file cannot be written.
    """
    frames, points, _ = cache.vertices.shape
    if frames == 0 or points == 0 or not np.isfinite(cache.vertices).all():
        raise InputError(f"{path}: expected at least one frame of finite positions")
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(_HEADER.pack(MAGIC, 1, points, cache.start, cache.step, frames))
        for frame in cache.vertices:
            file.write(np.ascontiguousarray(frame, dtype="<f4").tobytes())


def read_pc2(path: Path | str) -> PointCache:
    """Read positions over time.

    Raises:
        FileFormatError: missing, no point cache, or its size is not what its header says.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file") from error
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read ({error})") from error
    if len(content) < _HEADER.size or content[:12] != MAGIC:
        raise FileFormatError(f"{path}: not a point cache (no POINTCACHE2 at its start)")
    _, version, points, start, step, frames = _HEADER.unpack_from(content)
    expected = _HEADER.size + 12 * max(points, 0) * max(frames, 0)
    if version != 1 or points <= 0 or frames <= 0 or len(content) != expected:
        raise FileFormatError(
            f"{path}: version {version}, {frames:,} frames of {points:,} points: "
            f"{expected:,} bytes expected, found {len(content):,}"
        )
    values = np.frombuffer(content, "<f4", offset=_HEADER.size).astype(np.float32)
    if not np.isfinite(values).all():
        raise FileFormatError(f"{path}: holds positions that are not finite")
    return PointCache(values.reshape(frames, points, 3), start, step)
