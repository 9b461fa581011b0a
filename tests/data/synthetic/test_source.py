"""FaceSource: the same rows however they are drawn, true labels, faces as different as measured."""

import numpy as np
import pytest

from meshgan.data.rows import FaceRows
from meshgan.data.synthetic import FRESH_PEOPLE, Terms, open_source, plan_dataset
from meshgan.errors import InputError, ShapeError
from meshgan.geometry.alignment import align_batch


def gathered(rows) -> dict[str, np.ndarray]:
    """All rows of a stream as one array per field."""
    batches: list[FaceRows] = list(rows)
    fields = {
        name: np.concatenate([getattr(batch, name) for batch in batches])
        for name in ("vertices", "subject", "sequence", "frame")
    }
    for factor in batches[0].labels:
        fields[factor] = np.concatenate([batch.labels[factor] for batch in batches])
    fields["actions"] = np.concatenate([batch.extras["actions"] for batch in batches])
    return fields


@pytest.fixture(scope="module")
def plan():
    return plan_dataset(400, 6, labelled=0.2)  # still people and sequences longer than a block


@pytest.fixture(scope="module")
def rows(source, plan):
    return gathered(source.stream(plan, seed=5))


def test_the_plan_mixes_kinds(plan):
    assert {take.kind for take in plan.takes} == {"static", "motion"}


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_batch_size_changes_nothing(source, plan, rows, batch_size):
    again = gathered(source.stream(plan, seed=5, batch_size=batch_size))
    for name, values in rows.items():
        np.testing.assert_array_equal(again[name], values, err_msg=name)


@pytest.mark.parametrize("start", [1, 13, 100, 333, 399])
def test_resuming_changes_nothing(plan, rows, start):
    fresh = open_source("low")  # knows nobody yet
    again = gathered(fresh.stream(plan, seed=5, start=start, batch_size=50))
    for name, values in rows.items():
        np.testing.assert_array_equal(again[name], values[start:], err_msg=name)


def test_batches_are_full(source, plan):
    sizes = [batch.count for batch in source.stream(plan, seed=5, batch_size=64)]
    assert sizes == [64] * 6 + [16]


def test_labels_are_what_the_plan_says(plan, rows):
    assert len(rows["vertices"]) == plan.count
    np.testing.assert_array_equal(rows["identity"], rows["subject"])
    assert (rows["expression"] >= 0).sum() == plan.labelled["expression"]
    still = rows["sequence"] < 0
    assert (rows["frame"][still] == 0).all()
    for sequence in np.unique(rows["sequence"][~still]):
        here = rows["sequence"] == sequence
        np.testing.assert_array_equal(rows["frame"][here], np.arange(here.sum()))
        assert len(np.unique(rows["subject"][here])) == 1
        labelled = rows["expression"][here][rows["expression"][here] >= 0]
        assert len(np.unique(labelled[labelled > 0])) <= 1


def test_true_actions_remake_the_rows(source, plan, rows):
    for subject in range(plan.subjects):
        here = rows["subject"] == subject
        faces = source.express(5, subject, rows["actions"][here])
        np.testing.assert_allclose(faces, rows["vertices"][here], atol=2e-3)


def test_rows_are_aligned_to_the_template(source, rows):
    aligned = align_batch(rows["vertices"][::37], source.template.mesh.vertices)
    np.testing.assert_allclose(aligned, rows["vertices"][::37], atol=2e-3)


def test_people_are_the_same_in_any_data_set(source):
    small = gathered(source.stream(plan_dataset(14, 2, labelled=1.0), seed=1))
    large = gathered(source.stream(plan_dataset(70, 10, labelled=1.0), seed=1))
    np.testing.assert_array_equal(small["vertices"], large["vertices"][:14])
    other = gathered(source.stream(plan_dataset(14, 2, labelled=1.0), seed=2))
    assert np.abs(other["vertices"] - small["vertices"]).max() > 1


def test_fresh_people_are_others(source):
    plan = plan_dataset(14, 2, labelled=1.0, first_subject=FRESH_PEOPLE)
    fresh = gathered(source.stream(plan, seed=1))
    assert set(fresh["subject"].tolist()) == {0, 1}
    expected = source.express(1, FRESH_PEOPLE + 1, fresh["actions"][7:])
    np.testing.assert_allclose(expected, fresh["vertices"][7:], atol=2e-3)


def test_neutral_is_no_action(source):
    rest = source.neutral(0, 4)
    assert rest.dtype == np.float32
    np.testing.assert_array_equal(source.express(0, 4, np.zeros((1, 52)))[0], rest)
    assert source.person(0, 4).shape == source.person(0, 5).shape


def test_speech_has_three_factors(source):
    plan = plan_dataset(200, 2, ("identity", "expression", "viseme"), labelled=0.05)
    rows = gathered(source.stream(plan, seed=0))
    assert (rows["viseme"] >= 0).sum() == 136
    assert (rows["expression"] >= 0).sum() == 10
    assert rows["viseme"].max() < 13


def test_faces_differ_as_measured(source):
    """Mean vertex distances (mm) of random pairs, as published for this source, within 10 %."""
    people = 150
    rows = gathered(source.stream(plan_dataset(7 * people, people, labelled=1.0), seed=0))
    faces = rows["vertices"].reshape(people, 7, -1, 3)
    rng = np.random.default_rng(0)
    a, b = rng.permuted(np.tile(np.arange(people), (1500, 1)), axis=1)[:, :2].T
    e, f = rng.permuted(np.tile(np.arange(7), (1500, 1)), axis=1)[:, :2].T

    def distance(first, second):
        return np.linalg.norm(first - second, axis=2).mean()

    assert distance(faces[a, e], faces[b, e]) == pytest.approx(4.98, rel=0.1)
    assert distance(faces[a, e], faces[a, f]) == pytest.approx(2.73, rel=0.1)
    assert distance(faces[a, 0], faces[b, 0]) == pytest.approx(4.5, rel=0.1)


def test_terms_can_be_left_out(source):
    linear = open_source("low", Terms.none())
    actions = np.zeros((2, 52))
    actions[1, source.action_names.index("jawOpen")] = 1.0
    difference = np.linalg.norm(
        source.express(0, 0, actions) - linear.express(0, 0, actions), axis=2
    )
    assert difference.mean(axis=1)[1] > 0.3


def test_refuses_nonsense(source, plan):
    with pytest.raises(InputError, match="start 401"):
        source.stream(plan, start=401)
    with pytest.raises(InputError, match="batch size 0"):
        source.stream(plan, batch_size=0)
    with pytest.raises(ShapeError, match="51 weights per face, expected 52"):
        source.express(0, 0, np.zeros((1, 51)))
    with pytest.raises(InputError, match='"huge"'):
        open_source("huge")
