"""EmbeddingNet: a picture of a face becomes a point; near points are alike in one factor."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from meshgan.errors import ShapeError

STAGES = 4
SMALLEST_PX = 32


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut.

    Args:
        channels: of the input.
        outputs: channels of the output.
        stride: of the first convolution; the shortcut follows with a 1x1 convolution.
    """

    def __init__(self, channels: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(channels, outputs, 3, stride)
        self.second = _convolution(outputs, outputs, 3, 1)
        same = stride == 1 and channels == outputs
        self.shortcut = nn.Identity() if same else _convolution(channels, outputs, 1, stride)

    def forward(self, values: Float[Tensor, "B C s s"]) -> Float[Tensor, "B D t t"]:
        inner = self.second(functional.relu(self.first(values)))
        return functional.relu(inner + self.shortcut(values))


class EmbeddingNet(nn.Module):
    """Sees normal maps of faces and places them on the unit sphere.

    ResNet-18: a 7x7 convolution and a pooling, four stages of two blocks, the mean over the
    picture, a linear layer. Distances between its outputs are Euclidean, 0 to 2.

    Args:
        size: length of the embedding.
        width: channels of the first stage, doubled in each later one; 64 is ResNet-18.

    Input: normal maps (B, 3, S, S), -1 to 1, of any size from 32 pixels on.
    Output: embeddings (B, size) of length 1.

    Raises:
        ShapeError: the pictures are smaller than 32 pixels.

    Source: He et al. 2016, Deep Residual Learning, Sec. 4.1 and Table 1; its use as a metric of
    decoupling: Fernández Abrevaya et al. 2019, Sec. 5.3.
    Differs: the last layer gives an embedding instead of classes.
    """

    def __init__(self, size: int = 128, width: int = 64) -> None:
        super().__init__()
        self.stem = _convolution(3, width, 7, 2)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        blocks, channels = [], width
        for stage in range(STAGES):
            outputs = width * 2**stage
            blocks.append(BasicBlock(channels, outputs, stride=1 if stage == 0 else 2))
            blocks.append(BasicBlock(outputs, outputs, stride=1))
            channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.output = nn.Linear(channels, size)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(self, maps: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B d"]:
        """Embed pictures."""
        if maps.shape[-1] < SMALLEST_PX:
            raise ShapeError(
                f"embedding: pictures of {maps.shape[-1]} pixels a side, expected at least "
                f"{SMALLEST_PX}; draw larger ones"
            )
        maps = maps.contiguous(memory_format=torch.channels_last)
        seen = self.blocks(self.pool(functional.relu(self.stem(maps))))
        return functional.normalize(self.output(seen.mean(dim=(2, 3))).float(), dim=1)


def _convolution(channels: int, outputs: int, side: int, stride: int) -> nn.Sequential:
    """A convolution without bias, kept at its scale by batch normalisation."""
    layer = nn.Conv2d(channels, outputs, side, stride, padding=side // 2, bias=False)
    nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(layer, nn.BatchNorm2d(outputs))
