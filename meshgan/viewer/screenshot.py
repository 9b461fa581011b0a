"""A picture of a stage without a window: by Open3D where it can draw, else by our own renderer."""

import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from meshgan.apps.open3d_probe import offscreen_problem
from meshgan.errors import InputError, MissingExtraError
from meshgan.pictures.paint import paint_template
from meshgan.pictures.render import render_displacements, render_faces
from meshgan.pictures.sheet import colour_legend, save_png
from meshgan.viewer.stage import COLOURINGS, Stage

log = logging.getLogger(__name__)
Renderer = Literal["auto", "open3d", "own"]
EDGE_PX, LEGEND_PX, SMALLEST_PX = 16, 300, 64


def take_screenshot(
    stage: Stage,
    path: Path | str,
    size_px: tuple[int, int] = (1280, 800),
    renderer: Renderer = "auto",
) -> dict[str, Any]:
    """Write a PNG of the stage from the front.

    Args:
        stage: what to show.
        path: file, ending in .png.
        size_px: width and height.
        renderer: "open3d", "own", or "auto": Open3D where it can draw here.

    Returns:
        ``screenshot``, ``renderer`` and, where Open3D could not draw, ``reason``.

    Raises:
        InputError: ``path`` is no PNG, or a size is less than 64 pixels.
        MissingExtraError: Open3D is asked for and cannot draw here.
        JobError: the file cannot be written.
    """
    if Path(path).suffix.lower() != ".png":
        raise InputError(f"{path}: a screenshot is a PNG; give a name that ends in .png")
    if min(size_px) < SMALLEST_PX:
        raise InputError(f"screenshot: {size_px[0]} x {size_px[1]} pixels; at least {SMALLEST_PX}")
    problem = None if renderer == "own" else offscreen_problem()
    if problem and renderer == "open3d":
        raise MissingExtraError(f"screenshot: {problem}")
    own = renderer == "own" or problem is not None
    if own:
        if problem:
            log.warning("screenshot by meshgan's own renderer: %s", problem)
        picture = draw_plain(stage, size_px)
    else:
        from meshgan.viewer.window.offscreen import draw_offscreen
        from meshgan.viewer.window.silence import native_output_hidden

        with native_output_hidden():
            picture = draw_offscreen(stage, size_px)
    save_png(with_legend(picture, stage), path)
    found: dict[str, Any] = {"screenshot": str(path), "renderer": "own" if own else "open3d"}
    return found | ({"reason": problem} if problem else {})


def draw_plain(stage: Stage, size_px: tuple[int, int]) -> UInt8[np.ndarray, "h w 3"]:
    """The stage from the front by the renderer of ``pictures``: slower, and needs no driver."""
    width, height = size_px
    shown = np.stack([np.asarray(face, dtype=np.float32) for face in stage.current()])
    side = min(height, width // len(shown))
    faces, colour_by = stage.template.mesh.faces, stage.display.colour_by
    if colour_by == "skin":
        cells = render_faces(shown, faces, side, colour=paint_template(stage.template))
    else:
        stage.surfaces()  # chooses the scale
        reference = np.stack([stage.reference(k) for k in range(len(shown))])
        cells = render_displacements(shown, reference, faces, stage.largest_mm, side)
    page = np.full((height, width, 3), 255, dtype=np.uint8)
    top, left = (height - side) // 2, (width - side * len(shown)) // 2
    page[top : top + side, left : left + side * len(shown)] = np.concatenate(list(cells), axis=1)
    return page


def with_legend(picture: UInt8[np.ndarray, "h w 3"], stage: Stage) -> Image.Image:
    """The picture with the scale of its colours at the lower left, where there is one."""
    page = Image.fromarray(picture)
    if stage.display.colour_by != "skin":
        width = min(LEGEND_PX, page.width - 2 * EDGE_PX)
        legend = colour_legend(stage.largest_mm, COLOURINGS[stage.display.colour_by], width)
        page.paste(legend, (EDGE_PX, page.height - legend.height - EDGE_PX))
    return page
