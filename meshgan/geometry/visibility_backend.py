"""Which z-buffer to use: the Warp kernels where they work, else plain torch."""

import logging
from functools import cache
from types import ModuleType

import torch

log = logging.getLogger(__name__)


@cache
def warp_visibility(device: str = "cpu") -> ModuleType | None:
    """The module ``visibility_warp``, once it has drawn a triangle on this device; else None.

    Compiling the kernels takes some seconds the first time; later processes read them from
    ``files.cache_folder()``. Why Warp is not used is logged once.

    Args:
        device: ``cpu``, or a CUDA device as torch names it.
    """
    try:
        from meshgan.geometry import visibility_warp

        visibility_warp.start_warp()
        _try_out(visibility_warp, torch.device(device))
    except Exception as error:  # a broken driver or compiler may raise anything
        reason = str(error).strip().partition("\n")[0]
        log.warning(
            "Warp does not work on %s (%s: %s); torch draws instead, about five times slower",
            device, type(error).__name__, reason,
        )  # fmt: skip
        return None
    return visibility_warp


def _try_out(kernels: ModuleType, device: torch.device) -> None:
    vertices = torch.tensor([[[0.0, 2, 1], [2, 2, 1], [0, 0, 1]]], device=device)
    points, faces = vertices[..., :2].contiguous(), torch.arange(3, device=device)[None]
    seen = kernels.visible_triangles(points, vertices[..., 2], faces, 2)
    normals = kernels.visible_normals(seen, points, vertices, faces)
    expected = [[0, -1], [0, 0]]
    if seen[0].tolist() != expected or normals[0, 2].tolist() != [[-1, 0], [-1, -1]]:
        raise RuntimeError("a first triangle was not drawn as it should be")
