"""The oracle: recovers what a linear source hides, finds leaks, counts by hand."""

import numpy as np
import pytest
import torch

from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.linear import Basis, LinearReader
from meshgan.evaluation.oracle import (
    Oracle,
    grid_indices,
    grid_retrieval,
    model_decoupling,
    model_grid,
    retrieval,
)
from tests.fakes import AdditiveModel


def linear_source(model: AdditiveModel, count: int, seed: int):
    rng = torch.Generator().manual_seed(seed)
    codes = model.sample_codes(count, rng)
    calm = {**codes, "expression": 0 * codes["expression"], "noise": 0 * codes["noise"]}
    return model.decode(codes), model.decode(calm), codes["expression"]


@pytest.fixture(scope="module")
def model():
    return AdditiveModel(side=12)


@pytest.fixture(scope="module")
def oracle(model):
    return Oracle.fit(*linear_source(model, 200, seed=1), components=12)


def test_recovers_a_linear_source(model, oracle):
    meshes, calm, actions = linear_source(model, 40, seed=2)
    found = oracle.recover(meshes)
    error = (found.actions - actions).norm() / actions.norm()
    assert error < 0.03
    same_person = oracle.recover(calm).identity
    assert (found.identity - same_person).norm() / same_person.norm() < 0.03


def test_decoupled_model_is_found_again_and_leaking_one_is_not(model, oracle):
    clean = model_decoupling(model, oracle, persons=12, expressions=8)
    assert clean["oracle_identity"] == 1.0
    assert clean["oracle_expression"] == 1.0
    assert clean["chance_identity"] == pytest.approx(1 / 12)
    assert clean["chance_expression"] == pytest.approx(1 / 8)
    leaking = AdditiveModel(side=12, leak=3.0)  # the expression code also moves the identity
    assert model_decoupling(leaking, oracle, 12, 8)["oracle_identity"] < 0.5


def test_unrelated_values_are_found_at_chance():
    rows, columns = grid_indices(20, 20)
    values = torch.randn(400, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert retrieval(values, rows, columns) < 0.12  # chance 0.05


def test_retrieval_by_hand():
    rows, columns = grid_indices(2, 3)
    # row 0 at 0, 1 and 9; row 1 at 10, 11 and 12. The 9 is nearer to the other centroid (10.5)
    # than to its own (0.5); every other one is right, although 9 pulls its own row's centroid
    values = torch.tensor([0.0, 1, 9, 10, 11, 12])[:, None].double()
    assert retrieval(values, rows, columns) == pytest.approx(5 / 6)


def test_own_face_is_not_in_its_centroid():
    rows, columns = grid_indices(2, 2)
    # with itself included each face would be nearest to its own row; without, to the other
    values = torch.tensor([0.0, 10, 10.5, 0.5])[:, None].double()
    assert retrieval(values, rows, columns) == 0.0


def test_shuffled_rows_give_the_same_shares(model, oracle):
    rows, columns = grid_indices(6, 5)
    recovered = oracle.recover(model_grid(model, 6, 5))
    order = torch.randperm(30, generator=torch.Generator().manual_seed(3))
    shuffled = oracle.recover(model_grid(model, 6, 5)[order])
    assert grid_retrieval(shuffled, rows[order], columns[order]) == grid_retrieval(
        recovered, rows, columns
    )


def test_grid_shares_codes_as_promised(model):
    grid = model_grid(model, 3, 4).view(3, 4, -1, 3)
    model_without_noise = AdditiveModel(side=12)
    model_without_noise.modes["noise"] = 0 * model_without_noise.modes["noise"]
    grid = model_grid(model_without_noise, 3, 4).view(3, 4, -1, 3).double()
    across = grid[1] - grid[0]  # additive: the same difference in every column
    torch.testing.assert_close(across[0], across[3], atol=2e-4, rtol=0)
    down = grid[:, 1] - grid[:, 0]
    torch.testing.assert_close(down[0], down[2], atol=2e-4, rtol=0)
    assert across.norm() > 1


def test_basis_is_orthonormal_and_reproduces_low_rank_meshes(model):
    meshes, _, _ = linear_source(model, 30, seed=4)
    basis = Basis.of(meshes.double(), 50)
    assert len(basis.directions) == 12  # 6 + 4 + 2 modes
    identity = basis.directions @ basis.directions.T
    torch.testing.assert_close(identity, torch.eye(12, dtype=torch.float64), atol=1e-6, rtol=0)
    again = basis.mean + basis.coefficients(meshes.double()) @ basis.directions
    torch.testing.assert_close(again, meshes.flatten(1).double(), atol=1e-4, rtol=0)


def test_ridge_solves_its_problem():
    rng = np.random.default_rng(0)
    x, y = (
        torch.from_numpy(rng.standard_normal((50, 4))),
        torch.from_numpy(rng.standard_normal((50, 2))),
    )
    reader = LinearReader.fit(x, y, ridge=0.3)
    x0, y0 = (x - x.mean(0)), (y - y.mean(0))
    penalty = 0.3 * (x0**2).sum(0).mean()
    gradient = x0.T @ (x0 @ reader.weights - y0) + penalty * reader.weights
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-9, rtol=0)


def test_refuses_bad_input(model, oracle):
    meshes, calm, actions = linear_source(model, 5, seed=0)
    with pytest.raises(ShapeError, match="one neutral face and one row of actions per mesh"):
        Oracle.fit(meshes, calm[:4], actions)
    with pytest.raises(InputError, match="no factor viseme; it has identity, expression"):
        model_grid(model, 2, 2, expression="viseme")
    rows, columns = grid_indices(3, 1)
    with pytest.raises(InputError, match="at least two crossing groups"):
        retrieval(torch.zeros(3, 1), rows, columns)
