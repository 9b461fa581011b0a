"""A page that shows a face and its morph targets: one file, no network, nothing to install."""

import base64
import html
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from jaxtyping import Float

from meshgan.editing.morphs import MorphTarget
from meshgan.errors import InputError
from meshgan.files import write_text
from meshgan.geometry.mesh import TriMesh
from meshgan.models.base import PERSON
from meshgan.pictures.shading import SKIN, STUDIO

LARGEST = np.iinfo(np.int16).max


def write_page(
    path: Path,
    face: TriMesh,
    targets: Sequence[MorphTarget],
    deviations: float = 2.0,
    colours: Float[np.ndarray, "V 3"] | None = None,
    title: str = "A face model",
) -> None:
    """Write the page, whole or not at all.

    Displacements are kept in 16 bits, each target with a step of its own: 1/32767 of its largest
    movement, far below what can be seen.

    Args:
        path: HTML file.
        face: at weight 0, mm.
        targets: what the sliders do; one group per factor and kind.
        deviations: standard deviations of weight 1 of a direction.
        colours: of each vertex, sRGB, 0 to 1; skin by default.
        title: of the page.

    Raises:
        InputError: no targets, or two of one name.
        JobError: the file cannot be written.
    """
    if not targets or len({target.name for target in targets}) < len(targets):
        raise InputError(f"{path}: expected morph targets, each with a name of its own")
    block = _Block()
    vertices = np.asarray(face.vertices, np.float32)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    shown = np.tile(np.array(SKIN), (len(vertices), 1)) if colours is None else colours
    content: dict[str, Any] = {
        "vertices": face.vertex_count,
        "positions": block.add(vertices),
        "triangles": block.add(np.asarray(face.faces, np.uint32)),
        "colours": block.add(np.round(255 * np.asarray(shown)).astype(np.uint8)),
        "centre": (0.5 * (low + high)).tolist(),
        "radius": float(0.5 * (high - low)[:2].max()),
        "deviations": deviations,
        "people": _title(PERSON),
        "light": _light(),
        "targets": [_target(target, block) for target in targets],
    }
    content["bytes"] = base64.b64encode(bytes(block.body)).decode()
    page = Template(resources.files("meshgan.apps").joinpath("face_page.html").read_text("utf-8"))
    data = json.dumps(content, separators=(",", ":")).replace("</", "<\\/")
    subtitle = f"{face.vertex_count:,} vertices, {len(targets)} sliders; made with meshgan"
    write_text(
        path,
        page.substitute(title=html.escape(title), subtitle=html.escape(subtitle), data=data),
    )


class _Block:
    """Arrays one after the other, each at a multiple of four bytes: (first byte, length)."""

    def __init__(self) -> None:
        self.body = bytearray()

    def add(self, array: np.ndarray) -> tuple[int, int]:
        self.body += b"\0" * (-len(self.body) % 4)
        start = len(self.body)
        self.body += np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
        return start, int(array.size)


def _target(target: MorphTarget, block: _Block) -> dict[str, Any]:
    largest = max(float(np.abs(target.displacement).max()), 1e-6)
    steps = np.round(target.displacement * (LARGEST / largest)).astype(np.int16)
    own = target.name.removeprefix(f"{target.factor}_")
    return {
        "name": target.name,
        "title": f"{target.factor} {own}" if own.isdecimal() else own,
        "group": _title(target.factor) if target.two_sided else f"{_title(target.factor)}: labels",
        "two_sided": target.two_sided,
        "scale": largest / LARGEST,
        "place": block.add(steps),
    }


def _title(factor: str) -> str:
    return "ARKit" if factor == "arkit" else factor[:1].upper() + factor[1:]


def _light() -> dict[str, Any]:
    """The studio of our pictures, so that a face looks the same here."""
    towards = np.array([lamp.direction for lamp in STUDIO.lamps])
    return {
        "towards": (towards / np.linalg.norm(towards, axis=1, keepdims=True)).tolist(),
        "colours": [lamp.colour for lamp in STUDIO.lamps],
        "ambient": STUDIO.ambient,
        "wrap": STUDIO.wrap,
        "gloss": STUDIO.gloss,
        "exponent": STUDIO.gloss_exponent,
    }
