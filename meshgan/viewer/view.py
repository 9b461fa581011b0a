"""``meshgan view``: open a window, or write a picture, of a RUN, a DATA folder or a mesh."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from meshgan.apps.open3d_probe import display_problem, offscreen_problem
from meshgan.errors import InputError, MissingExtraError
from meshgan.viewer.browse import DataScene
from meshgan.viewer.opening import open_stage
from meshgan.viewer.scene import ModelScene
from meshgan.viewer.screenshot import Renderer, take_screenshot
from meshgan.viewer.stage import ColourBy, Stage


def view(
    what: Path | None,
    screenshot: Path | None = None,
    labels: Mapping[str, str] | None = None,
    random: bool = False,
    colour_by: ColourBy = "skin",
    size_px: tuple[int, int] = (1280, 800),
    renderer: Renderer = "auto",
    seed: int = 0,
) -> dict[str, Any]:
    """Show something in a window until it is closed, or write a picture and open none.

    Args:
        what: a RUN folder, a DATA folder or a mesh file; None for the model that comes with the
            package.
        screenshot: PNG to write instead of opening a window.
        labels: factor -> label: of a RUN the codes to begin with, of DATA the rows to show.
        random: begin with a random face of a RUN, or a random row of DATA.
        colour_by: skin, or distance from the neutral or the mean face.
        size_px: of the window or the picture.
        renderer: of the picture.
        seed: of random faces.

    Returns:
        ``kind`` (run, data or mesh), ``vertices``, ``faces``, and for a picture what
        ``take_screenshot`` says.

    Raises:
        InputError: ``what`` is none of the three, or it has no such label or colouring.
        MissingExtraError: no window can open on this machine; the message says what to install.
    """
    stage = open_stage(what, seed)
    prepare(stage, labels or {}, random, seed)
    stage.show(colour_by=colour_by)
    mesh = stage.template.mesh
    found = {"kind": stage.kind, "vertices": mesh.vertex_count, "faces": mesh.face_count}
    if screenshot is not None:
        return found | take_screenshot(stage, screenshot, size_px, renderer)
    if problem := offscreen_problem() or display_problem():
        raise MissingExtraError(f"view: {problem}")
    from meshgan.viewer.window.app import open_window
    from meshgan.viewer.window.silence import native_output_hidden

    with native_output_hidden():
        open_window(stage, Path.cwd(), size_px)
    return found


def prepare(stage: Stage, labels: Mapping[str, str], random: bool, seed: int) -> None:
    """What a stage shows first.

    Raises:
        InputError: a mesh has neither labels nor random faces, or a label is unknown.
    """
    if isinstance(stage, ModelScene):
        if random:
            stage.randomise()
        for factor, label in labels.items():
            stage.apply_label(factor, label)
    elif isinstance(stage, DataScene):
        if labels:
            stage.choose(labels)
        if random:
            stage.random(seed)
    elif labels or random:
        raise InputError("view: a mesh has no labels and no random faces; leave the options out")
