"""Controls: known beforehand, and seen by every metric as what they are."""

import numpy as np
import pytest
import torch

from meshgan.errors import InputError
from meshgan.evaluation.controls import Entangled, MeaninglessCodes, ShuffledLabels
from meshgan.evaluation.diversity import data_diversity, model_diversity
from meshgan.evaluation.oracle import model_decoupling
from meshgan.evaluation.oracle_motion import model_motion
from meshgan.evaluation.source_oracle import fit_source_oracle
from meshgan.models.base import MeshModel
from tests.fakes import AdditiveModel, LinearSource, faces_of_model


@pytest.fixture(scope="module")
def model():
    return AdditiveModel(side=10)


@pytest.fixture(scope="module")
def oracle(model):
    return fit_source_oracle(LinearSource(model), count=200)


def codes_of(model, count=6, seed=0):
    return dict(model.sample_codes(count, torch.Generator().manual_seed(seed)))


def test_share_0_is_the_model_itself(model):
    same = Entangled(model, 0.0)
    codes = codes_of(model)
    assert torch.equal(same.decode(codes), model.decode(codes))
    assert same.code_sizes == model.code_sizes
    assert torch.equal(same.label_codes("identity"), model.label_codes("identity"))


def test_share_1_hands_control_to_the_other_code(model):
    swapped = Entangled(model, 1.0, into=["identity"])
    codes, other = codes_of(model), codes_of(model, seed=1)
    without = swapped.decode({**codes, "identity": other["identity"]})
    assert torch.equal(without, swapped.decode(codes))
    with_expression = swapped.decode({**codes, "expression": other["expression"]})
    assert (with_expression - swapped.decode(codes)).abs().max() > 1


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_a_mixed_code_keeps_its_spread(model, share):
    mixed = Entangled(model, share, seed=3).mix(codes_of(model, 20_000))
    for name in model.factors:
        assert mixed[name].mean(dim=0).abs().max() < 0.05
        assert float(mixed[name].var(dim=0).mean()) == pytest.approx(1, abs=0.03)
    shorter = mixed["expression"]  # 4 of 6: nothing is stretched
    torch.testing.assert_close(shorter.T.cov(), torch.eye(4).double(), atol=0.06, rtol=0)


def test_correlation_is_the_root_of_the_share(model):
    codes = codes_of(model, 50_000)
    mixed = Entangled(model, 0.36, into=["expression"]).mix(codes)
    assert torch.equal(mixed["identity"], codes["identity"])
    joint = torch.cat([mixed["expression"], codes["identity"]], dim=1).T.corrcoef()[:4, 4:]
    torch.testing.assert_close(
        joint.square().sum(dim=1), torch.full((4,), 0.36).double(), atol=0.02, rtol=0
    )


def test_the_oracle_sees_more_the_more_is_mixed(model, oracle):
    leaks = [
        model_motion(Entangled(model, share, into=["identity"]), oracle, 100)["identity"]
        .share("expression")
        .mean
        for share in (0.0, 0.2, 0.5, 1.0)
    ]
    assert leaks == sorted(leaks)
    assert leaks[0] < 0.03
    assert leaks[-1] == pytest.approx(1, abs=0.1)
    found = [
        model_decoupling(Entangled(model, share), oracle, 10, 10)["oracle_identity"]
        for share in (0.0, 0.5, 1.0)
    ]
    assert found[0] == 1.0
    assert found[0] > found[1] > found[2]


def test_codes_that_say_nothing_are_at_chance(model, oracle):
    chance = MeaninglessCodes(model)
    assert chance.code_sizes == {"identity": 6, "expression": 4, "noise": 12}
    shares = model_decoupling(chance, oracle, 12, 12)
    assert shares["oracle_identity"] < 0.2  # 1 in 12
    assert shares["oracle_expression"] < 0.2
    diversity = model_diversity(chance, pairs=300)
    whole = diversity["diversity"]
    for factor in model.factors:  # sharing a code brings two faces no nearer
        assert abs(diversity[f"diversity_{factor}"].mean - whole.mean) < 5 * whole.standard_error
    real = model_diversity(model, pairs=300)["diversity"]
    assert abs(real.mean - whole.mean) < 5 * whole.standard_error


@pytest.mark.parametrize("control", [MeaninglessCodes, Entangled])
def test_controls_are_models(model, control):
    wrapped = control(model)
    assert isinstance(wrapped, MeshModel)
    codes = codes_of(wrapped)
    some = torch.tensor([5, 0, 99])
    assert torch.equal(wrapped.decode_at(codes, some), wrapped.decode(codes)[:, some])
    assert wrapped.label_codes("expression").shape == (4, 4)


def test_shuffled_labels_are_the_same_labels_elsewhere(model):
    faces = faces_of_model(model, count=90)
    shuffled = ShuffledLabels(faces, seed=1)
    for factor in faces.factors:
        before, after = faces.labels(factor), shuffled.labels(factor)
        assert sorted(before) == sorted(after)
        np.testing.assert_array_equal(before == -1, after == -1)
        assert (before != after).any()
        np.testing.assert_array_equal(after, shuffled.labels(factor))
    np.testing.assert_array_equal(faces.vertices(np.arange(5)), shuffled.vertices(np.arange(5)))
    real, chance = (data_diversity(some, pairs=400) for some in (faces, shuffled))
    assert real["diversity_identity"].mean < 0.9 * real["diversity"].mean
    assert chance["diversity_identity"].mean > 0.9 * chance["diversity"].mean


def test_refuses_bad_input(model):
    with pytest.raises(InputError, match=r"share 1\.5 into identity, expression"):
        Entangled(model, 1.5)
    with pytest.raises(InputError, match="into viseme of identity, expression"):
        Entangled(model, 0.5, into=["viseme"])
    one_factor = AdditiveModel(side=6)
    one_factor.factors = {"identity": ("a",)}
    with pytest.raises(InputError, match="two factors or more"):
        Entangled(one_factor)
