"""The discriminator: one shared trunk, then a branch that judges realism and one per factor."""

import itertools
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from meshgan.errors import ConfigError, InputError

REALISM = "realism"


class Branch(nn.Module):
    """Two strided convolutions to a feature vector, and a linear layer to the outputs."""

    def __init__(self, channels: Sequence[int], side: int, outputs: int, slope: float) -> None:
        super().__init__()
        self.convolutions = strided_convolutions(channels)
        self.slope = slope
        self.output = nn.Linear(channels[-1] * side * side, outputs)

    def forward(
        self, trunk: Float[Tensor, "B C s s"]
    ) -> tuple[Float[Tensor, "B K"], Float[Tensor, "B f"]]:
        """Outputs and the feature vector they are read from."""
        features = run_convolutions(self.convolutions, trunk, self.slope).flatten(1)
        return self.output(features), features


class DecoupledDiscriminator(nn.Module):
    """Judges geometry images: real or generated, and which label of each factor.

    Args:
        labels: number of labels of each factor.
        image_size: pixels a side n, a multiple of 16.
        trunk: channels of the shared convolutions.
        branch: channels of each branch's convolutions.
        slope: slope of the leaky ReLU below zero.

    Input: images (B, 3, n, n), normalised displacements.
    Output: by branch name (``realism`` or a factor) the outputs (B, 1) or (B, K), and the
    feature vector (B, 2048 at n = 64) of Eqs. 10-11.

    Source: Fernández Abrevaya et al. 2019, Sec. 4.2 and Fig. 11; 3x3 convolutions of stride 2.
    Differs: padding 1 (the paper does not say). Piecewise linear in its input, which the exact
    gradient penalty in ``training.losses`` relies on: no normalisation layers.
    """

    def __init__(
        self,
        labels: Mapping[str, int],
        image_size: int = 64,
        trunk: Sequence[int] = (16, 32),
        branch: Sequence[int] = (64, 128),
        slope: float = 0.2,
    ) -> None:
        super().__init__()
        reduction = 2 ** (len(trunk) + len(branch))
        if image_size % reduction or image_size < reduction:
            raise ConfigError(
                f"image size {image_size}: {len(trunk) + len(branch)} strided convolutions "
                f"need a multiple of {reduction}"
            )
        if REALISM in labels:
            raise InputError(f"a factor may not be called {REALISM!r}: the realism branch is")
        self.slope = slope
        self.trunk = strided_convolutions((3, *trunk))
        side = image_size // reduction
        channels = (trunk[-1], *branch)
        outputs = {REALISM: 1, **labels}
        self.branches = nn.ModuleDict(
            {name: Branch(channels, side, count, slope) for name, count in outputs.items()}
        )
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(
        self, images: Float[Tensor, "B 3 n n"], branches: Sequence[str] | None = None
    ) -> dict[str, tuple[Float[Tensor, "B K"], Float[Tensor, "B f"]]]:
        """Run the trunk and the named branches (all by default)."""
        shared = self.shared(images)
        return {name: self.branches[name](shared) for name in branches or self.branches}

    def shared(self, images: Float[Tensor, "B 3 n n"]) -> Float[Tensor, "B C s s"]:
        """The trunk: what all branches see. Channels last, which convolutions prefer."""
        images = images.contiguous(memory_format=torch.channels_last)
        return run_convolutions(self.trunk, images, self.slope)

    def realism(self, images: Float[Tensor, "B 3 n n"]) -> Float[Tensor, " B"]:
        """The Wasserstein value D(x) of each image."""
        return self(images, (REALISM,))[REALISM][0].squeeze(1)

    def realism_path(self) -> tuple[list[nn.Conv2d], nn.Linear]:
        """The layers from image to D(x), in order."""
        branch = cast("Branch", self.branches[REALISM])
        convolutions = cast("list[nn.Conv2d]", [*self.trunk, *branch.convolutions])
        return convolutions, branch.output


def strided_convolutions(channels: Sequence[int]) -> nn.ModuleList:
    """3x3 convolutions of stride 2 and padding 1 from each number of channels to the next."""
    return nn.ModuleList(
        nn.Conv2d(before, after, 3, stride=2, padding=1)
        for before, after in itertools.pairwise(channels)
    )


def run_convolutions(layers: nn.ModuleList, images: Tensor, slope: float) -> Tensor:
    """Apply the convolutions, each followed by a leaky ReLU."""
    for layer in layers:
        images = nn.functional.leaky_relu(layer(images), slope)
    return images
