"""A fitted face over the picture that its landmarks were seen in."""

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from meshgan.arrays import Faces

GIVEN, FITTED, MESH, OUTLINE = (200, 30, 40), (20, 70, 190), (90, 110, 140, 90), (20, 60, 120, 230)
CANVAS, HALO = (246, 246, 244), (255, 255, 255)
MARGIN = 0.15  # of the face's extent, around it
FINER = 2  # drawn that much larger, then reduced: lines are smooth
POINT, CROSS = 0.009, 0.012  # radius and arm as shares of the picture
FADED = 0.35  # of a photograph's contrast that is taken away, so that lines show


def draw_overlay(
    projected: Float[np.ndarray, "V 2"],
    faces: Faces,
    given: Float[np.ndarray, "L 2"],
    fitted: Float[np.ndarray, "L 2"],
    size: int,
    photograph: UInt8[np.ndarray, "H W 3"] | None = None,
) -> UInt8[np.ndarray, "S S 3"]:
    """The part of a picture that shows the face: wireframe, outline, points given and fitted.

    Args:
        projected: vertices in the picture, pixels, y down.
        faces: triangles; their corners run counter-clockwise seen from outside.
        given: landmarks (circles), pixels; NaN where missing.
        fitted: the same points of the fitted face (crosses), pixels.
        size: S of the result.
        photograph: what lies below; a plain canvas if None.
    """
    seen = np.isfinite(given).all(axis=1)
    everything = np.concatenate([projected, given[seen]])
    low, high = everything.min(axis=0), everything.max(axis=0)
    side = (1 + 2 * MARGIN) * float((high - low).max())
    corner = (low + high) / 2 - side / 2
    scale = FINER * size / side
    image = _below(photograph, corner, side, FINER * size)
    pen = ImageDraw.Draw(image, "RGBA")
    places = (projected - corner) * scale
    edges, outline = _edges(places, faces)
    for pairs, colour, width in ((edges, MESH, 1), (outline, OUTLINE, FINER + 1)):
        for start, end in places[pairs].tolist():
            pen.line([*start, *end], fill=colour, width=width)
    radius, arm = (share * FINER * size for share in (POINT, CROSS))
    for x, y in ((given[seen] - corner) * scale).tolist():
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=GIVEN, outline=HALO)
    for x, y in ((fitted[seen] - corner) * scale).tolist():
        for sign in (-1, 1):
            line = (x - arm, y - sign * arm, x + arm, y + sign * arm)
            pen.line(line, fill=FITTED, width=FINER)
    return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.LANCZOS))


def _below(
    photograph: UInt8[np.ndarray, "H W 3"] | None,
    corner: np.ndarray,
    side: float,
    size: int,
) -> Image.Image:
    canvas = Image.new("RGB", (size, size), CANVAS)
    if photograph is None:
        return canvas
    height, width = photograph.shape[:2]
    low = np.clip(np.floor(corner), 0, (width, height)).astype(int)
    high = np.clip(np.ceil(corner + side), 0, (width, height)).astype(int)
    if (high <= low).any():
        return canvas
    part = Image.fromarray(np.ascontiguousarray(photograph[low[1] : high[1], low[0] : high[0]]))
    extent = np.maximum(1, np.round((high - low) * size / side)).astype(int).tolist()
    part = part.resize((extent[0], extent[1]), Image.Resampling.BICUBIC)
    part = Image.blend(part, Image.new("RGB", part.size, CANVAS), FADED)
    left, top = np.round((low - corner) * size / side).astype(int).tolist()
    canvas.paste(part, (left, top))
    return canvas


def _edges(places: Float[np.ndarray, "V 2"], faces: Faces) -> tuple[np.ndarray, np.ndarray]:
    """Edges of triangles seen from outside, and those of them where the face ends or turns away."""
    first, second, third = (places[faces[:, k]] for k in range(3))
    across, along = second - first, third - first
    front = across[:, 0] * along[:, 1] - across[:, 1] * along[:, 0] < 0  # y is down
    shown = faces[front]
    pairs = np.sort(np.concatenate([shown[:, [0, 1]], shown[:, [1, 2]], shown[:, [2, 0]]]), axis=1)
    edges, counts = np.unique(pairs, axis=0, return_counts=True)
    return edges, edges[counts == 1]
