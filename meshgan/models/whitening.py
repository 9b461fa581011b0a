"""From the codes that an autoencoder gives to standard normal ones, and back."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

LEAST_SHARE = 1e-8  # of the largest variance: directions with less are not used


class Whitening(nn.Module):
    """raw = mean + standard @ spread, where standard codes have mean 0 and covariance 1.

    Until it is fitted, raw and standard codes are the same.

    Args:
        size: length d of a code.

    Source: Fukunaga 1990, Introduction to statistical pattern recognition, Sec. 2.3 (whitening);
    of all whitening maps the symmetric one, which changes codes least (Kessy et al. 2018).
    """

    mean: Float[Tensor, " d"]
    spread: Float[Tensor, "d d"]
    inverse: Float[Tensor, "d d"]

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("spread", torch.eye(size))
        self.register_buffer("inverse", torch.eye(size))

    @torch.no_grad()
    def fit(self, raw: Float[Tensor, "N d"]) -> None:
        """Take mean and covariance from codes; directions in which they do not vary are dropped."""
        codes = raw.double().cpu()
        mean = codes.mean(dim=0)
        centred = codes - mean
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(codes))
        used = values > LEAST_SHARE * values[-1].clamp_min(1e-30)
        deviations = torch.where(used, values.clamp_min(0).sqrt(), 0)
        inverses = torch.where(used, 1 / deviations.clamp_min(1e-30), 0)
        self.mean.copy_(mean)
        self.spread.copy_(vectors @ torch.diag(deviations) @ vectors.T)
        self.inverse.copy_(vectors @ torch.diag(inverses) @ vectors.T)

    def raw(self, standard: Float[Tensor, "B d"]) -> Float[Tensor, "B d"]:
        """The autoencoder's codes of standard ones."""
        return self.mean + standard @ self.spread

    def standard(self, raw: Float[Tensor, "B d"]) -> Float[Tensor, "B d"]:
        """Standard codes of the autoencoder's."""
        return (raw - self.mean) @ self.inverse


def label_means(
    codes: Float[Tensor, "N d"], labels: Tensor, count: int
) -> tuple[Float[Tensor, "K d"], Tensor]:
    """Mean code of each label, and how many codes (K,) it is the mean of; zeros where none.

    Args:
        codes: of N faces.
        labels: of each (N,), -1 where unlabelled.
        count: number of labels K.
    """
    labelled = labels >= 0
    counts = torch.bincount(labels[labelled], minlength=count)
    sums = torch.zeros(count, codes.shape[1], dtype=codes.dtype, device=codes.device)
    sums.index_add_(0, labels[labelled], codes[labelled])
    return sums / counts.clamp_min(1)[:, None], counts
