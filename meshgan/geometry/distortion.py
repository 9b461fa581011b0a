"""How good a UV map is, in numbers: flips, distortion, coverage, and what an image of it loses."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from meshgan.arrays import UV, Faces, Vertices
from meshgan.geometry.geometry_image import round_trip_error
from meshgan.geometry.holes import hole_pixels
from meshgan.geometry.operators import face_areas
from meshgan.geometry.rasterize import FLATTEST, coverage, rasterize_uv
from meshgan.geometry.topology import boundary_loops


@dataclass(frozen=True)
class Spread:
    """Half of the triangles are below ``median``, 95 % below ``p95``."""

    median: float
    p95: float
    maximum: float


@dataclass(frozen=True)
class UVReport:
    """What is known of a UV map.

    Args:
        flipped: triangles that are turned over or collapsed; 0 in every map that is returned.
        weights: the weights that were really used.
        flipped_under: triangles that flipped under the weights tried before these.
        area_distortion: per triangle, share of the UV area over share of the surface, or its
            inverse if that is larger; 1 is none.
        angle_distortion: ratio of the singular values of the map; 1 is conformal.
        asymmetry: largest distance between a vertex's UV and the reflected UV of its mirror
            vertex; None without a mirror map.
        size_px: n, of the image that the following values speak of.
        covered_fraction: share of the pixel centres on the map, among those outside its holes; 1
            is all.
        holes: inner outlines of the mesh (eyes, mouth).
        hole_fraction: share of the pixel centres that lie in a hole.
        round_trip_mean_mm: mean distance a vertex moves from mesh to image and back.
        round_trip_p99_mm: 99 % of the vertices move less than this.
    """

    flipped: int
    weights: str
    area_distortion: Spread
    angle_distortion: Spread
    asymmetry: float | None
    size_px: int
    covered_fraction: float
    round_trip_mean_mm: float
    round_trip_p99_mm: float
    holes: int = 0
    hole_fraction: float = 0.0
    flipped_under: Mapping[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


def report_uv(
    vertices: Vertices,
    uv: UV,
    faces: Faces,
    *,
    weights: str,
    size_px: int = 64,
    asymmetry: float | None = None,
    flipped_under: Mapping[str, int] | None = None,
) -> UVReport:
    """Measure a UV map of a mesh (mm) and the image of n x n pixels it gives."""
    lookup = rasterize_uv(uv, faces, size_px)
    errors = round_trip_error(vertices, uv, lookup)
    reached = coverage(lookup, uv)
    in_hole = hole_pixels(uv, faces, size_px) & ~reached
    return UVReport(
        flipped=int(flipped_triangles(uv, faces).sum()),
        weights=weights,
        area_distortion=_spread(area_distortion(vertices, uv, faces)),
        angle_distortion=_spread(angle_distortion(vertices, uv, faces)),
        asymmetry=asymmetry,
        size_px=size_px,
        covered_fraction=float(reached.sum() / max(1, (~in_hole).sum())),
        round_trip_mean_mm=float(errors.mean()),
        round_trip_p99_mm=float(np.quantile(errors, 0.99)),
        holes=max(0, len(boundary_loops(faces)) - 1),
        hole_fraction=float(in_hole.mean()),
        flipped_under=dict(flipped_under or {}),
    )


def flipped_triangles(uv: UV, faces: Faces) -> Bool[np.ndarray, " F"]:
    """Triangles that are clockwise in the UV square, collapsed to a line, or not finite."""
    points = np.asarray(uv, dtype=np.float64)[faces]
    edges = np.roll(points, -1, axis=1) - points
    longest = (edges**2).sum(axis=2).max(axis=1)
    double_area = _cross(edges[:, 0], edges[:, 1])
    return ~(double_area > FLATTEST * longest)


def area_distortion(vertices: Vertices, uv: UV, faces: Faces) -> Float[np.ndarray, " F"]:
    """Share of the UV area over share of the surface, or the inverse if that is larger.

    NaN for triangles that have no area on the surface: they cannot be distorted.
    """
    flat = np.pad(np.asarray(uv, dtype=np.float64), ((0, 0), (0, 1)))
    shares = [
        areas / areas.sum() for areas in (face_areas(flat, faces), face_areas(vertices, faces))
    ]
    ratio = np.maximum(shares[0], 1e-300) / np.maximum(shares[1], 1e-300)
    return np.where(_has_area(vertices, faces), np.maximum(ratio, 1 / ratio), np.nan)


def angle_distortion(vertices: Vertices, uv: UV, faces: Faces) -> Float[np.ndarray, " F"]:
    """Larger over smaller singular value of each triangle's map from surface to UV.

    NaN for triangles that have no area on the surface: they cannot be distorted.

    Source: Sander et al. 2001, "Texture mapping progressive meshes", Sec. 3 (the two values).
    """
    points = np.asarray(vertices, dtype=np.float64)[faces]
    first, second = points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]
    whole = _has_area(vertices, faces)
    length = np.where(whole, np.linalg.norm(first, axis=1), 1)
    along = (first * second).sum(axis=1) / length
    height = np.where(whole, 2 * face_areas(vertices, faces) / length, 1)
    flat = np.asarray(uv, dtype=np.float64)[faces]
    columns = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    by_x = columns[0] / length[:, None]
    by_y = (columns[1] - by_x * along[:, None]) / height[:, None]
    # singular values from the sum and the determinant, without an SVD per triangle
    square_sum = (by_x**2).sum(axis=1) + (by_y**2).sum(axis=1)
    determinant = np.abs(_cross(by_x, by_y))
    spread = np.sqrt(np.maximum(square_sum**2 - 4 * determinant**2, 0))
    ratio = np.sqrt((square_sum + spread) / np.maximum(square_sum - spread, 1e-300))
    return np.where(whole, ratio, np.nan)


def _has_area(vertices: Vertices, faces: Faces) -> np.ndarray:
    points = np.asarray(vertices, dtype=np.float64)[faces]
    longest = ((np.roll(points, -1, axis=1) - points) ** 2).sum(axis=2).max(axis=1)
    return 2 * face_areas(vertices, faces) > FLATTEST * longest


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _spread(values: np.ndarray) -> Spread:
    median, p95, maximum = np.nanquantile(values, [0.5, 0.95, 1])
    return Spread(float(median), float(p95), float(maximum))
