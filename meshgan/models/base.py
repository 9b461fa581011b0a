"""What all models of faces share: codes by factor in, meshes out."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from meshgan.errors import InputError, ShapeError

NOISE = "noise"
PERSON = "identity"  # the code that stays while a person moves
Codes = dict[str, Tensor]
"""Code vectors by name, each (B, d): one per factor, and ``noise`` where the model has any."""


@runtime_checkable
class MeshModel(Protocol):
    """A generative model of meshes with one code per factor: all that metrics and sheets know.

    Attributes:
        factors: label names of each factor, in the order of the labels.
        code_sizes: length of each code, factors first, then ``noise`` where there is any.
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

    def decode_at(self, codes: Codes, vertex_ids: Int[Tensor, " L"]) -> Float[Tensor, "B L 3"]:
        """Positions of some vertices in mm."""
        ...


class FaceDecoder(nn.Module):
    """Base class of the models of a RUN: a template, and codes that are standard normal.

    Whatever a model learns from, its codes are scaled such that N(0, 1) is its own distribution:
    then sampling, fitting and every metric treat all models alike.

    Args:
        template_vertices: reference positions (V, 3), mm.
        faces: vertex ids (F, 3).
        factors: label names of each factor.
        code_sizes: length of each factor's code, in the order of the factors, then ``noise``
            where the model has any.
        details: room for this many directions in which people differ beyond the codes.

    Raises:
        InputError: a factor has no code size, or the other way round.
    """

    factors: Mapping[str, tuple[str, ...]]
    code_sizes: Mapping[str, int]
    template_vertices: Float[Tensor, "V 3"]
    faces: Int[Tensor, "F 3"]
    linear_codes: tuple[str, ...] = ()
    """Codes whose effect on the vertices is linear, whatever the others are."""
    details: Float[Tensor, "k V 3"] | None
    """Directions in which people differ beyond the codes, mm, each as long as their deviation
    along it, or zero; None without room for any. Faces are decoded without them: they say what a
    fit may let pass (``fitting.details``)."""

    def __init__(
        self,
        template_vertices: Float[Tensor, "V 3"],
        faces: Int[Tensor, "F 3"],
        factors: Mapping[str, tuple[str, ...]],
        code_sizes: Mapping[str, int],
        details: int = 0,
    ) -> None:
        super().__init__()
        if list(code_sizes) not in ([*factors], [*factors, NOISE]):
            raise InputError(
                f"model: codes for {', '.join(code_sizes)}, expected one per factor and then "
                f"noise, if any: {', '.join([*factors, NOISE])}"
            )
        self.factors = {name: tuple(labels) for name, labels in factors.items()}
        self.code_sizes = dict(code_sizes)
        self.register_buffer("template_vertices", template_vertices.float())
        self.register_buffer("faces", faces.long())
        room = torch.zeros(details, *template_vertices.shape) if details else None
        self.register_buffer("details", room)
        for name, labels in self.factors.items():
            self.register_buffer(f"codes_{name}", torch.zeros(len(labels), code_sizes[name]))

    @property
    def vertex_count(self) -> int:
        """V."""
        return len(self.template_vertices)

    def settings(self) -> dict[str, Any]:
        """What the constructor needs besides template, factors and code sizes, as plain values."""
        return {} if self.details is None else {"details": len(self.details)}

    @torch.no_grad()
    def set_details(self, directions: Float[Tensor, "k W"]) -> None:
        """Keep the directions in which people differ beyond the codes, as far as there is room.

        Args:
            directions: displacements (k, 3V), mm, by falling length.
        """
        if self.details is not None:
            kept = directions[: len(self.details)].to(self.details).unflatten(1, (-1, 3))
            self.details[: len(kept)] = kept

    def label_codes(self, factor: str) -> Float[Tensor, "K d"]:
        """The code of each label of ``factor``, in the order of ``factors[factor]``."""
        if factor not in self.factors:
            known = ", ".join(self.factors)
            raise InputError(f"factor {factor!r}: the model has {known}")
        return getattr(self, f"codes_{factor}")

    def sample_codes(self, count: int, rng: torch.Generator) -> Codes:
        """Standard normal codes (count, d) of every factor, and noise."""
        device = self.template_vertices.device
        return {
            name: torch.randn(count, size, generator=rng, device=rng.device).to(device)
            for name, size in self.code_sizes.items()
        }

    def join(self, codes: Codes) -> Float[Tensor, "B d"]:
        """Codes side by side in the order of ``code_sizes``.

        Raises:
            ShapeError: a code is missing, unknown, or has another length than the model's.
        """
        wrong = [
            f"{name} {tuple(codes[name].shape) if name in codes else 'missing'}, expected (B, {d})"
            for name, d in self.code_sizes.items()
            if name not in codes or codes[name].shape[-1] != d
        ] + [f"{name} unknown" for name in codes if name not in self.code_sizes]
        if wrong:
            raise ShapeError("codes: " + "; ".join(wrong))
        return torch.cat([codes[name] for name in self.code_sizes], dim=1)

    def split(self, joined: Float[Tensor, "B d"]) -> Codes:
        """Undo ``join``."""
        parts = joined.split(list(self.code_sizes.values()), dim=1)
        return dict(zip(self.code_sizes, parts, strict=True))

    def decode(self, codes: Codes) -> Float[Tensor, "B V 3"]:
        """Vertex positions in mm."""
        raise NotImplementedError

    def decode_into(self, out: Float[Tensor, "B V 3"], codes: Codes, precision: str = "32") -> None:
        """Write vertex positions in mm into memory that is there already; no gradient.

        Raises:
            InputError: the model knows no products of this precision.
        """
        if precision != "32":
            raise InputError(f"precision {precision}: {type(self).__name__} decodes in 32 alone")
        with torch.no_grad():
            out.copy_(self.decode(codes))

    def decode_at(self, codes: Codes, vertex_ids: Int[Tensor, " L"]) -> Float[Tensor, "B L 3"]:
        """Positions of some vertices in mm; a linear last layer needs only their rows."""
        return self.decode(codes)[:, vertex_ids]
