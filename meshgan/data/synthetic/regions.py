"""Named parts of a face, from rules about its landmarks."""

from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int

from meshgan.arrays import Faces, Vertices
from meshgan.data.synthetic.recipe import RegionRule
from meshgan.errors import ConfigError
from meshgan.geometry.topology import boundary_loops


def find_regions(
    vertices: Vertices,
    faces: Faces,
    mirror: Int[np.ndarray, " V"],
    landmarks: Int[np.ndarray, " L"],
    rules: dict[str, RegionRule],
) -> dict[str, Int[np.ndarray, " _"]]:
    """Apply region rules to a symmetric template.

    Returns:
        Vertex ids, ascending, by region; a rule with sides gives "left_NAME" and "right_NAME".

    Raises:
        ConfigError: a rule leaves out a region that is not defined before it.
    """
    found: dict[str, np.ndarray] = {}
    masks: dict[str, np.ndarray] = {}
    points = vertices[:, :2].astype(np.float64)
    for name, rule in rules.items():
        mask = _marked(points, vertices, faces, points[landmarks], rule)
        both = mask | mask[mirror]
        for other in rule.without:
            if other not in masks:
                raise ConfigError(
                    f'region {name}: leaves out "{other}", which is not defined above'
                )
            both &= ~masks[other]
        masks[name] = both
        if rule.sides:
            on_left = vertices[:, 0] > 0
            found[f"left_{name}"] = np.flatnonzero(both & on_left)
            found[f"right_{name}"] = np.flatnonzero(both & ~on_left & on_left[mirror])
        else:
            found[name] = np.flatnonzero(both)
    return found


def _marked(points, vertices, faces, landmarks, rule: RegionRule) -> np.ndarray:
    mask = np.zeros(len(points), dtype=bool)
    if rule.inside:
        polygon = landmarks[list(rule.inside)]
        mask |= inside_polygon(points, polygon)
        around = np.concatenate([polygon, polygon[:1]])
        mask |= distance_to_line(points, around) < rule.margin_mm
    if rule.along:
        mask |= distance_to_line(points, landmarks[list(rule.along)]) < rule.margin_mm
    if rule.outline_mm:
        loop = vertices[boundary_loops(faces)[0]]
        mask |= distance_to_line(vertices, np.concatenate([loop, loop[:1]])) < rule.outline_mm
    return mask


def inside_polygon(
    points: Float[np.ndarray, "V 2"], polygon: Float[np.ndarray, "n 2"]
) -> Bool[np.ndarray, " V"]:
    """Points inside a closed polygon, by the even-odd rule."""
    inside = np.zeros(len(points), dtype=bool)
    x, y = points.T
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        spans = (y0 > y) != (y1 > y)
        rise = y1 - y0 if y1 != y0 else 1.0
        inside ^= spans & (x < x0 + (y - y0) * (x1 - x0) / rise)
    return inside


def distance_to_line(
    points: Float[np.ndarray, "V d"], line: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, " V"]:
    """Distance to the nearest of the segments between successive points of ``line``."""
    nearest = np.full(len(points), np.inf)
    for start, end in pairwise(line):
        along = end - start
        share = (points - start) @ along / max(float(along @ along), 1e-12)
        foot = start + np.clip(share, 0, 1)[:, None] * along
        nearest = np.minimum(nearest, np.linalg.norm(points - foot, axis=1))
    return nearest
