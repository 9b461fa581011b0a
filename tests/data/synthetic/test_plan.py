"""Plans: exactly as many meshes and labels as asked for, everyone in it, nobody twice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.data.synthetic.plan import FRESH_PEOPLE, plan_dataset
from meshgan.errors import InputError


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 3000),
    subjects=st.none() | st.integers(1, 200),
    labelled=st.sampled_from([0.0, 0.01, 0.07, 0.5, 1.0]) | st.floats(0, 1),
    frames=st.none() | st.integers(5, 80),
    speech=st.booleans(),
)
def test_counts_are_exact(count, subjects, labelled, frames, speech):
    factors = ("identity", "expression") + (("viseme",) if speech else ())
    plan = plan_dataset(count, subjects, factors, labelled, frames)
    assert plan.count == count
    assert plan.labelled["identity"] == count
    assert plan.labelled["expression"] == round(labelled * count)
    if speech:
        assert plan.labelled["viseme"] == round(0.68 * count)
    if subjects is not None:
        assert plan.subjects == min(subjects, count)
    assert {take.subject for take in plan.takes} == set(range(plan.subjects))
    assert len({(take.subject, take.take) for take in plan.takes}) == len(plan.takes)
    recorded = [take.sequence for take in plan.takes if take.kind != "static"]
    assert recorded == list(range(len(recorded)))
    for take in plan.takes:
        assert 0 <= take.labelled <= take.rows
        assert 0 <= take.visemes <= take.rows
        assert frames is None or take.kind == "static" or take.rows <= frames


def test_the_published_set():
    plan = plan_dataset(30_630, 155, labelled=0.07, frames=53)
    still = {take.subject for take in plan.takes if take.kind == "static"}
    recorded = [take for take in plan.takes if take.kind == "motion"]
    assert len(still) == 60
    assert len(recorded) == 95 * 6
    assert {take.rows for take in recorded} == {53}
    assert plan.labelled["expression"] == 2144
    labels = np.bincount([take.labelled for take in recorded])
    assert labels[3] > 0.95 * len(recorded)  # first, apex, last


def test_all_labelled_is_all_still():
    plan = plan_dataset(70, 10, labelled=1.0)
    assert {take.kind for take in plan.takes} == {"static"}
    assert [take.rows for take in plan.takes] == [7] * 10


def test_emotions_are_equally_common():
    plan = plan_dataset(4000, 30, labelled=0.07)
    shown = [take.emotion for take in plan.takes if take.kind == "motion"]
    counts = np.unique(shown, return_counts=True)[1]
    assert len(counts) == 6
    assert counts.max() - counts.min() <= 2


def test_the_last_sequence_is_shortened():
    plan = plan_dataset(1000, 4, labelled=0.05, frames=40)
    lengths = [take.rows for take in plan.takes if take.kind == "motion"]
    assert set(lengths[:-1]) == {40}
    assert 0 < lengths[-1] <= 40


def test_names():
    plan = plan_dataset(300, 3, ("identity", "expression", "viseme"))
    assert plan.label_names["identity"] == ("person000", "person001", "person002")
    assert len(plan.label_names["expression"]) == 7
    assert len(plan.label_names["viseme"]) == 13
    fresh = plan_dataset(300, 3, first_subject=FRESH_PEOPLE)
    assert fresh.subject_names[0] == "person1000000"
    assert not set(fresh.subject_names) & set(plan.subject_names)


def test_refuses_nonsense_in_one_message():
    with pytest.raises(InputError) as caught:
        plan_dataset(0, 0, ("identity", "mood"), 1.5, 2)
    for part in ("count is 0", "subjects is 0", "labelled is 1.5", "frames is 2", "mood"):
        assert part in str(caught.value)
