"""Mesh files of one common topology: which triangles, and whether a file has them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from meshgan.arrays import Faces
from meshgan.data.importers.conversion import Conversion
from meshgan.data.mesh_io import read_mesh
from meshgan.data.template import Template
from meshgan.errors import FileFormatError
from meshgan.geometry.mesh import TriMesh

logger = getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Topology:
    """Triangles that all faces of a source share, with one face as an example.

    Args:
        where: the file that they come from.
        vertices: of that file (V, 3), the source's unit and axes.
        faces: triangles (F, 3), int64.
    """

    where: str
    vertices: Float[np.ndarray, "V 3"]
    faces: Faces

    def read(self, path: Path) -> Float[np.ndarray, "V 3"]:
        """Vertices of a mesh file in its own unit, float64.

        Raises:
            FileFormatError: missing, damaged, or of another topology.
        """
        mesh = read_mesh(path)
        self.check_count(mesh.vertex_count, str(path))
        if not np.array_equal(mesh.faces, self.faces):
            raise FileFormatError(
                f"{path}: {mesh.face_count:,} triangles that are not the {len(self.faces):,} of "
                f"{self.where}; another topology"
            )
        return mesh.vertices.astype(np.float64)

    def check_count(self, count: int, where: str) -> None:
        """Refuse another number of vertices.

        Raises:
            FileFormatError: so it is.
        """
        if count != len(self.vertices):
            raise FileFormatError(
                f"{where}: {count:,} vertices, but {self.where} has {len(self.vertices):,}; "
                "another topology"
            )

    def template(
        self,
        name: str,
        unit: Any,
        axis_map: str = "x y z",
        landmarks: Mapping[str, Int[np.ndarray, " _"]] | None = None,
        mirror: Int[np.ndarray, " V"] | None = None,
    ) -> Template:
        """The example as a template in mm and our axes.

        Args:
            name: of the template.
            unit: of the source.
            axis_map: of the source.
            landmarks: vertex ids by set.
            mirror: left-right map, if known.
        """
        conversion = Conversion(unit, axis_map)
        mesh = TriMesh(
            conversion.positions(self.vertices).astype(np.float32),
            conversion.triangles(self.faces),
        )
        return Template(name, mesh, landmarks or {}, mirror)


def read_topology(path: Path) -> Topology:
    """The topology of one mesh file, its positions in the file's own unit.

    Raises:
        FileFormatError: missing or damaged.
    """
    mesh = read_mesh(path)
    return Topology(str(path), mesh.vertices.astype(np.float64), mesh.faces.astype(np.int64))


def first_topology(paths: Iterable[Path], root: Path, what: str) -> Topology:
    """The topology of the first file that can be read; the others are named in a warning.

    Raises:
        FileFormatError: there is none.
    """
    refused: list[FileFormatError] = []
    for path in paths:
        try:
            topology = read_topology(path)
        except FileFormatError as error:
            refused.append(error)
            logger.warning("%s; the topology is taken from another file", error)
            continue
        return topology
    said = f"; first: {refused[0]}" if refused else ""
    raise FileFormatError(f"{root}: no readable {what}{said}")


def only_file(root: Path, suffixes: Sequence[str], what: str) -> Path:
    """``root`` itself if it is a file, else the one file in it with one of the suffixes.

    Raises:
        FileFormatError: there is none, or several.
    """
    if root.is_file():
        return root
    found = sorted(
        path
        for path in (root.iterdir() if root.is_dir() else ())
        if path.suffix.lower() in suffixes and path.is_file() and not path.name.startswith(".")
    )
    if len(found) != 1:
        names = ", ".join(path.name for path in found[:5])
        found_text = f"{len(found)} candidates ({names})" if found else "none"
        raise FileFormatError(
            f"{root}: expected {what} ({' or '.join(suffixes)}), found {found_text}; "
            "give the file itself"
        )
    return found[0]
