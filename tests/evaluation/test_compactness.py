"""Compactness: closed forms of known covariances."""

import numpy as np
import pytest
import torch

from meshgan.errors import InputError
from meshgan.evaluation.compactness import compactness


def four_points(first_mm: float, second_mm: float) -> torch.Tensor:
    """Shifts by +- first along x and +- second along y: two exact directions."""
    shift = torch.tensor([[first_mm, 0], [-first_mm, 0], [0, second_mm], [0, -second_mm]])
    meshes = torch.zeros(4, 9, 3)
    meshes[:, :, :2] = shift[:, None]
    return meshes + torch.randn(9, 3, generator=torch.Generator().manual_seed(0)) * 40


def test_by_hand():
    found = compactness(four_points(3, 1))
    # variances 9 / 2 and 1 / 2 per vertex: 90 % in the first direction
    np.testing.assert_allclose(found.cumulative, [0.9, 1, 1], atol=1e-6)
    assert found.deviation_mm == pytest.approx(5**0.5, rel=1e-6)
    assert found.needed(0.89) == 1
    assert found.needed(0.91) == 2
    assert found.needed(1.0) == 2
    assert found.summary()["modes_95"] == 2


def test_equals_the_singular_values():
    faces = torch.randn(12, 20, 3, generator=torch.Generator().manual_seed(1))
    flat = faces.flatten(1).double().numpy()
    squares = np.linalg.svd(flat - flat.mean(axis=0), compute_uv=False)[:11] ** 2
    found = compactness(faces)
    np.testing.assert_allclose(found.cumulative, np.cumsum(squares) / squares.sum(), atol=1e-6)
    assert found.cumulative[-1] == pytest.approx(1, abs=1e-12)


def test_scale_and_rotation_do_not_matter():
    rng = torch.Generator().manual_seed(2)
    faces = torch.randn(10, 20, 3, generator=rng)
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=rng)).Q
    found, moved = compactness(faces), compactness(7 * faces @ rotation.T + 30)
    np.testing.assert_allclose(moved.cumulative, found.cumulative, atol=1e-5)
    assert moved.deviation_mm == pytest.approx(7 * found.deviation_mm, rel=1e-5)


def test_refuses_bad_input():
    with pytest.raises(InputError, match="1 face"):
        compactness(torch.zeros(1, 5, 3))
    with pytest.raises(InputError, match="not finite"):
        compactness(torch.full((2, 5, 3), float("nan")))
    with pytest.raises(InputError, match="collapsed"):
        compactness(torch.ones(4, 5, 3))
    with pytest.raises(InputError, match=r"share 1\.2"):
        compactness(four_points(1, 2)).needed(1.2)
