"""The two forms in which the BIWI corpus is passed on: as published, and converted to arrays."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from meshgan.data.importers.array_files import open_npy
from meshgan.data.importers.biwi_frames import (
    Frame,
    Place,
    frames_in_folder,
    frames_in_tar,
    is_sentence,
    parse_vl,
    recordings,
)
from meshgan.data.importers.plausibility import FaceSize
from meshgan.data.importers.registered import Topology, first_topology, read_topology
from meshgan.data.importers.safe_pickle import read_pickle
from meshgan.data.mesh_io import MILLIMETRES
from meshgan.errors import FileFormatError

_SCANS, _FACES = "rigid_scans", "faces"
_ROWS, _NEUTRALS = "vertices_npy", "templates.pkl"
_SUBJECT = r"[FM]\d+"


@dataclass(frozen=True)
class Recording:
    """Someone says a sentence. ``frames``: name of each and its number, None if it has none."""

    subject: str
    sequence: str
    frames: list[tuple[str, int | None]]


def open_corpus(
    root: Path, mesh: Path | None, millimetres: float | None
) -> "OriginalCorpus | ConvertedCorpus":
    """The form that lies at ``root``.

    Raises:
        FileFormatError: neither.
    """
    if (root / _FACES).is_dir():
        return OriginalCorpus(root, mesh)
    if (root / _ROWS).is_dir():
        return ConvertedCorpus(root, mesh, millimetres)
    raise FileFormatError(
        f"{root}: found neither {_FACES}/F1/01.tar (as published) nor {_ROWS}/F1_01.npy (converted)"
    )


class OriginalCorpus:
    """``rigid_scans/F1.obj`` and ``faces/F1/01.tar``, or the tar files unpacked; mm, y down.

    ``unit`` and ``axis_map`` are those of all positions, as in ``ConvertedCorpus``.
    """

    axis_map: ClassVar[str] = "x -y -z"
    unit = "mm"

    def __init__(self, root: Path, mesh: Path | None) -> None:
        self._root, self._mesh = root, mesh
        self._places: dict[str, Place] = {}
        self._refused: dict[str, FileFormatError] = {}

    @cached_property
    def topology(self) -> Topology:
        """The triangles of all faces, with one face of the corpus."""
        if self._scans or self._mesh is None:
            return first_topology(self._scans, self._root, f"personal template {_SCANS}/F1.obj")
        own = read_topology(self._mesh)
        frames = (where for recording in self.recordings() for where, _ in recording.frames)
        return _seen_in(own, frames, self._positions)

    @cached_property
    def _scans(self) -> list[Path]:
        folder = self._root / _SCANS
        return sorted(folder.glob("*.obj")) if folder.is_dir() else []

    def neutrals(self) -> list[tuple[str, str]]:
        """Name and subject of each personal template."""
        return [(path.relative_to(self._root).as_posix(), path.stem) for path in self._scans]

    def recordings(self) -> Iterator[Recording]:
        """All sentences by subject and name; a damaged one has a single frame, which says why."""
        found = False
        for subject in sorted((self._root / _FACES).iterdir()):
            if subject.is_dir() and not subject.name.startswith("."):
                for path in recordings(subject):
                    found = True
                    yield Recording(subject.name, path.stem, self._frames(path))
        if not found:
            raise FileFormatError(f"{self._root / _FACES}: no subject has sentences like 01.tar")

    def vertices(self, where: str) -> Float[np.ndarray, "V 3"]:
        """Positions of a template or a frame by its name.

        Raises:
            FileFormatError: missing, damaged or of another topology.
        """
        if where.startswith(f"{_SCANS}/"):
            return self.topology.read(self._root / where)
        vertices = self._positions(where)
        self.topology.check_count(len(vertices), str(self._root / where))
        return vertices

    def _positions(self, where: str) -> Float[np.ndarray, "V 3"]:
        archive, inside, _ = where.partition("#")
        if inside and where not in self._places:
            self._frames(self._root / archive)
        if where in self._refused or (inside and where not in self._places):
            error = self._refused.get(where, self._refused.get(archive))
            raise error or FileFormatError(f"{self._root / where}: no such frame")
        try:
            content = self._places.get(where, Place(self._root / where)).read()
        except OSError as error:
            raise FileFormatError(f"{self._root / where}: cannot be read ({error})") from error
        return parse_vl(content, str(self._root / where))

    def _frames(self, path: Path) -> list[tuple[str, int | None]]:
        try:
            listed = frames_in_folder if path.is_dir() else frames_in_tar
            frames: list[Frame] = listed(path, self._root)
        except FileFormatError as error:  # told when the recording is read
            where = path.relative_to(self._root).as_posix()
            self._refused[where] = error
            return [(where, 0)]
        self._places |= {frame.where: frame.place for frame in frames}
        return [(frame.where, frame.number) for frame in frames]


class ConvertedCorpus:
    """``vertices_npy/F1_01.npy`` (frames, 3V) and ``templates.pkl``; any unit, y up."""

    axis_map: ClassVar[str] = "x y z"

    def __init__(self, root: Path, mesh: Path | None, millimetres: float | None) -> None:
        self._root, self._mesh, self._millimetres = root, mesh, millimetres

    @cached_property
    def unit(self) -> str:
        """Millimetres if the user gave a factor, else what the height of a face tells.

        Raises:
            FileFormatError: no unit brings it to that of a face.
        """
        if self._millimetres is not None:
            return "mm"
        size = FaceSize(float(np.ptp(self.topology.vertices[:, 1])), by_eyes=False)
        unit = size.unit()
        if not FaceSize(size.length * MILLIMETRES[unit], by_eyes=False).plausible:
            raise FileFormatError(
                f"{self._root / _NEUTRALS}: a face is {size.length:.4g} high, in no unit that of a "
                "face; conversions often divide by the root of the surface: "
                "give --set millimetres=F, the millimetres of 1"
            )
        return unit

    @cached_property
    def topology(self) -> Topology:
        """The triangles of all faces, with one face of the corpus."""
        own = self._mesh_topology() if self._mesh is None else read_topology(self._mesh)
        stills = (where for where, _ in self.neutrals())
        frames = (where for recording in self.recordings() for where, _ in recording.frames)
        return _seen_in(own, chain(stills, frames), self._positions)

    def _mesh_topology(self) -> Topology:
        candidates = [
            path
            for pattern in ("*.ply", "*.obj", "templates/*.ply", "templates/*.obj", f"{_SCANS}/*")
            for path in sorted(self._root.glob(pattern))
            if path.suffix.lower() in (".ply", ".obj")
        ]
        if not candidates:
            raise FileFormatError(
                f"{self._root}: arrays hold no triangles; give --set mesh=FILE, a mesh of the "
                "topology: the corpus' own rigid_scans/F1.obj, or the BIWI.ply that "
                "FaceFormer and CodeTalker publish"
            )
        return first_topology(candidates, self._root, "mesh file")

    @cached_property
    def _neutrals(self) -> Mapping[str, Any]:
        path = self._root / _NEUTRALS
        content = read_pickle(path) if path.exists() else {}
        if not isinstance(content, dict):
            raise FileFormatError(f"{path}: expected subject -> (V, 3)")
        return {str(subject): content[subject] for subject in sorted(content)}

    def neutrals(self) -> list[tuple[str, str]]:
        """Name and subject of each personal template."""
        return [(f"{_NEUTRALS}#{subject}", subject) for subject in self._neutrals]

    def recordings(self) -> Iterator[Recording]:
        """All sentences by subject and name; a damaged one has a single frame, which says why."""
        found = False
        for path in sorted((self._root / _ROWS).glob("*.npy")):
            subject, _, sequence = path.stem.partition("_")
            if not is_sentence(sequence):
                continue
            found = True
            where = path.relative_to(self._root).as_posix()
            try:
                frames = [(f"{where}#{row}", row) for row in range(len(self._rows(where)))]
            except FileFormatError:  # told when it is read
                frames = [(where, 0)]
            yield Recording(subject, sequence, list(frames))
        if not found:
            raise FileFormatError(f"{self._root / _ROWS}: no file like F1_01.npy")

    def vertices(self, where: str) -> Float[np.ndarray, "V 3"]:
        """Positions of a template or a frame by its name.

        Raises:
            FileFormatError: missing, damaged or of another topology.
        """
        vertices = self._positions(where)
        self.topology.check_count(len(vertices), str(self._root / where))
        return vertices

    def _positions(self, where: str) -> Float[np.ndarray, "V 3"]:
        name, _, key = where.partition("#")
        values = self._neutrals[key] if name == _NEUTRALS else self._rows(name)[int(key or 0)]
        return _as_vertices(values, str(self._root / where)) * (self._millimetres or 1.0)

    def _rows(self, where: str) -> np.ndarray:
        rows = open_npy(self._root / where)
        flat = rows.ndim == 2 and rows.shape[1] % 3 == 0
        if not (flat or (rows.ndim == 3 and rows.shape[2] == 3)) or rows.dtype.kind != "f":
            raise FileFormatError(
                f"{self._root / where}: {rows.dtype} {rows.shape}, expected (frames, 3V) numbers"
            )
        return rows


def _seen_in(
    own: Topology, faces: Iterable[str], read: Callable[[str], Float[np.ndarray, "V 3"]]
) -> Topology:
    """The triangles of ``own`` with the positions of the first face that fits them.

    A mesh file that is given for its triangles may have another unit or look another way.
    """
    refused = "holds none"
    for where in faces:
        try:
            vertices = read(where)
            own.check_count(len(vertices), where)
        except FileFormatError as error:
            refused = str(error)
            continue
        return replace(own, vertices=vertices)
    raise FileFormatError(f"{own.where}: no face of the source fits its triangles ({refused})")


def _as_vertices(values: Any, where: str) -> Float[np.ndarray, "V 3"]:
    array = np.asarray(values)
    if array.dtype.kind != "f" or array.size % 3 or array.ndim not in (1, 2):
        raise FileFormatError(f"{where}: {array.dtype} {array.shape}, expected (V, 3) numbers")
    return array.reshape(-1, 3).astype(np.float64)
