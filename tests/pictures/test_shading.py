"""Colour spaces and creases: against the standard's values, and against what they are for."""

import torch

from meshgan.pictures.shading import crease_openness, to_linear, to_srgb


def test_srgb_of_known_light():
    # IEC 61966-2-1: 18 % grey is 0.461; the straight part has slope 12.92
    light = torch.tensor([[0.18, 0.002, 1.0]])
    torch.testing.assert_close(
        to_srgb(light), torch.tensor([[0.4614, 0.02584, 1.0]]), atol=1e-4, rtol=0
    )


def test_srgb_round_trip():
    colour = torch.linspace(0, 1, 300).view(100, 3)
    torch.testing.assert_close(to_srgb(to_linear(colour)), colour, atol=1e-5, rtol=0)


def test_slope_is_open_and_groove_is_not():
    column = torch.arange(64.0)
    slope = (0.7 * column).expand(1, 64, 64).clone()
    groove = slope.clone()
    groove[:, :, 30:33] -= 6.0
    covered = torch.ones(1, 64, 64)
    inner = slice(16, 48)  # the slope's mean is one-sided at the rim
    assert (crease_openness(slope, covered, 1.0)[:, inner, inner] > 0.97).all()
    opened = crease_openness(groove, covered, 1.0)[0, 32]
    assert opened[31] < 0.6
    assert opened[20] > 0.97


def test_rim_of_a_surface_is_not_darkened():
    covered = torch.zeros(1, 64, 64)
    covered[:, :, 20:] = 1
    depth = torch.arange(64.0).expand(1, 64, 64) * 2.0  # rises steeply away from the rim
    openness = crease_openness(depth, covered, 1.0)
    assert openness[0, 32, 20] > 0.8
