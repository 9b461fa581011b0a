"""Smoothing: noise goes, constants and drifts stay, and nothing is shifted."""

import numpy as np
import torch

from meshgan.editing.smoothing import smooth_codes, smooth_rows


def test_even_changes_stay_as_they_are():
    values = torch.arange(20).double()[:, None] * torch.tensor([[1.0, -2.0]]).double() + 3
    torch.testing.assert_close(smooth_rows(values, 10.0), values)


def test_the_mean_and_the_trend_do_not_drift():
    rng = torch.Generator().manual_seed(0)
    values = torch.randn(60, 4, generator=rng).double()
    smooth = smooth_rows(values, 8.0)
    torch.testing.assert_close(smooth.mean(dim=0), values.mean(dim=0))
    time = torch.arange(60).double()
    torch.testing.assert_close(time @ smooth, time @ values)


def test_noise_goes_and_slow_motion_stays():
    time = torch.arange(200).double()
    slow = torch.sin(2 * np.pi * time / 60)[:, None]
    noise = torch.randn(200, 1, generator=torch.Generator().manual_seed(1)).double()
    smooth = smooth_rows(slow + 0.1 * noise, 8.0)
    assert (smooth - slow).square().mean().sqrt() < 0.06
    assert smooth_rows(slow, 8.0).sub(slow).abs()[10:-10].max() < 0.01
    quick = torch.sin(2 * np.pi * time / 3)[:, None]
    assert smooth_rows(quick, 8.0)[10:-10].abs().max() < 0.1


def test_the_person_does_not_change_within_a_recording():
    rng = torch.Generator().manual_seed(0)
    codes = {name: torch.randn(9, 3, generator=rng) for name in ("identity", "expression")}
    found = smooth_codes(codes, 4.0)
    assert found["identity"].std(dim=0).max() < 1e-6
    torch.testing.assert_close(found["identity"][0], codes["identity"].mean(dim=0))
    assert found["expression"].shape == (9, 3)


def test_little_and_nothing_stay():
    two = torch.randn(2, 5, 3)
    assert torch.equal(smooth_rows(two, 8.0), two)
    many = torch.randn(9, 5, 3)
    assert torch.equal(smooth_rows(many, 0.0), many)
    assert smooth_rows(many, 4.0).shape == (9, 5, 3)
