"""Expressions without the motion of the head: the skull stays where it is.

All faces here are aligned over all their vertices, so a face whose jaw drops has a forehead that
rises. That is right for statistics, and wrong on a neck.
"""

import numpy as np
from jaxtyping import Float

from meshgan.data.template import Template
from meshgan.geometry.alignment import robust_procrustes

RIM, POINTS, NOSE_TIP = "contour", "ibug68", 30
WIDTHS_MM = (1.0, 0.5)  # points that move farther do not belong to the skull
ELSEWHERE = 0.02


def skull_weights(template: Template) -> Float[np.ndarray, " V"] | None:
    """How much a vertex says about the skull: the rim above the nose tip, and little else.

    There skin lies on bone and no muscle pulls at it; brows, cheeks and chin move.

    Returns:
        Weights, or None for a template without this region or these landmarks.
    """
    if RIM not in template.regions or POINTS not in template.landmarks:
        return None
    heights = template.mesh.vertices[:, 1]
    rim = np.asarray(template.regions[RIM])
    weights = np.full(len(heights), ELSEWHERE)
    weights[rim[heights[rim] > heights[template.landmarks[POINTS][NOSE_TIP]]]] = 1.0
    return weights


def hold_head(
    faces: Float[np.ndarray, "n V 3"],
    rest: Float[np.ndarray, "V 3"],
    weights: Float[np.ndarray, " V"] | None,
) -> Float[np.ndarray, "n V 3"]:
    """Move each face as a whole such that its skull is where that of ``rest`` is.

    Args:
        faces: of one person, mm.
        rest: the person at rest, mm.
        weights: ``skull_weights``; None leaves the faces as they are.
    """
    if weights is None:
        return faces
    held = np.array(faces, dtype=np.float64)
    target = rest.astype(np.float64)
    for k in range(len(held)):
        for width in WIDTHS_MM:
            held[k] = robust_procrustes(held[k], target, width, weights).apply(held[k])
    return held.astype(faces.dtype)
