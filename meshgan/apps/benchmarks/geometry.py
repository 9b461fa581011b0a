"""``bench geometry``: the geometry mapping layer beside gather, einsum and autograd."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from meshgan import seeding
from meshgan.apps.benchmarks.disk import delaunay_disk
from meshgan.apps.benchmarks.timing import alternate
from meshgan.geometry.rasterize import rasterize_uv
from meshgan.models.geometry_map import GeometryMap


def run(rounds: int = 15, small: bool = False) -> dict[str, Any]:
    """Time forward and backward of a batch of meshes; the paper's sizes unless ``small``."""
    vertices, size_px, batch = (300, 16, 4) if small else (22_129, 64, 64)
    mesh = delaunay_disk(vertices)
    assert mesh.uv is not None
    geometry_map = GeometryMap(rasterize_uv(mesh.uv, mesh.faces, size_px)).float()
    rng = seeding.torch_generator(0, "bench geometry")
    values = torch.randn(batch, vertices, 3, generator=rng).requires_grad_()
    gradient = torch.randn(batch, 3, size_px, size_px, generator=rng)
    timing = alternate(
        lambda: torch.autograd.grad(geometry_map(values), values, gradient),
        lambda: torch.autograd.grad(plain_map(geometry_map, values), values, gradient),
        rounds=rounds,
    )
    return {
        "what": f"geometry map, forward and backward: {batch} meshes of {vertices:,} vertices to "
        f"{size_px} x {size_px} pixels, beside gather, einsum and autograd",
        "threads": torch.get_num_threads(),
        **timing.as_dict(),
    }


def plain_map(
    geometry_map: GeometryMap, values: Float[Tensor, "B V C"]
) -> Float[Tensor, "B C n n"]:
    """Eq. 5 as one would write it down."""
    gathered = values[:, geometry_map.corners]
    return torch.einsum("bijkc,ijk->bcij", gathered, geometry_map.weights)
