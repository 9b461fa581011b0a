"""The additive control: linear, whitened, spread like its source, decoupled by construction."""

import numpy as np
import pytest
import torch

from meshgan.data.synthetic.plan import FRESH_PEOPLE
from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.additive_control import POSED, AdditiveOracle, oracle_additive
from meshgan.evaluation.oracle import model_decoupling
from meshgan.evaluation.oracle_motion import model_motion
from meshgan.evaluation.source_oracle import fit_source_oracle
from meshgan.evaluation.specificity import sample_faces
from meshgan.models.base import MeshModel
from tests.fakes import AdditiveModel, LinearSource

SIZES = {"identity": 6, "expression": 4}


@pytest.fixture(scope="module")
def model():
    return AdditiveModel(side=10)


@pytest.fixture(scope="module")
def control(model):
    return oracle_additive(
        LinearSource(model), model.template_vertices, model.faces, SIZES, people=150
    )


def test_spread_like_a_linear_source(model, control):
    faces = sample_faces(control, 3000, seed=1).double().flatten(1)
    modes = torch.cat([model.modes["identity"], model.modes["expression"]]).flatten(1)
    expected = modes.square().sum()  # trace of the source's covariance
    assert float(faces.var(dim=0).sum() / expected) == pytest.approx(1, abs=0.1)
    centre = model.template_vertices.double().flatten()
    assert (faces.mean(dim=0) - centre).square().mean().sqrt() < 0.15 * expected.div(300).sqrt()


def test_additive_by_construction(control):
    rng = torch.Generator().manual_seed(0)
    codes, other = control.sample_codes(5, rng), control.sample_codes(5, rng)
    moved = control.decode({**codes, "identity": other["identity"]}) - control.decode(codes)
    again = control.decode(other) - control.decode({**other, "identity": codes["identity"]})
    torch.testing.assert_close(moved, again, atol=1e-3, rtol=0)
    assert moved.abs().max() > 1
    assert isinstance(control, MeshModel)
    some = torch.tensor([3, 0, 98])
    torch.testing.assert_close(control.decode_at(codes, some), control.decode(codes)[:, some])


def test_the_oracle_finds_everybody_again(model, control):
    source = LinearSource(model)
    oracle = fit_source_oracle(source, count=200)
    found = model_decoupling(control, oracle, 10, 10)
    assert found["oracle_identity"] == 1.0
    assert found["oracle_expression"] == 1.0
    motion = model_motion(control, oracle, 60)
    assert motion["identity"].share("expression").mean < 0.03
    assert motion["expression"].share("identity").mean < 0.03


def test_people_of_data_sets_are_not_met(model):
    source = LinearSource(model)
    oracle_additive(source, model.template_vertices, model.faces, SIZES, people=10)
    assert min(source.met) >= FRESH_PEOPLE + 400_000


def mean_at_rest(source, people):
    return np.mean([source.neutral(0, POSED + k) for k in range(people)], axis=0)


class LabelledSource(LinearSource):
    """Above 0 along the first expression mode is one label, below the next; 2 along the second."""

    def stream(self, plan, seed=0):
        for rows in super().stream(plan, seed):
            rows.extras["actions"][:, 1] += 2
            rows.labels["expression"] = np.where(rows.extras["actions"][:, 0] > 0, 0, 1)
            yield rows


def test_label_codes_show_the_mean_of_their_label(model):
    source = LabelledSource(model)
    control = oracle_additive(source, model.template_vertices, model.faces, SIZES, people=200)
    codes = control.label_codes("expression")
    assert codes.shape == (len(control.factors["expression"]), 4)
    assert (codes[2:] == 0).all()  # nobody shows these: the mean of all
    calm = torch.zeros(2, 6)
    shown = control.decode({"identity": calm, "expression": codes[:2]}).double()
    half_normal = (2 / np.pi) ** 0.5  # mean of N(0, 1) above 0
    expected = 2 * half_normal * model.modes["expression"][0]
    assert (shown[0] - shown[1] - expected).norm() < 0.15 * expected.norm()
    moved = control.mean.double() - torch.from_numpy(mean_at_rest(source, 200))
    on_average = 2 * model.modes["expression"][1]
    assert (moved - on_average).norm() < 0.2 * on_average.norm()


def test_codes_of_people_are_white(control):
    people = control.label_codes("identity").double()
    assert people.shape == (150, 6)
    assert control.factors["identity"][0].startswith("person")
    white = people.T.cov(correction=0)
    torch.testing.assert_close(white, torch.eye(6).double(), atol=1e-3, rtol=0)


def test_refuses_bad_input(model):
    source, place = LinearSource(model), (model.template_vertices, model.faces)
    with pytest.raises(InputError, match="more people than directions"):
        oracle_additive(source, *place, SIZES, people=6)
    with pytest.raises(InputError, match="expected identity and expression"):
        oracle_additive(source, *place, {"identity": 3, "viseme": 2})
    with pytest.raises(ShapeError, match=r"bases .* expected"):
        AdditiveOracle(
            *place,
            {"identity": ("a",)},
            {"identity": 2},
            model.template_vertices,
            {"identity": torch.zeros(3, 100, 3)},
            {"identity": torch.zeros(1, 2)},
        )
