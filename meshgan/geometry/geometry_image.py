"""Mesh to image and back: the sparse map M, its bilinear inverse, and what the trip costs."""

import warnings

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

from meshgan.arrays import UV, Vertices
from meshgan.errors import ShapeError
from meshgan.geometry.rasterize import PixelLookup


def lookup_matrix(lookup: PixelLookup, dtype: torch.dtype = torch.float32) -> Tensor:
    """The geometry mapping as a sparse matrix M of shape (n*n, V), CSR; its rows sum to 1.

    ``(M @ values).view(n, n, C)`` is the image of per-vertex values (V, C), row 0 at the top.

    Source: Fernández Abrevaya et al. 2019, Sec. 4.1, Eq. 5.
    """
    corners, order = lookup.corners.reshape(-1, 3).sort(dim=1)
    weights = lookup.weights.reshape(-1, 3).gather(1, order).to(dtype)
    starts = torch.arange(0, 3 * len(corners) + 1, 3)
    shape = (len(corners), lookup.vertex_count)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            starts, corners.reshape(-1), weights.reshape(-1), shape, check_invariants=True
        )


def sample_image(
    image: Float[Tensor, "B C n n"], uv: Float[Tensor, "V 2"]
) -> Float[Tensor, "B V C"]:
    """Read an image at the UVs of the vertices: the bilinear inverse of the geometry mapping.

    Args:
        image: (B, C, n, n), row 0 at the top (v = 1).
        uv: (V, 2) in the unit square; outside the outermost pixel centres the border is repeated.

    Returns:
        Values (B, V, C), in the unit of the image; differentiable in both arguments.
    """
    places = torch.stack([2 * uv[:, 0] - 1, 1 - 2 * uv[:, 1]], dim=-1).to(image.dtype)
    grid = places[None, :, None].expand(len(image), -1, -1, -1)
    values = grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return values[..., 0].transpose(1, 2)


def round_trip_error(vertices: Vertices, uv: UV, lookup: PixelLookup) -> Float[np.ndarray, " V"]:
    """How far each vertex moves when the mesh is written to an image and read back, mm.

    It shows what an image of this size cannot hold: regions squeezed below a pixel.

    Raises:
        ShapeError: mesh, UVs and lookup have different numbers of vertices.
    """
    counts = len(vertices), len(uv), lookup.vertex_count
    if len(set(counts)) > 1:
        raise ShapeError(
            "round trip: mesh, UVs and lookup have {:,}, {:,}, {:,} vertices".format(*counts)
        )
    positions = np.asarray(vertices, dtype=np.float64)
    image = (positions[lookup.corners.numpy()] * lookup.weights.numpy()[..., None]).sum(axis=-2)
    channels_first = torch.from_numpy(image).permute(2, 0, 1)[None]
    back = sample_image(channels_first, torch.from_numpy(np.asarray(uv, dtype=np.float64)))
    return np.linalg.norm(back[0].numpy() - positions, axis=1)
