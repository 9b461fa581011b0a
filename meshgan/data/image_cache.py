"""Geometry images of a data set, mapped once and kept: real images never change in training."""

import hashlib
import logging
import mmap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from meshgan.errors import ShapeError
from meshgan.files import atomic_path
from meshgan.geometry.rasterize import PixelLookup

log = logging.getLogger(__name__)

ImageType = Literal["float32", "float16"]
_CHUNK = 64
_CHECKED_IMAGES = 5
KEPT_BYTES = 128 * 2**20


class ImageMap(np.memmap):
    """A memory-mapped file that gives its pages back while it is read row by row.

    Every page that a memory map has touched counts as resident memory of the process, and training
    touches all images. Here they are let go whenever ``KEPT_BYTES`` were copied out; they stay in
    the system's file cache, from where the next read has them at once.
    """

    _copied = 0

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        if not isinstance(found, np.ndarray) or np.may_share_memory(found, self):
            return found
        self._copied += found.nbytes
        if self._copied > KEPT_BYTES and self._mmap is not None:
            self._copied = 0
            self._mmap.madvise(mmap.MADV_DONTNEED)
        return found.view(np.ndarray)


def map_displacements(
    displacements: Float[np.ndarray, "b V 3"], lookup: PixelLookup
) -> Float[np.ndarray, "b 3 n n"]:
    """Geometry images of per-vertex displacements: each pixel the mean of three corners.

    Source: Fernández Abrevaya et al. 2019, Sec. 4.1, Eq. 5.
    """
    corners = lookup.corners.numpy().reshape(-1, 3)
    weights = lookup.weights.numpy().astype(np.float32).reshape(-1, 3)
    channels = np.ascontiguousarray(displacements.transpose(0, 2, 1), dtype=np.float32)
    image = channels[:, :, corners[:, 0]] * weights[:, 0]
    image += channels[:, :, corners[:, 1]] * weights[:, 1]
    image += channels[:, :, corners[:, 2]] * weights[:, 2]
    return image.reshape(len(displacements), 3, lookup.size_px, lookup.size_px)


def cached_images(
    folder: Path,
    key: str,
    count: int,
    displacements: Callable[[np.ndarray], np.ndarray],
    lookup: PixelLookup,
    dtype: ImageType,
) -> np.memmap:
    """Images (N, 3, n, n) from ``folder``, made first if they are not there or damaged.

    A few images are mapped again and compared before a file is trusted.

    Args:
        folder: for the cache files.
        key: names the content: other meshes, other key.
        count: N.
        displacements: gives the displacements (b, V, 3), mm, of sample numbers (b,).
        lookup: of the template's UV map.
        dtype: of the file.

    Raises:
        JobError: the file cannot be written (disk full).
    """
    digest = hashlib.sha256(key.encode())
    digest.update(lookup.corners.numpy().astype("<i8").tobytes())
    digest.update(lookup.weights.numpy().astype("<f8").tobytes())
    size = lookup.size_px
    path = folder / f"images-{size}px-{dtype}-{digest.hexdigest()[:16]}.npy"
    shape = (count, 3, size, size)

    def mapped(ids: np.ndarray) -> np.ndarray:
        return map_displacements(displacements(ids), lookup).astype(dtype)

    if path.exists():
        images = _open(path, shape, dtype)
        if images is not None and _is_current(images, mapped):
            return images
        log.warning("%s: damaged or out of date; mapping the meshes again", path)
    _write(path, shape, dtype, (mapped(ids) for ids in _chunks(count)))
    images = _open(path, shape, dtype)
    assert images is not None
    return images


def refuse_other_topology(vertex_count: int, lookup: PixelLookup) -> None:
    """Refuse a lookup that was made for another template."""
    if lookup.vertex_count != vertex_count:
        raise ShapeError(
            f"the meshes have {vertex_count:,} vertices, the pixel lookup {lookup.vertex_count:,}; "
            "make the lookup from the data set's template"
        )


def _chunks(count: int) -> Iterator[np.ndarray]:
    return (np.arange(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK))


def _write(
    path: Path, shape: tuple[int, ...], dtype: ImageType, parts: Iterator[np.ndarray]
) -> None:
    # plain writes: on a full disk they raise, where a memory map would kill the process
    header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(part).data)


def _open(path: Path, shape: tuple[int, ...], dtype: ImageType) -> np.memmap | None:
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError):
        return None
    if not (isinstance(images, np.memmap) and images.shape == shape and images.dtype == dtype):
        return None
    return images.view(ImageMap) if hasattr(mmap, "MADV_DONTNEED") else images


def _is_current(images: np.memmap, mapped: Callable[[np.ndarray], np.ndarray]) -> bool:
    ids = np.unique(np.linspace(0, len(images) - 1, _CHECKED_IMAGES).astype(np.int64))
    return np.array_equal(images[ids], mapped(ids))
