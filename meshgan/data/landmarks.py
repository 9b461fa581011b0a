"""Named landmarks: where on the surface of a template each one is.

A landmark sits at a vertex or inside a triangle; sets are written as TOML. Lists of measured
points, as a detector or a person gives them for one scan, are in ``point_lists``.
"""

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from meshgan.arrays import Faces, VertexIds, Vertices
from meshgan.data.point_lists import check_points, read_points, write_points
from meshgan.errors import FileFormatError, InputError, ShapeError
from meshgan.files import write_text

__all__ = [
    "LandmarkSet",
    "check_points",
    "read_landmarks",
    "read_points",
    "write_landmarks",
    "write_points",
]


@dataclass(frozen=True, eq=False)
class LandmarkSet:
    """Landmarks of one topology, in order: L places on its surface.

    Each is a weighted mean of three vertices; a landmark at a vertex has weights 1, 0, 0.

    Args:
        name: of the set, for example ``ibug68``.
        corners: vertex ids (L, 3), int64.
        weights: barycentric weights (L, 3), each row sums to 1.
        labels: a name per landmark, or empty.

    Raises:
        InputError: names repeat, or weights do not sum to 1.
        ShapeError: the lengths differ.
    """

    name: str
    corners: Int[np.ndarray, "L 3"]
    weights: Float[np.ndarray, "L 3"]
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.corners)
        if len(self.weights) != count or len(self.labels) not in (0, count):
            raise ShapeError(
                f"landmarks {self.name}: {count} places, {len(self.weights)} weights, "
                f"{len(self.labels)} names; expected as many of each"
            )
        if len(set(self.labels)) != len(self.labels):
            raise InputError(f"landmarks {self.name}: a name stands twice")
        off = ~np.isclose(self.weights.sum(axis=1), 1, atol=1e-6)
        if off.any():
            first = int(np.argmax(off))
            raise InputError(
                f"landmarks {self.name}: weights of landmark {first} sum to "
                f"{self.weights[first].sum():.6g}, expected 1"
            )

    @classmethod
    def at_vertices(
        cls, name: str, vertex_ids: VertexIds, labels: Sequence[str] = ()
    ) -> "LandmarkSet":
        """Landmarks that are vertices."""
        corners = np.repeat(np.asarray(vertex_ids, dtype=np.int64)[:, None], 3, axis=1)
        weights = np.tile([1.0, 0.0, 0.0], (len(corners), 1))
        return cls(name, corners, weights, tuple(labels))

    @classmethod
    def in_faces(
        cls,
        name: str,
        face_ids: Int[np.ndarray, " L"],
        weights: Float[np.ndarray, "L 3"],
        faces: Faces,
        labels: Sequence[str] = (),
    ) -> "LandmarkSet":
        """Landmarks inside triangles, by face id and barycentric weights.

        Raises:
            InputError: a face id is out of range.
        """
        outside = (face_ids < 0) | (face_ids >= len(faces))
        if outside.any():
            first = int(face_ids[np.argmax(outside)])
            raise InputError(
                f"landmarks {name}: names face {first:,}, but there are {len(faces):,} "
                f"(0 to {len(faces) - 1:,})"
            )
        return cls(name, faces[face_ids].astype(np.int64), weights, tuple(labels))

    @property
    def count(self) -> int:
        """L."""
        return len(self.corners)

    @property
    def vertex_ids(self) -> VertexIds:
        """The vertex that weighs most in each landmark (L,), int64."""
        return self.corners[np.arange(self.count), self.weights.argmax(axis=1)]

    def points(self, vertices: Vertices) -> Float[np.ndarray, "L 3"]:
        """Positions of the landmarks on a mesh, in its unit.

        Raises:
            InputError: a landmark names a vertex that the mesh does not have.
        """
        self.check(len(vertices))
        return np.einsum("lkc,lk->lc", vertices[self.corners], self.weights)

    def check(self, vertex_count: int) -> None:
        """Refuse a mesh that lacks vertices of the set; all such landmarks in one message."""
        outside = ((self.corners < 0) | (self.corners >= vertex_count)).any(axis=1)
        if outside.any():
            named = [
                f"{self._label(number)} names vertex {self.corners[number].max():,}"
                for number in np.flatnonzero(outside).tolist()
            ]
            raise InputError(
                f"landmarks {self.name}: {'; '.join(named[:5])}"
                f"{' and more' if len(named) > 5 else ''}, but there are {vertex_count:,} vertices"
            )

    def _label(self, number: int) -> str:
        return f'"{self.labels[number]}"' if self.labels else f"landmark {number}"


def write_landmarks(path: Path | str, sets: Sequence[LandmarkSet]) -> None:
    """Write sets as TOML: per set the names, and per landmark a vertex id or ids and weights."""
    lines = []
    for item in sets:
        lines.append(f"[{json.dumps(item.name)}]")
        if item.labels:
            lines.append(f"labels = {json.dumps(list(item.labels), ensure_ascii=False)}")
        places = (
            str(int(corners[0]))
            if weights[0] == 1
            else f"{{ vertices = {corners.tolist()}, weights = {weights.tolist()} }}"
            for corners, weights in zip(item.corners, item.weights, strict=True)
        )
        lines += ["places = [", *(f"  {place}," for place in places), "]", ""]
    write_text(path, "\n".join(lines))


def read_landmarks(path: Path | str) -> dict[str, LandmarkSet]:
    """Read the sets of a TOML file by name.

    Raises:
        FileFormatError: the file is missing, not TOML, or an entry is neither a vertex id nor
            vertices with weights.
    """
    path = Path(path)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path}: not TOML ({error})") from error
    return {name: _landmark_set(path, name, table) for name, table in tables.items()}


def _landmark_set(path: Path, name: str, table: Any) -> LandmarkSet:
    if not isinstance(table, dict) or not isinstance(table.get("places"), list):
        raise FileFormatError(f'{path}: "{name}" has no list of places')
    entries = [_place(path, name, number, entry) for number, entry in enumerate(table["places"])]
    labels = table.get("labels", [])
    if unknown := sorted(table.keys() - {"places", "labels"}):
        raise FileFormatError(f'{path}: "{name}" has unknown keys {", ".join(unknown)}')
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise FileFormatError(f'{path}: "{name}" has labels {labels!r}, expected a list of texts')
    corners = np.array([corners for corners, _ in entries], dtype=np.int64).reshape(-1, 3)
    weights = np.array([weights for _, weights in entries], dtype=np.float64).reshape(-1, 3)
    try:
        return LandmarkSet(name, corners, weights, tuple(labels))
    except InputError as error:
        raise FileFormatError(f"{path}: {error}") from error


def _place(path: Path, name: str, number: int, entry: Any) -> tuple[list[int], list[float]]:
    if type(entry) is int and 0 <= entry < 2**63:
        return [entry] * 3, [1.0, 0.0, 0.0]
    if isinstance(entry, dict) and entry.keys() == {"vertices", "weights"}:
        corners, weights = entry["vertices"], entry["weights"]
        lists = isinstance(corners, list) and isinstance(weights, list)
        if lists and len(corners) == len(weights) == 3:
            ids = all(type(corner) is int and 0 <= corner < 2**63 for corner in corners)
            if ids and all(type(weight) in (int, float) for weight in weights):
                return corners, [float(weight) for weight in weights]
    raise FileFormatError(
        f'{path}: "{name}" place {number} is {entry!r}, expected a vertex id or '
        "{ vertices = [a, b, c], weights = [x, y, z] }"
    )
