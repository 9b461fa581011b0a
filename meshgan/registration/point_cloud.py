"""A surface for points without one: normals by principal axes, a fan of triangles at each."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from meshgan.arrays import Faces, Vertices
from meshgan.geometry.topology import half_edges

MOST_POINTS = 40_000
NEIGHBOURS = 12
FAN = 12  # neighbours that a fan joins
GAP = np.deg2rad(120)  # no triangle across a wider gap
FAR = 4.0  # no triangle with a side of more than this many median spacings
VOTES = 20


def mesh_points(
    points: Vertices, notes: list[str]
) -> tuple[Float[np.ndarray, "W 3"], Int[np.ndarray, "F 3"], Int[np.ndarray, " W"]]:
    """Triangles near a point cloud's surface, good for closest points; not a manifold.

    More than 40,000 points are thinned first.

    Args:
        points: (V, 3), mm, no doubles.
        notes: gets a sentence.

    Returns:
        Points (W, 3), triangles over them, and which of the points given each is.
    """
    kept = np.arange(len(points))
    if len(points) > MOST_POINTS:
        kept = _thinned(points)
        points = points[kept]
    near, distance = _neighbours(points)
    normals = _normals(points, near)
    faces = _fans(points, normals, near[:, :FAN], distance[:, :FAN])
    notes.append(f"no triangles: {len(faces):,} made between {len(points):,} points")
    return points, faces, kept


def _thinned(points: Vertices) -> Int[np.ndarray, " W"]:
    """One point of each cell of a grid that leaves about as many as wanted."""
    spacing = cKDTree(points).query(points[:: len(points) // 1000], k=2)[0][:, 1]
    cell = float(np.median(spacing)) * np.sqrt(len(points) / MOST_POINTS) * 1.2
    cells = np.floor((points - points.min(axis=0)) / cell).astype(np.int64)
    _, first = np.unique(cells @ np.array([1, 1 << 20, 1 << 40]), return_index=True)
    return np.sort(first)


def _neighbours(points: Vertices) -> tuple[np.ndarray, np.ndarray]:
    distance, near = cKDTree(points).query(points, k=NEIGHBOURS + 1)
    return near[:, 1:], distance[:, 1:]


def _normals(points: Vertices, near: Int[np.ndarray, "V n"]) -> Float[np.ndarray, "V 3"]:
    """Least axis of the neighbourhood, away from the middle of the sphere through all points."""
    around = points[near] - points[near].mean(axis=1, keepdims=True)
    _, axes = np.linalg.eigh(np.einsum("vni,vnj->vij", around, around))
    normals = axes[:, :, 0]
    away = points - _sphere_centre(points)
    normals *= np.where((normals * away).sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    for _ in range(VOTES):  # the few that disagree with most of their neighbours turn
        agreement = np.einsum("vi,vni->v", normals, normals[near])
        if not (agreement < 0).any():
            break
        normals[agreement < 0] *= -1
    return normals


def _sphere_centre(points: Vertices) -> Float[np.ndarray, "3"]:
    """Centre of the algebraic least-squares sphere: |x|^2 = 2 c x + d."""
    middle = points.mean(axis=0)
    local = points - middle
    system = np.column_stack([2 * local, np.ones(len(local))])
    solution, *_ = np.linalg.lstsq(system, (local**2).sum(axis=1), rcond=None)
    centre = solution[:3]
    reach = np.linalg.norm(np.ptp(points, axis=0))
    length = np.linalg.norm(centre)
    return middle + centre * min(1.0, reach / max(length, 1e-9))


def _fans(
    points: Vertices,
    normals: Float[np.ndarray, "V 3"],
    near: Int[np.ndarray, "V n"],
    distance: Float[np.ndarray, "V n"],
) -> Faces:
    """Triangles from each point to neighbours that follow each other around it."""
    arms = points[near] - points[:, None]
    first = np.cross(normals, np.eye(3)[np.abs(normals).argmin(axis=1)])
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(normals, first)
    angle = np.arctan2(np.einsum("vni,vi->vn", arms, second), np.einsum("vni,vi->vn", arms, first))
    order = angle.argsort(axis=1)
    angle = np.take_along_axis(angle, order, axis=1)
    near = np.take_along_axis(near, order, axis=1)
    distance = np.take_along_axis(distance, order, axis=1)
    gap = np.diff(angle, axis=1, append=angle[:, :1] + 2 * np.pi)
    longest = FAR * np.median(distance)
    following = np.roll(near, -1, axis=1)
    good = (gap > np.deg2rad(5)) & (gap < GAP)
    good &= (distance < longest) & (np.roll(distance, -1, axis=1) < longest)
    corner = np.repeat(np.arange(len(points))[:, None], near.shape[1], axis=1)
    faces = np.stack([corner, near, following], axis=-1)[good]
    start = faces.argmin(axis=1)
    turned = np.take_along_axis(faces, (start[:, None] + np.arange(3)) % 3, axis=1)
    whole = (gap < GAP).all(axis=1)
    return _closed_inside(np.unique(turned, axis=0).astype(np.int64), whole)


def _closed_inside(faces: Faces, whole: Bool[np.ndarray, " V"]) -> Int[np.ndarray, "G 3"]:
    """Double the triangles with an edge of their own amid the surface: only the rim is a rim.

    Fans of neighbours need not agree, which leaves edges that belong to one triangle.
    """
    sides = np.sort(half_edges(faces), axis=1)
    keys = sides[:, 0] * len(whole) + sides[:, 1]
    _, edge, uses = np.unique(keys, return_inverse=True, return_counts=True)
    alone = (uses[edge] == 1) & whole[sides].any(axis=1)
    again = np.unique(np.flatnonzero(alone) % len(faces))
    return np.concatenate([faces, faces[again]])
