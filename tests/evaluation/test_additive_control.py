"""The additive control: linear, whitened, spread like its source, decoupled by construction."""

import pytest
import torch

from meshgan.data.synthetic.plan import FRESH_PEOPLE
from meshgan.data.synthetic.source import open_source
from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.additive_control import AdditiveOracle, oracle_additive
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


def test_label_codes_show_the_label():
    source = open_source("low")
    mesh = source.template.mesh
    control = oracle_additive(
        source,
        torch.from_numpy(mesh.vertices).float(),
        torch.from_numpy(mesh.faces),
        {"identity": 20, "expression": 10},
        people=80,
    )
    names = control.factors["expression"]
    codes = control.label_codes("expression")
    lips = torch.from_numpy(source.template.landmarks["ibug68"][[48, 54, 62, 66]])
    shown = control.decode_at({"identity": torch.zeros(len(codes), 20), "expression": codes}, lips)
    width = shown[:, 1, 0] - shown[:, 0, 0]  # right to left corner of the mouth
    smile, calm = names.index("happiness"), names.index("neutral")
    assert width[smile] > width[calm] + 3
    opened = shown[:, 2, 1] - shown[:, 3, 1]
    assert opened[names.index("surprise")] > opened[calm] + 5
    people = control.label_codes("identity")
    torch.testing.assert_close(
        people.T.cov(correction=0), torch.eye(20), atol=1e-3, rtol=0
    )  # whitened


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
