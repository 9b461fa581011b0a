"""BatchStream: every sample once per epoch, the same on every run, resumed to the bit."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.data.sampling import BatchStream
from meshgan.errors import InputError

FEW_LABELS = np.array([-1] * 40 + [0, 1, 2])


def take(stream, count):
    return np.stack(list(islice(stream, count)))


@settings(max_examples=20, deadline=None)
@given(batch_size=st.integers(1, 40), extra=st.integers(0, 39), batches=st.integers(1, 6))
def test_an_epoch_holds_nobody_twice(batch_size, extra, batches):
    count = batch_size * batches + extra % batch_size
    stream = BatchStream(count, batch_size, seed=1)
    assert stream.batches_per_epoch == batches
    first, second = take(stream, batches), take(stream, batches)
    for epoch in (first, second):
        assert epoch.shape == (batches, batch_size)
        assert len(np.unique(epoch)) == batches * batch_size
        assert 0 <= epoch.min() <= epoch.max() < count
    assert (stream.epoch, stream.position) == (2, 0)


def test_epochs_and_seeds_differ():
    first, second = take(BatchStream(50, 50, seed=0), 2)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, next(BatchStream(50, 50, seed=1)))


def test_what_is_left_out_changes():
    seen = take(BatchStream(11, 5, seed=0), 2 * 30)
    assert len(np.unique(seen)) == 11


@settings(max_examples=20, deadline=None)
@given(
    count=st.integers(1, 30),
    batch_size=st.integers(1, 12),
    share=st.sampled_from([0.0, 0.25, 1.0]),
    before=st.integers(0, 9),
)
def test_resumes_to_the_bit(count, batch_size, share, before):
    labels = np.where(np.arange(count) % 4 == 0, 0, -1)
    whole = take(BatchStream(count, batch_size, 7, labels, share), before + 5)
    stopped = BatchStream(count, batch_size, 7, labels, share)
    list(islice(stopped, before))
    resumed = BatchStream(count, batch_size, 7, labels, share)
    resumed.load_state_dict(stopped.state_dict())
    np.testing.assert_array_equal(take(resumed, 5), whole[before:])
    np.testing.assert_array_equal(take(stopped, 5), whole[before:])


@pytest.mark.parametrize("count", [1, 3, 7])
def test_fewer_samples_than_a_batch(count):
    stream = BatchStream(count, 8, seed=3)
    drawn = take(stream, 3 * count).ravel()
    np.testing.assert_array_equal(np.bincount(drawn), np.full(count, 3 * 8))  # evenly, in the end
    np.testing.assert_array_equal(np.sort(drawn[:count]), np.arange(count))


def test_a_share_of_labelled_samples():
    stream = BatchStream(43, 8, 0, FEW_LABELS, labelled_share=0.5)
    batches = take(stream, 60)
    assert (FEW_LABELS[batches[:, :4]] >= 0).all()
    np.testing.assert_array_equal(np.bincount(batches[:, :4].ravel())[40:], [80, 80, 80])
    free = batches[: stream.batches_per_epoch, 4:]
    assert stream.batches_per_epoch == 10
    assert len(np.unique(free)) == 40


def test_only_labelled_samples():
    batches = take(BatchStream(43, 6, 0, FEW_LABELS, labelled_share=1.0), 5)
    assert (batches >= 40).all()


def test_no_global_state():
    np.random.seed(0)  # noqa: NPY002
    first = take(BatchStream(20, 4, seed=5), 3)
    np.random.seed(1)  # noqa: NPY002
    np.testing.assert_array_equal(take(BatchStream(20, 4, seed=5), 3), first)


def test_state_is_plain_numbers():
    stream = BatchStream(20, 4, seed=5)
    take(stream, 7)
    state = stream.state_dict()
    assert all(type(value) is int for value in state.values())
    assert (state["epoch"], state["position"], state["seed"]) == (1, 2, 5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"count": 21}, r"count 21 \(here 20\)"),
        ({"batch_size": 5}, r"batch_size 5 \(here 4\)"),
        ({"seed": 1}, r"seed 1 \(here 5\)"),
        ({"position": 5}, "out of range"),
        ({"epoch": -1}, "out of range"),
    ],
)
def test_refuses_the_state_of_another_stream(changed, message):
    stream = BatchStream(20, 4, seed=5)
    with pytest.raises(InputError, match=message):
        stream.load_state_dict({**stream.state_dict(), **changed})


def test_refuses_an_incomplete_state():
    with pytest.raises(InputError, match="has no labelled_count, labelled_size, epoch, position"):
        BatchStream(20, 4, 5).load_state_dict({"count": 20, "batch_size": 4, "seed": 5})


@pytest.mark.parametrize(("count", "size", "share"), [(0, 4, 0.0), (4, 0, 0.0), (4, 4, 1.5)])
def test_refuses_numbers_out_of_range(count, size, share):
    with pytest.raises(InputError, match="expected 1 or more"):
        BatchStream(count, size, 0, labelled_share=share)


def test_refuses_labels_that_do_not_fit():
    with pytest.raises(InputError, match="43 labels for 44 samples"):
        BatchStream(44, 4, 0, FEW_LABELS, 0.5)
    with pytest.raises(InputError, match="no sample is labelled"):
        BatchStream(4, 4, 0, np.full(4, -1), 0.5)
