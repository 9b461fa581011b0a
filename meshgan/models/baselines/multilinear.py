"""The multilinear face model: every factor's code scales what the others do."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import InputError
from meshgan.models.base import Codes, FaceDecoder
from meshgan.models.baselines.pca import as_tensor
from meshgan.models.baselines.subspace import Subspace
from meshgan.models.baselines.tucker import TuckerModel


class MultilinearFaces(FaceDecoder):
    """face = centre + (core x_1 [1, code_1] x_2 [1, code_2] ...) @ directions.

    The 1 makes the model affine in each code: beside the products of codes that a plain Tucker
    model has, it holds a mean face and each factor's own effect. A plain model whose
    coefficients are normal about a mean is a special case, so that nothing is lost by it; what is
    gained is that only the products need be held small where people are few.

    Args:
        template_vertices: reference positions (V, 3), mm.
        faces: vertex ids (F, 3).
        factors: label names of each factor.
        code_sizes: length of each factor's code.
        ranks: how many entries of each code are in use, in the order of the factors; the data
            may have fewer directions than the code has entries.
        directions: number of directions r of the subspace.
        details: room for this many directions in which people differ beyond the codes.

    Raises:
        InputError: a factor has no code size, or the other way round, or ranks do not fit.

    Source: Vlasic et al. 2005, Face Transfer with Multilinear Models, Sec. 3; Brunton et al.
    2014, Review of Statistical Shape Spaces for 3D Data with Comparative Analysis for Human
    Faces, Sec. 3.3.
    Differs: affine; stored in a subspace of the data, not vertex by vertex.
    """

    centre: Float[Tensor, "V 3"]
    directions: Float[Tensor, "r V 3"]
    core: Float[Tensor, "*axes r"]

    def __init__(
        self,
        template_vertices: Float[Tensor, "V 3"],
        faces: Int[Tensor, "F 3"],
        factors: Mapping[str, tuple[str, ...]],
        code_sizes: Mapping[str, int],
        ranks: Sequence[int],
        directions: int,
        details: int = 0,
    ) -> None:
        super().__init__(template_vertices, faces, factors, code_sizes, details)
        self.ranks = tuple(ranks)
        sizes = list(code_sizes.values())
        if len(ranks) != len(sizes) or any(
            not 0 <= rank <= size for rank, size in zip(ranks, sizes, strict=True)
        ):
            raise InputError(
                f"multilinear model: ranks {list(ranks)} for codes of {sizes}; expected one per "
                "code, none above its length"
            )
        self.register_buffer("centre", self.template_vertices.clone())
        self.register_buffer("directions", torch.zeros(directions, len(template_vertices), 3))
        self.register_buffer("core", torch.zeros(*(1 + rank for rank in ranks), directions))

    def settings(self) -> dict[str, Any]:
        sizes = {"ranks": list(self.ranks), "directions": len(self.directions)}
        return {**super().settings(), **sizes}

    def coefficients(self, codes: Codes) -> Float[Tensor, "B r"]:
        """Coordinates in the subspace, mm: the core contracted with one code after the other."""
        parts = self.split(self.join(codes)).values()
        result = self.core.expand(len(next(iter(codes.values()))), *self.core.shape)
        for part, rank in zip(parts, self.ranks, strict=True):
            ones = torch.cat([torch.ones_like(part[:, :1]), part[:, :rank]], dim=1)
            flat = result.flatten(2)
            result = (ones[:, None] @ flat).squeeze(1).unflatten(1, result.shape[2:])
        return result

    def decode(self, codes: Codes) -> Float[Tensor, "B V 3"]:
        """Vertex positions in mm."""
        moved = self.coefficients(codes) @ self.directions.flatten(1)
        return self.centre + moved.unflatten(1, (-1, 3))

    def decode_at(self, codes: Codes, vertex_ids: Int[Tensor, " L"]) -> Float[Tensor, "B L 3"]:
        """Positions of some vertices in mm, from their columns of the directions alone."""
        moved = self.coefficients(codes) @ self.directions[:, vertex_ids].flatten(1)
        return self.centre[vertex_ids] + moved.unflatten(1, (-1, 3))

    def set_model(self, model: TuckerModel, subspace: Subspace) -> None:
        """Take over a fit in the coefficients of a subspace."""
        mean = as_tensor(subspace.mean).view_as(self.centre)
        self.centre.copy_(self.template_vertices + mean)
        self.directions.copy_(as_tensor(subspace.directions).view_as(self.directions))
        self.core.copy_(as_tensor(model.core))
        for name in self.factors:
            found = as_tensor(model.label_codes[name])
            self.label_codes(name)[:, : found.shape[1]].copy_(found)
