"""The DATA folder as files: what may stand in it, what a killed build leaves, who may write."""

import os
from pathlib import Path

from meshgan.data.manifest import SHARD_FOLDER, Manifest
from meshgan.errors import InputError, JobError


def refuse_content(folder: Path, allow_leftovers: bool) -> None:
    """Refuse to start a data set where something else stands.

    Args:
        folder: new, or an empty folder.
        allow_leftovers: accept what a build leaves that is killed before its first manifest.

    Raises:
        InputError: ``folder`` is a file or not empty.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file, expected a folder")
    content = set(folder.iterdir())
    if allow_leftovers:
        content -= {folder / "template.npz", folder / SHARD_FOLDER, *_temporary_files(folder)}
    if content:
        raise InputError(
            f"{folder}: exists already and is not empty; resume it, or choose another name"
        )


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises:
        JobError: the system refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise JobError(f"{folder}: cannot be made ({error.strerror}); check the folder") from error


def remove_leftovers(folder: Path, manifest: Manifest) -> None:
    """Delete what a killed build left: temporary files and shards that no manifest names."""
    known = {folder / shard.vertices_file for shard in manifest.shards}
    known |= {folder / shard.table_file for shard in manifest.shards}
    for path in (*_shard_files(folder), *_temporary_files(folder)):
        if path not in known:
            path.unlink()


def lock(folder: Path) -> int | None:
    """Hold the folder for one writer; the system lets go when the process ends, however.

    Returns:
        A file descriptor to close, or None where the system has no such locks.

    Raises:
        InputError: another process holds it.
    """
    try:
        import fcntl
    except ImportError:
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise InputError(f"{folder}: another process is writing to it; wait for it") from error
    except OSError:  # a file system without locks
        os.close(handle)
        return None
    return handle


def _shard_files(folder: Path) -> list[Path]:
    shards = folder / SHARD_FOLDER
    return [*shards.glob("[0-9]*.vertices.npy"), *shards.glob("[0-9]*.table.npz")]


def _temporary_files(folder: Path) -> list[Path]:
    """Names that ``files.atomic_path`` gives: a dot, the stem, a dash and letters, the suffix."""
    shards = folder / SHARD_FOLDER
    patterns = (
        (folder, ".dataset-*.json"),
        (folder, ".template-*.npz"),
        (shards, ".[0-9]*.vertices-*.npy"),
        (shards, ".[0-9]*.table-*.npz"),
    )
    return [path for place, pattern in patterns for path in place.glob(pattern)]
