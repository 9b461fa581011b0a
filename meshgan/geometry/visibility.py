"""Which triangle is seen at each pixel: an exact z-buffer for batches, in plain torch.

Pixel coordinates: x to the right, y down, pixel (row r, column c) has its centre at
(c + 0.5, r + 0.5). A triangle that is counter-clockwise for a viewer who sees y up is a front face.
The visibility itself has no gradient; the values interpolated with it have (not at silhouettes).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import InputError, ShapeError

# (triangle, pixel) pairs tested together: on a CPU what fits its cache, elsewhere about 1 GB
CPU_CANDIDATES, OTHER_CANDIDATES = 250_000, 8_000_000
EDGE_TOLERANCE = 1e-5  # in barycentric units: no crack between two triangles of one edge


def check_projection(points_px: Float[Tensor, "_ _ 2"], depth: Float[Tensor, "_ _"]) -> None:
    """Refuse points and depths that do not belong together, or are not finite."""
    if points_px.shape[:2] != depth.shape:
        raise ShapeError(
            f"visibility: points {tuple(points_px.shape)} and depth {tuple(depth.shape)} differ"
        )
    if not (torch.isfinite(points_px).all() and torch.isfinite(depth).all()):
        raise InputError("visibility: some projected vertices are not finite; check the mesh")


@torch.no_grad()
def visible_triangles(
    points_px: Float[Tensor, "B V 2"],
    depth: Float[Tensor, "B V"],
    faces: Int[Tensor, "F 3"],
    size_px: int,
    cull: bool = True,
) -> Int[Tensor, "B S S"]:
    """The nearest triangle at every pixel centre.

    Every triangle is tested at all pixel centres of its bounding box. Depth (as order-preserving
    bits) and face id are packed into one integer, so that a single maximum per pixel decides.

    Args:
        points_px: projected vertices (B, V, 2), pixels; float64 where the last ulp matters.
        depth: (B, V), **larger is nearer**; interpolated affinely, so perspective needs 1/z.
        faces: vertex ids (F, 3).
        size_px: S, pixels a side.
        cull: leave out triangles that are seen from behind.

    Returns:
        Face ids (B, S, S), int64; -1 is background. At equal depth the higher face id wins.

    Raises:
        ShapeError: points and depth do not belong together.
        InputError: a coordinate is not finite.
    """
    check_projection(points_px, depth)
    corner, extent, area = _pixel_boxes(points_px, faces, size_px)
    facing = area < 0 if cull else area != 0
    pixel_count = torch.where(facing, extent[..., 0] * extent[..., 1], 0).long()
    parts = [
        _nearest(points_px[part], depth[part], faces, size_px, corner[part], extent[part], count)
        for part, count in _parts(pixel_count)
    ]
    return torch.cat(parts) if parts else faces.new_empty((0, size_px, size_px)).long()


def interpolate_visible(
    face_ids: Int[Tensor, "B S S"],
    points_px: Float[Tensor, "B V 2"],
    attributes: Float[Tensor, "B V C"],
    faces: Int[Tensor, "F 3"],
) -> Float[Tensor, "B S S C"]:
    """Vertex attributes at the pixel centres, in the triangles that ``visible_triangles`` chose.

    Args:
        face_ids: (B, S, S), -1 is background.
        points_px: the same projected vertices (B, V, 2), pixels.
        attributes: any values per vertex (B, V, C).
        faces: vertex ids (F, 3).

    Returns:
        (B, S, S, C), zeros in the background; differentiable in ``attributes`` and ``points_px``.
    """
    batch, size, _ = face_ids.shape
    image, row, column = (face_ids >= 0).nonzero(as_tuple=True)
    corners = faces[face_ids[image, row, column]] + image[:, None] * points_px.shape[1]
    flat_points = points_px.reshape(-1, 2)
    flat_values = attributes.reshape(-1, attributes.shape[-1])
    centres = torch.stack([column, row], dim=1).to(points_px.dtype) + 0.5
    first, second, third = (flat_points.index_select(0, corners[:, k]) for k in range(3))
    to_second, to_third, to_centre = second - first, third - first, centres - first
    area = _cross(to_second, to_third)
    weight_second = _cross(to_centre, to_third) / area
    weight_third = _cross(to_second, to_centre) / area
    weights = (1 - weight_second - weight_third, weight_second, weight_third)
    terms = [
        weight[:, None].to(flat_values.dtype) * flat_values.index_select(0, corners[:, k])
        for k, weight in enumerate(weights)
    ]
    pixels = attributes.new_zeros(batch * size * size, attributes.shape[-1])
    where = (image * size + row) * size + column
    return pixels.index_copy(0, where, terms[0] + terms[1] + terms[2]).view(batch, size, size, -1)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _pixel_boxes(points: Tensor, faces: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """First pixel (x, y) and extent (w, h) of each triangle's box, and its signed double area."""
    first, second, third = (points.index_select(1, faces[:, k]) for k in range(3))
    low = torch.minimum(torch.minimum(first, second), third)
    high = torch.maximum(torch.maximum(first, second), third)
    corner = torch.ceil(low - 0.5).clamp_(0, size).int()
    last = torch.floor(high - 0.5).clamp_(-1, size - 1).int()
    extent = (last - corner + 1).clamp_(min=0)
    return corner, extent, _cross(second - first, third - first)


