"""MeshModel: all that metrics, sheets and applications know of a model."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

Codes = dict[str, Tensor]
"""Code vectors by name, each (B, d): one per factor, and ``noise`` where the model has any."""


@runtime_checkable
class MeshModel(Protocol):
    """A generative model of meshes with one code per factor.

    Attributes:
        factors: label names of each factor, in the order of the labels.
        code_sizes: length of each code, factors first, then ``noise``.
        template_vertices: reference positions (V, 3), mm.
        faces: vertex ids of the triangles (F, 3).
    """

    factors: Mapping[str, tuple[str, ...]]
    code_sizes: Mapping[str, int]
    template_vertices: Tensor
    faces: Int[Tensor, "F 3"]

    def sample_codes(self, count: int, rng: torch.Generator) -> Codes:
        """Random codes (count, d) of every kind."""
        ...

    def label_codes(self, factor: str) -> Float[Tensor, "K d"]:
        """The code of each label of ``factor``."""
        ...

    def decode(self, codes: Codes) -> Float[Tensor, "B V 3"]:
        """Vertex positions in mm."""
        ...
