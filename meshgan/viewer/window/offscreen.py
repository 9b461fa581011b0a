"""A picture of a stage by Open3D, without a window or a screen."""

import numpy as np
from jaxtyping import UInt8
from open3d.visualization import rendering
from PIL import Image

from meshgan.viewer.stage import Stage
from meshgan.viewer.window.drawing import FIELD_OF_VIEW_DEG, Drawing

FINER = 2  # drawn larger and reduced: edges of the surface are smooth


def draw_offscreen(stage: Stage, size_px: tuple[int, int]) -> UInt8[np.ndarray, "h w 3"]:
    """The stage from the front, width and height as asked for.

    The process aborts where the machine has no Vulkan driver: ask
    ``apps.open3d_probe.offscreen_problem`` first.
    """
    width, height = size_px
    renderer = rendering.OffscreenRenderer(FINER * width, FINER * height)
    drawing = Drawing(renderer.scene, stage, float(FINER))
    drawing.update()
    centre, eye = drawing.camera(width / height)
    renderer.setup_camera(FIELD_OF_VIEW_DEG, centre, eye, [0, 1, 0])
    drawing.update()  # now that the camera stands: the light comes from beside it
    picture = Image.fromarray(np.asarray(renderer.render_to_image()))
    return np.asarray(picture.resize(size_px, Image.Resampling.BOX))
