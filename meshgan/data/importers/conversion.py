"""From a source's unit and axes to ours: millimetres, +x subject's left, +y up, +z out of the face.

A map of axes that mirrors (determinant -1) turns the triangles too, so that they still face
outwards.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from meshgan.arrays import Faces
from meshgan.data.mesh_io import MILLIMETRES
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.geometry.mesh import TriMesh

_AXES = "xyz"
_FACTORS: dict[str, float] = {**MILLIMETRES}


@dataclass(frozen=True)
class Conversion:
    """What is done to every position of a source.

    Args:
        unit: of the source: mm, cm, dm, m, um or inch.
        axis_map: which source axes are our x, y and z, with signs: "x z -y" for a source whose z
            is up and whose faces look along -y.
        guessed: True if the unit was found from the size of a face.
        insisted: True if the user named the unit: sizes are then not held against it.
        insisted_axes: True if the user named axes that landmarks contradict: faces may be mirrored.

    Raises:
        InputError: no such unit, or the map does not name each axis once.
    """

    unit: str = "mm"
    axis_map: str = "x y z"
    guessed: bool = False
    insisted: bool = False
    insisted_axes: bool = False

    def __post_init__(self) -> None:
        if self.unit not in _FACTORS:
            raise InputError(f"unit {self.unit!r} is unknown; use {', '.join(_FACTORS)}")
        axis_matrix(self.axis_map)

    @property
    def factor(self) -> float:
        """Millimetres per source unit."""
        return _FACTORS[self.unit]

    @cached_property
    def matrix(self) -> Float[np.ndarray, "3 3"]:
        """Source position -> ours in mm, for columns."""
        return self.factor * axis_matrix(self.axis_map)

    @property
    def mirrors(self) -> bool:
        """The map of axes exchanges left and right: triangles must turn with it."""
        return bool(np.linalg.det(axis_matrix(self.axis_map)) < 0)

    def positions(self, points: Float[np.ndarray, "P 3"]) -> Float[np.ndarray, "P 3"]:
        """Positions in mm and our axes, float64; NaN stays NaN."""
        picked, signs = _picks(self.axis_map)
        return points.astype(np.float64)[:, picked] * (self.factor * signs)

    def triangles(self, faces: Faces) -> Faces:
        """Triangles that face outwards after the conversion if they did before, int64."""
        return (faces[:, ::-1] if self.mirrors else faces).astype(np.int64)

    @property
    def _origin(self) -> str:
        return "size of a face" if self.guessed else "user" if self.insisted else "format"

    def record(self) -> dict[str, Any]:
        """Plain values for a data set's provenance."""
        return {
            "unit": self.unit,
            "unit_from": self._origin,
            "millimetres_per_unit": self.factor,
            "axis_map": self.axis_map,
            "triangles_turned": self.mirrors,
        }


def reconvert(template: Template, used: Conversion, wanted: Conversion) -> Template:
    """A template that was converted one way, as the other way would have made it.

    Args:
        template: in mm and our axes, if ``used`` were right.
        used: the conversion that the importer believed in.
        wanted: the one that the user asked for.
    """
    if (used.unit, used.axis_map) == (wanted.unit, wanted.axis_map):
        return template
    change = wanted.matrix @ np.linalg.inv(used.matrix)
    vertices = (template.mesh.vertices.astype(np.float64) @ change.T).astype(
        template.mesh.vertices.dtype
    )
    faces = template.mesh.faces
    if wanted.mirrors != used.mirrors:
        faces = np.ascontiguousarray(faces[:, ::-1])
    return replace(template, mesh=TriMesh(vertices, faces, template.mesh.uv))


def axis_matrix(axis_map: str) -> Float[np.ndarray, "3 3"]:
    """Signed permutation of a map such as "x z -y".

    Raises:
        InputError: it does not name x, y and z once each.
    """
    picked, signs = _picks(axis_map)
    matrix = np.zeros((3, 3))
    matrix[np.arange(3), picked] = signs
    return matrix


def axis_map_of(matrix: Float[np.ndarray, "3 3"]) -> str:
    """The words of a signed permutation: the inverse of ``axis_matrix``."""
    picked = np.abs(matrix).argmax(axis=1)
    signs = matrix[np.arange(3), picked]
    return " ".join(
        ("-" if sign < 0 else "") + _AXES[axis]
        for axis, sign in zip(picked.tolist(), signs.tolist(), strict=True)
    )


def _picks(axis_map: str) -> tuple[list[int], Float[np.ndarray, "3"]]:
    words = axis_map.replace(",", " ").split()
    letters = [word.lstrip("+-") for word in words]
    if sorted(letters) != list(_AXES) or any(len(word) > 2 for word in words):
        raise InputError(
            f"axis map {axis_map!r}: expected x, y and z once each, with or without a minus, "
            'for example "x z -y" for a source whose z is up'
        )
    signs = np.array([-1.0 if word.startswith("-") else 1.0 for word in words])
    return [_AXES.index(letter) for letter in letters], signs
