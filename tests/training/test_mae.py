"""The agreement of codes: by hand, whatever their scale, and nothing where nothing is labelled."""

import pytest
import torch

from meshgan.training.tasks.mae import spread_within_labels

CODES = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0], [9.0, 9.0]])
CENTRES = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
LABELS = torch.tensor([0, 0, 1, -1])


def test_spread_by_hand():
    """Squared distances to the centres 1, 1, 4: mean 2. Variances of x and y: 54.75 / 4 each."""
    found = spread_within_labels(CODES, LABELS, CENTRES)
    assert float(found) == pytest.approx(2 / (2 * 54.75 / 4), rel=1e-6)


def test_scale_of_the_codes_does_not_matter():
    first = spread_within_labels(CODES, LABELS, CENTRES)
    second = spread_within_labels(100 * CODES, LABELS, 100 * CENTRES)
    torch.testing.assert_close(first, second)


def test_nothing_labelled_costs_nothing():
    codes = CODES.clone().requires_grad_(True)
    found = spread_within_labels(codes, torch.full((4,), -1), CENTRES)
    found.backward()
    assert found.item() == 0
    assert not codes.grad.any()
