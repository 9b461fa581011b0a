"""The additive 3D morphable model: a mean face plus one linear space per factor."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.models.base import Codes, FaceDecoder
from meshgan.models.baselines.factor_spaces import FactorSpaces
from meshgan.models.baselines.subspace import Subspace


class AdditiveFaces(FaceDecoder):
    """face = mean + sum over factors of code @ basis.

    The classical morphable model with a space of displacements per further factor. It decouples
    by construction: an expression moves every person in the same way.

    Args:
        template_vertices: reference positions (V, 3), mm.
        faces: vertex ids (F, 3).
        factors: label names of each factor.
        code_sizes: length of each factor's code.
        details: room for this many directions in which people differ beyond the codes.

    Raises:
        InputError: a factor has no code size, or the other way round.

    Source: Blanz & Vetter 1999, A Morphable Model for the Synthesis of 3D Faces, Sec. 3; Amberg
    et al. 2008, Expression Invariant 3D Face Recognition with a Morphable Model, Sec. 2.
    """

    mean: Float[Tensor, "V 3"]
    basis: Float[Tensor, "d V 3"]

    def __init__(
        self,
        template_vertices: Float[Tensor, "V 3"],
        faces: Int[Tensor, "F 3"],
        factors: Mapping[str, tuple[str, ...]],
        code_sizes: Mapping[str, int],
        details: int = 0,
    ) -> None:
        super().__init__(template_vertices, faces, factors, code_sizes, details)
        self.linear_codes = tuple(code_sizes)
        size, count = sum(code_sizes.values()), len(template_vertices)
        self.register_buffer("mean", self.template_vertices.clone())
        self.register_buffer("basis", torch.zeros(size, count, 3))

    def decode(self, codes: Codes) -> Float[Tensor, "B V 3"]:
        """Vertex positions in mm."""
        moved = self.join(codes) @ self.basis.flatten(1)
        return self.mean + moved.unflatten(1, (-1, 3))

    def decode_at(self, codes: Codes, vertex_ids: Int[Tensor, " L"]) -> Float[Tensor, "B L 3"]:
        """Positions of some vertices in mm, from their columns of the basis alone."""
        moved = self.join(codes) @ self.basis[:, vertex_ids].flatten(1)
        return self.mean[vertex_ids] + moved.unflatten(1, (-1, 3))

    def set_spaces(self, spaces: FactorSpaces, subspace: Subspace) -> None:
        """Take over a fit in the coefficients of a subspace."""
        shape = self.basis.shape
        joined = np.concatenate([spaces.bases[name] for name in self.code_sizes])
        moved = subspace.mean + spaces.mean @ subspace.directions
        self.mean.copy_(self.template_vertices + as_tensor(moved).view_as(self.mean))
        self.basis.copy_(as_tensor(joined @ subspace.directions).view(shape))
        for name in self.factors:
            self.label_codes(name).copy_(as_tensor(spaces.label_codes[name]))
        self.set_details(as_tensor(spaces.details @ subspace.directions))


def as_tensor(values: np.ndarray) -> Tensor:
    """A float32 tensor of an array of numbers."""
    return torch.from_numpy(np.asarray(values, dtype=np.float32))
