"""Colour on a template: eyes and lips, so that an expression is read at a glance.

The colours are a drawing aid computed from landmarks. They carry no data, and follow the vertices
when a face moves.
"""

import numpy as np
from jaxtyping import Float, Int
from matplotlib.path import Path

from meshgan.arrays import Vertices
from meshgan.data.template import Template
from meshgan.errors import ShapeError
from meshgan.pictures.shading import SKIN

# sRGB; 68 points in iBUG order
EYE, LIP, MOUTH = (0.94, 0.92, 0.89), (0.80, 0.50, 0.46), (0.36, 0.17, 0.16)
IRIS, IRIS_MM = (0.38, 0.32, 0.29), 4.6
EYES = (slice(36, 42), slice(42, 48))
OUTER_LIPS, INNER_LIPS = slice(48, 60), slice(60, 68)
SOFT_MM = 1.2  # width of the transition between two colours


def paint_template(template: Template) -> Float[np.ndarray, "V 3"] | None:
    """``paint_features`` of a template, or None where it has no iBUG landmarks."""
    if "ibug68" not in template.landmarks:
        return None
    return paint_features(template.mesh.vertices, template.landmarks["ibug68"])


def paint_features(
    vertices: Vertices, landmarks68: Int[np.ndarray, " L"]
) -> Float[np.ndarray, "V 3"]:
    """Colour of each vertex (sRGB, 0 to 1): skin, lighter eyes, redder lips, dark mouth.

    Args:
        vertices: the template, mm, seen along z.
        landmarks68: vertex ids of the 68 iBUG landmarks.

    Raises:
        ShapeError: not 68 landmarks.
    """
    if len(landmarks68) != 68:
        raise ShapeError(f"paint: {len(landmarks68)} landmarks, expected the 68 of iBUG")
    plane = np.asarray(vertices, dtype=np.float64)[:, :2]
    colours = np.tile(np.array(SKIN), (len(plane), 1))
    outlines = [(OUTER_LIPS, LIP), (INNER_LIPS, MOUTH), *((eye, EYE) for eye in EYES)]
    for part, colour in outlines:
        depth = depth_inside(plane, plane[landmarks68[part]])
        _mix(colours, colour, depth)
        if colour is EYE:
            centre = plane[landmarks68[part]].mean(axis=0)
            round_depth = IRIS_MM - np.linalg.norm(plane - centre, axis=1)
            _mix(colours, IRIS, np.minimum(round_depth, depth))
    return colours.astype(np.float32)


def _mix(colours: np.ndarray, colour: tuple[float, ...], depth: np.ndarray) -> None:
    share = np.clip(0.5 + depth / SOFT_MM, 0, 1)[:, None]
    colours += share * (np.array(colour) - colours)


def depth_inside(
    points: Float[np.ndarray, "N 2"], outline: Float[np.ndarray, "K 2"]
) -> Float[np.ndarray, " N"]:
    """Distance of points to a closed outline: positive inside, negative outside."""
    after = np.roll(outline, -1, axis=0)
    edge = after - outline
    offset = points[:, None] - outline
    along = (offset * edge).sum(axis=-1) / np.maximum((edge**2).sum(axis=-1), 1e-12)
    nearest = outline + np.clip(along, 0, 1)[..., None] * edge
    distance = np.linalg.norm(points[:, None] - nearest, axis=-1).min(axis=1)
    return np.where(Path(outline).contains_points(points), distance, -distance)
