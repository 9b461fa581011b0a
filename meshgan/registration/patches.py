"""Polar height maps: what the surface around a point looks like, whichever way it is turned.

Around an oriented point, a disk of its tangent plane is cut into rings and sectors; each cell
holds the mean height of the surface above the plane, and how much of the cell the surface covers.
A turn about the normal is a roll of the sectors, and a hole is a cell that does not count.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

RING_EDGES_MM = np.array([5.0, 12.0, 20.0, 29.0, 39.0, 50.0, 62.0])
RINGS, SECTORS = len(RING_EDGES_MM) - 1, 16
CELLS = RINGS * SECTORS
LOWEST_MM, HIGHEST_MM = -70.0, 35.0  # heights beyond belong to something else
OUTERMOST_MM = 10.0  # of several layers, one that is so much higher counts e times as much
COVERED = 0.35  # share of a cell's area that makes it fully known
SMOOTHING_MM = 14.0  # normals are means over this radius, so that noise does not tilt the disk


@dataclass(frozen=True, eq=False)
class Surfels:
    """A surface as small oriented pieces, evenly spread.

    Args:
        points: (P, 3), mm.
        normals: unit (P, 3).
        areas: (P,), mm^2.
        spacing: side of the grid they come from, mm.
    """

    points: Float[np.ndarray, "P 3"]
    normals: Float[np.ndarray, "P 3"]
    areas: Float[np.ndarray, " P"]
    spacing: float


@dataclass(frozen=True, eq=False)
class HeightMaps:
    """Q polar height maps.

    Args:
        heights: (Q, CELLS), float32, mm; ring by ring, sectors counter-clockwise from ``axes``.
        known: (Q, CELLS), float32, 0 to 1.
        frames: (Q, 3, 3): columns are first axis, second axis, normal.
    """

    heights: Float[np.ndarray, "Q cells"]
    known: Float[np.ndarray, "Q cells"]
    frames: Float[np.ndarray, "Q 3 3"]


def make_surfels(
    points: Float[np.ndarray, "V 3"],
    normals: Float[np.ndarray, "V 3"],
    areas: Float[np.ndarray, " V"],
    spacing: float,
    most: int,
) -> Surfels:
    """Average a surface over the cells of a cubic grid.

    Args:
        points: (V, 3), mm.
        normals: unit (V, 3).
        areas: weights of the points (V,), mm^2.
        spacing: side of the cells, mm; larger if there would be too many.
        most: at most about this many surfels.
    """
    while True:
        cells = np.floor((points - points.min(axis=0)) / spacing).astype(np.int64)
        _, cell = np.unique(cells @ np.array([1, 1 << 20, 1 << 40]), return_inverse=True)
        count = int(cell.max()) + 1
        if count <= most:
            break
        spacing *= max(1.05, float(np.sqrt(count / most)))
    weight = np.maximum(areas, 1e-9)
    total = np.bincount(cell, weight, count)
    place = _sums(cell, weight[:, None] * points, count) / total[:, None]
    direction = _sums(cell, weight[:, None] * normals, count)
    length = np.linalg.norm(direction, axis=1)
    good = length > 0.3 * total  # front and back of a thin sheet cancel
    unit = direction[good] / length[good, None]
    return Surfels(place[good], unit, total[good], spacing)


def smoothed_normals(
    surfels: Surfels, places: Float[np.ndarray, "Q 3"], normals: Float[np.ndarray, "Q 3"]
) -> tuple[Float[np.ndarray, "Q 3"], Float[np.ndarray, " Q"]]:
    """Mean normals around places, and how much the normals differ there.

    Surfels that face the other way do not count.

    Returns:
        Unit normals (Q, 3); relief (Q,), 1 - |mean of the unit normals|: 0 on a plane, about
        r^2 / (4 R^2) on a ball of radius R, where r is ``SMOOTHING_MM``.
    """
    place, surfel = _pairs(cKDTree(surfels.points), places, SMOOTHING_MM)
    same = (normals[place] * surfels.normals[surfel]).sum(axis=1) > 0
    place, surfel = place[same], surfel[same]
    vectors = surfels.areas[surfel, None] * surfels.normals[surfel]
    total = np.bincount(place, surfels.areas[surfel], len(places))
    mean = _sums(place, vectors, len(places)) + 1e-6 * normals
    length = np.linalg.norm(mean, axis=1)
    return mean / length[:, None], 1 - length / np.maximum(total, 1e-9)


def height_maps(
    surfels: Surfels,
    places: Float[np.ndarray, "Q 3"],
    normals: Float[np.ndarray, "Q 3"],
    first_axes: Float[np.ndarray, "Q 3"] | None = None,
) -> HeightMaps:
    """Polar height maps of a surface.

    Args:
        surfels: the surface.
        places: centres (Q, 3), mm.
        normals: unit (Q, 3); better smoothed.
        first_axes: directions in which the sectors begin (Q, 3); any if None.
    """
    any_axes = np.eye(3)[np.abs(normals).argmin(axis=1)]
    second = np.cross(normals, any_axes if first_axes is None else first_axes)
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    frames = np.stack([np.cross(second, normals), second, normals], axis=2)
    reach = float(np.hypot(RING_EDGES_MM[-1], LOWEST_MM))
    place, surfel = _pairs(cKDTree(surfels.points), places, min(reach, 75.0))
    local = np.einsum("pi,pij->pj", surfels.points[surfel] - places[place], frames[place])
    radius = np.hypot(local[:, 0], local[:, 1])
    facing = (surfels.normals[surfel] * normals[place]).sum(axis=1)
    good = (radius > RING_EDGES_MM[0]) & (radius < RING_EDGES_MM[-1]) & (facing > 0.1)
    good &= (local[:, 2] > LOWEST_MM) & (local[:, 2] < HIGHEST_MM)
    place, local, radius = place[good], local[good], radius[good]
    seen_area = surfels.areas[surfel[good]] * facing[good]
    outer = seen_area * np.exp(local[:, 2] / OUTERMOST_MM)  # what is hidden below counts little
    ring = np.searchsorted(RING_EDGES_MM, radius) - 1
    turn = np.arctan2(local[:, 1], local[:, 0]) / (2 * np.pi) * SECTORS
    sector = np.floor(turn).astype(np.int64) % SECTORS
    cell = (place * RINGS + ring) * SECTORS + sector
    total = np.bincount(cell, seen_area, len(places) * CELLS)
    heights = np.bincount(cell, outer * local[:, 2], len(places) * CELLS)
    heights /= np.maximum(np.bincount(cell, outer, len(places) * CELLS), 1e-9)
    ring_area = np.pi * np.diff(RING_EDGES_MM**2) / SECTORS
    full = np.tile(np.repeat(ring_area, SECTORS), len(places))
    known = np.clip(total / (COVERED * full), 0, 1)
    shape = (len(places), CELLS)
    return HeightMaps(
        heights.reshape(shape).astype(np.float32), known.reshape(shape).astype(np.float32), frames
    )


def rolled(cells: Float[np.ndarray, "T cells"], sectors: int) -> Float[np.ndarray, "T cells"]:
    """The maps as if their content had been turned counter-clockwise by some sectors."""
    shape = cells.shape
    return np.roll(cells.reshape(-1, RINGS, SECTORS), sectors, axis=2).reshape(shape)


def _pairs(tree: cKDTree, places: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """All (place, surfel) pairs within a radius."""
    lists = tree.query_ball_point(places, radius, return_sorted=False)
    counts = np.fromiter((len(one) for one in lists), dtype=np.int64, count=len(lists))
    surfel = np.concatenate([np.asarray(one, dtype=np.int64) for one in lists])
    return np.repeat(np.arange(len(places)), counts), surfel


def _sums(groups: np.ndarray, vectors: np.ndarray, count: int) -> np.ndarray:
    return np.stack([np.bincount(groups, vectors[:, axis], count) for axis in range(3)], axis=1)
