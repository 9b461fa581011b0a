"""leading_directions: exact where the model is linear, ordered, and the same for the same seed."""

import pytest
import torch

from meshgan.editing.directions import leading_directions, movements_mm
from meshgan.errors import InputError
from tests.fakes import AdditiveModel


class StretchedModel(AdditiveModel):
    """Code k of the expression moves one vertex along x, by a length of its own; so do no others.

    All vertices but a few stay, and the template is smaller than the sample of vertices, so the
    answer is exact.
    """

    LENGTHS = (1.0, 5.0, 2.0, 3.0)

    def __init__(self):
        super().__init__(side=8)
        fields = torch.zeros(4, 64, 3, dtype=torch.float64)
        for k, length in enumerate(self.LENGTHS):
            fields[k, 7 * k, 0] = length
        self.modes = {**self.modes, "expression": fields}


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_coordinates_are_found_in_the_order_of_their_lengths():
    found = leading_directions(StretchedModel(), "expression", 3, rng())
    expected = torch.zeros(3, 4, dtype=torch.float64)
    expected[0, 1] = expected[1, 3] = expected[2, 2] = 1
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_movements_are_root_mean_squares_over_the_vertices():
    model = StretchedModel()
    moved = movements_mm(model, "expression", torch.eye(4, dtype=torch.float64), length=2.0)
    expected = 2 * torch.tensor(model.LENGTHS) / 8  # one of 64 vertices moves
    torch.testing.assert_close(moved, expected, atol=1e-5, rtol=0)


def test_a_linear_model_gives_its_principal_directions():
    model = AdditiveModel(side=20)  # 400 vertices: all are asked
    fields = model.modes["identity"].flatten(1)
    _, values, right = torch.linalg.svd(fields.T, full_matrices=False)
    found = leading_directions(model, "identity", 6, rng())
    torch.testing.assert_close(found @ found.T, torch.eye(6, dtype=torch.float64))
    torch.testing.assert_close(
        (found * right).sum(dim=1).abs(), torch.ones(6).double(), atol=1e-4, rtol=0
    )
    moved = movements_mm(model, "identity", found)
    torch.testing.assert_close(moved.double(), values / 20, rtol=1e-4, atol=0)


def test_a_sample_of_the_vertices_is_enough_for_the_first_direction():
    model = AdditiveModel(side=60)  # 3,600 vertices, of which 600 are asked
    fields = model.modes["identity"].flatten(1)
    right = torch.linalg.svd(fields.T, full_matrices=False)[2]
    found = leading_directions(model, "identity", 1, rng())
    assert float((found[0] @ right[0]).abs()) > 0.98


def test_signs_and_seed():
    model = AdditiveModel(side=40)
    first, again = (leading_directions(model, "expression", 4, rng(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert bool((first.gather(1, first.abs().argmax(dim=1, keepdim=True)) > 0).all())


@pytest.mark.parametrize(
    ("factor", "count", "words"),
    [
        ("mood", 1, "identity, expression, noise"),
        ("expression", 5, "5 directions of a code of 4"),
        ("expression", 0, "expected 1 to 4"),
    ],
)
def test_bad_requests(factor, count, words):
    with pytest.raises(InputError, match=words):
        leading_directions(AdditiveModel(), factor, count, rng())
