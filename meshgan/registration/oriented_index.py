"""Closest points that also face the same way: lips find lips, not the cheek beside them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree

MOST_POINTS = 20_000


@dataclass(frozen=True, eq=False)
class OrientedMatch:
    """Scan vertices that P oriented points go to.

    Args:
        point: (P, 3), mm.
        normal: unit (P, 3).
        on_boundary: whether it lies on the rim of the scan (P,).
    """

    point: Float[np.ndarray, "P 3"]
    normal: Float[np.ndarray, "P 3"]
    on_boundary: Bool[np.ndarray, " P"]


class OrientedIndex:
    """Vertices of a scan, searched by place and direction at once.

    The distance is ``|x - y|^2 + mm_per_normal^2 |n_x - n_y|^2``.

    Args:
        points: (V, 3), mm; every k-th is used if there are more than 20,000.
        normals: unit (V, 3).
        on_boundary: (V,).
        mm_per_normal: how far away a vertex may be to make up for a normal that is right.

    Source: Feldmar and Ayache 1996, Sec. 4 (closest points in place and normal).
    """

    def __init__(
        self,
        points: Float[np.ndarray, "V 3"],
        normals: Float[np.ndarray, "V 3"],
        on_boundary: Bool[np.ndarray, " V"],
        mm_per_normal: float,
    ) -> None:
        some = slice(None, None, 1 + len(points) // MOST_POINTS)
        self._points, self._normals = points[some], normals[some]
        self._on_boundary, self._weight = on_boundary[some], mm_per_normal
        self._tree = cKDTree(np.concatenate([self._points, mm_per_normal * self._normals], axis=1))

    def closest(
        self, points: Float[np.ndarray, "P 3"], normals: Float[np.ndarray, "P 3"]
    ) -> OrientedMatch:
        """The vertex nearest to each oriented point, by place and direction."""
        _, found = self._tree.query(np.concatenate([points, self._weight * normals], axis=1))
        return OrientedMatch(self._points[found], self._normals[found], self._on_boundary[found])
