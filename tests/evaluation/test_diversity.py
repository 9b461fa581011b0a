"""Diversity: against plain loops, closed forms and labels; bounded memory; the seed decides."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.errors import InputError
from meshgan.evaluation import diversity, estimate
from meshgan.evaluation.diversity import data_diversity, model_diversity, pairs_of_one_label
from tests.fakes import AdditiveModel, ArrayFaces, faces_of_model


class ShiftModel:
    """Identity moves all vertices along x by its code (mm), expression along y."""

    factors = {"identity": ("a", "b"), "expression": ("c", "d")}  # noqa: RUF012
    code_sizes = {"identity": 1, "expression": 1}  # noqa: RUF012
    template_vertices = torch.zeros(7, 3)
    faces = torch.tensor([[0, 1, 2]])

    def sample_codes(self, count, rng):
        return {name: torch.randn(count, 1, generator=rng) for name in self.factors}

    def label_codes(self, factor):
        return torch.zeros(2, 1)

    def decode(self, codes):
        shift = torch.cat([codes["identity"], codes["expression"], 0 * codes["identity"]], dim=1)
        return self.template_vertices + shift[:, None]

    def decode_at(self, codes, vertex_ids):
        return self.decode(codes)[:, vertex_ids]


def test_gaussian_shifts_have_known_diversity():
    found = model_diversity(ShiftModel(), pairs=20_000, seed=1)
    # the difference of two N(0, 1) is N(0, 2): its mean length is sqrt(pi) in the plane and
    # 2 / sqrt(pi) on a line
    expected = {
        "diversity": np.pi**0.5,
        "diversity_identity": 2 / np.pi**0.5,
        "diversity_expression": 2 / np.pi**0.5,
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert abs(found[name].mean - value) < 4 * found[name].standard_error
        assert found[name].standard_error < 0.01


def test_sharing_every_factor_leaves_the_noise():
    model = AdditiveModel()
    model.factors = {"identity": ("a",)}
    model.modes = {name: modes * (name == "identity") for name, modes in model.modes.items()}
    assert model_diversity(model, 50)["diversity_identity"].mean == pytest.approx(0, abs=1e-5)


def test_batches_do_not_matter(monkeypatch):
    model = AdditiveModel(side=8)
    at_once = model_diversity(model, pairs=50, seed=3)
    monkeypatch.setattr(estimate, "VALUES_AT_ONCE", 3 * 64 * 7)
    by_sevens = model_diversity(model, pairs=50, seed=3)
    for name, value in at_once.items():
        assert by_sevens[name].mean == pytest.approx(value.mean, rel=1e-12)
    assert model_diversity(model, pairs=50, seed=4)["diversity"].mean != at_once["diversity"].mean


def test_data_diversity_equals_the_loop_over_all_pairs():
    faces = faces_of_model(AdditiveModel(side=8), count=12)
    found = data_diversity(faces, pairs=6000, seed=0)
    everything, same = [], {"identity": [], "expression": []}
    for i in range(12):
        for j in range(12):
            if i == j:
                continue
            a, b = faces.vertices(np.array([i, j])).astype(np.float64)
            distance = np.sqrt(((a - b) ** 2).sum(axis=1)).mean()
            everything.append(distance)
            for factor, distances in same.items():
                labels = faces.labels(factor)
                if labels[i] == labels[j] != -1:
                    partners = (labels == labels[i]).sum() - 1
                    distances.append((distance, 1 / partners))
    estimate_ = found["diversity"]
    assert abs(estimate_.mean - np.mean(everything)) < 4 * estimate_.standard_error
    for factor, distances in same.items():
        value, weight = np.array(distances).T
        estimate_ = found[f"diversity_{factor}"]
        assert abs(estimate_.mean - (value * weight).sum() / weight.sum()) < (
            4 * estimate_.standard_error + 1e-9
        )


@settings(max_examples=20, deadline=None)
@given(
    labels=st.lists(st.integers(-1, 4), min_size=2, max_size=40),
    seed=st.integers(0, 2**32 - 1),
)
def test_pairs_share_the_label_and_are_two_meshes(labels, seed):
    labels = np.array(labels)
    pairs = pairs_of_one_label(labels, 30, np.random.default_rng(seed))
    counts = Counter(labels[labels >= 0].tolist())
    assert len(pairs) == (30 if max(counts.values(), default=0) > 1 else 0)
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert (labels[pairs[:, 0]] == labels[pairs[:, 1]]).all()
    assert (labels[pairs] >= 0).all()


def test_every_partner_is_drawn():
    pairs = pairs_of_one_label(np.array([0, 1, 0, 0, -1, 2]), 500, np.random.default_rng(0))
    assert {tuple(pair) for pair in pairs.tolist()} == {
        (0, 2), (0, 3), (2, 0), (2, 3), (3, 0), (3, 2)
    }  # fmt: skip


def test_factor_without_pairs_is_left_out(caplog):
    faces = faces_of_model(AdditiveModel(side=6), count=6)
    faces._labels["expression"] = np.array([-1, 0, 1, 2, 3, -1])
    assert "diversity_expression" not in data_diversity(faces, pairs=10)
    assert "diversity_expression: no two meshes share a label" in caplog.text


def test_reads_in_bounded_memory(monkeypatch):
    faces = faces_of_model(AdditiveModel(side=8), count=60)
    monkeypatch.setattr(estimate, "VALUES_AT_ONCE", 3 * 64 * 5)
    data_diversity(faces, pairs=200)
    assert faces.largest_read <= 10


def test_refuses_bad_input():
    model = AdditiveModel(side=6)
    with pytest.raises(InputError, match="0 pairs"):
        model_diversity(model, pairs=0)
    with pytest.raises(InputError, match="1 mesh, expected at least two"):
        data_diversity(faces_of_model(model, count=1), pairs=5)
    model.template_vertices = model.template_vertices * float("nan")
    with pytest.raises(InputError, match="5 of 5 values are not finite"):
        model_diversity(model, pairs=5)


def test_array_faces_is_a_collection():
    assert isinstance(ArrayFaces(np.zeros((1, 3, 3)), {}, {}), estimate.FaceCollection)
    assert diversity.metric_name(None) == "diversity"
