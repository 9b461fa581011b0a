"""Points of a model's surface by name, vertex id or place in a triangle."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from meshgan.data.landmark_orders import landmark_order, match_sets, order_names
from meshgan.data.landmarks import LandmarkSet
from meshgan.data.template import Template
from meshgan.errors import InputError, ShapeError
from meshgan.fitting.points import SurfacePoints

PointsLike = (
    str
    | Sequence[str]
    | Sequence[int]
    | np.ndarray
    | Tensor
    | tuple[np.ndarray, np.ndarray]
    | LandmarkSet
    | SurfacePoints
)
"""Names a list of points, see ``find_points``."""


@dataclass(frozen=True, eq=False)
class FoundPoints:
    """Points of a surface, and where they stand in the list that was measured.

    Args:
        points: L of them.
        rows: which measured points they are (L,); the others have no counterpart.
        measured: how many points a complete measurement has.
        order: of the measurement, where it is one in use.
    """

    points: SurfacePoints
    rows: Int[np.ndarray, " L"]
    measured: int
    order: str | None = None


def find_points(points: PointsLike, template: Template) -> FoundPoints:
    """The points of a template's surface that somebody names.

    Args:
        points: vertex ids; or face ids and barycentric weights, a tuple ((L,), (L, 3)); or the
            name of a landmark set of the template ("fit85"), or of an order that shares points
            with one ("mediapipe478", "bu83"); or single landmarks, each "SET:NUMBER" or
            "SET:NAME", of such sets ("ibug68:30", "bosphorus24:Nose tip"); or a ``LandmarkSet``
            or ``SurfacePoints``.
        template: of the model.

    Raises:
        InputError: there is no such name, or an id is out of range.
        ShapeError: not one row of weights per face id.
    """
    if isinstance(points, SurfacePoints):
        return _all(points)
    if isinstance(points, LandmarkSet):
        points.check(template.vertex_count)
        return _all(_surface(points.corners, points.weights))
    if isinstance(points, str):
        rows, ids = _of_set(points, template)
        size = landmark_order(points).count if points in order_names() else len(ids)
        order = points if points in order_names() else None
        return FoundPoints(_vertices(ids), rows, size, order)
    if isinstance(points, tuple) and len(points) == 2 and np.ndim(points[1]) == 2:
        return _all(_in_faces(np.asarray(points[0]), np.asarray(points[1]), template))
    listed = list(points.tolist() if isinstance(points, np.ndarray | Tensor) else points)
    names = [one for one in listed if isinstance(one, str)]
    if listed and len(names) == len(listed):
        return _all(_vertices(np.array([_single(one, template) for one in names])))
    ids = np.asarray(listed)
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or not len(ids):
        raise InputError(
            f"points: {ids.dtype} {ids.shape}; expected vertex ids (L,), face ids and barycentric "
            "weights, or names of landmarks"
        )
    return _all(_vertices(ids.astype(np.int64)))


def _of_set(name: str, template: Template) -> tuple[np.ndarray, np.ndarray]:
    if name not in template.landmarks and name not in order_names():
        known = ", ".join(dict.fromkeys([*template.landmarks, *order_names()]))
        raise InputError(f"landmarks {name!r}: template {template.name} knows {known}")
    return match_sets(name, template.landmarks)


def _single(text: str, template: Template) -> int:
    name, _, which = text.rpartition(":")
    if not name:
        raise InputError(f'landmark {text!r}: expected "SET:NUMBER" or "SET:NAME"')
    rows, ids = _of_set(name, template)
    labels = landmark_order(name).labels if name in order_names() else ()
    if which in labels:
        number = labels.index(which)
    elif which.isdigit():
        number = int(which)
    else:
        shown = f" or one of {', '.join(labels)}" if labels else ""
        raise InputError(f"landmark {text!r}: {which!r} is not a number{shown}")
    place = np.flatnonzero(rows == number)
    if not len(place):
        raise InputError(
            f"landmark {text!r}: template {template.name} does not know this point of {name}"
        )
    return int(ids[place[0]])


def _in_faces(face_ids: np.ndarray, weights: np.ndarray, template: Template) -> SurfacePoints:
    if weights.shape != (len(face_ids), 3) or face_ids.dtype.kind not in "iu":
        raise ShapeError(
            f"points: face ids {face_ids.shape} {face_ids.dtype} and weights {weights.shape}; "
            "expected (L,) whole numbers and (L, 3)"
        )
    faces = torch.from_numpy(template.mesh.faces.astype(np.int64))
    chosen = torch.from_numpy(face_ids.astype(np.int64))
    return SurfacePoints.in_faces(chosen, torch.from_numpy(weights.astype(np.float32)), faces)


def _vertices(ids: np.ndarray) -> SurfacePoints:
    return SurfacePoints.at_vertices(torch.from_numpy(np.asarray(ids, dtype=np.int64)))


def _surface(corners: np.ndarray, weights: np.ndarray) -> SurfacePoints:
    shares = torch.from_numpy(weights.astype(np.float32))
    return SurfacePoints(torch.from_numpy(corners.astype(np.int64)), shares)


def _all(points: SurfacePoints) -> FoundPoints:
    return FoundPoints(points, np.arange(points.count), points.count)
