"""Oracle motion: nothing leaks from an additive model; a known leak is measured in mm."""

import pytest
import torch

from meshgan.errors import InputError
from meshgan.evaluation.estimate import Estimate
from meshgan.evaluation.oracle_motion import Motion, model_motion, true_motion
from meshgan.evaluation.source_oracle import fit_source_oracle
from tests.fakes import AdditiveModel, LinearSource


@pytest.fixture(scope="module")
def model():
    return AdditiveModel(side=10)


@pytest.fixture(scope="module")
def oracle(model):
    return fit_source_oracle(LinearSource(model), count=200)


def test_nothing_leaks_from_an_additive_model(model, oracle):
    found = model_motion(model, oracle, pairs=60)
    for factor, other in (("identity", "expression"), ("expression", "identity")):
        motion = found[factor]
        assert motion.leak.keys() == {other, "noise"}
        assert motion.own.mean > 1
        assert motion.between.mean == pytest.approx(motion.own.mean, rel=0.15)
        assert motion.share(other).mean < 0.03
        assert motion.leak[other].count == 60


def test_motion_is_that_of_the_vertices(model, oracle):
    """Root mean square over the vertices of what the identity code alone moves."""
    rng = torch.Generator().manual_seed(0)
    first, second = (model.sample_codes(4000, rng)["identity"] for _ in range(2))
    moved = torch.einsum("bk,kvc->bvc", second - first, model.modes["identity"])
    expected = moved.square().sum(dim=-1).mean(dim=-1).sqrt().mean()
    found = model_motion(model, oracle, pairs=400)["identity"].own
    assert abs(found.mean - float(expected)) < 4 * found.standard_error + 0.02 * float(expected)


def test_a_leak_is_measured_in_mm(oracle):
    leaking = AdditiveModel(side=10, leak=1.0)  # expression codes also move four identity modes
    rng = torch.Generator().manual_seed(1)
    first, second = (leaking.sample_codes(4000, rng)["expression"] for _ in range(2))
    moved = torch.einsum("bk,kvc->bvc", second - first, leaking.modes["identity"][:4])
    expected = float(moved.square().sum(dim=-1).mean(dim=-1).sqrt().mean())
    found = model_motion(leaking, oracle, pairs=300)["identity"]
    leak = found.leak["expression"]
    assert abs(leak.mean - expected) < 4 * leak.standard_error + 0.03 * expected
    assert 0.4 < found.share("expression").mean < 0.9
    assert found.leak["noise"].mean < 0.1 * leak.mean


def test_true_faces_do_not_leak(model, oracle):
    found = true_motion(LinearSource(model), oracle, pairs=100)
    for factor, other in (("identity", "expression"), ("expression", "identity")):
        assert found[factor].leak.keys() == {other}
        assert found[factor].own.mean > 1
        assert found[factor].share(other).mean < 0.03


def test_share_and_its_error():
    between, own = Estimate(4.0, 0.4, 9), Estimate(3.0, 0.1, 9)
    motion = Motion("identity", between, own, {"expression": Estimate(1.0, 0.3, 9)})
    share = motion.share("expression")
    assert share.mean == pytest.approx(0.25)
    # (0.3 / 4)^2 + (0.25 * 0.4 / 4)^2
    assert share.standard_error == pytest.approx((0.075**2 + 0.025**2) ** 0.5)


def test_refuses_bad_input(model, oracle):
    only_one = AdditiveModel(side=10)
    only_one.factors = {"identity": ("a",)}
    with pytest.raises(InputError, match="no factor expression; it has identity"):
        model_motion(only_one, oracle)
    with pytest.raises(InputError, match="0 pairs"):
        model_motion(model, oracle, pairs=0)
    still = Motion("identity", *[Estimate(0.0, 0.0, 3)] * 2, {"expression": Estimate(0.0, 0.0, 3)})
    with pytest.raises(InputError, match="identity never moves"):
        still.share("expression")
