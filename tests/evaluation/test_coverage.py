"""Precision, recall, density, coverage: by hand on a line, and against the plain loops."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.coverage import coverage


def on_a_line(*places_mm: float) -> torch.Tensor:
    """Meshes that differ by a shift: their distance is the difference of the places."""
    meshes = torch.zeros(len(places_mm), 7, 3)
    meshes[:, :, 1] = torch.tensor(places_mm)[:, None]
    return meshes


def plain(samples, reference, k, sample_people=None, reference_people=None):
    """The definitions, pair by pair."""

    def distances(a, b):
        return (a[:, None].double() - b[None].double()).norm(dim=-1).mean(dim=-1).numpy()

    def radii(meshes, people):
        people = np.arange(len(meshes)) if people is None else people
        own = distances(meshes, meshes)
        own[people[:, None] == people] = np.inf
        return np.sort(own, axis=1)[:, k - 1]

    real_radius, own_radius = radii(reference, reference_people), radii(samples, sample_people)
    between = distances(samples, reference)
    inside = between <= real_radius[None]
    return {
        "precision": inside.any(axis=1).mean(),
        "recall": (between <= own_radius[:, None]).any(axis=0).mean(),
        "density": inside.sum() / (k * len(samples)),
        "coverage": inside.any(axis=0).mean(),
    }


def test_by_hand():
    # radii of the real faces with k = 1: 1, 1, 2, 5; of the samples: 2.5, 2.5, 17
    real = on_a_line(0, 1, 3, 8)
    samples = on_a_line(0.5, 3.0, 20)
    found = coverage(samples, real, neighbours=1)
    assert found["precision"].mean == pytest.approx(2 / 3)  # 20 is nowhere near
    # 0.5 lies in the balls of 0 and 1; 3.0 in those of 3 and, on the rim, of 8
    assert found["density"].mean == pytest.approx((2 + 2 + 0) / 3)
    assert found["coverage"].mean == 1.0
    assert found["recall"].mean == 1.0  # 8 lies in the wide ball around 20
    assert found["precision"].count == 3
    assert found["recall"].count == 4


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 4), shift=st.sampled_from([0.0, 1.5, 6.0]))
def test_equals_the_plain_loops(seed, k, shift):
    rng = torch.Generator().manual_seed(seed)
    modes = torch.randn(2, 30, 3, generator=rng)
    faces = torch.tensordot(torch.randn(45, 2, generator=rng), modes, dims=1)
    samples, real = faces[:20] + shift / 2, faces[20:]
    people = np.arange(25) // 4
    for people_of_real in (None, people):
        found = coverage(samples, real, k, reference_people=people_of_real)
        expected = plain(samples, real, k, reference_people=people_of_real)
        assert {name: value.mean for name, value in found.items()} == pytest.approx(expected)


def test_real_faces_reach_the_upper_reference():
    rng = torch.Generator().manual_seed(3)
    modes = torch.randn(3, 20, 3, generator=rng)
    draws = torch.tensordot(torch.randn(800, 3, generator=rng), modes, dims=1)
    found = coverage(draws[:400], draws[400:], neighbours=5)
    assert found["density"].mean == pytest.approx(
        1, abs=0.1
    )  # its expectation, Naeem et al. Sec. 3
    assert found["coverage"].mean == pytest.approx(1 - 0.5**5, abs=0.03)
    assert found["precision"].mean > 0.9
    assert found["recall"].mean > 0.9


def test_what_a_model_does_wrong_shows():
    rng = torch.Generator().manual_seed(4)
    modes = torch.randn(2, 20, 3, generator=rng)
    real = torch.tensordot(torch.randn(300, 2, generator=rng), modes, dims=1)
    narrow = torch.tensordot(0.1 * torch.randn(200, 2, generator=rng), modes, dims=1)
    collapsed = coverage(narrow, real)
    assert collapsed["precision"].mean == 1.0
    assert collapsed["recall"].mean < 0.1
    assert collapsed["coverage"].mean < 0.3
    elsewhere = coverage(narrow + 50, real)
    assert {name: value.mean for name, value in elsewhere.items()} == {
        "precision": 0, "recall": 0, "density": 0, "coverage": 0
    }  # fmt: skip


def test_moving_everything_changes_nothing():
    rng = torch.Generator().manual_seed(5)
    faces = torch.randn(60, 25, 3, generator=rng)
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=rng)).Q
    order = torch.randperm(25, generator=rng)
    found = coverage(faces[:30], faces[30:], 3)
    moved = faces[:, order] @ rotation.T * 2 + torch.tensor([10.0, -20, 5])
    again = coverage(moved[:30], moved[30:], 3)
    assert {name: value.mean for name, value in again.items()} == {
        name: value.mean for name, value in found.items()
    }


def test_refuses_bad_input():
    with pytest.raises(ShapeError, match="7 vertices, real faces of 6"):
        coverage(on_a_line(0, 1, 2), on_a_line(0, 1, 2)[:, 1:], 1)
    with pytest.raises(InputError, match="2 possible neighbours, expected at least 5"):
        coverage(on_a_line(0, 1, 2), on_a_line(*range(10)))
    with pytest.raises(InputError, match="no meshes given"):
        coverage(on_a_line(), on_a_line(0, 1), 1)
    with pytest.raises(InputError, match="1 of 2 meshes are not finite"):
        coverage(on_a_line(0, float("nan")), on_a_line(0, 1), 1)
