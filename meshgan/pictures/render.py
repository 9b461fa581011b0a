"""Pictures of faces that a person can judge at a glance; no window, no GPU needed."""

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from matplotlib import colormaps
from torch import Tensor
from torch.nn import functional

from meshgan.errors import InputError, ShapeError
from meshgan.geometry.normals import vertex_normals
from meshgan.geometry.visibility import interpolate_visible, visible_triangles
from meshgan.pictures.camera import Frame, frame_faces
from meshgan.pictures.shading import (
    CHART,
    CREASE_TINT,
    SKIN,
    STUDIO,
    Lighting,
    crease_openness,
    light_surface,
    to_linear,
    to_srgb,
)

SUPERSAMPLING = 2
BATCH_PIXELS = 512 * 512  # supersampled pixels at once: more is no faster on a CPU, and 50 MB


def render_faces(
    vertices: Float[Tensor, "B V 3"] | Float[np.ndarray, "B V 3"],
    faces: Int[Tensor, "F 3"] | Int[np.ndarray, "F 3"],
    size_px: int = 256,
    yaw_deg: float = 0.0,
    colour: Float[Tensor, "... _ 3"] | Float[np.ndarray, "... _ 3"] | None = None,
    box: Frame | None = None,
) -> UInt8[np.ndarray, "B S S 3"]:
    """Draw a batch of faces: lit, smooth, antialiased, on white, all at one scale.

    Args:
        vertices: positions, mm, +x the subject's left, +y up, +z out of the face.
        faces: triangles, the same for all.
        size_px: side of each picture.
        yaw_deg: turn of the head; positive shows the subject's right cheek. Ignored with ``box``.
        colour: sRGB of each vertex, 0 to 1, (V, 3) for all faces or (B, V, 3), for example from
            ``paint.paint_template``; one skin tone if None.
        box: the square to show, for pictures that must agree across calls
            (``camera.frame_faces``); chosen from ``vertices`` if None.

    Returns:
        One RGB picture per face, row 0 at the top.

    Raises:
        ShapeError: ``colour`` does not fit ``vertices``.
        InputError: no face, a vertex that is not finite, or a size below 8 pixels.
    """
    paint = None if colour is None else torch.as_tensor(colour).float()
    return _render(torch.as_tensor(vertices), torch.as_tensor(faces), size_px, yaw_deg, paint,
                   box, STUDIO)  # fmt: skip


def render_displacements(
    vertices: Float[Tensor, "B V 3"] | Float[np.ndarray, "B V 3"],
    reference: Float[Tensor, "... _ 3"] | Float[np.ndarray, "... _ 3"],
    faces: Int[Tensor, "F 3"] | Int[np.ndarray, "F 3"],
    largest_mm: float,
    size_px: int = 256,
    yaw_deg: float = 0.0,
    box: Frame | None = None,
) -> UInt8[np.ndarray, "B S S 3"]:
    """Draw faces coloured by how far each vertex is from its place in ``reference``.

    Dark blue is 0 mm, yellow ``largest_mm`` and more (viridis: even steps look even, also to
    colour-blind readers and in grey). ``sheet.colour_legend`` draws the matching scale.

    Args:
        vertices: positions, mm.
        reference: positions of the same vertices, one mesh for all or one per face, mm.
        faces: triangles, the same for all.
        largest_mm: distance at the upper end of the colours.
        size_px: side of each picture.
        yaw_deg: turn of the head. Ignored with ``box``.
        box: the square to show.

    Raises:
        ShapeError: ``reference`` does not fit ``vertices``.
        InputError: as for ``render_faces``, or ``largest_mm`` is not positive.
    """
    vertices, reference = torch.as_tensor(vertices), torch.as_tensor(reference)
    if reference.shape not in (vertices.shape, vertices.shape[1:]):
        raise ShapeError(
            f"displacements: reference {tuple(reference.shape)} for vertices "
            f"{tuple(vertices.shape)}; give one mesh of this topology, or one per face"
        )
    if not largest_mm > 0:
        raise InputError(f"displacements: largest_mm is {largest_mm}, expected more than 0 mm")
    distance = (vertices.double() - reference.double()).norm(dim=-1)
    paint = torch.from_numpy(viridis((distance / largest_mm).numpy(force=True)))
    return _render(vertices, torch.as_tensor(faces), size_px, yaw_deg, paint, box, CHART)


