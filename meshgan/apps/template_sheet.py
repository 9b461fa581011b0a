"""The picture of a template: landmarks, mirror map, regions and UV map side by side."""

import colorsys

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image, ImageDraw

from meshgan.arrays import UV
from meshgan.data.template import Template
from meshgan.pictures.camera import Frame, frame_faces
from meshgan.pictures.render import render_faces
from meshgan.pictures.sheet import contact_sheet

SIZE_PX = 480
SKIN, OTHER_SIDE = (0.86, 0.76, 0.70), 0.55
INK, MARK = (70, 78, 90), (200, 30, 40)
TURN_DEG = 35.0


def draw_template(template: Template) -> Image.Image:
    """A sheet of what is known of a template; what it lacks is left out."""
    cells: dict[str, np.ndarray] = {}
    largest = max(template.landmarks, key=lambda name: len(template.landmarks[name]), default=None)
    if largest is not None:
        count = len(template.landmarks[largest])
        for turn, view in ((0.0, "front"), (TURN_DEG, "turned")):
            cells[f"{largest}: {count} landmarks, {view}"] = _landmarks(template, largest, turn)
    else:
        cells["shape"] = _painted(template, None)
    if template.mirror is not None:
        cells["mirror map: partners share a hue"] = _painted(
            template, _mirror_colours(template.mesh.vertices, template.mirror)
        )
    if template.regions:
        cells[f"{len(template.regions)} regions"] = _painted(template, _region_colours(template))
    if template.mesh.uv is not None:
        cells["UV map, v up"] = _uv_layout(template, template.mesh.uv)
    title = (
        f"{template.name}: {template.vertex_count:,} vertices, "
        f"{template.mesh.face_count:,} triangles"
    )
    return contact_sheet([list(cells.values())], title=title, column_labels=list(cells))


def _view(template: Template, yaw_deg: float) -> tuple[torch.Tensor, Frame]:
    vertices = torch.as_tensor(np.asarray(template.mesh.vertices, dtype=np.float32))[None]
    return vertices, frame_faces(vertices, yaw_deg)


def _painted(
    template: Template, colour: Float[np.ndarray, "V 3"] | None, yaw_deg: float = 0.0
) -> UInt8[np.ndarray, "S S 3"]:
    vertices, frame = _view(template, yaw_deg)
    paint = None if colour is None else torch.as_tensor(colour).float()[None]
    faces = torch.as_tensor(template.mesh.faces)
    return render_faces(vertices, faces, size_px=SIZE_PX, colour=paint, box=frame)[0]


def _landmarks(template: Template, name: str, yaw_deg: float) -> UInt8[np.ndarray, "S S 3"]:
    picture = Image.fromarray(_painted(template, None, yaw_deg))
    vertices, frame = _view(template, yaw_deg)
    points, _ = frame.to_pixels(frame.turn(vertices), SIZE_PX)
    pen = ImageDraw.Draw(picture)
    for number, (x, y) in enumerate(points[0, template.landmarks[name]].tolist()):
        pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=MARK)
        pen.text((x + 3, y - 5), str(number), fill=INK, font_size=9)
    return np.array(picture)


def _mirror_colours(
    vertices: Float[np.ndarray, "V 3"], mirror: Int[np.ndarray, " V"]
) -> Float[np.ndarray, "V 3"]:
    """Colours by position on one side, darker on the other: a wrong partner shows as a speck."""
    on_right = vertices[:, 0] < vertices[mirror, 0]
    source = vertices[np.where(on_right, mirror, np.arange(len(vertices)))]
    low, high = source.min(axis=0), source.max(axis=0)
    colour = 0.15 + 0.85 * (source - low) / np.maximum(high - low, 1e-6)
    return colour * np.where(on_right, OTHER_SIDE, 1.0)[:, None]


def _region_colours(template: Template) -> Float[np.ndarray, "V 3"]:
    """One hue per region, the same for left and right; overlaps are mixed."""
    total = np.zeros((template.vertex_count, 3))
    count = np.zeros(template.vertex_count)
    names = sorted({_one_side(name) for name in template.regions})
    for name, ids in template.regions.items():
        hue = names.index(_one_side(name)) / len(names)
        total[ids] += colorsys.hsv_to_rgb(hue, 0.75, 0.9)
        count[ids] += 1
    inside = count > 0
    colour = np.tile(SKIN, (template.vertex_count, 1))
    colour[inside] = total[inside] / count[inside, None]
    return colour


def _one_side(name: str) -> str:
    return name.removeprefix("left_").removeprefix("right_")


def _uv_layout(template: Template, uv: UV) -> UInt8[np.ndarray, "S S 3"]:
    """Triangles in the UV square, in the colours of the regions."""
    scale = 3
    side = scale * SIZE_PX
    picture = Image.new("RGB", (side, side), (255, 255, 255))
    pen = ImageDraw.Draw(picture)
    places = np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1) * (side - 1)
    colours = (255 * _region_colours(template)[template.mesh.faces].mean(axis=1)).astype(int)
    for face, colour in zip(template.mesh.faces, colours.tolist(), strict=True):
        corners = [tuple(place) for place in places[face].tolist()]
        pen.polygon(corners, fill=tuple(colour), outline=INK)
    return np.array(picture.resize((SIZE_PX, SIZE_PX), Image.Resampling.LANCZOS))
