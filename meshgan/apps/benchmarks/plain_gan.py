"""The decoupled GAN's step written plainly: what ``bench train`` compares the real one with.

Whole meshes are generated for every discriminator step and mapped with a gather and an einsum,
real meshes are mapped each time they are drawn, the penalty takes the gradient of a gradient,
and Adam is torch's default. Losses, codes and random draws are those of the real task.
"""

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.models.base import Codes
from meshgan.models.mapped_output import sparse_parts
from meshgan.training.task import Batch
from meshgan.training.tasks.decoupled_gan import DecoupledGAN


class PlainGAN(DecoupledGAN):
    """``DecoupledGAN`` with every shortcut taken out.

    The stream gives displacements (B, V, 3) in units of the generator's scale instead of images.
    """

    def use_regulariser(self, regulariser: sp.csr_matrix) -> None:
        """Keep P (V, V) as a sparse tensor of its own."""
        parts = sparse_parts(regulariser)
        self.regulariser = torch.sparse_csr_tensor(
            parts["starts"].long(), parts["columns"].long(), parts["values"], regulariser.shape
        )

    def map_meshes(self, values: Float[Tensor, "B V 3"]) -> Float[Tensor, "B 3 n n"]:
        """The geometry mapping as one gather and one weighted sum, normalised."""
        corners, weights = self.mapped.map.corners, self.mapped.map.weights.float()
        images = torch.einsum("bijkc,ijk->bcij", values[:, corners], weights)
        return images - self.constants.mean_image

    def real_images(self, batch: Batch) -> Float[Tensor, "B 3 n n"]:
        return self.map_meshes(batch["meshes"])

    @torch.no_grad()
    def fake_images(self, codes: Codes) -> Float[Tensor, "B 3 n n"]:
        return self.map_meshes(self.generator(codes))

    def fake_images_and_energy(
        self, codes: Codes
    ) -> tuple[Float[Tensor, "B 3 n n"], Float[Tensor, ""]]:
        meshes = self.generator(codes)
        columns = meshes.permute(1, 0, 2).reshape(meshes.shape[1], -1)
        energy = (self.regulariser @ columns).square().sum() / len(meshes)
        return self.map_meshes(meshes), energy

    def after_step(self, phase: str, iteration: int) -> None:
        self._turns = 0 if phase != "discriminator" else self._turns


class MeshStream:
    """Batches of whole meshes with their labels, from arrays in memory, in a fixed order."""

    def __init__(
        self, meshes: np.ndarray, labels: dict[str, np.ndarray], batch: int, images: bool
    ) -> None:
        self.values = torch.from_numpy(meshes)
        self.key = "images" if images else "meshes"
        self.labels = {name: torch.from_numpy(values) for name, values in labels.items()}
        self.batch, self.position = batch, 0

    def next(self) -> Batch:
        """The next ``batch`` rows, around the end."""
        rows = (torch.arange(self.batch) + self.position) % len(self.values)
        self.position += self.batch
        labels = {name: values[rows] for name, values in self.labels.items()}
        return {self.key: self.values[rows], "labels": labels}

    def state_dict(self) -> dict:
        return {"position": self.position}

    def load_state_dict(self, state: dict) -> None:
        self.position = state["position"]
