"""Errors by region, by hand."""

import numpy as np
import pytest
import torch

from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.regions import errors_by_region, region_errors

NOSE, MOUTH = np.array([0, 1]), np.array([2, 3, 4])


def test_by_hand():
    error = torch.zeros(2, 5, 3)
    error[0, 0] = torch.tensor([3.0, 4.0, 0.0])  # 5 mm at one of two vertices of the nose
    error[1, 2:] = torch.tensor([0.0, 0.0, 2.0])
    found = errors_by_region(error, {"nose": NOSE, "mouth": MOUTH, "nobody": np.empty(0, int)})
    assert found.keys() == {"all", "nose", "mouth"}
    assert found["nose"].mean.mean == pytest.approx((2.5 + 0) / 2)
    assert found["mouth"].mean.mean == pytest.approx((0 + 2) / 2)
    assert found["all"].mean.mean == pytest.approx((5 / 5 + 6 / 5) / 2)
    assert found["nose"].mean.count == 2
    assert found["mouth"].percentile_95 == pytest.approx(2)
    # 0, 0, 0, 5: 95 % of the way along 3 gaps
    assert found["nose"].percentile_95 == pytest.approx(0.85 * 5)


def test_distance_to_the_truth():
    truth = torch.randn(3, 5, 3, generator=torch.Generator().manual_seed(0))
    predicted = truth + torch.tensor([1.0, 2.0, 2.0])
    found = region_errors(predicted, truth, {"nose": NOSE})
    assert found["nose"].mean.mean == pytest.approx(3, rel=1e-6)
    assert found["all"].percentile_95 == pytest.approx(3, rel=1e-6)


def test_refuses_bad_input():
    with pytest.raises(InputError, match="all vertices of the regions ear"):
        errors_by_region(torch.zeros(1, 5, 3), {"nose": NOSE, "ear": np.array([5])})
    with pytest.raises(InputError, match="0 meshes of 5 vertices"):
        errors_by_region(torch.zeros(0, 5, 3), {})
    with pytest.raises(ShapeError, match="one prediction per true mesh"):
        region_errors(torch.zeros(1, 5, 3), torch.zeros(2, 5, 3), {})
