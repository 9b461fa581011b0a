"""StoreWriter: builds a DATA folder shard by shard, so that a kill costs one shard at most."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from meshgan.data.manifest import (
    FORMAT,
    MANIFEST_NAME,
    SHARD_FOLDER,
    VERSION,
    Manifest,
    Shard,
    read_manifest,
    write_manifest,
)
from meshgan.data.npz import write_npz
from meshgan.data.origin import as_json, refuse_differences
from meshgan.data.row_checks import check_rows, extras_layout
from meshgan.data.rows import FaceRows
from meshgan.data.shard_files import table_of, write_vertices
from meshgan.data.store_folder import lock, make_folder, refuse_content, remove_leftovers
from meshgan.data.template import Template
from meshgan.errors import ConfigError, InputError
from meshgan.files import checksum

SHARD_BYTES = 64 * 2**20


class StoreWriter:
    """Writes registered faces to a DATA folder with bounded memory.

    Rows are gathered in memory until a shard (64 MB of vertices) is full. Then its two files are
    written under temporary names, renamed, and the manifest is replaced: a build that is killed
    keeps every shard that the manifest names, and goes on with ``create(..., resume=True)`` at
    row ``rows_written``. Used as a context manager it finishes at the end of the block; if the
    block fails, whole shards stay and the rest is forgotten.

    Raises, everywhere:
        JobError: a file cannot be written (disk full); what the manifest names stays whole.
    """

    def __init__(self, folder: Path, manifest: Manifest, shard_rows: int | None = None) -> None:
        self.folder = folder
        self._manifest = manifest
        per_shard = shard_rows or SHARD_BYTES // (manifest.vertex_count * 12)
        self._shard_rows = max(1, per_shard)
        self._pending: list[FaceRows] = []
        self._pending_count = 0
        self._open = not manifest.complete
        self._lock = lock(folder)

    @classmethod
    def create(
        cls,
        path: Path | str,
        template: Template,
        factors: Mapping[str, Sequence[str]],
        subjects: Sequence[str],
        provenance: Mapping[str, Any],
        *,
        resume: bool = False,
        source_unit: str = "mm",
        axis_map: str = "x y z",
        shard_rows: int | None = None,
    ) -> "StoreWriter":
        """Start a DATA folder, or go on with an interrupted one.

        Args:
            path: the folder; new or empty, unless ``resume``.
            template: whose topology all meshes have; copied into the folder.
            factors: factor -> label names; at least one name each.
            subjects: names of the people; ``FaceRows.subject`` indexes them.
            provenance: JSON values that say how to make the same rows again.
            resume: go on where ``path`` stops; it must have been started with the same template,
                factors, subjects and provenance. Nothing there yet is fine too.
            source_unit: unit of the source before conversion to mm.
            axis_map: which source axes became x, y and z, with signs.
            shard_rows: meshes per shard instead of 64 MB.

        Raises:
            InputError: ``path`` is not empty; or resuming finds another data set there; or
                another process is writing to it.
        """
        folder = Path(path)
        try:
            manifest = Manifest(
                format=FORMAT,
                version=VERSION,
                complete=False,
                template_file="template.npz",
                template_name=template.name,
                topology_hash=template.topology_hash,
                vertex_count=template.mesh.vertex_count,
                unit="mm",
                source_unit=source_unit,
                axis_map=axis_map,
                factors={name: tuple(labels) for name, labels in factors.items()},
                subjects=tuple(subjects),
                provenance=as_json(folder, provenance),
            )
        except ConfigError as error:
            raise InputError(f"{folder}: cannot be started; {error}") from error
        if resume and (folder / MANIFEST_NAME).exists():
            found = read_manifest(folder)
            refuse_differences(folder, found, manifest)
            writer = cls(folder, found, shard_rows)
            remove_leftovers(folder, writer._manifest)
            return writer
        refuse_content(folder, allow_leftovers=resume)
        make_folder(folder / SHARD_FOLDER)
        writer = cls(folder, manifest, shard_rows)
        template.save(folder / manifest.template_file)
        write_manifest(folder, manifest)
        return writer

    @classmethod
    def append_to(
        cls,
        path: Path | str,
        *,
        template: Template | None = None,
        new_subjects: Sequence[str] = (),
        new_labels: Mapping[str, Sequence[str]] | None = None,
        provenance: Mapping[str, Any] | None = None,
        shard_rows: int | None = None,
    ) -> "StoreWriter":
        """Add rows to a finished DATA folder; earlier rows and their ids stay as they are.

        New names stand in the manifest from the first new shard on, not before: an append that is
        killed without one, or adds nothing, leaves the folder as it was.

        Args:
            path: the folder.
            template: if given, must have the folder's topology.
            new_subjects: names to add after the existing ones; known names are not repeated.
            new_labels: factor -> label names to add likewise; no label changes its number. Factors
                that the folder does not have are passed over: its rows have no labels of them.
            provenance: where the new rows come from.
            shard_rows: meshes per shard instead of 64 MB.

        Raises:
            InputError: the folder's build is unfinished, or the topology is another.
        """
        folder = Path(path)
        manifest = read_manifest(folder)
        if not manifest.complete:
            raise InputError(f"{folder}: its build was interrupted; resume it before appending")
        if template is not None and template.topology_hash != manifest.topology_hash:
            raise InputError(
                f"{folder}: holds {manifest.vertex_count:,} vertices of template "
                f"{manifest.template_name} ({manifest.topology_hash}), but {template.name} has "
                f"{template.mesh.vertex_count:,} ({template.topology_hash}); "
                "register the meshes to the folder's template first"
            )
        entry = {
            "first_row": manifest.row_count,
            "provenance": as_json(folder, provenance or {}),
        }
        given = new_labels or {}
        factors = {
            name: _joined(own, given.get(name, ())) for name, own in manifest.factors.items()
        }
        writer = cls(folder, manifest, shard_rows)
        remove_leftovers(folder, writer._manifest)
        writer._manifest = replace(
            manifest,
            subjects=_joined(manifest.subjects, new_subjects),
            factors=factors,
            appended=(*manifest.appended, entry),
        )
        writer._open = True
        return writer

    @property
    def rows_written(self) -> int:
        """Rows on disk that the manifest names: where a resumed source has to go on."""
        return self._manifest.row_count

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names that ``FaceRows.subject`` indexes."""
        return self._manifest.subjects

    @property
    def factors(self) -> Mapping[str, tuple[str, ...]]:
        """Factor -> label names that ``FaceRows.labels`` index."""
        return self._manifest.factors

    def append(self, rows: FaceRows) -> None:
        """Add faces; they are on disk once ``rows_written`` has passed them.

        Raises:
            InputError: any row is wrong: vertex count, a value that is not finite, a label or
                subject out of range, a missing or unknown factor, other extras than before. All
                problems stand in one message and nothing of ``rows`` is kept.
        """
        if not self._open:
            raise InputError(f"{self.folder}: is finished; open it with StoreWriter.append_to")
        first_row = self.rows_written + self._pending_count
        check_rows(self.folder, self._manifest, rows, first_row)
        if not self._manifest.extras and first_row == 0:
            self._manifest = replace(self._manifest, extras=extras_layout(rows))
        start = 0
        while start < rows.count:
            room = self._shard_rows - self._pending_count
            part = rows.take(slice(start, start + room))
            self._pending.append(part.copy())
            self._pending_count += part.count
            start += part.count
            if self._pending_count == self._shard_rows:
                self._write_shard()

    def finish(self) -> None:
        """Write what is pending and mark the data set complete."""
        if self._pending_count:
            self._write_shard()
        if self._open and not self._manifest.complete:
            self._manifest = replace(self._manifest, complete=True)
            write_manifest(self.folder, self._manifest)
        self.close()

    def close(self) -> None:
        """Let go of the folder; rows that are not yet in a shard are forgotten."""
        self._open = False
        self._pending, self._pending_count = [], 0
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> "StoreWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()
        self.close()

    def _write_shard(self) -> None:
        number = int(self._manifest.shards[-1].name) + 1 if self._manifest.shards else 0
        draft = Shard(f"{number:05d}", self._pending_count, "0" * 64, "0" * 64)
        vertices_path = self.folder / draft.vertices_file
        table_path = self.folder / draft.table_file
        try:
            write_vertices(vertices_path, [rows.vertices for rows in self._pending])
            write_npz(table_path, table_of(self._pending))
            shard = replace(
                draft,
                vertices_sha256=checksum(vertices_path),
                table_sha256=checksum(table_path),
            )
            manifest = replace(self._manifest, shards=(*self._manifest.shards, shard))
            write_manifest(self.folder, manifest)
        except BaseException:
            vertices_path.unlink(missing_ok=True)
            table_path.unlink(missing_ok=True)
            raise
        self._manifest = manifest
        self._pending, self._pending_count = [], 0


def _joined(names: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    """All names once, in their order: the second list's new ones at the end."""
    return tuple(dict.fromkeys((*names, *more)))
