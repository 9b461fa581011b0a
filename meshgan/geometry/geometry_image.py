"""Mesh to image and back: the sparse map M, its bilinear inverse, and what the trip costs."""

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
    pixel_count = lookup.size_px**2
    rows = torch.arange(pixel_count).repeat_interleave(3)
    entries = torch.stack([rows, lookup.corners.reshape(-1)])
    values = lookup.weights.reshape(-1).to(dtype)
    shape = (pixel_count, lookup.vertex_count)
    return torch.sparse_coo_tensor(entries, values, shape).coalesce().to_sparse_csr()


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
    positions = torch.from_numpy(np.asarray(vertices, dtype=np.float64))
    size = lookup.size_px
    flat = lookup_matrix(lookup, dtype=torch.float64) @ positions
    image = flat.T.reshape(1, 3, size, size)
    back = sample_image(image, torch.from_numpy(np.asarray(uv, dtype=np.float64)))[0]
    return (back - positions).norm(dim=1).numpy()
