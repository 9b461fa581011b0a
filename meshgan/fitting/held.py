"""A model some of whose codes are known: a fit finds the others."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.models.base import Codes, MeshModel


class HeldCodes:
    """The faces of a model that have some codes in common; what is left is a model too.

    Args:
        model: any.
        held: the common codes, by name (1, d).
    """

    def __init__(self, model: MeshModel, held: Codes) -> None:
        self.model, self.held = model, held
        self.code_sizes: Mapping[str, int] = {
            name: size for name, size in model.code_sizes.items() if name not in held
        }
        self.factors: Mapping[str, tuple[str, ...]] = {
            name: labels for name, labels in model.factors.items() if name not in held
        }
        self.template_vertices, self.faces = model.template_vertices, model.faces
        self.linear_codes = tuple(
            name for name in getattr(model, "linear_codes", ()) if name not in held
        )

    def whole(self, codes: Codes) -> Codes:
        """All codes of the model, in its order."""
        count = len(next(iter(codes.values())))
        return {
            name: codes[name] if name in codes else self.held[name].expand(count, -1)
            for name in self.model.code_sizes
        }

    def sample_codes(self, count: int, rng: torch.Generator) -> Codes:
        """Random codes (count, d) of what is not held."""
        drawn = self.model.sample_codes(count, rng)
        return {name: drawn[name] for name in self.code_sizes}

    def label_codes(self, factor: str) -> Float[Tensor, "K d"]:
        """The code of each label of ``factor``."""
        return self.model.label_codes(factor)

    def decode(self, codes: Codes) -> Float[Tensor, "B V 3"]:
        """Vertex positions in mm."""
        return self.model.decode(self.whole(codes))

    def decode_at(self, codes: Codes, vertex_ids: Int[Tensor, " L"]) -> Float[Tensor, "B L 3"]:
        """Positions of some vertices in mm."""
        return self.model.decode_at(self.whole(codes), vertex_ids)
