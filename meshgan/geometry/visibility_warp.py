"""The z-buffer of ``geometry.visibility`` as Warp kernels: one code for CPU and CUDA, no gradient.

A Warp launch on a CPU is one thread that holds no Python lock, so a batch is dealt out to as many
Python threads as torch has. Whether Warp works here at all: ``visibility_backend``.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
import warp as wp
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.files import cache_folder
from meshgan.geometry import visibility_kernels as kernels
from meshgan.geometry.visibility import check_projection

EMPTY, LOWER_HALF = torch.iinfo(torch.int64).min, 0xFFFFFFFF


def start_warp() -> None:
    """Start Warp quietly, with its compiled kernels below ``files.cache_folder()``.

    What the user or another library chose before stays as it is.
    """
    if wp.config.kernel_cache_dir is None and "WARP_CACHE_PATH" not in os.environ:
        wp.config.kernel_cache_dir = str(cache_folder() / "warp")
    wp.config.log_level = max(wp.config.log_level, wp.LOG_WARNING)
    wp.init()


@torch.no_grad()
def visible_triangles(
    points_px: Float[Tensor, "B V 2"],
    depth: Float[Tensor, "B V"],
    faces: Int[Tensor, "F 3"],
    size_px: int,
    cull: bool = True,
) -> Int[Tensor, "B S S"]:
    """The nearest triangle at every pixel centre, in float32.

    Args:
        points_px: projected vertices (B, V, 2), pixels.
        depth: (B, V), **larger is nearer**.
        faces: vertex ids (F, 3).
        size_px: S, pixels a side.
        cull: leave out triangles that are seen from behind.

    Returns:
        Face ids (B, S, S), int64; -1 is background. At equal depth the higher face id wins. The
        same as ``geometry.visibility.visible_triangles`` but for rounding where triangles meet.

    Raises:
        ShapeError: points and depth do not belong together.
        InputError: a coordinate is not finite.
    """
    check_projection(points_px, depth)
    points, heights, corners = _float32(points_px), _float32(depth), _int32(faces)
    keys = torch.full(
        (len(points), size_px, size_px), EMPTY, dtype=torch.int64, device=points.device
    )

    def draw(some: slice) -> None:
        _launch(
            kernels.keep_nearest,
            (len(points[some]), len(corners)),
            wp.from_torch(points[some], dtype=wp.vec2),
            wp.from_torch(heights[some]),
            wp.from_torch(corners),
            cull,
            wp.from_torch(keys[some]),
            like=points,
        )

    _deal_out(draw, points)
    return torch.where(keys == EMPTY, -1, keys & LOWER_HALF)


@torch.no_grad()
def visible_normals(
    face_ids: Int[Tensor, "B S S"],
    points_px: Float[Tensor, "B V 2"],
    vertices: Float[Tensor, "B V 3"],
    faces: Int[Tensor, "F 3"],
) -> Float[Tensor, "B 3 S S"]:
    """Unit normals at the pixel centres: vertex normals interpolated, then normalised.

    Args:
        face_ids: (B, S, S) from ``visible_triangles``, -1 is background.
        points_px: the projected vertices (B, V, 2), pixels.
        vertices: the same vertices in space (B, V, 3), mm.
        faces: vertex ids (F, 3).

    Returns:
        float32, zeros in the background; axes x, y, z are the channels.
    """
    points, positions, corners = _float32(points_px), _float32(vertices), _int32(faces)
    sums = torch.zeros_like(positions)
    batch, size = face_ids.shape[:2]
    images = positions.new_zeros(batch, 3, size, size)
    ids = face_ids.contiguous()

    def draw(some: slice) -> None:
        count = len(points[some])
        area_vectors = wp.from_torch(sums[some], dtype=wp.vec3)
        _launch(
            kernels.sum_area_vectors,
            (count, len(corners)),
            wp.from_torch(positions[some], dtype=wp.vec3),
            wp.from_torch(corners),
            area_vectors,
            like=points,
        )
        _launch(
            kernels.normalise_rows,
            (count, positions.shape[1]),
            area_vectors,
            like=points,
        )
        _launch(
            kernels.interpolate_normals,
            (count, size, size),
            wp.from_torch(ids[some]),
            wp.from_torch(points[some], dtype=wp.vec2),
            area_vectors,
            wp.from_torch(corners),
            wp.from_torch(images[some]),
            like=points,
        )

    _deal_out(draw, points)
    return images


def _float32(values: Tensor) -> Tensor:
    return values.detach().float().contiguous()


def _int32(faces: Tensor) -> Tensor:
    return faces.int().contiguous()


def _deal_out(draw: Callable[[slice], None], points: Tensor) -> None:
    """Call ``draw`` for the whole batch, or for parts of it side by side."""
    threads = torch.get_num_threads() if points.device.type == "cpu" else 1
    parts = min(threads, len(points))
    if parts <= 1:
        draw(slice(0, len(points)))
        return
    cuts = [len(points) * k // parts for k in range(parts + 1)]
    with ThreadPoolExecutor(parts) as pool:
        list(pool.map(draw, map(slice, cuts[:-1], cuts[1:])))


def _launch(kernel: Any, shape: tuple[int, ...], *inputs: Any, like: Tensor) -> None:
    stream = None
    if like.is_cuda:
        stream = wp.stream_from_torch(torch.cuda.current_stream(like.device))
    device = wp.device_from_torch(like.device)
    wp.launch(kernel, dim=shape, inputs=list(inputs), device=device, stream=stream)
