"""Many codes to many meshes, at the speed of the matrix product."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.errors import ShapeError
from meshgan.models.base import Codes, FaceDecoder, MeshModel

BATCH = 256  # faces a product: enough to read the weights rarely, few enough for any memory


@torch.no_grad()
def decode_all(
    model: MeshModel,
    codes: Codes,
    out: Float[Tensor, "B V 3"] | None = None,
    precision: str = "32",
) -> Float[Tensor, "B V 3"]:
    """Vertices (mm) of any number of codes, batch by batch, into one piece of memory.

    Args:
        model: decodes codes.
        codes: by name (B, d), on the model's device.
        out: where to write; new memory if None.
        precision: of the products, "32" or "bf16".

    Raises:
        ShapeError: ``out`` does not fit the codes and the model.
        InputError: the model has no products of this precision.
    """
    count = len(next(iter(codes.values())))
    shape = (count, len(model.template_vertices), 3)
    if out is None:
        out = _new(shape, model.template_vertices.device)
    if out.shape != shape or not out.is_contiguous():
        raise ShapeError(f"decode: out {tuple(out.shape)}, expected {shape}, contiguous")
    for start in range(0, count, BATCH):
        rows = slice(start, start + BATCH)
        some = {name: code[rows] for name, code in codes.items()}
        if isinstance(model, FaceDecoder):
            model.decode_into(out[rows], some, precision)
        else:
            out[rows] = model.decode(some)
    return out


def _new(shape: tuple[int, int, int], device: torch.device) -> Tensor:
    """Memory of float32; on a CPU from NumPy, which asks for large pages: a tenth of the faults."""
    if device.type == "cpu":
        return torch.from_numpy(np.empty(shape, dtype=np.float32))
    return torch.empty(shape, device=device)
