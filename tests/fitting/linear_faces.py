"""A linear model in float64: its fits are known in closed form."""

import torch
from torch import Tensor

from meshgan.models.base import Codes, FaceDecoder


class LinearFaces(FaceDecoder):
    """positions = template + codes @ basis; counts how many vertices it was asked for."""

    def __init__(self, vertices: int = 40, seed: int = 0, bend: float = 0.0) -> None:
        rng = torch.Generator().manual_seed(seed)
        template = torch.randn(vertices, 3, generator=rng) * 50
        faces = torch.stack([torch.arange(vertices - 2) + k for k in range(3)], dim=1)
        sizes = {"identity": 5, "expression": 3, "noise": 2}
        super().__init__(template, faces, {"identity": ("a",), "expression": ("x", "y")}, sizes)
        scale = torch.logspace(0.7, -0.7, 10, dtype=torch.float64)[:, None, None]
        fields = torch.randn(10, vertices, 3, generator=rng, dtype=torch.float64)
        self.basis, self.bend, self.asked = scale * fields, bend, 0

    def sample_codes(self, count: int, rng: torch.Generator) -> Codes:
        return {name: code.double() for name, code in super().sample_codes(count, rng).items()}

    def decode(self, codes: Codes) -> Tensor:
        return self.decode_at(codes, torch.arange(self.vertex_count))

    def decode_at(self, codes: Codes, vertex_ids: Tensor) -> Tensor:
        self.asked = max(self.asked, len(vertex_ids))
        z = self.join(codes)
        z = z + self.bend * torch.sin(z)
        moved = torch.einsum("bk,kvc->bvc", z, self.basis[:, vertex_ids])
        return self.template_vertices[vertex_ids].double() + moved

    def ridge(self, targets: Tensor, ids: Tensor, penalty: Tensor, weights: Tensor) -> Tensor:
        """argmin sum_i w_i |v_i(z) - t_i|^2 + sum_k penalty_k z_k^2, face by face."""
        found = []
        for face, weight in zip(targets, weights, strict=True):
            a = self.basis[:, ids].flatten(1).T * weight.sqrt().repeat_interleave(3)[:, None]
            b = (face - self.template_vertices[ids].double()) * weight.sqrt()[:, None]
            stacked = torch.cat([a, penalty.sqrt().diag()])
            right = torch.cat([b.flatten(), torch.zeros(len(penalty), dtype=b.dtype)])
            found.append(torch.linalg.lstsq(stacked, right).solution)
        return torch.stack(found)
