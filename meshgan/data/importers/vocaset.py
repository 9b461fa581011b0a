"""VOCASET: 12 people who speak, 60 frames a second, registered in FLAME's topology."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from meshgan import config
from meshgan.data.importers.array_files import open_npy
from meshgan.data.importers.base import SourceFace, SourceItem
from meshgan.data.importers.flame_topology import read_embedding
from meshgan.data.importers.registered import Topology, first_topology, read_topology
from meshgan.data.importers.safe_pickle import read_pickle
from meshgan.data.importers.scan_folders import files_with_suffix, frame_number, subject_folders
from meshgan.data.importers.speech_labels import SpeechLabels
from meshgan.data.template import Template
from meshgan.errors import FileFormatError

_ROWS, _TABLE, _NEUTRALS = "data_verts.npy", "subj_seq_to_idx.pkl", "templates.pkl"
_SUBJECT = r"FaceTalk_\w+"
_EXAMPLE = "FaceTalk_170725_00137_TA"
_WHERE_FACES = (
    'give one with --set mesh=FLAME_sample.ply, which VOCA publishes in its folder "template" '
    "(github.com/TimoBolkart/voca), or put it into this folder"
)


@dataclass(frozen=True)
class VOCASET:
    """VOCASET: arrays (``data_verts.npy`` and its tables), or a folder of PLY files; metres.

    The arrays hold no triangles: they come from a mesh file (``mesh``, else the first ``.ply`` in
    the folder). The rows of ``data_verts.npy`` stay on disk and are fetched one by one; the tables
    are pickles, read as data only. The templates of the subjects are imported as stills labelled
    neutral. With phoneme alignments the frames have the label ``viseme``.

    Source: Cudeiro et al. 2019, Capture, learning, and synthesis of 3D speaking styles.
    """

    root: Path
    """Folder with data_verts.npy, or with FaceTalk_..._TA/sentence01/*.ply."""
    mesh: Path | None = None
    """Any mesh file in FLAME's topology, for the triangles of the arrays."""
    alignments: Path | None = None
    """Folder of phoneme alignments, SUBJECT/SEQUENCE.TextGrid, .lab or .csv."""
    frames_per_second: float = 60.0
    """Of the recordings; places a frame in its alignment."""
    landmarks: Path | None = None
    """FLAME landmark embedding (flame_static_embedding.pkl), to have landmarks in the template."""

    format: ClassVar[str] = "vocaset"
    unit: ClassVar[str | None] = "m"
    axis_map: ClassVar[str] = "x y z"
    registered: ClassVar[bool] = True

    def __post_init__(self) -> None:
        config.require(self, frames_per_second=self.frames_per_second > 0)

    def template(self) -> Template:
        """The mesh that the triangles come from, with landmarks if an embedding is given."""
        landmarks = {}
        if self.landmarks is not None:
            found = read_embedding(self.landmarks, self._topology.faces)
            landmarks[found.name] = found.vertex_ids
        return self._topology.template("vocaset", self.unit, landmarks=landmarks)

    def items(self) -> Sequence[SourceItem]:
        """Neutral templates first, then the frames by subject and sequence.

        Raises:
            FileFormatError: neither layout is found, or the tables name rows that are not there.
        """
        return list(self._listed_rows() if self._has_arrays else self._listed_files())

    def read(self, item: SourceItem) -> SourceFace:
        """Fetch one face.

        Raises:
            FileFormatError: missing, damaged, of another topology; or its alignment is damaged.
        """
        self._speech.check(item)
        name, _, key = item.where.partition("#")
        if not self._has_arrays:
            return SourceFace(self._topology.read(self.root / name))
        if name == _NEUTRALS:
            vertices = np.asarray(self._neutrals[key])
        else:
            vertices = np.array(self._rows[int(key)])
        return SourceFace(self._checked(vertices, item.where))

    def _checked(self, vertices: np.ndarray, where: str) -> Float[np.ndarray, "V 3"]:
        if vertices.ndim != 2 or vertices.shape[1] != 3 or vertices.dtype.kind != "f":
            raise FileFormatError(
                f"{self.root / where}: {vertices.dtype} {vertices.shape}, expected (V, 3) numbers"
            )
        self._topology.check_count(len(vertices), str(self.root / where))
        return vertices.astype(np.float64)

    @property
    def _has_arrays(self) -> bool:
        return (self.root / _ROWS).exists()

    @cached_property
    def _speech(self) -> SpeechLabels:
        return SpeechLabels(self.alignments, self.frames_per_second)

    @cached_property
    def _topology(self) -> Topology:
        if self.mesh is not None:
            return read_topology(self.mesh)
        if not self._has_arrays:
            return first_topology(
                chain.from_iterable(self._folders), self.root, "mesh like sentence01/*.ply"
            )
        found = sorted([*self.root.glob("*.ply"), *self.root.glob("*/*.ply")])
        if not found:
            raise FileFormatError(
                f"{self.root}: the arrays hold no triangles and there is no .ply; {_WHERE_FACES}"
            )
        return first_topology(found, self.root, ".ply")

    @cached_property
    def _rows(self) -> np.ndarray:
        rows = open_npy(self.root / _ROWS)
        if rows.ndim != 3 or rows.shape[2] != 3 or rows.dtype.kind != "f":
            raise FileFormatError(
                f"{self.root / _ROWS}: {rows.dtype} {rows.shape}, expected (frames, V, 3) numbers"
            )
        return rows

    @cached_property
    def _neutrals(self) -> Mapping[str, Any]:
        path = self.root / _NEUTRALS
        if not path.exists():
            return {}
        content = read_pickle(path)
        if not isinstance(content, dict):
            raise FileFormatError(f"{path}: expected subject -> (V, 3)")
        return {str(subject): vertices for subject, vertices in content.items()}

    def _listed_rows(self) -> Iterator[SourceItem]:
        for subject in sorted(self._neutrals):
            yield SourceItem(f"{_NEUTRALS}#{subject}", subject, {"expression": "neutral"})
        path = self.root / _TABLE
        table = read_pickle(path)
        for subject, sequences in _sorted_table(table, path):
            for sequence, frames in _sorted_table(sequences, path):
                yield from self._row_items(subject, sequence, _numbers(frames, path))

    def _row_items(self, subject: str, sequence: str, rows: dict[int, int]) -> list[SourceItem]:
        frames = sorted(rows)
        outside = [row for row in rows.values() if not 0 <= row < len(self._rows)]
        if outside:
            raise FileFormatError(
                f"{self.root / _TABLE}: {subject} {sequence} names row {outside[0]:,}, but "
                f"{_ROWS} has {len(self._rows):,}"
            )
        visemes = self._speech.of(subject, sequence, frames)
        return [
            SourceItem(f"{_ROWS}#{rows[frame]}", subject, viseme, sequence, frame)
            for frame, viseme in zip(frames, visemes, strict=True)
        ]

    @cached_property
    def _folders(self) -> list[list[Path]]:
        """Files by subject and sequence."""
        return [
            files
            for subject in subject_folders(self.root, _SUBJECT, _EXAMPLE)
            for folder in sorted(subject.iterdir())
            if folder.is_dir() and (files := files_with_suffix(folder, {".ply"}))
        ]

    def _listed_files(self) -> Iterator[SourceItem]:
        if not self._folders:
            raise FileFormatError(
                f"{self.root}: found neither {_ROWS} nor {_EXAMPLE}/sentence01/*.ply"
            )
        for files in self._folders:
            numbers = [frame_number(path) for path in files]
            first = min((number for number in numbers if number is not None), default=0)
            frames = [first if number is None else number for number in numbers]
            frames = [frame - first for frame in frames]
            subject, sequence = files[0].parent.parent.name, files[0].parent.name
            visemes = self._speech.of(subject, sequence, frames)
            for path, frame, viseme in zip(files, frames, visemes, strict=True):
                where = path.relative_to(self.root).as_posix()
                yield SourceItem(where, subject, viseme, sequence, frame)


def _sorted_table(table: Any, path: Path) -> list[tuple[str, Any]]:
    if not isinstance(table, dict):
        raise FileFormatError(f"{path}: expected subject -> sequence -> frame -> row")
    return sorted((str(name), value) for name, value in table.items())


def _numbers(frames: Any, path: Path) -> dict[int, int]:
    try:
        return {int(frame): int(row) for frame, row in frames.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise FileFormatError(f"{path}: expected frame -> row, whole numbers") from error
