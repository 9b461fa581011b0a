"""Arrays that took a while to compute, kept on disk: whole, of this version, or built again."""

import hashlib
import json
import logging
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from meshgan.errors import JobError
from meshgan.files import atomic_path, cache_folder

log = logging.getLogger(__name__)
Arrays = dict[str, np.ndarray]


def digest_of(value: Any) -> str:
    """16 hexadecimal digits that name a plain value (numbers, text, lists, dictionaries)."""
    text = json.dumps(value, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def cached_arrays(name: str, made_from: dict[str, Any], build: Callable[[], Arrays]) -> Arrays:
    """Load arrays from the cache; build and store them if they are not there or not right.

    A file is used only if it names the same ``made_from`` and its content has the checksum it
    claims. Several processes may build at once: each writes a file of its own and renames it.
    If the cache cannot be written, the arrays are used without being kept.

    Args:
        name: file name in the cache folder, without suffix.
        made_from: plain values that decide the content: versions, settings.
        build: makes the arrays; called only if needed.
    """
    path = cache_folder() / f"{name}.npz"
    key = digest_of(made_from)
    arrays = _load(path, key)
    if arrays is None:
        log.info("building %s (once; kept in %s)", name, path.parent)
        arrays = build()
        _store(path, key, arrays)
    return arrays


def _load(path: Path, key: str) -> Arrays | None:
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        stored_key, stored_sum = str(arrays.pop("cache_key")), str(arrays.pop("cache_checksum"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("%s: cannot be read (%s); building it again", path, error)
        return None
    if stored_key != key:
        log.info("%s: made by another version; building it again", path)
        return None
    if stored_sum != _checksum(arrays):
        log.warning("%s: its content does not have its checksum; building it again", path)
        return None
    return arrays


def _store(path: Path, key: str, arrays: Arrays) -> None:
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            marks = {"cache_key": np.array(key), "cache_checksum": np.array(_checksum(arrays))}
            np.savez_compressed(file, allow_pickle=False, **arrays, **marks)
    except JobError as error:
        log.warning("the cache cannot be written, so this is built again next time: %s", error)


def _checksum(arrays: Arrays) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
