"""Interpolation: straight models have straight paths; a jump and a detour show."""

import math

import numpy as np
import pytest
import torch

from meshgan.errors import InputError
from meshgan.evaluation import estimate
from meshgan.evaluation.interpolation import interpolation
from meshgan.evaluation.specificity import sample_faces
from tests.fakes import AdditiveModel, ArrayFaces


class LineModel:
    """All vertices move by ``bend`` of the code; ``draws`` in the place of random codes."""

    factors = {"identity": ("a", "b")}  # noqa: RUF012
    code_sizes = {"identity": 1}  # noqa: RUF012
    template_vertices = torch.zeros(7, 3)
    faces = torch.tensor([[0, 1, 2]])

    def __init__(self, bend, *draws):
        self.bend, self.draws = bend, list(draws)

    def sample_codes(self, count, rng):
        if self.draws:
            return {"identity": torch.full((count, 1), self.draws.pop(0), dtype=torch.float64)}
        return {"identity": torch.randn(count, 1, generator=rng, dtype=torch.float64)}

    def label_codes(self, factor):
        return torch.zeros(2, 1)

    def decode_at(self, codes, vertex_ids):
        return self.decode(codes)[:, vertex_ids]

    def decode(self, codes):
        moved = torch.stack(self.bend(codes["identity"][:, 0]), dim=1)
        return self.template_vertices.double() + moved[:, None]


def test_a_linear_model_walks_straight_and_evenly():
    found = interpolation(AdditiveModel(side=8), paths=20)
    assert found["path_length"].mean == pytest.approx(1, abs=1e-4)
    assert found["largest_step"].mean == pytest.approx(1, abs=1e-3)
    assert found["path_length"].count == 20


def test_half_a_circle_is_half_pi_long():
    model = LineModel(lambda z: (torch.cos(z), torch.sin(z), 0 * z), 0.0, math.pi)
    found = interpolation(model, paths=1, steps=400)
    assert found["path_length"].mean == pytest.approx(math.pi / 2, rel=1e-4)
    assert found["largest_step"].mean == pytest.approx(1, abs=1e-6)  # at even speed


def test_a_jump_is_the_largest_step():
    model = LineModel(lambda z: (z + 90 * (z > 0).double(), 0 * z, 0 * z), -5.0, 5.0)
    found = interpolation(model, paths=1, steps=10)
    assert found["largest_step"].mean == pytest.approx(91 / 10)
    assert found["path_length"].mean == pytest.approx(1, abs=1e-6)


def test_only_the_factor_moves():
    model = AdditiveModel(side=8)
    model.modes["identity"] = 0 * model.modes["identity"]
    interpolation(model, paths=3, factor="expression")
    with pytest.raises(InputError, match="same face"):
        interpolation(model, paths=3, factor="identity")


def test_realism_of_a_linear_model_is_that_of_the_blend():
    model = AdditiveModel(side=8)
    faces = ArrayFaces(sample_faces(model, 200, seed=9).numpy(), {}, {})
    found = interpolation(model, faces, paths=15)
    assert found["real_middle"].mean == pytest.approx(found["real_blend"].mean, abs=1e-4)
    assert found["real_middle"].mean < found["real_ends"].mean  # the middle is more average
    assert found["real_ends"].count == 30


def test_realism_by_hand():
    # the ends lie 3 mm left and right of the only real face and 10 mm above it; the path dips
    model = LineModel(lambda z: (z, 10 * (z != 0).double(), 0 * z), -3.0, 3.0)
    real = ArrayFaces(np.zeros((1, 7, 3)), {}, {})
    found = interpolation(model, real, paths=1, steps=2)
    assert found["real_ends"].mean == pytest.approx(109**0.5, rel=1e-5)
    assert found["real_middle"].mean == pytest.approx(0, abs=1e-6)
    assert found["real_blend"].mean == pytest.approx(10, rel=1e-5)


def test_batches_and_seed(monkeypatch):
    model = AdditiveModel(side=8, leak=0.4)
    at_once = interpolation(model, paths=9, steps=4, seed=3)
    monkeypatch.setattr(estimate, "VALUES_AT_ONCE", 3 * 64 * 11)
    assert interpolation(model, paths=9, steps=4, seed=3) == at_once


def test_refuses_bad_input():
    model = AdditiveModel(side=6)
    with pytest.raises(InputError, match="0 paths of 10 steps"):
        interpolation(model, paths=0)
    with pytest.raises(InputError, match="5 paths of 3 steps"):
        interpolation(model, paths=5, steps=3)
    with pytest.raises(InputError, match="no factor viseme; it has identity, expression"):
        interpolation(model, factor="viseme")
