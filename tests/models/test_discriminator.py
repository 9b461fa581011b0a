"""The discriminator: the paper's layers, any list of factors."""

import pytest
import torch

from meshgan.errors import ConfigError, InputError
from meshgan.models.discriminator import REALISM, DecoupledDiscriminator


def test_parameters_at_the_papers_size():
    """Conv 16, 32; per branch conv 64, 128 and a linear layer from 2048 (Fig. 11)."""
    made = DecoupledDiscriminator({"identity": 299, "expression": 7})
    trunk = (3 * 9 * 16 + 16) + (16 * 9 * 32 + 32)
    branch = (32 * 9 * 64 + 64) + (64 * 9 * 128 + 128)
    linear = sum(2048 * outputs + outputs for outputs in (1, 299, 7))
    assert sum(p.numel() for p in made.parameters()) == trunk + 3 * branch + linear


@pytest.mark.parametrize("factors", [["identity"], ["identity", "expression", "viseme"]])
def test_one_branch_per_factor(factors):
    made = DecoupledDiscriminator({name: 3 + k for k, name in enumerate(factors)}, image_size=64)
    judged = made(torch.randn(2, 3, 64, 64))
    assert list(judged) == [REALISM, *factors]
    assert judged[REALISM][0].shape == (2, 1)
    for k, name in enumerate(factors):
        assert judged[name][0].shape == (2, 3 + k)
        assert judged[name][1].shape == (2, 2048)


def test_branches_can_be_run_alone():
    made = DecoupledDiscriminator({"identity": 3}, image_size=32)
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(made.realism(images), made(images)[REALISM][0][:, 0])
    assert list(made(images, ("identity",))) == ["identity"]


def test_is_piecewise_linear():
    """Within one linear piece, D(x + t d) is linear in t: what the exact penalty relies on."""
    torch.manual_seed(0)
    made = DecoupledDiscriminator({}, image_size=16).double()
    x, d = torch.randn(2, 1, 3, 16, 16, dtype=torch.float64)
    values = [made.realism(x + t * 1e-9 * d).item() for t in (0, 1, 2)]
    assert values[2] - values[1] == pytest.approx(values[1] - values[0], rel=1e-4)


def test_refuses_sizes_and_names():
    with pytest.raises(ConfigError, match="multiple of 16"):
        DecoupledDiscriminator({}, image_size=40)
    with pytest.raises(InputError, match="realism"):
        DecoupledDiscriminator({"realism": 2})
