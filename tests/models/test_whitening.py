"""Whitening: standard codes have mean 0 and covariance 1, and lead back."""

import pytest
import torch

from meshgan.models.whitening import Whitening, label_means


@pytest.fixture
def codes():
    rng = torch.Generator().manual_seed(0)
    return torch.randn(500, 4, generator=rng) @ torch.randn(4, 4, generator=rng) + 3.0


def test_standard_codes_are_standard(codes):
    whitening = Whitening(4)
    torch.testing.assert_close(whitening.raw(codes), codes)  # not fitted: changes nothing
    whitening.fit(codes)
    standard = whitening.standard(codes)
    torch.testing.assert_close(standard.mean(dim=0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(
        standard.T @ standard / len(codes), torch.eye(4), atol=1e-4, rtol=1e-4
    )
    torch.testing.assert_close(whitening.raw(standard), codes, atol=1e-4, rtol=1e-4)


def test_dead_directions_are_dropped(codes):
    codes[:, 3] = codes[:, 2]
    whitening = Whitening(4)
    whitening.fit(codes)
    assert torch.isfinite(whitening.standard(codes)).all()
    torch.testing.assert_close(
        whitening.raw(whitening.standard(codes)), codes, atol=1e-3, rtol=1e-3
    )
    drawn = whitening.raw(torch.randn(9, 4))
    torch.testing.assert_close(drawn[:, 3], drawn[:, 2], atol=1e-3, rtol=1e-3)


def test_label_means_by_hand():
    codes = torch.tensor([[1.0, 0.0], [3.0, 0.0], [9.0, 9.0], [5.0, 1.0]])
    means, counts = label_means(codes, torch.tensor([1, 1, -1, 0]), 3)
    torch.testing.assert_close(means, torch.tensor([[5.0, 1.0], [2.0, 0.0], [0.0, 0.0]]))
    assert counts.tolist() == [1, 2, 0]