def _parts(pixel_count: Tensor) -> list[tuple[slice, Tensor]]:
    """Split the batch so that each part tests a bounded number of (triangle, pixel) pairs."""
    limit = CPU_CANDIDATES if pixel_count.device.type == "cpu" else OTHER_CANDIDATES
    parts, start, filled = [], 0, 0
    for image, work in enumerate(pixel_count.sum(dim=1).tolist()):
        if image > start and filled + work > limit:
            parts.append((slice(start, image), pixel_count[start:image]))
            start, filled = image, 0
        filled += work
    if start < len(pixel_count):
        parts.append((slice(start, len(pixel_count)), pixel_count[start:]))
    return parts


def _nearest(
    points: Tensor,
    depth: Tensor,
    faces: Tensor,
    size: int,
    corner: Tensor,
    extent: Tensor,
    pixel_count: Tensor,
) -> Tensor:
    batch, face_count = pixel_count.shape
    device = points.device
    chosen = pixel_count.view(-1).nonzero().squeeze(1)
    count = pixel_count.view(-1).index_select(0, chosen)
    image, face = chosen // face_count, chosen % face_count
    first_pixel, extent = (part.view(-1, 2).index_select(0, chosen) for part in (corner, extent))
    owner, row, column = _candidates(first_pixel, extent, count)
    corners = faces.index_select(0, face) + (image * points.shape[1])[:, None]
    planes = _planes(points, depth, corners).index_select(0, owner)
    x = column.to(points.dtype) + 0.5 - planes[:, 0]
    y = row.to(points.dtype) + 0.5 - planes[:, 1]
    weight_second = planes[:, 2] * x + planes[:, 3] * y
    weight_third = planes[:, 4] * x + planes[:, 5] * y
    inside = (weight_second >= -EDGE_TOLERANCE) & (weight_third >= -EDGE_TOLERANCE)
    inside &= weight_second + weight_third <= 1 + EDGE_TOLERANCE
    hit = inside.nonzero().squeeze(1)

    x, y, row, column, owner = (part.index_select(0, hit) for part in (x, y, row, column, owner))
    planes = planes.index_select(0, hit)
    height = planes[:, 6] * x + planes[:, 7] * y + planes[:, 8]
    key = (_ordered_bits(height) << 32) | face.index_select(0, owner)
    pixel = (image.index_select(0, owner) * size + row) * size + column
    empty = torch.iinfo(torch.int64).min
    best = torch.full((batch * size * size,), empty, dtype=torch.int64, device=device)
    best.scatter_reduce_(0, pixel, key, "amax", include_self=True)
    return torch.where(best == empty, -1, best & 0xFFFFFFFF).view(batch, size, size)


def _candidates(corner: Tensor, extent: Tensor, count: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """All pixels of all boxes: (index of the box, row, column), each (sum of ``count``,)."""
    device = count.device
    owner = torch.repeat_interleave(torch.arange(len(count), device=device), count)
    start = (count.cumsum(0) - count).int()
    # one gather of whole rows is much quicker than one per column
    boxes = torch.stack([start, extent[:, 0], corner[:, 0], corner[:, 1]], dim=1)
    start, width, column, row = boxes.index_select(0, owner).unbind(1)
    step = torch.arange(len(owner), device=device, dtype=torch.int32) - start
    down = step // width
    return owner, row + down, column + step - down * width


def _planes(points: Tensor, depth: Tensor, corners: Tensor) -> Tensor:
    """Per triangle: origin (x, y), then two weights and the depth as planes over the offset.

    Offsets from the triangle's own first corner keep float32 exact enough for tiny triangles.
    """
    first, second, third = (points.reshape(-1, 2).index_select(0, corners[:, k]) for k in range(3))
    near, near_second, near_third = (
        depth.reshape(-1).index_select(0, corners[:, k]) for k in range(3)
    )
    to_second, to_third = second - first, third - first
    inverse = 1 / _cross(to_second, to_third)
    second_x, second_y = to_third[:, 1] * inverse, -to_third[:, 0] * inverse
    third_x, third_y = -to_second[:, 1] * inverse, to_second[:, 0] * inverse
    rise_second, rise_third = near_second - near, near_third - near
    depth_x = second_x * rise_second + third_x * rise_third
    depth_y = second_y * rise_second + third_y * rise_third
    columns = (second_x, second_y, third_x, third_y, depth_x, depth_y, near)
    return torch.cat([first, torch.stack([c.to(first.dtype) for c in columns], dim=1)], dim=1)


def _ordered_bits(depth: Tensor) -> Tensor:
    """Float32 bits as an integer that sorts like the number itself."""
    bits = depth.float().view(torch.int32).long()
    return torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
