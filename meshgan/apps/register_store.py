"""Registered scans on disk: a mesh each, and a journal that survives a kill at any time.

The journal has a line per scan, written after its mesh. A line that is cut short, or whose mesh is
missing, does not count: that scan is done again.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import Float

from meshgan.apps.register_record import FAILED, ScanRecord, record_of
from meshgan.apps.register_work import RegisteredScan
from meshgan.data.mesh_io import read_mesh, write_mesh
from meshgan.data.npz import read_npz, write_npz
from meshgan.data.store_folder import lock
from meshgan.data.template import Template
from meshgan.errors import InputError, JobError
from meshgan.files import write_json
from meshgan.geometry.mesh import TriMesh

JOURNAL, SEQUENCE_FILE = "journal.jsonl", "sequence.json"


class ResultFolder:
    """Results of a batch, written as they come, one scan at a time.

    Args:
        folder: made if missing.
        template: topology of the meshes.
        suffix: of the mesh files (".ply"), which hold a mesh where its scan is; None for arrays
            on their way to a data set.
        resume: keep what is there; otherwise the folder must be new or empty.

    Raises:
        InputError: the folder is not empty, or a file.
        JobError: it cannot be written to.
    """

    def __init__(self, folder: Path, template: Template, suffix: str | None, resume: bool) -> None:
        self.folder, self._template, self._suffix = folder, template, suffix
        self._journal: IO[str] | None = None
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{folder}: is a file, expected a folder")
        if not resume and folder.is_dir() and any(folder.iterdir()):
            raise InputError(
                f"{folder}: exists already and is not empty; go on with --resume, or choose "
                "another name"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = lock(folder)
            self._known = _read_journal(folder / JOURNAL)
            self._journal = (folder / JOURNAL).open("a", encoding="utf-8")
        except OSError as error:
            raise JobError(f"{folder}: cannot be written to ({error.strerror})") from error

    def __enter__(self) -> "ResultFolder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folder."""
        if self._journal is not None:
            self._journal.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def finished(self, name: str, key: str) -> ScanRecord | None:
        """The record of a scan that needs not be done again; failed ones are tried once more."""
        found = self._known.get(name)
        if found is None or found.key != key or found.status == FAILED:
            return None
        return found if self.has_mesh(found) or found.file is None else None

    def has_mesh(self, record: ScanRecord) -> bool:
        """The mesh of a record is there."""
        return record.file is not None and (self.folder / record.file).is_file()

    def record(self, name: str) -> ScanRecord | None:
        """What is known of a scan, whatever it was registered with."""
        return self._known.get(name)

    def keep(self, name: str, key: str, scan: RegisteredScan) -> ScanRecord:
        """Write a registration: its mesh first, then its line in the journal.

        Args:
            name: of the scan.
            key: see ``register_jobs.job_key``.
            scan: the registration, and its landmarks.
        """
        record = record_of(name, key, scan.registration)
        if record.has_mesh:
            record = replace(record, file=self._file(name))
            self._write_mesh(record, scan)
        self._write_line(record)
        return record

    def keep_failure(self, name: str, key: str, message: str, seconds: float) -> ScanRecord:
        """Note that a scan could not be registered."""
        record = ScanRecord(name, FAILED, message, seconds=round(seconds, 3), key=key)
        self._write_line(record)
        return record

    def keep_summary(self, recording: str, summary: Mapping[str, Any]) -> None:
        """Write figures of a recording beside its meshes."""
        inside = [part for part in recording.split("/") if part not in ("", ".", "..")]
        write_json(self.folder.joinpath(*inside) / SEQUENCE_FILE, dict(summary))

    def vertices(self, record: ScanRecord) -> Float[np.ndarray, "V 3"]:
        """The registered mesh of a record (V, 3), in the template's frame, in the scan's size.

        Raises:
            InputError: the file is missing or damaged.
        """
        if self._suffix is None:
            return self.arrays(record)["vertices"]
        path = self.folder / str(record.file)
        return record.rigid_pose().inverse().apply(read_mesh(path).vertices)

    def arrays(self, record: ScanRecord) -> dict[str, np.ndarray]:
        """``vertices``, and ``measured`` landmarks if the scan has them, in the template's frame.

        Raises:
            InputError: the file is missing or damaged.
        """
        return read_npz(self.folder / str(record.file))

    def remove_meshes(self) -> None:
        """Delete the meshes; the journal stays."""
        for record in self._known.values():
            if record.file is not None:
                (self.folder / record.file).unlink(missing_ok=True)

    def _file(self, name: str) -> str:
        if self._suffix is not None:
            return f"{name}{self._suffix}"
        return f"{hashlib.sha256(name.encode()).hexdigest()[:24]}.npz"  # a name may hold anything

    def _write_mesh(self, record: ScanRecord, scan: RegisteredScan) -> None:
        path, found = self.folder / str(record.file), scan.registration
        if self._suffix is not None:
            mesh = self._template.mesh
            write_mesh(path, TriMesh(found.vertices, mesh.faces, mesh.uv))
            return
        arrays = {"vertices": found.in_template_frame()}
        if scan.measured is not None:
            arrays["measured"] = record.rigid_pose().inverse().apply(scan.measured)
        write_npz(path, arrays)

    def _write_line(self, record: ScanRecord) -> None:
        assert self._journal is not None
        try:
            self._journal.write(json.dumps(asdict(record), allow_nan=False) + "\n")
            self._journal.flush()
            os.fsync(self._journal.fileno())
        except OSError as error:
            raise JobError(f"{self.folder / JOURNAL}: cannot be written ({error})") from error
        self._known[record.name] = record


def _read_journal(path: Path) -> dict[str, ScanRecord]:
    """The last whole line of each scan; a torn last line is cut off, so that more can follow."""
    if not path.exists():
        return {}
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
    records = (_record(line) for line in content[:whole].splitlines())
    return {record.name: record for record in records if record is not None}


def _record(line: bytes) -> ScanRecord | None:
    """The record of a line; None if it was written by another version, or damaged."""
    try:
        values = json.loads(line)
        if not isinstance(values, Mapping) or set(values) != {f.name for f in fields(ScanRecord)}:
            return None
        return ScanRecord(**{**values, **{name: tuple(values[name]) for name in ("notes", "pose")}})
    except (ValueError, TypeError):
        return None
