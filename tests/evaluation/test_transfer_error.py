"""Transfer: exact where the truth is additive; the interaction is what rows and columns leave."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from meshgan.data.synthetic.plan import FRESH_PEOPLE
from meshgan.editing.transfer import TransferSettings
from meshgan.errors import InputError
from meshgan.evaluation.transfer_error import (
    FROM_REST,
    PAIR,
    Way,
    interaction,
    model_transfer,
    model_transfers,
    source_interaction,
    transfer_cases,
    transfer_errors,
)
from meshgan.seeding import generator
from tests.fakes import AdditiveModel, LinearSource

REGIONS = {"top": np.arange(50), "bottom": np.arange(50, 100)}


class UnequalSource(LinearSource):
    """In the top region people move between none and all of what a linear source moves."""

    def express(self, seed, subject, actions):
        calm = super().express(seed, subject, np.zeros((1, 4)))
        moved = super().express(seed, subject, actions) - calm
        strength = generator(seed, "strength", subject).uniform()
        moved[:, REGIONS["top"]] *= strength
        return (calm + moved).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    return AdditiveModel(side=10)


def test_additive_truth_has_no_error(model):
    source = LinearSource(model)
    cases = transfer_cases(source, cases=20, persons=5, expressions=4)
    found = transfer_errors(cases.additive(), cases.truth, REGIONS)
    assert max(error.percentile_95 for error in found.values()) < 1e-4
    left = source_interaction(source, REGIONS, persons=5, expressions=4)
    assert max(error.percentile_95 for error in left.values()) < 1e-4
    assert min(source.met) >= FRESH_PEOPLE


def test_people_who_differ_show_where_they_do(model):
    source = UnequalSource(model)
    cases = transfer_cases(source, cases=40, persons=8, expressions=6)
    for found in (
        transfer_errors(cases.additive(), cases.truth, REGIONS),
        source_interaction(source, REGIONS, persons=8, expressions=6),
    ):
        assert found["top"].mean.mean > 0.3
        assert found["bottom"].mean.mean < 1e-4


def test_cases_are_of_two_people(model):
    cases = transfer_cases(UnequalSource(model), cases=30, persons=3, expressions=2)
    assert len(cases.truth) == 30
    assert (cases.rest - cases.target).flatten(1).norm(dim=1).min() > 1
    again = transfer_cases(UnequalSource(model), cases=30, persons=3, expressions=2)
    assert torch.equal(cases.truth, again.truth)


def test_interaction_by_hand():
    # one vertex, one axis: a product has no row or column part left after centring both
    rows, columns = torch.tensor([1.0, 2, 6]), torch.tensor([-1.0, 0, 4, 5])
    grid = torch.zeros(3, 4, 1, 3)
    grid[..., 0, 1] = 7 + 3 * rows[:, None] - 2 * columns + rows[:, None] * columns
    expected = (rows - 3)[:, None] * (columns - 2)
    found = interaction(grid)
    torch.testing.assert_close(found[..., 0, 1], expected)
    assert found[..., 0, 0].abs().max() == 0


def test_interaction_is_the_best_additive_model():
    grid = torch.randn(4, 5, 6, 3, generator=torch.Generator().manual_seed(0)).double()
    flat = grid.flatten(2).flatten(0, 1).numpy()
    design = np.zeros((20, 9))
    design[np.arange(20), np.arange(20) // 5] = 1
    design[np.arange(20), 4 + np.arange(20) % 5] = 1
    best = design @ np.linalg.lstsq(design, flat, rcond=None)[0]
    found = interaction(grid).flatten(2).flatten(0, 1).numpy()
    np.testing.assert_allclose(found, flat - best, atol=1e-12)


def exact_fit(model):
    """Codes of meshes that the additive fake can show, by least squares."""
    stacked = torch.cat([model.modes[name] for name in model.code_sizes]).flatten(1)
    sizes = list(model.code_sizes.values())

    def fit(_, meshes):
        moved = (meshes.double() - model.template_vertices.double()).flatten(1)
        joined = torch.linalg.lstsq(stacked.T, moved.T).solution.T
        return SimpleNamespace(
            codes=dict(zip(model.code_sizes, joined.split(sizes, dim=1), strict=True))
        )

    return fit


def test_a_perfect_model_transfers_perfectly(model):
    cases = transfer_cases(LinearSource(model), cases=10, persons=4, expressions=3)
    shown = model_transfer(model, cases, exact_fit(model))
    assert transfer_errors(shown, cases.truth, {})["all"].percentile_95 < 1e-2


def test_ways_together_equal_each_alone(model):
    """Also: in this world a source known at rest leaves nothing to guess but proportions."""
    cases = transfer_cases(LinearSource(model), cases=5, persons=4, expressions=3)
    found = model_transfers(model, cases, {"pair": PAIR, "rest": FROM_REST}, exact_fit(model))
    for name, way in (("pair", PAIR), ("rest", FROM_REST)):
        torch.testing.assert_close(found[name], model_transfer(model, cases, exact_fit(model), way))
    assert transfer_errors(found["rest"], cases.truth, {})["all"].mean.mean < 0.4


def test_the_residual_of_the_target_is_kept(model):
    cases = transfer_cases(LinearSource(model), cases=6, persons=4, expressions=3)
    scar = torch.randn(100, 3, generator=torch.Generator().manual_seed(1))
    basis = torch.cat([model.modes[name] for name in model.code_sizes]).flatten(1)
    q = torch.linalg.qr(basis.T).Q.float()
    scar = (scar.flatten() - q @ (q.T @ scar.flatten())).view(100, 3)  # no code can show it
    marked = type(cases)(cases.expressive, cases.rest, cases.target + scar, cases.truth + scar)
    kept = model_transfer(model, marked, exact_fit(model))
    lost = model_transfer(model, marked, exact_fit(model), Way(TransferSettings()))
    assert transfer_errors(kept, marked.truth, {})["all"].mean.mean < 0.15 * scar.norm(dim=1).mean()
    size = float(scar.norm(dim=1).mean())
    assert transfer_errors(lost, marked.truth, {})["all"].mean.mean == pytest.approx(size, rel=0.01)


def test_refuses_bad_input(model):
    with pytest.raises(InputError, match="1 persons with 30 expressions"):
        transfer_cases(LinearSource(model), persons=1)
    with pytest.raises(InputError, match="1 persons with 3 expressions"):
        interaction(torch.zeros(1, 3, 4, 3))
    cases = transfer_cases(LinearSource(model), cases=2, persons=2, expressions=2)
    with pytest.raises(InputError, match="viseme: the model has the factors identity, expression"):
        model_transfer(model, cases, exact_fit(model), Way(TransferSettings(factors=("viseme",))))
