"""Places on a surface: barycentric coordinates, values at them, and random ones."""

from typing import TypeVar

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.arrays import Faces, Vertices
from meshgan.errors import InputError
from meshgan.geometry.operators import face_areas

Array = TypeVar("Array", np.ndarray, Tensor)


def barycentric_coordinates(
    points: Float[np.ndarray, "P D"], triangles: Float[np.ndarray, "P 3 D"]
) -> Float[np.ndarray, "P 3"]:
    """Coordinates of each point in its triangle, in the plane or in space.

    Args:
        points: (P, D), D = 2 or 3; in space they are projected onto the triangle's plane.
        triangles: one triangle per point (P, 3, D).

    Returns:
        (P, 3), float64, rows sum to 1; a negative entry means outside, NaN a triangle without
        area.

    Source: Ericson 2005, "Real-time collision detection", Sec. 3.4.
    """
    corners = np.asarray(triangles, dtype=np.float64)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    offset = np.asarray(points, dtype=np.float64) - corners[:, 0]
    first_first, first_second = _dot(first, first), _dot(first, second)
    second_second = _dot(second, second)
    along_first, along_second = _dot(offset, first), _dot(offset, second)
    determinant = first_first * second_second - first_second**2
    with np.errstate(divide="ignore", invalid="ignore"):
        beta = (second_second * along_first - first_second * along_second) / determinant
        gamma = (first_first * along_second - first_second * along_first) / determinant
    return np.stack([1 - beta - gamma, beta, gamma], axis=1)


def interpolate(
    values: Array,
    faces: Int[np.ndarray, "F 3"] | Int[Tensor, "F 3"],
    face_ids: Int[np.ndarray, " P"] | Int[Tensor, " P"],
    weights: Array,
) -> Array:
    """Per-vertex values at places on the surface, as numpy arrays or (differentiable) tensors.

    Args:
        values: (..., V, C).
        faces: vertex ids (F, 3).
        face_ids: the face of each place (P,).
        weights: barycentric coordinates (P, 3).

    Returns:
        (..., P, C).
    """
    corners = faces[face_ids]
    terms = [values[..., corners[:, k], :] * weights[:, k, None] for k in range(3)]
    return terms[0] + terms[1] + terms[2]


def sample_surface(
    vertices: Vertices, faces: Faces, count: int, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " P"], Float[np.ndarray, "P 3"]]:
    """Draw places on a surface, uniform by area.

    Args:
        vertices: positions (V, 3).
        faces: vertex ids (F, 3).
        count: P, how many.
        rng: where the chance comes from.

    Returns:
        Face ids (P,), int64, and barycentric coordinates (P, 3), float64.

    Raises:
        InputError: the surface has no area.

    Source: Osada et al. 2002, "Shape distributions", Sec. 4.1 (the square root).
    """
    areas = face_areas(vertices, faces)
    total = areas.sum()
    if not total > 0:
        raise InputError(f"sample_surface: the {len(faces):,} faces have no area")
    face_ids = rng.choice(len(faces), size=count, p=areas / total)
    across, along = np.sqrt(rng.random(count)), rng.random(count)
    weights = np.stack([1 - across, across * (1 - along), across * along], axis=1)
    return face_ids.astype(np.int64), weights


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=-1)
