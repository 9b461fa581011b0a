"""From a UV map to pixels: the triangle under every pixel centre and the place inside it."""

from dataclasses import dataclass

import igl
import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from meshgan.arrays import UV, Faces
from meshgan.errors import InputError, ShapeError

FLATTEST = 1e-10  # double area over squared longest edge: below, a triangle counts as collapsed


@dataclass(frozen=True, eq=False)
class PixelLookup:
    """Where each pixel of an n x n geometry image reads the mesh.

    Row 0 is the top of the UV square (v = 1); pixel k of a row has its centre at (k + 0.5) / n.

    Args:
        vertex_count: V of the mesh the lookup belongs to.
        faces_of_pixels: face under each pixel centre (n, n), int64.
        corners: that face's vertex ids (n, n, 3), int64.
        weights: barycentric coordinates (n, n, 3), float64, not negative, each row sums to 1.
    """

    vertex_count: int
    faces_of_pixels: Int[Tensor, "n n"]
    corners: Int[Tensor, "n n 3"]
    weights: Float[Tensor, "n n 3"]

    @property
    def size_px(self) -> int:
        """n, pixels a side."""
        return self.corners.shape[0]


def pixel_centres(size_px: int) -> Float[np.ndarray, "n n 2"]:
    """UV coordinates (n, n, 2) of the pixel centres; u grows with the column, v with 1 - row."""
    steps = (np.arange(size_px) + 0.5) / size_px
    u, v = np.meshgrid(steps, steps[::-1])
    return np.stack([u, v], axis=-1)


def rasterize_uv(uv: UV, faces: Faces, size_px: int) -> PixelLookup:
    """Find the triangle that contains each pixel centre of the UV square.

    A pixel centre outside all triangles takes the closest point of the map, so that the lookup
    has no gaps: in a hole of the face (eyes, mouth) that is the nearest place on its rim.
    ``coverage`` says which pixels these are, ``holes.hole_pixels`` which of them lie in holes.

    Args:
        uv: texture coordinates (V, 2) in the unit square, v up.
        faces: vertex ids (F, 3).
        size_px: n, pixels a side.

    Raises:
        ShapeError: a face names a vertex without UV.
        InputError: ``size_px`` is not positive, no face has area, or a UV is not finite.

    Source: Fernández Abrevaya et al. 2019, Sec. 4.1.
    """
    uv, faces = np.asarray(uv, dtype=np.float64), np.asarray(faces, dtype=np.int64)
    _check(uv, faces, size_px)
    whole = np.flatnonzero(_has_area(uv[faces]))
    if not len(whole):
        raise InputError(f"rasterize_uv: all {len(faces):,} triangles of the UV map are collapsed")
    centres = pixel_centres(size_px).reshape(-1, 2)
    # libigl's 2-D tree corrupts memory: search in 3-D, with z = 0
    flat_uv, flat_centres = (np.pad(points, ((0, 0), (0, 1))) for points in (uv, centres))
    _, found, closest = igl.point_mesh_squared_distance(flat_centres, flat_uv, faces[whole])
    face_ids = whole[np.asarray(found)]
    corners = faces[face_ids]
    weights = _planar_weights(np.asarray(closest)[:, :2], uv[corners])
    shape = (size_px, size_px)
    return PixelLookup(
        vertex_count=len(uv),
        faces_of_pixels=torch.from_numpy(face_ids.reshape(shape)),
        corners=torch.from_numpy(corners.reshape(*shape, 3)),
        weights=torch.from_numpy(weights.reshape(*shape, 3)),
    )


def coverage(lookup: PixelLookup, uv: UV, tolerance: float = 1e-6) -> Bool[np.ndarray, "n n"]:
    """Pixels whose centre the map really reaches: the looked-up UV is the centre itself.

    Args:
        lookup: from ``rasterize_uv`` with the same ``uv``.
        uv: texture coordinates (V, 2).
        tolerance: largest distance that counts as none, in UV units.
    """
    if len(uv) != lookup.vertex_count:
        raise ShapeError(f"coverage: {len(uv):,} UVs, the lookup has {lookup.vertex_count:,}")
    corner_uv = np.asarray(uv, dtype=np.float64)[lookup.corners.numpy()]
    reached = (corner_uv * lookup.weights.numpy()[..., None]).sum(axis=-2)
    return np.abs(reached - pixel_centres(lookup.size_px)).max(axis=-1) <= tolerance


def _check(uv: np.ndarray, faces: np.ndarray, size_px: int) -> None:
    if size_px < 1:
        raise InputError(f"rasterize_uv: size is {size_px} pixels, expected at least 1")
    if len(faces) == 0:
        raise InputError("rasterize_uv: the mesh has no faces")
    if faces.min() < 0 or faces.max() >= len(uv):
        raise ShapeError(f"rasterize_uv: a face names vertex {faces.max():,} of {len(uv):,} UVs")
    if bad := int((~np.isfinite(uv).all(axis=1)).sum()):
        raise InputError(f"rasterize_uv: {bad:,} of {len(uv):,} UVs are not finite")


def _has_area(triangles: np.ndarray) -> np.ndarray:
    """False for triangles that are a line or a point: any pixel on them is on a neighbour too."""
    edges = np.roll(triangles, -1, axis=1) - triangles
    double_area = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
    return np.abs(double_area) > FLATTEST * (edges**2).sum(axis=2).max(axis=1)


def _planar_weights(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Barycentric coordinates (P, 3), clamped to the triangle and renormalised."""
    to_corners = triangles - points[:, None]
    following = np.roll(to_corners, -1, axis=1)
    areas = to_corners[..., 0] * following[..., 1] - to_corners[..., 1] * following[..., 0]
    areas = np.roll(areas, -1, axis=1)  # the area opposite corner k belongs to corner k
    weights = np.clip(areas / areas.sum(axis=1, keepdims=True), 0, 1)
    return weights / weights.sum(axis=1, keepdims=True)
