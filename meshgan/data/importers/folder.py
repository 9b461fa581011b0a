"""Any set of meshes: a folder with a CSV table, or one NPZ file. The way in for all else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from meshgan.data.importers.base import MeasuredLandmarks, SourceFace, SourceItem
from meshgan.data.importers.conversion import Conversion
from meshgan.data.importers.face_arrays import FaceArrays, read_face_arrays
from meshgan.data.importers.face_table import FaceTable, find_table, read_table
from meshgan.data.importers.plausibility import measure_size
from meshgan.data.landmarks import read_landmarks
from meshgan.data.mesh_io import Unit, read_mesh
from meshgan.data.point_lists import POINT_FORMATS, read_points
from meshgan.data.template import Template
from meshgan.errors import FileFormatError, MeshGANError
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.symmetry import find_mirror

LANDMARK_FILE = "landmarks.toml"


@dataclass(frozen=True)
class Folder:
    """A folder of OBJ, PLY, OFF, STL, NPY or NPZ meshes with a CSV table, or one NPZ of a set.

    The table has the columns ``path,subject,expression,viseme,sequence,frame,split``; only the
    first two are needed, and every further column is a factor. ``path`` is below the folder; an
    NPY file holds vertices (V, 3), or (N, V, 3) with ``file.npy#row`` as the path. See
    ``face_arrays`` for the single NPZ.

    The template is the first mesh, or ``topology``. If a ``landmarks.toml`` lies in the folder,
    its sets become the template's. Measured landmarks of a face are in the file that the column
    ``landmarks`` names, or beside the mesh: ``smile.pts``, ``smile_landmarks.json``, ...
    """

    root: Path
    """The folder with the table, or the NPZ file."""
    registered: bool = True
    """All meshes have one topology; false for raw scans, which must be registered first."""
    unit: Unit | None = None
    """Of all files: mm, cm, dm, m, um or inch; guessed from the first face by default."""
    axis_map: str = "x y z"
    """Which axes of the files are the subject's left, up, and out of the face: "x z -y", ..."""
    table: str | None = None
    """The table's name; by default the only CSV file of the folder."""
    topology: str | None = None
    """A mesh file below the folder that gives the triangles and the template; by default the
    first face. NPY files need it, for they hold no triangles."""
    landmark_order: str = "ibug68"
    """What set the measured landmarks are: ibug68, bu83, ..."""

    format: ClassVar[str] = "folder"

    def __post_init__(self) -> None:
        Conversion(self.unit or "mm", self.axis_map)

    def template(self) -> Template | None:
        """The first mesh (or ``topology``) with the folder's landmark sets; None for raw scans."""
        if not self.registered:
            return None
        mesh = self._topology
        landmarks = self._landmark_ids(mesh.vertex_count)
        unit = self.unit or self._guessed_unit(mesh.vertices, landmarks)
        conversion = Conversion(unit, self.axis_map)
        vertices = conversion.positions(mesh.vertices)
        faces = conversion.triangles(mesh.faces)
        return Template(
            name=self.root.stem,
            mesh=TriMesh(vertices, faces),
            landmarks=landmarks,
            mirror=find_mirror(vertices, faces),
        )

    def items(self) -> Sequence[SourceItem]:
        """The lines of the table, or the rows of the NPZ file."""
        return self._content.items

    def split(self) -> Mapping[str, str]:
        """Subject -> train, validation or test, if the source says; else nothing."""
        return self._content.split

    def read(self, item: SourceItem) -> SourceFace:
        """Read one mesh; a registered one must have the template's triangles."""
        content = self._content
        if isinstance(content, FaceArrays):
            row = int(item.where.rpartition("#")[2])
            extras = {name: np.asarray(values[row]) for name, values in content.extras.items()}
            faces = None if self.registered else content.faces
            return SourceFace(content.vertices[row], faces, extras=extras)
        path, vertices, faces = self._read_file(item.where)
        if self.registered:
            expected = self._topology
            if faces is not None and not np.array_equal(faces, expected.faces):
                raise FileFormatError(
                    f"{path}: {len(vertices):,} vertices and {len(faces):,} triangles, not those "
                    f"of the template ({expected.vertex_count:,} and {expected.face_count:,}); "
                    "is it another topology? (--set registered=false for raw scans)"
                )
            faces = None
        elif faces is None:
            raise FileFormatError(f"{path}: holds no triangles; a point cloud is not a mesh")
        return SourceFace(vertices, faces, self._measured(path, item.where))

    @property
    def _folder(self) -> Path:
        return self.root if self.root.is_dir() else self.root.parent

    @cached_property
    def _content(self) -> FaceArrays | FaceTable:
        if self.root.is_dir():
            return read_table(find_table(self.root, self.table))
        return read_face_arrays(self.root)

    @cached_property
    def _topology(self) -> TriMesh:
        """Triangles and first positions, in the source's unit and axes."""
        content = self._content
        if self.topology is not None:
            return read_mesh(self._folder / self.topology, unit="mm")
        if isinstance(content, FaceArrays):
            return TriMesh(content.vertices[0].astype(np.float64), content.faces)
        refused = []
        for item in content.items:
            try:
                path, vertices, faces = self._read_file(item.where)
            except MeshGANError as error:
                refused.append(str(error))
                continue
            if faces is None:
                raise FileFormatError(
                    f"{path}: holds no triangles; name a mesh file that does with "
                    "--set topology=FILE"
                )
            return TriMesh(vertices, faces)
        raise FileFormatError(f"{self.root}: no mesh of the table can be read; {refused[0]}")

    def _read_file(self, where: str) -> tuple[Path, np.ndarray, np.ndarray | None]:
        """Path, vertices and, where the format has any, triangles of one file."""
        name, _, row = where.partition("#")
        path = self.root / name
        if path.suffix.lower() == ".npy":
            return path, _read_positions(path, row), None
        mesh = read_mesh(path, unit="mm")  # as it is: the unit is converted later
        return path, mesh.vertices, mesh.faces

    def _measured(self, path: Path, where: str) -> MeasuredLandmarks | None:
        content = self._content
        assert isinstance(content, FaceTable)
        if where in content.landmarks:
            found = self.root / content.landmarks[where]
        else:
            beside = [path.with_suffix(".pts")]
            beside += [path.with_name(f"{path.stem}_landmarks.{kind}") for kind in POINT_FORMATS]
            found = next((place for place in beside if place.is_file()), None)
        return None if found is None else MeasuredLandmarks(self.landmark_order, read_points(found))

    def _landmark_ids(self, vertex_count: int) -> dict[str, np.ndarray]:
        path = self._folder / LANDMARK_FILE
        if not path.is_file():
            return {}
        sets = read_landmarks(path)
        for found in sets.values():
            found.check(vertex_count)
        return {name: found.vertex_ids for name, found in sets.items()}

    def _guessed_unit(self, vertices: np.ndarray, landmarks: Mapping[str, np.ndarray]) -> Unit:
        upright = Conversion("mm", self.axis_map).positions(vertices)
        eyes = None
        if "ibug68" in landmarks:
            eyes = MeasuredLandmarks("ibug68", upright[landmarks["ibug68"]])
        return measure_size(upright, eyes).unit()


def _read_positions(path: Path, row: str) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if row:
            array = array[int(row)]
        if array.ndim != 2 or array.shape[1] != 3 or array.dtype.kind != "f":
            raise ValueError(f"found {array.dtype} {array.shape}, expected numbers (V, 3)")
        return np.array(array, dtype=np.float64)
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file") from error
    except (OSError, ValueError, EOFError, IndexError, SyntaxError) as error:
        raise FileFormatError(f"{path}: not the vertices of a mesh ({error})") from error
