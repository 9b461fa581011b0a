"""``bench io``: reading a data set beside memory-mapped reads of one plain array of the same."""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from meshgan import seeding
from meshgan.apps.benchmarks.disk import delaunay_disk
from meshgan.apps.benchmarks.timing import alternate
from meshgan.data.store import FaceRows, Store, StoreWriter
from meshgan.data.template import Template

BATCH = 64


def run(rounds: int = 7, small: bool = False) -> dict[str, Any]:
    """Time three ways to read meshes; 2,000 of 22,129 vertices (530 MB) unless ``small``.

    In order, ``BATCH`` at a time; single meshes at random; batches of ``BATCH`` at random. The
    files are in the system's cache, so that the container is measured and not the disk. Both
    sides open their files anew each round: a memory map whose pages have all been touched before
    reads faster, but no set that is larger than memory is ever in that state.
    """
    vertices, meshes = (300, 200) if small else (22_129, 2_000)
    with tempfile.TemporaryDirectory() as folder:
        data, plain = _make(Path(folder), vertices, meshes)
        rng = seeding.generator(0, "bench io")
        singles = rng.integers(0, meshes, (meshes // 4, 1))
        batches = rng.integers(0, meshes, (meshes // BATCH, BATCH))
        in_order = [np.arange(k, min(k + BATCH, meshes)) for k in range(0, meshes, BATCH)]
        ways = {
            "sequential": (in_order, lambda array, ids: np.array(array[ids[0] : ids[-1] + 1])),
            "single": (singles, lambda array, ids: np.array(array[ids[0]])),
            "batches": (batches, lambda array, ids: array[ids]),
        }
        megabytes = vertices * 12 / 1e6
        found = {
            name: _compare(data, plain, jobs, read, megabytes, rounds)
            for name, (jobs, read) in ways.items()
        }
    return {
        "what": f"reading {meshes:,} meshes of {vertices:,} vertices from a data set, {BATCH} at a "
        "time in order, beside numpy's memory map of one array, both opened anew each round; also "
        f"at random, singly and in batches of {BATCH}",
        **found["sequential"],
        "ways": found,
    }


def _compare(
    data: Path,
    plain: Path,
    jobs: Iterable[np.ndarray],
    read: Callable[[np.ndarray, np.ndarray], np.ndarray],
    megabytes: float,
    rounds: int,
) -> dict[str, Any]:
    """Read the meshes of all jobs (ids each) from both; ``read`` is the plain array's way."""

    def ours() -> float:
        store = Store(data)
        return sum(float(store.vertices(ids).flat[0]) for ids in jobs)

    def theirs() -> float:
        array = np.asarray(np.load(plain, mmap_mode="r", allow_pickle=False))
        return sum(float(read(array, ids).flat[0]) for ids in jobs)

    timing = alternate(ours, theirs, rounds=rounds)
    total = 1000 * megabytes * sum(len(ids) for ids in jobs)
    return {
        "mb_per_s": total / timing.ms,
        "plain_mb_per_s": total / timing.plain_ms,
        **timing.as_dict(),
    }


def _make(folder: Path, vertices: int, meshes: int) -> tuple[Path, Path]:
    """The same meshes as a DATA folder and as one array file."""
    mesh = delaunay_disk(vertices)
    rng = seeding.generator(0, "bench io", "meshes")
    people = ("one", "two")
    plain_file = folder / "plain.npy"
    plain = np.lib.format.open_memmap(plain_file, "w+", "<f4", (meshes, vertices, 3))
    template = Template("disk", mesh)
    with StoreWriter.create(folder / "data", template, {"identity": people}, people, {}) as writer:
        for start in range(0, meshes, BATCH):
            count = min(BATCH, meshes - start)
            rows = mesh.vertices + rng.normal(size=(count, 1, 3)).astype(np.float32)
            plain[start : start + count] = rows
            some = np.arange(start, start + count)
            writer.append(
                FaceRows(rows, {"identity": some % 2}, some % 2, np.full(count, -1), some)
            )
    plain.flush()
    return folder / "data", plain_file
