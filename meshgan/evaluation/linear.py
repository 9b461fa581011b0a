"""Linear tools of the oracle: principal directions of meshes and ridge regression."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, eq=False)
class LinearReader:
    """target = mean_out + (input - mean_in) @ weights, fitted by ridge regression."""

    mean_in: Float[Tensor, " k"]
    mean_out: Float[Tensor, " t"]
    weights: Float[Tensor, "k t"]

    @classmethod
    def fit(
        cls, inputs: Float[Tensor, "N k"], targets: Float[Tensor, "N t"], ridge: float
    ) -> "LinearReader":
        """Minimise sum |target - reading|^2 + ridge * N * v * |weights|^2.

        v is the mean variance of the inputs, so ``ridge`` has no unit.
        """
        mean_in, mean_out = inputs.mean(dim=0), targets.mean(dim=0)
        x, y = inputs - mean_in, targets - mean_out
        gram = x.T @ x
        penalty = ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
        return cls(mean_in, mean_out, torch.linalg.solve(gram + penalty, x.T @ y))

    def read(self, inputs: Float[Tensor, "N k"]) -> Float[Tensor, "N t"]:
        """Apply to new inputs."""
        return self.mean_out + (inputs - self.mean_in) @ self.weights


@dataclass(frozen=True, eq=False)
class Basis:
    """Principal directions of meshes, orthonormal over all 3 V coordinates."""

    mean: Float[Tensor, " d"]
    directions: Float[Tensor, "k d"]

    @classmethod
    def of(cls, meshes: Float[Tensor, "N V 3"], size: int) -> "Basis":
        """The ``size`` strongest directions, or fewer where the data have fewer."""
        flat = meshes.flatten(1)
        mean = flat.mean(dim=0)
        centred = flat - mean
        # of the N x N Gram matrix: N is smaller than 3 V, and float64 costs only N^2
        gram = (centred @ centred.T).double().numpy()
        last = len(gram) - 1
        first = max(0, last + 1 - min(size, last))
        values, vectors = scipy.linalg.eigh(gram, subset_by_index=[first, last])
        strong = values > values[-1] * 1e-10
        scaled = torch.from_numpy(vectors[:, strong] / np.sqrt(values[strong])).to(centred)
        return cls(mean, (scaled.T @ centred).flip(0))

    def coefficients(self, meshes: Float[Tensor, "N V 3"]) -> Float[Tensor, "N k"]:
        """Coordinates of meshes, mm, float64."""
        return ((meshes.flatten(1).to(self.mean) - self.mean) @ self.directions.T).double()
