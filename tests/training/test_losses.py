"""Losses against their equations, by hand and against plain autograd."""

import math

import pytest
import torch

from meshgan.models.discriminator import DecoupledDiscriminator
from meshgan.training import losses


def test_wasserstein_signs():
    real, fake = torch.tensor([3.0, 5.0]), torch.tensor([1.0, 1.0])
    assert losses.wasserstein_discriminator(real, fake).item() == -3.0
    assert losses.wasserstein_generator(fake).item() == -1.0


def test_label_loss_by_hand():
    outputs = torch.tensor([[0.0, math.log(3)], [0.0, 0.0], [9.0, 0.0]])
    labels = torch.tensor([1, 0, -1])
    expected = (-math.log(0.75) - math.log(0.5)) / 2  # the unlabelled third row does not count
    assert losses.label_loss(outputs, labels).item() == pytest.approx(expected, rel=1e-6)
    weighted = losses.label_loss(outputs, labels, torch.tensor([2.0, 0.5]))
    expected = (-0.5 * math.log(0.75) - 2 * math.log(0.5)) / 2
    assert weighted.item() == pytest.approx(expected, rel=1e-6)


def test_label_loss_without_labels_is_zero_with_zero_gradient():
    outputs = torch.randn(4, 3, requires_grad=True)
    loss = losses.label_loss(outputs, torch.full((4,), -1))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(outputs.grad, torch.zeros(4, 3))


def test_feature_loss_by_hand():
    first = torch.tensor([[1.0, 0.0], [1.0, 0.0], [2.0, 0.0]])
    second = torch.tensor([[5.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])
    assert losses.feature_loss(first, second).item() == pytest.approx((0 + 1 + 2) / 3)


def test_interpolation_stays_on_the_segment():
    rng = torch.Generator().manual_seed(0)
    real, fake = torch.ones(50, 3, 2, 2), torch.zeros(50, 3, 2, 2)
    between = losses.interpolate_pairs(real, fake, rng)
    assert torch.equal(between, between[:, :1, :1, :1].expand_as(between))  # one share an image
    assert 0 <= between.min() < 0.2 < 0.8 < between.max() <= 1


def test_penalty_of_a_linear_function_by_hand():
    """D(x) = 0.2 sum(x) on 3x4x4: ten times the penalty is 10 (0.2 sqrt(48) - 1)^2."""
    images = torch.randn(2, 3, 4, 4)
    value = losses.gradient_penalty_by_double_backward(lambda x: 0.2 * x.flatten(1).sum(1), images)
    assert 10 * value.item() == pytest.approx(1.487187, abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_piecewise_penalty_equals_double_backward(seed):
    torch.manual_seed(seed)
    network = DecoupledDiscriminator({"identity": 3}, image_size=16).double()
    images = torch.randn(5, 3, 16, 16, dtype=torch.float64)
    reference = losses.gradient_penalty_by_double_backward(network.realism, images)
    reference.backward()
    expected = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    network.zero_grad()
    value = _exact(network, images)
    value.backward()
    torch.testing.assert_close(value, reference, rtol=1e-6, atol=0)
    for name, parameter in network.named_parameters():
        held = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        wanted = expected.get(name, torch.zeros_like(parameter))
        torch.testing.assert_close(held, wanted, rtol=1e-5, atol=1e-8, msg=name)


def _exact(network, images):
    return losses.PiecewiseLinearPenalty(network, images).loss()
