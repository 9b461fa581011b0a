"""The oracle of a source: fresh people only, the truth in its place, the model beside true faces."""

import numpy as np
import pytest
import torch

from meshgan.data.rows import FaceRows
from meshgan.data.synthetic.plan import FRESH_PEOPLE
from meshgan.evaluation.source_oracle import source_decoupling, true_grid
from meshgan.seeding import generator
from tests.fakes import AdditiveModel


class LinearSource:
    """The additive model as a source: a person is an identity code, actions an expression code."""

    def __init__(self, model: AdditiveModel) -> None:
        self.model, self.met = model, set()

    def express(self, seed, subject, actions):
        self.met.add(subject)
        code = torch.from_numpy(generator(seed, "person", subject).standard_normal((1, 6)))
        codes = {
            "identity": code.expand(len(actions), -1),
            "expression": torch.from_numpy(np.asarray(actions, dtype=np.float64)),
            "noise": torch.zeros(len(actions), 2, dtype=torch.float64),
        }
        return self.model.decode(codes).numpy()

    def neutral(self, seed, subject):
        return self.express(seed, subject, np.zeros((1, 4)))[0]

    def stream(self, plan, seed=0):
        for number, take in enumerate(plan.takes):
            rng = generator(seed, "take", plan.first_subject, number)
            actions = rng.standard_normal((take.rows, 4)).astype(np.float32)
            subject = plan.first_subject + take.subject
            ids = np.full(take.rows, take.subject, dtype=np.int64)
            yield FaceRows(
                self.express(seed, subject, actions), {}, ids, ids, ids, {"actions": actions}
            )


@pytest.fixture(scope="module")
def model():
    return AdditiveModel(side=10)


def test_additive_model_and_its_source_are_both_decoupled(model):
    source = LinearSource(model)
    found = source_decoupling(model, source, persons=8, expressions=6, count=150)
    for shares in found.values():
        assert shares["oracle_identity"] == 1.0
        assert shares["oracle_expression"] == 1.0
        assert shares["chance_identity"] == pytest.approx(1 / 8)
    assert min(source.met) >= FRESH_PEOPLE


def test_leak_shows_in_the_model_and_not_in_the_source(model):
    leaking = AdditiveModel(side=10, leak=3.0)
    found = source_decoupling(leaking, LinearSource(model), 8, 6, count=150)
    assert found["model"]["oracle_identity"] < 0.6
    assert found["source"]["oracle_identity"] == 1.0


def test_true_grid_has_persons_in_rows_and_actions_in_columns(model):
    grid = true_grid(LinearSource(model), 3, 4).view(3, 4, 100, 3).double()
    across, down = grid[:, 1] - grid[:, 0], grid[1] - grid[0]
    torch.testing.assert_close(across[0], across[2], atol=1e-4, rtol=0)
    torch.testing.assert_close(down[0], down[3], atol=1e-4, rtol=0)
    assert across.norm() > 1
    assert down.norm() > 1
