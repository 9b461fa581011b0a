"""Bounded least squares over a sequence: against scipy on the whole matrix, and its optimality."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from meshgan.editing.bounded import bounded_sequence


def dense_answer(basis, targets, stiffness):
    """The same problem as one tall matrix, for a general solver."""
    frames, count = len(targets), basis.shape[1]
    rows = [np.kron(np.eye(frames), basis)]
    if frames > 1:
        change = np.diff(np.eye(frames), axis=0)
        rows.append(np.kron(change, np.diag(np.sqrt(stiffness))))
    whole = np.concatenate(rows)
    right = np.concatenate([targets.ravel(), np.zeros(len(whole) - targets.size)])
    return lsq_linear(whole, right, (0, 1), tol=1e-14).x.reshape(frames, count)


@pytest.mark.parametrize(("frames", "stiff"), [(1, 0.0), (5, 0.0), (6, 0.7), (6, 50.0)])
def test_agrees_with_a_general_solver(frames, stiff):
    rng = np.random.default_rng(frames)
    basis = rng.normal(size=(20, 4))
    truth = rng.uniform(-0.6, 1.6, (frames, 4))  # many outside of the bounds
    targets = truth @ basis.T + rng.normal(0, 0.1, (frames, 20))
    stiffness = stiff * np.array([1.0, 2.0, 0.5, 1.0])
    found = bounded_sequence(basis.T @ basis, targets @ basis, stiffness)
    np.testing.assert_allclose(found, dense_answer(basis, targets, stiffness), atol=1e-5)
    assert found.min() >= 0
    assert found.max() <= 1


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 12), stiff=st.sampled_from([0, 1, 100])
)
def test_no_weight_wants_to_move(seed, frames, stiff):
    rng = np.random.default_rng(seed)
    basis = rng.normal(size=(9, 5)) * rng.uniform(0.1, 10, 5)
    gram, linear = basis.T @ basis, rng.normal(0, 30, (frames, 5))
    stiffness = np.full(5, float(stiff))
    found = bounded_sequence(gram, linear, stiffness)
    slope = found @ gram - linear
    for t in range(1, frames):
        step = stiffness * (found[t] - found[t - 1])
        slope[t] += step
        slope[t - 1] -= step
    wanted = found - np.clip(found - slope / np.diag(gram), 0, 1)
    assert np.abs(wanted).max() < 1e-6


def test_start_does_not_matter():
    rng = np.random.default_rng(3)
    basis, linear = rng.normal(size=(9, 5)), rng.normal(size=(7, 5))
    answers = [
        bounded_sequence(basis.T @ basis, linear, np.ones(5), start)
        for start in (None, np.zeros((7, 5)), rng.uniform(size=(7, 5)))
    ]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-6)
    np.testing.assert_allclose(answers[0], answers[2], atol=1e-6)
