"""Memorisation: shares by hand, copies found, fresh faces not accused."""

import numpy as np
import pytest
import torch

from meshgan.errors import InputError
from meshgan.evaluation.estimate import Estimate
from meshgan.evaluation.memorisation import memorisation
from meshgan.evaluation.specificity import Specificity, sample_faces, specificity
from tests.fakes import AdditiveModel, ArrayFaces


def distances(*values: float) -> Specificity:
    mm = torch.tensor([float(value) for value in values])
    summary = Estimate.of(mm) if values else Estimate(0.0, 0.0, 0)
    return Specificity(summary, mm, torch.arange(len(mm)))


def test_shares_by_hand():
    fresh = distances(*np.linspace(1, 2, 101).tolist())  # 5 % of them below 1.05
    found = memorisation(distances(0.5, 0.9, 1.03, 1.5, 3.0), fresh).shares()
    assert found["copies"].mean == pytest.approx(2 / 5)
    assert found["near_copies"].mean == pytest.approx(3 / 5)
    # nearer than all, all, 97 of 101 (1.00 to 1.03 are not above), half, none
    expected = (1 + 1 + 97 / 101 + 50.5 / 101 + 0) / 5
    assert found["nearer_than_fresh"].mean == pytest.approx(expected, abs=0.006)


def test_ties_count_half():
    found = memorisation(distances(1, 1), distances(1, 1, 1)).shares()
    assert found["nearer_than_fresh"].mean == 0.5
    assert found["copies"].mean == 0


def test_a_model_of_copies_is_caught_and_fresh_faces_are_not():
    model = AdditiveModel(side=8)
    training = ArrayFaces(sample_faces(model, 300, seed=1).numpy(), {}, {})
    fresh = specificity(sample_faces(model, 200, seed=2), training)
    honest = memorisation(specificity(sample_faces(model, 200, seed=3), training), fresh)
    assert abs(honest.shares()["nearer_than_fresh"].mean - 0.5) < 0.1
    assert honest.shares()["copies"].mean < 0.03
    learnt = torch.from_numpy(training.vertices(np.arange(40))) + 0.01
    copier = memorisation(specificity(learnt, training), fresh)
    assert copier.shares()["copies"].mean == 1.0
    assert copier.shares()["nearer_than_fresh"].mean == 1.0
    assert copier.nearest.tolist() == list(range(40))


def test_the_closest_come_first():
    found = memorisation(distances(3, 0.5, 2, 0.5), distances(1.0))
    assert found.closest.tolist() == [1, 3, 2, 0]


def test_distributions_rise_from_0_to_1():
    curves = memorisation(distances(1, 2, 3, 4), distances(2.0)).distributions(points=5)
    grid, share = curves["samples"]
    np.testing.assert_allclose(grid, [0, 1.02, 2.04, 3.06, 4.08])
    assert share.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert curves["fresh real faces"][1].tolist() == [0, 0, 1, 1, 1]


def test_refuses_no_fresh_faces():
    with pytest.raises(InputError, match="no fresh real faces"):
        memorisation(distances(1.0), distances())