def viridis(share: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape 3"]:
    """Colours (sRGB, 0 to 1) of the numbers 0 to 1; what lies outside is clipped."""
    return colormaps["viridis"](np.clip(share, 0, 1))[..., :3].astype(np.float32)


def _render(
    vertices: Tensor,
    faces: Tensor,
    size_px: int,
    yaw_deg: float,
    paint: Tensor | None,
    box: Frame | None,
    lighting: Lighting,
) -> UInt8[np.ndarray, "B S S 3"]:
    vertices, faces = vertices.float(), faces.long()
    _check(vertices, paint, size_px)
    frame = frame_faces(vertices, yaw_deg) if box is None else box
    fine_px = size_px * SUPERSAMPLING
    at_once = max(1, BATCH_PIXELS // fine_px**2)
    paint = None if paint is None else paint.expand_as(vertices)
    pictures = []
    for start in range(0, len(vertices), at_once):
        some = slice(start, start + at_once)
        colours = None if paint is None else paint[some].to(vertices)
        pictures.append(_draw(vertices[some], faces, colours, frame, fine_px, lighting))
    return np.concatenate(pictures)


@torch.no_grad()
def _draw(
    vertices: Tensor,
    faces: Tensor,
    paint: Tensor | None,
    frame: Frame,
    fine_px: int,
    lighting: Lighting,
) -> UInt8[np.ndarray, "B S S 3"]:
    turned = frame.turn(vertices)
    points_px, depth = frame.to_pixels(turned, fine_px)
    face_ids = visible_triangles(points_px, depth, faces, fine_px, cull=False)
    channels = [vertex_normals(turned, faces), depth[..., None]]
    if paint is not None:
        channels.append(to_linear(paint))
    seen = interpolate_visible(face_ids, points_px, torch.cat(channels, dim=-1), faces)
    covered = face_ids >= 0
    points = seen[covered]
    normals = functional.normalize(points[:, :3], dim=-1)
    skin = to_linear(points.new_tensor([SKIN]))
    light = seen.new_zeros(*covered.shape, 5)  # light, depth, coverage: nothing off the surface
    albedo = skin if paint is None else points[:, 4:7]
    light[covered] = torch.cat(
        [
            light_surface(normals, albedo, lighting).clamp_(0, 1),
            points[:, 3:4],
            torch.ones_like(points[:, :1]),
        ],
        dim=1,
    )
    small = functional.avg_pool2d(light.permute(0, 3, 1, 2), SUPERSAMPLING).permute(0, 2, 3, 1)
    coverage = small[..., 4]
    depth = small[..., 3] / coverage.clamp(min=1e-6)
    mm_per_px = 2 * frame.half_mm * SUPERSAMPLING / fine_px
    openness = crease_openness(depth, coverage, mm_per_px)
    shade = openness[..., None] ** openness.new_tensor(CREASE_TINT)
    shown = to_srgb(small[..., :3] * shade + (1 - coverage[..., None]))
    return (shown * 255).round().to(torch.uint8).cpu().numpy()


def _check(vertices: Tensor, paint: Tensor | None, size_px: int) -> None:
    if size_px < 8:
        raise InputError(f"render: {size_px} pixels a side, expected at least 8")
    if len(vertices) == 0:
        raise InputError("render: no faces to draw; give at least one mesh")
    if bad := int((~vertices.isfinite()).flatten(1).any(dim=1).sum()):
        raise InputError(
            f"render: {bad:,} of {len(vertices):,} meshes have vertices that are not finite; "
            "the model may have diverged"
        )
    if paint is not None and paint.shape not in (vertices.shape, vertices.shape[1:]):
        raise ShapeError(
            f"render: colours {tuple(paint.shape)} for vertices {tuple(vertices.shape)}; "
            "give one colour per vertex"
        )
