"""Points on a picture: landmarks where they are in space."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from meshgan.pictures.camera import Frame

DOT, RING, RADIUS_PX = (200, 30, 40), (255, 255, 255), 2.5


def draw_dots(
    picture: UInt8[np.ndarray, "S S 3"], points: Float[np.ndarray, "L 3"], box: Frame
) -> UInt8[np.ndarray, "S S 3"]:
    """Mark points (mm) on a square picture that shows ``box``."""
    if not len(points):
        return picture
    places, _ = box.to_pixels(box.turn(torch.from_numpy(points[None])), len(picture))
    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image)
    for x, y in places[0].tolist():
        corners = (x - RADIUS_PX, y - RADIUS_PX, x + RADIUS_PX, y + RADIUS_PX)
        pen.ellipse(corners, fill=DOT, outline=RING)
    return np.asarray(image)
