"""The oracle of a source: fresh people only, the model beside true faces."""

import pytest
import torch

from meshgan.data.synthetic.plan import FRESH_PEOPLE
from meshgan.evaluation.source_oracle import source_decoupling, true_grid
from tests.fakes import AdditiveModel, LinearSource


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
