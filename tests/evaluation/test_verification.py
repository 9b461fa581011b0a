"""Verification: the curve and the rule by hand, weights that make labels count alike."""

import numpy as np
import pytest

from meshgan.errors import InputError
from meshgan.evaluation.verification import (
    Pairs,
    at_threshold,
    choose_threshold,
    pair_distances,
    roc,
)


def pairs_of(same, different):
    """Hand-made distances; each kind weighs one half."""
    distances = np.array([*same, *different], dtype=float)
    weights = np.repeat([0.5 / len(same), 0.5 / len(different)], [len(same), len(different)])
    return Pairs(distances, np.arange(len(distances)) < len(same), weights)


def test_curve_by_hand():
    curve = roc(pairs_of(same=[0.1, 0.4], different=[0.3, 0.8]))
    np.testing.assert_allclose(curve.thresholds, [0.05, 0.2, 0.35, 0.6, 0.8], atol=1e-12)
    np.testing.assert_allclose(curve.true_acceptance, [0, 0.5, 0.5, 1, 1])
    np.testing.assert_allclose(curve.false_acceptance, [0, 0, 0.5, 0.5, 1])
    np.testing.assert_allclose(curve.accuracy, [0.5, 0.75, 0.5, 0.75, 0.5])
    assert curve.area == pytest.approx(3 / 4)  # three of the four couples are in order


def test_area_is_the_chance_to_order_two_pairs():
    rng = np.random.default_rng(0)
    same, different = rng.normal(1, 0.3, 40), rng.normal(1.4, 0.3, 50)
    ordered = np.mean([a < b for a in same for b in different])
    assert roc(pairs_of(same, different)).area == pytest.approx(ordered)


def test_equal_distances_stand_or_fall_together():
    curve = roc(pairs_of(same=[0.5, 0.5], different=[0.5, 0.9]))
    np.testing.assert_allclose(curve.true_acceptance, [0, 1, 1])
    np.testing.assert_allclose(curve.false_acceptance, [0, 0.5, 1])
    assert curve.area == pytest.approx(0.75)  # ties count half


def test_rule_takes_the_most_accurate_threshold_below_the_limit():
    # at 0.45 accuracy 0.9 with 20 % false acceptance; at 0.25 accuracy 0.8 with none
    same = [0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.4, 0.4, 0.4, 0.4]
    different = [0.3, 0.3, *[0.9] * 8]
    found = choose_threshold(roc(pairs_of(same, different)))
    assert found.threshold == pytest.approx(0.25)
    assert (found.accuracy, found.false_acceptance) == (pytest.approx(0.8), 0.0)
    assert found.true_acceptance == pytest.approx(0.6)
    lenient = choose_threshold(roc(pairs_of(same, different)), limit=0.5)
    assert lenient.threshold == pytest.approx(0.65)
    assert (lenient.accuracy, lenient.false_acceptance) == (pytest.approx(0.9), pytest.approx(0.2))


def test_limit_itself_is_too_much():
    curve = roc(pairs_of(same=[0.2], different=[0.1, *[0.5] * 9]))  # 0.3 accepts exactly 10 %
    assert choose_threshold(curve).true_acceptance == 0
    assert choose_threshold(curve, limit=0.11).true_acceptance == 1


def test_clear_gap_is_cut_in_the_middle():
    found = choose_threshold(roc(pairs_of(same=[0.1, 0.2], different=[0.6, 0.7])))
    assert found.threshold == pytest.approx(0.4)
    assert (found.accuracy, found.false_acceptance) == (1.0, 0.0)


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.3, 0.5, 2.0])
def test_threshold_from_elsewhere_counts_what_is_below_it(threshold):
    pairs = pairs_of(same=[0.1, 0.3, 0.4], different=[0.2, 0.45, 0.6])
    found = at_threshold(roc(pairs), threshold)
    accepted = pairs.distances < threshold
    assert found.true_acceptance == pytest.approx(accepted[:3].mean())
    assert found.false_acceptance == pytest.approx(accepted[3:].mean())


def test_points_keep_the_ends():
    rng = np.random.default_rng(3)
    curve = roc(pairs_of(rng.random(300), rng.random(300)))
    points = curve.points(20)
    assert len(points["thresholds"]) <= 20
    assert (points["true_acceptance"][0], points["true_acceptance"][-1]) == (0.0, 1.0)
    assert (points["false_acceptance"][0], points["false_acceptance"][-1]) == (0.0, 1.0)


def test_pairs_by_a_loop():
    rng = np.random.default_rng(1)
    embeddings = rng.normal(size=(12, 3)).astype(np.float32)
    labels, groups = rng.integers(0, 3, 12), rng.integers(0, 6, 12)
    found = pair_distances(embeddings, labels, groups)
    kinds, expected = [], []
    for i in range(12):
        for j in range(i + 1, 12):
            if groups[i] != groups[j]:
                kinds.append(tuple(sorted((labels[i], labels[j]))))
                expected.append(np.linalg.norm(embeddings[i] - embeddings[j]))
    np.testing.assert_allclose(found.distances, expected, atol=1e-5)
    assert found.same.tolist() == [a == b for a, b in kinds]
    shared = len({kind for kind in kinds if kind[0] == kind[1]})
    different = len(set(kinds)) - shared
    for kind in set(kinds):
        total = sum(w for w, other in zip(found.weights, kinds, strict=True) if other == kind)
        assert total == pytest.approx(0.5 / (shared if kind[0] == kind[1] else different))


@pytest.mark.parametrize(
    ("labels", "groups", "found"),
    [
        ([0, 0, 0], [0, 1, 2], "3 pairs share a label and 0 do not"),
        ([0, 1, 2], [0, 1, 2], "0 pairs share a label and 3 do not"),
        ([0, 0, 1, 1], [4, 4, 5, 5], "0 pairs share a label and 4 do not"),
    ],
)
def test_refuses_faces_without_both_kinds_of_pairs(labels, groups, found):
    with pytest.raises(InputError, match=found):
        pair_distances(np.eye(len(labels)), np.array(labels), np.array(groups))


def test_refuses_an_impossible_limit():
    with pytest.raises(InputError, match="false acceptance below 0"):
        choose_threshold(roc(pairs_of([0.1], [0.2])), limit=0.0)
