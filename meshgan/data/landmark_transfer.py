"""Landmarks carried from one topology to another, where two surfaces lie on each other."""

from collections.abc import Iterable

import numpy as np

from meshgan.data.landmarks import LandmarkSet
from meshgan.errors import InputError
from meshgan.geometry.closest_point import SurfaceIndex
from meshgan.geometry.mesh import TriMesh


def carry_landmarks(
    sets: Iterable[LandmarkSet],
    source: TriMesh,
    target: TriMesh,
    max_distance_mm: float = 10.0,
) -> list[LandmarkSet]:
    """Landmark sets of one mesh, as places on another mesh of the same face.

    Each landmark goes to the closest point of the target's surface, wherever in a triangle that
    is; order and labels stay.

    Args:
        sets: landmarks of ``source``.
        source: registered: brought onto ``target``, in the same position and pose.
        target: mesh of another topology, mm.
        max_distance_mm: how far a landmark may have to go.

    Raises:
        InputError: a landmark is farther from the target than that: the surfaces do not lie on
            each other, or the target has a hole there; or it names a vertex the source lacks.
    """
    surface = SurfaceIndex(target.vertices, target.faces)
    carried = []
    for item in sets:
        closest = surface.closest(item.points(source.vertices))
        _refuse_distant(item, closest.distance, max_distance_mm)
        carried.append(
            LandmarkSet.in_faces(
                item.name, closest.face, closest.weights, surface.faces, item.labels
            )
        )
    return carried


def _refuse_distant(item: LandmarkSet, distances: np.ndarray, limit: float) -> None:
    far = np.flatnonzero(~(distances <= limit))
    if len(far):
        worst = int(far[np.argmax(distances[far])])
        raise InputError(
            f"landmarks {item.name}: {len(far)} of {item.count} are more than {limit:g} mm from "
            f"the target, landmark {worst} {distances[worst]:.1f} mm; register the source to the "
            "target first (meshgan register)"
        )
