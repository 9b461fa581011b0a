"""Registered faces on disk: a DATA folder, one mesh or all of them, larger than memory or not.

::

    DATA/dataset.json                manifest: factors, subjects, provenance, shards, checksums
    DATA/template.npz                the topology that all meshes share
    DATA/shards/00000.vertices.npy   positions (rows, V, 3), float32, mm
    DATA/shards/00000.table.npz      label.FACTOR, subject, sequence, frame, extra.NAME
    DATA/cache/                      geometry images; may be deleted at any time

Why plain ``.npy``: it is NumPy's own documented format, any program can read or memory-map it, a
single mesh is one read at a known place, and it needs no library; vertex positions do not
compress enough to pay for HDF5 or Zarr. Why shards: a build that is killed loses
one at most, a damaged file costs one, and appending never rewrites what is there.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from meshgan.data.manifest import Manifest, read_manifest
from meshgan.data.rows import UNLABELLED, FaceRows
from meshgan.data.shard_files import VertexFile, empty_table, read_table
from meshgan.data.store_writer import StoreWriter
from meshgan.data.template import Template
from meshgan.errors import FileFormatError, InputError

__all__ = ["UNLABELLED", "FaceRows", "Store", "StoreWriter"]

_OPEN_FILES = 256  # each holds a file descriptor; systems often allow 1,024


class Store:
    """A DATA folder, open for reading.

    Nothing of the vertices is read until asked for, and nothing is ever unpickled. A store can
    be sent to other processes: it takes its path along, not its open files.

    Axis letters: N meshes in the store, b of them, V vertices.

    Args:
        path: the DATA folder.
        partial: also open a folder whose build has not finished.

    Raises:
        FileFormatError: the folder or its manifest is missing or damaged.
        InputError: its build has not finished and ``partial`` is not set.
    """

    def __init__(self, path: Path | str, partial: bool = False) -> None:
        self.path = Path(path)
        self.manifest: Manifest = read_manifest(self.path)
        counts = [shard.rows for shard in self.manifest.shards]
        self._starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        self._files: OrderedDict[int, VertexFile] = OrderedDict()
        if not (self.manifest.complete or partial):
            raise InputError(
                f"{self.path}: its build stopped after {self.count:,} meshes; finish it with "
                "meshgan data build ... --resume"
            )

    @classmethod
    def open(cls, path: Path | str, partial: bool = False) -> "Store":
        """Open a DATA folder: ``Store(path)``."""
        return cls(path, partial)

    @property
    def count(self) -> int:
        """N, meshes."""
        return int(self._starts[-1])

    def __len__(self) -> int:
        return self.count

    @property
    def vertex_count(self) -> int:
        """V of every mesh."""
        return self.manifest.vertex_count

    @property
    def factors(self) -> Mapping[str, tuple[str, ...]]:
        """Factor -> label names."""
        return self.manifest.factors

    @property
    def subjects(self) -> tuple[str, ...]:
        """Names of the people; ``subject`` indexes them."""
        return self.manifest.subjects

    @cached_property
    def template(self) -> Template:
        """The template whose topology all meshes have.

        Raises:
            FileFormatError: its file is damaged, or is not the one the manifest names.
        """
        template = Template.load(self.path / self.manifest.template_file)
        if template.topology_hash != self.manifest.topology_hash:
            raise FileFormatError(
                f"{self.path / self.manifest.template_file}: has topology "
                f"{template.topology_hash}, the data set {self.manifest.topology_hash}; "
                "put the right template back"
            )
        return template

    @property
    def subject(self) -> Int[np.ndarray, " N"]:
        """Whose face each mesh is: index into ``subjects``."""
        return self._column("subject")

    @property
    def sequence(self) -> Int[np.ndarray, " N"]:
        """Which recording each mesh is of; -1 = none."""
        return self._column("sequence")

    @property
    def frame(self) -> Int[np.ndarray, " N"]:
        """Position of each mesh in its sequence."""
        return self._column("frame")

    def labels(self, factor: str) -> Int[np.ndarray, " N"]:
        """One label per mesh, an index into ``factors[factor]``; -1 = unlabelled.

        Raises:
            InputError: the store has no such factor.
        """
        if factor not in self.factors:
            known = ", ".join(self.factors)
            raise InputError(f"{self.path}: has no factor {factor!r}; it has {known}")
        return self._column(f"label.{factor}")

    def rows_where(self, subject: str | None = None, **labels: str | None) -> Int[np.ndarray, " _"]:
        """Row numbers of the meshes that bear certain labels, ascending (int64).

        Example: ``store.rows_where(expression="happiness", subject="F0001")``.

        Args:
            subject: only this person's.
            labels: factor -> label name, or None for the unlabelled ones.

        Raises:
            InputError: the store has no such factor, label or subject.
        """
        chosen = np.ones(self.count, dtype=bool)
        if subject is not None:
            chosen &= self.subject == self._number(self.subjects, subject, "subject")
        for factor, name in labels.items():
            here = self.labels(factor)
            chosen &= here == (
                UNLABELLED if name is None else self._number(self.factors[factor], name, factor)
            )
        return np.flatnonzero(chosen)

    def extras(self, name: str) -> np.ndarray:
        """An extra array, one row per mesh (N, ...).

        Raises:
            InputError: the store has no such extra.
        """
        if name not in self.manifest.extras:
            known = ", ".join(self.manifest.extras) or "none"
            raise InputError(f"{self.path}: has no extra {name!r}; it has {known}")
        return self._column(f"extra.{name}")

    def vertices(self, ids: Int[np.ndarray, " b"]) -> Float[np.ndarray, "b V 3"]:
        """Positions of some meshes, in any order, also repeated: float32, mm.

        Raises:
            InputError: an id is out of range.
            FileFormatError: a shard is missing or damaged.
        """
        ids = np.asarray(ids, dtype=np.int64)
        self._check_ids(ids)
        found = np.empty((len(ids), self.vertex_count, 3), dtype=np.float32)
        if not len(ids):
            return found
        shards = np.searchsorted(self._starts, ids, side="right") - 1
        rows = ids - self._starts[shards]
        jumps = np.flatnonzero((np.diff(ids) != 1) | (np.diff(shards) != 0)) + 1
        places = [0, *jumps.tolist(), len(ids)]
        for begin, end in pairwise(places):  # neighbours in one read
            self._file(int(shards[begin])).read(int(rows[begin]), found[begin:end])
        return found

    def rows(self, ids: Int[np.ndarray, " b"]) -> FaceRows:
        """Some meshes with all that is known of them."""
        ids = np.asarray(ids, dtype=np.int64)
        return FaceRows(
            vertices=self.vertices(ids),
            labels={name: self.labels(name)[ids] for name in self.factors},
            subject=self.subject[ids],
            sequence=self.sequence[ids],
            frame=self.frame[ids],
            extras={name: self.extras(name)[ids] for name in self.manifest.extras},
        )

    def chunks(self, size: int = 256) -> Iterator[Float[np.ndarray, "b V 3"]]:
        """All meshes in order, ``size`` at a time (the last chunk may be smaller)."""
        if size < 1:
            raise InputError(f"{self.path}: chunks of {size} meshes; ask for 1 or more")
        for start in range(0, self.count, size):
            yield self.vertices(np.arange(start, min(start + size, self.count)))

    @cached_property
    def content_hash(self) -> str:
        """16 hexadecimal digits that name topology, template shape and all vertices in order."""
        digest = hashlib.sha256(self.manifest.topology_hash.encode())
        digest.update(np.ascontiguousarray(self.template.mesh.vertices, dtype="<f8").tobytes())
        for shard in self.manifest.shards:
            digest.update(shard.vertices_sha256.encode())
        return digest.hexdigest()[:16]

    def __repr__(self) -> str:
        factors = ", ".join(self.factors)
        size = f"{self.count:,} meshes x {self.vertex_count:,} vertices"
        return f"Store({str(self.path)!r}: {size}, {factors})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_files": OrderedDict()}

    def _number(self, names: tuple[str, ...], name: str, what: str) -> int:
        if name not in names:
            shown = ", ".join(names[:8]) + (" and more" if len(names) > 8 else "")
            raise InputError(f"{self.path}: has no {what} {name!r}; it has {shown}")
        return names.index(name)

    def _check_ids(self, ids: np.ndarray) -> None:
        outside = (ids < 0) | (ids >= self.count)
        if outside.any():
            first = int(ids[np.argmax(outside)])
            raise InputError(f"{self.path}: no mesh {first:,}; ids go from 0 to {self.count - 1:,}")

    def _file(self, shard: int) -> VertexFile:
        if shard in self._files:
            self._files.move_to_end(shard)
            return self._files[shard]
        opened = VertexFile(self.path, self.manifest.shards[shard], self.vertex_count)
        self._files[shard] = opened
        if len(self._files) > _OPEN_FILES:
            self._files.popitem(last=False)
        return opened

    @cached_property
    def _columns(self) -> dict[str, np.ndarray]:
        tables = [read_table(self.path, shard, self.manifest) for shard in self.manifest.shards]
        if not tables:
            return empty_table(self.manifest)
        return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}

    def _column(self, name: str) -> np.ndarray:
        return self._columns[name]
