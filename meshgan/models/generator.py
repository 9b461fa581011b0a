"""The decoupled generator: a code per factor in, a face on the template's topology out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from meshgan.errors import InputError
from meshgan.models.base import NOISE, Codes, FaceDecoder

STRIP = 512  # rows of the output layer in one product


class DecoupledGenerator(FaceDecoder):
    """Turns one code per factor, and noise, into a mesh.

    Two linear layers with a leaky ReLU between them give the displacement of every vertex from
    the template, in units of ``scale``. The codes that stand for the labels are drawn once,
    fixed for the whole training and saved with the weights.

    Args:
        template_vertices: reference positions (V, 3), mm.
        faces: vertex ids (F, 3).
        factors: label names of each factor.
        code_sizes: length of each factor's code, then ``noise``.
        hidden: width of the hidden layer.
        slope: slope of the leaky ReLU below zero; 0 is the ReLU.
        scale: mm per unit of the output layer (RMS of the training displacements).
        details: room for this many directions in which people differ beyond the codes.

    Raises:
        InputError: a factor has no code size, or the other way round.

    Source: Fernández Abrevaya et al. 2019, Sec. 4.2 and Fig. 11; label codes Sec. 4.3.
    Differs: the output layer is stored vertex by vertex (rows 3v, 3v+1, 3v+2), and its unit is
    ``scale`` mm, so that one learning rate fits any data.
    """

    scale: Float[Tensor, ""]

    def __init__(
        self,
        template_vertices: Float[Tensor, "V 3"],
        faces: Int[Tensor, "F 3"],
        factors: Mapping[str, tuple[str, ...]],
        code_sizes: Mapping[str, int],
        hidden: int = 512,
        slope: float = 0.2,
        scale: float = 1.0,
        details: int = 0,
    ) -> None:
        if [*factors, NOISE] != list(code_sizes):
            raise InputError(
                f"generator: codes for {', '.join(code_sizes)}, expected one per factor and then "
                f"noise: {', '.join([*factors, NOISE])}"
            )
        super().__init__(template_vertices, faces, factors, code_sizes, details)
        self.slope = slope
        self.hidden = nn.Linear(sum(code_sizes.values()), hidden)
        self.output = nn.Linear(hidden, 3 * len(template_vertices))
        self.register_buffer("scale", torch.tensor(float(scale)))
        self._low: tuple[Any, Tensor] | None = None

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "hidden": self.hidden.out_features, "slope": self.slope}

    def draw_label_codes(self, rng: torch.Generator) -> None:
        """Draw the code of every label from the standard normal distribution."""
        for name in self.factors:
            codes = self.label_codes(name)
            codes.copy_(torch.randn(codes.shape, generator=rng))

    def activations(self, codes: Codes) -> Float[Tensor, "B H"]:
        """Hidden layer: what the output layer, or its fused form, is applied to."""
        return nn.functional.leaky_relu(self.hidden(self.join(codes)), self.slope)

    def forward(self, codes: Codes) -> Float[Tensor, "B V 3"]:
        """Displacements from the template in units of ``scale``."""
        return self.output(self.activations(codes)).unflatten(1, (-1, 3))

    def decode(self, codes: Codes) -> Float[Tensor, "B V 3"]:
        """Vertex positions in mm."""
        hidden = self.scale * self.activations(codes)
        return torch.addmm(self._rest(), hidden, self.output.weight.T).unflatten(1, (-1, 3))

    @torch.no_grad()
    def decode_into(self, out: Float[Tensor, "B V 3"], codes: Codes, precision: str = "32") -> None:
        """Vertex positions in mm, written once.

        On a CPU the product is made some rows of the layer at a time: measured, one wide product
        of few faces runs at 64 % of the matrix rate, strips of it at 88 %.

        Args:
            out: contiguous; fresh memory costs about as much as a fifth of the product.
            codes: by name.
            precision: of the product: "32", or "bf16" (its result is rounded to bfloat16, and
                then added to the face at rest in float32).
        """
        hidden, flat = self.scale * self.activations(codes), out.view(len(out), -1)
        rest, low = self._rest(), precision != "32"
        weight = self._low_weight() if low else self.output.weight
        strip = STRIP if flat.device.type == "cpu" else len(weight)
        for start in range(0, len(weight), strip):
            rows = slice(start, start + strip)
            if low:
                torch.add(rest[rows], hidden.bfloat16() @ weight[rows].T, out=flat[:, rows])
            else:
                torch.addmm(rest[rows], hidden, weight[rows].T, out=flat[:, rows])

    def _rest(self) -> Float[Tensor, " W"]:
        """The output layer's bias as a face, mm."""
        return self.template_vertices.flatten() + self.scale * self.output.bias

    def _low_weight(self) -> Tensor:
        """The output layer's weight in bfloat16; kept until the weight changes."""
        key = (self.output.weight.data_ptr(), self.output.weight._version)
        if self._low is None or self._low[0] != key:
            self._low = (key, self.output.weight.detach().bfloat16())
        return self._low[1]

    def decode_at(self, codes: Codes, vertex_ids: Int[Tensor, " L"]) -> Float[Tensor, "B L 3"]:
        """Positions of some vertices in mm, from their rows of the output layer alone."""
        rows = (3 * vertex_ids[:, None] + torch.arange(3, device=vertex_ids.device)).flatten()
        weight, bias = self.output.weight[rows], self.output.bias[rows]
        moved = nn.functional.linear(self.activations(codes), weight, bias).unflatten(1, (-1, 3))
        return self.template_vertices[vertex_ids] + self.scale * moved

    def jacobian_at(self, codes: Codes, vertex_ids: Int[Tensor, " L"]) -> Float[Tensor, "B L 3 d"]:
        """Derivatives of some vertices by the codes side by side, mm per unit.

        W diag(s) H: rows W of the output layer, slopes s of the leaky ReLU, the hidden layer H.
        """
        rows = (3 * vertex_ids[:, None] + torch.arange(3, device=vertex_ids.device)).flatten()
        weight = self.scale * self.output.weight[rows]
        before = self.hidden(self.join(codes))
        slopes = torch.where(before > 0, 1.0, self.slope).to(before)
        return (weight @ (slopes[..., None] * self.hidden.weight)).unflatten(1, (-1, 3))


def split_like(joined: np.ndarray, sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Undo ``join``: columns of ``joined`` (B, d) by name."""
    ends = np.cumsum(list(sizes.values()))[:-1]
    return dict(zip(sizes, np.split(joined, ends, axis=1), strict=True))
