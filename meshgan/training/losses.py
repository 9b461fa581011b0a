"""Losses of the adversarial models, each with its equation and its unit.

Every function returns a scalar tensor that is minimised. "The paper" is Fernández Abrevaya et
al. 2019.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from meshgan.models.discriminator import DecoupledDiscriminator


def wasserstein_discriminator(
    real: Float[Tensor, " B"], fake: Float[Tensor, " B"]
) -> Float[Tensor, ""]:
    """-(E[D(x)] - E[D(G(z))]): the discriminator's part of L_GAN, Eq. 6."""
    return fake.mean() - real.mean()


def wasserstein_generator(fake: Float[Tensor, " B"]) -> Float[Tensor, ""]:
    """-E[D(G(z))]: the generator's part of L_GAN, Eq. 8."""
    return -fake.mean()


def label_loss(
    outputs: Float[Tensor, "B K"],
    labels: Int[Tensor, " B"],
    weights: Float[Tensor, " K"] | None = None,
) -> Float[Tensor, ""]:
    """Mean of -w log P(label | x) over the labelled samples, Eqs. 6 and 9.

    Samples labelled -1 contribute nothing; a batch without any label gives exactly zero.
    ``weights`` balance rare labels; their mean over the data is 1, so the mean is over samples.
    """
    losses = nn.functional.cross_entropy(
        outputs, labels, weight=weights, ignore_index=-1, reduction="sum"
    )
    return losses / (labels >= 0).sum().clamp(min=1)


def feature_loss(first: Float[Tensor, "P f"], second: Float[Tensor, "P f"]) -> Float[Tensor, ""]:
    """Mean of 1 - cos(f1, f2) over pairs that share one factor's code, Eqs. 10 and 11.

    The features are those of that factor's branch. The paper's 2/N sum over N/2 pairs is this
    mean.
    """
    return (1 - nn.functional.cosine_similarity(first, second, dim=1)).mean()


def interpolate_pairs(
    real: Float[Tensor, "B 3 n n"], fake: Float[Tensor, "B 3 n n"], rng: torch.Generator
) -> Float[Tensor, "B 3 n n"]:
    """One point on the segment between each real image and a fake one, uniformly drawn."""
    shape = (len(real), *[1] * (real.dim() - 1))
    share = torch.rand(shape, generator=rng, device=rng.device).to(real.device, real.dtype)
    return torch.lerp(fake, real, share)


def gradient_penalty_by_double_backward(
    discriminator: Callable[[Tensor], Tensor], images: Float[Tensor, "B 3 n n"]
) -> Float[Tensor, ""]:
    """Mean of (||grad D(x)|| - 1)^2 for any differentiable ``discriminator`` (images -> B values).

    Source: Gulrajani et al. 2017, Eq. 3. Twice differentiable; works for any network.
    """
    images = images.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(images).sum(), images, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()


class PiecewiseLinearPenalty:
    """The same penalty, exactly, for a piecewise linear discriminator, without double backward.

    With g the gradient of D at x and u = g / ||g|| held constant, the derivative of
    (||g|| - 1)^2 with respect to the weights is 2 (||g|| - 1) times that of the directional
    derivative of D along u. Within one linear piece that derivative is D itself without its
    biases, and with the leaky ReLU's slopes frozen where x put them: one more forward pass.

    Use: ``penalty = PiecewiseLinearPenalty(discriminator, images)``, then ``penalty.loss()``.
    Source: Gulrajani et al. 2017, Eq. 3 (the penalty); the identity is elementary.
    """

    def __init__(
        self, discriminator: DecoupledDiscriminator, images: Float[Tensor, "B 3 n n"]
    ) -> None:
        self.convolutions, self.output = discriminator.realism_path()
        self.slope = discriminator.slope
        self.before: list[Tensor] = []  # what each leaky ReLU was applied to
        gradient = self._input_gradient(images.detach())
        self.norms = gradient.flatten(1).norm(dim=1)
        self.direction = gradient / self.norms.clamp(min=1e-12).view(-1, 1, 1, 1)

    @torch.no_grad()
    def _input_gradient(self, images: Tensor) -> Tensor:
        inputs = []
        for layer in self.convolutions:
            inputs.append(images.contiguous(memory_format=torch.channels_last))
            self.before.append(layer(inputs[-1]))
            images = nn.functional.leaky_relu(self.before[-1], self.slope)
        gradient = self.output.weight.view(1, *images.shape[1:]).to(images.dtype)
        gradient = gradient.expand(images.shape).contiguous(memory_format=torch.channels_last)
        for layer, entered, before in zip(
            reversed(self.convolutions), reversed(inputs), reversed(self.before), strict=True
        ):
            gradient = _through_convolution(
                _times_slope(gradient, before, self.slope), entered.to(before.dtype), layer
            )
        return gradient if gradient.dtype == torch.float64 else gradient.float()

    def loss(self) -> Float[Tensor, ""]:
        """Mean of (||g|| - 1)^2, with its exact gradient in the discriminator's weights."""
        tangent = self.direction
        for layer, before in zip(self.convolutions, self.before, strict=True):
            tangent = nn.functional.conv2d(tangent, layer.weight, stride=2, padding=1)
            tangent = _times_slope(tangent, before, self.slope)
        along = nn.functional.linear(tangent.flatten(1), self.output.weight).squeeze(1)
        value = (self.norms - 1).square().mean()
        surrogate = (2 * (self.norms - 1) * along.to(self.norms.dtype)).mean()
        return value + (surrogate - surrogate.detach())


def _through_convolution(gradient: Tensor, entered: Tensor, layer: nn.Conv2d) -> Tensor:
    """Gradient in the input of a 3x3 convolution of stride 2, in the memory layout of the input."""
    weight = layer.weight.to(gradient.dtype)
    return torch.ops.aten.convolution_backward(
        gradient,
        entered,
        weight,
        None,
        (2, 2),
        (1, 1),
        (1, 1),
        False,
        (0, 0),
        1,
        (True, False, False),
    )[0]


def _times_slope(values: Tensor, before: Tensor, slope: float) -> Tensor:
    """Values * f'(before) for the leaky ReLU f, in one pass; differentiable in ``values``."""
    return torch.ops.aten.leaky_relu_backward(values, before.to(values.dtype), slope, False)
