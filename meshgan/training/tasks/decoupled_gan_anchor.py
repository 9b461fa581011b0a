"""The anchor: at codes that training rarely draws, a generator stays what its start made it."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from meshgan.models.base import Codes
from meshgan.models.generator import DecoupledGenerator

NEAREST, FARTHEST = 1.5, 4.0  # standard deviations of the codes that are drawn
VERTICES = 1000  # whose displacements are compared in one step


class Anchor(nn.Module):
    """Mean squared vertex distance to the start of training, at wide codes.

    The adversarial losses see codes as they are sampled, and say nothing of codes several
    deviations from rest: there the generator drifts. But fits of strong expressions end at such
    codes. The start is a good answer to them, since it was made of the data's own directions, and
    the generator is held to it there, and only there: near rest it is free to learn.

    Each step compares other random vertices, so its cost does not grow with the mesh.

    Args:
        generator: at its start. A frozen copy is kept, in buffers that the training state holds.
    """

    hidden_weight: Float[Tensor, "H d"]
    hidden_bias: Float[Tensor, " H"]
    output_weight: Float[Tensor, "W H"]
    output_bias: Float[Tensor, " W"]

    def __init__(self, generator: DecoupledGenerator) -> None:
        super().__init__()
        self._generator = (generator,)  # in a tuple: a reference, not a submodule
        for name in ("hidden", "output"):
            layer = getattr(generator, name)
            self.register_buffer(f"{name}_weight", layer.weight.detach().clone())
            self.register_buffer(f"{name}_bias", layer.bias.detach().clone())

    def draw(self, count: int, rng: torch.Generator) -> tuple[Codes, Int[Tensor, " L"]]:
        """Wide codes of ``count`` faces, and the vertices to compare them at."""
        generator = self._generator[0]
        codes = {}
        for name, code in generator.sample_codes(count, rng).items():
            share = torch.rand(count, 1, generator=rng, device=rng.device).to(code.device)
            codes[name] = code * (NEAREST + (FARTHEST - NEAREST) * share)
        vertices = torch.randint(
            generator.vertex_count, (VERTICES,), generator=rng, device=rng.device
        )
        return codes, vertices.to(generator.template_vertices.device)

    def forward(self, codes: Codes, vertices: Int[Tensor, " L"]) -> Float[Tensor, ""]:
        """Mean squared distance of these vertices to the start's, in units of ``scale``^2."""
        with torch.autocast(vertices.device.type, enabled=False):  # small moves of large values
            return self._distance(codes, vertices)

    def _distance(self, codes: Codes, vertices: Tensor) -> Tensor:
        generator = self._generator[0]
        rows = (3 * vertices[:, None] + torch.arange(3, device=vertices.device)).flatten()
        with torch.no_grad():
            before = nn.functional.linear(
                generator.join(codes), self.hidden_weight, self.hidden_bias
            )
            before = nn.functional.leaky_relu(before, generator.slope)
            start = nn.functional.linear(before, self.output_weight[rows], self.output_bias[rows])
        moved = nn.functional.linear(
            generator.activations(codes), generator.output.weight[rows], generator.output.bias[rows]
        )
        return (moved - start).square().sum(dim=1).mean() / len(vertices)
