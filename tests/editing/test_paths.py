"""Paths: through every key, even and around; by hand on a quarter of a circle."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from meshgan.editing.paths import code_path
from meshgan.errors import InputError, ShapeError


def key(*values):
    return {"identity": torch.tensor([values], dtype=torch.float64)}


def test_linear_by_hand():
    found = code_path([key(0.0, 0), key(4.0, 8)], 5, "linear")["identity"]
    assert found.tolist() == [[0, 0], [1, 2], [2, 4], [3, 6], [4, 8]]


def test_spherical_goes_around_a_quarter_of_a_circle():
    found = code_path([key(2.0, 0), key(0.0, 2)], 7)["identity"]
    angles = [math.radians(15 * k) for k in range(7)]
    expected = torch.tensor([[2 * math.cos(a), 2 * math.sin(a)] for a in angles]).double()
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["linear", "spherical"]))
def test_passes_every_key_and_stays_finite(seed, kind):
    rng = torch.Generator().manual_seed(seed)
    keys = [{"expression": torch.randn(1, 3, generator=rng)} for _ in range(4)]
    keys.append({"expression": -keys[-1]["expression"]})  # the opposite: no way around
    keys.append({"expression": torch.zeros(1, 3)})
    path = code_path(keys, 51, kind, "smooth")["expression"]
    assert path.isfinite().all()
    for k, one in enumerate(keys):
        torch.testing.assert_close(path[10 * k], one["expression"][0], atol=1e-4, rtol=0)


def test_spherical_keeps_lengths_between_those_of_the_ends():
    rng = torch.Generator().manual_seed(1)
    ends = [{"identity": torch.randn(1, 65, generator=rng)} for _ in range(2)]
    around = code_path(ends, 21)["identity"].norm(dim=1)
    straight = code_path(ends, 21, "linear")["identity"].norm(dim=1)
    low = min(end["identity"].norm() for end in ends)
    assert around.min() > low - 1e-3
    assert straight.min() < 0.85 * low  # what the spherical path is for


def test_smooth_easing_is_slow_at_keys_and_times_place_them():
    keys = [key(0.0), key(1.0), key(0.0)]
    path = code_path(keys, 101, "linear", "smooth", times=[0.0, 1.0, 4.0])["identity"][:, 0]
    assert path[25] == 1
    assert path[1] < 0.01
    assert (path[:26].diff() > 0).all()
    assert (path[25:].diff() < 0).all()


def test_refuses_bad_input():
    with pytest.raises(InputError, match="1 faces and 5 frames"):
        code_path([key(1.0)], 5)
    with pytest.raises(InputError, match="do not ascend"):
        code_path([key(1.0), key(2.0)], 5, times=[1.0, 1.0])
    with pytest.raises(ShapeError, match="identity or noise"):
        code_path([key(1.0), {"noise": torch.zeros(1, 1)}], 5)
    with pytest.raises(ShapeError, match="keys of 2 faces"):
        code_path([{"identity": torch.zeros(2, 1)}] * 2, 5)
