"""Pose from landmarks: exact on exact ones, unmoved by wrong ones, aware of a mirror."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.geometry.rigid_icp import rotation_from_vector
from meshgan.registration.landmark_pose import is_mirrored, pose_from_landmarks

ALL = np.arange(68)


@pytest.fixture(scope="module")
def marks(prior):
    return prior.mean[prior.landmarks].astype(np.float64)


def moved(points, rng, size=1.0):
    return size * points @ rotation_from_vector(rng.normal(size=3)).T + rng.normal(size=3) * 100


@given(seed=st.integers(0, 2**32 - 1), scale=st.booleans())
@settings(max_examples=20, deadline=None)
def test_recovers_an_exact_pose(marks, seed, scale):
    measured = moved(marks, np.random.default_rng(seed), 1.1 if scale else 1.0)
    pose = pose_from_landmarks(marks, measured, ALL, scale)
    np.testing.assert_allclose(pose.apply(marks), measured, atol=1e-6)
    assert pose.scale == pytest.approx(1.1 if scale else 1.0)


def test_four_landmarks_are_enough(marks):
    some = np.array([30, 36, 45, 57])
    measured = moved(marks, np.random.default_rng(0))
    pose = pose_from_landmarks(marks[some], measured[some], some)
    np.testing.assert_allclose(pose.apply(marks), measured, atol=1e-6)


def test_wrong_landmarks_do_little_harm(marks):
    measured = moved(marks, np.random.default_rng(0))
    wrong = measured.copy()
    wrong[[33, 40, 54]] += 60.0
    wrong[:17] = wrong[:17][::-1]  # a reversed jaw line
    pose = pose_from_landmarks(marks, wrong, ALL)
    assert np.linalg.norm(pose.apply(marks) - measured, axis=1).max() < 2.0


@given(seed=st.integers(0, 2**32 - 1), flip=st.sampled_from([0, 1, 2, None]))
@settings(max_examples=20, deadline=None)
def test_notices_a_mirror(marks, seed, flip):
    rng = np.random.default_rng(seed)
    measured = moved(marks, rng) + rng.normal(size=marks.shape)
    if flip is not None:
        measured[:, flip] *= -1
    assert is_mirrored(marks, measured, ALL) == (flip is not None)
