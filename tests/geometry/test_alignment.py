"""Alignment: recovers known motions, is optimal, never reflects."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from meshgan.errors import InputError, ShapeError
from meshgan.geometry.alignment import Similarity, align_batch, procrustes
from tests.geometry import shapes


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.booleans())
def test_recovers_a_similarity(seed, scale):
    rng = np.random.default_rng(seed)
    source = rng.normal(size=(12, 3)) * 40
    size = rng.uniform(0.2, 5) if scale else 1.0
    turn, shift = Rotation.random(rng=rng).as_matrix(), rng.normal(size=3) * 100
    found = procrustes(source, size * source @ turn.T + shift, scale=scale)
    np.testing.assert_allclose(found.rotation, turn, atol=1e-9)
    np.testing.assert_allclose(found.translation, shift, atol=1e-7)
    assert found.scale == pytest.approx(size)


def test_is_optimal():
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(2, 20, 3))
    weights = rng.random(20)

    def error(motion: Similarity) -> float:
        return float((weights * ((motion.apply(source) - target) ** 2).sum(axis=1)).sum())

    best = procrustes(source, target, weights, scale=True)
    for _ in range(50):
        nudge = Rotation.from_rotvec(rng.normal(size=3) * 0.01).as_matrix()
        other = Similarity(
            nudge @ best.rotation,
            best.translation + rng.normal(size=3) * 0.01,
            best.scale * (1 + rng.normal() * 0.01),
        )
        assert error(other) > error(best)


def test_never_reflects():
    rng = np.random.default_rng(1)
    source = rng.normal(size=(10, 3))
    found = procrustes(source, source * [-1, 1, 1])
    assert np.linalg.det(found.rotation) == pytest.approx(1)


def test_weight_zero_is_ignored():
    rng = np.random.default_rng(2)
    source = rng.normal(size=(10, 3))
    target = source + np.array([1.0, 2.0, 3.0])
    target[7:] = 1000
    found = procrustes(source, target, weights=np.r_[np.ones(7), np.zeros(3)])
    np.testing.assert_allclose(found.apply(source)[:7], target[:7], atol=1e-12)


def test_inverse():
    motion = Similarity(Rotation.random(rng=np.random.default_rng(3)).as_matrix(), np.ones(3), 2.0)
    points = np.random.default_rng(3).normal(size=(4, 5, 3))
    np.testing.assert_allclose(motion.inverse().apply(motion.apply(points)), points, atol=1e-14)


def test_batch_equals_one_by_one_and_keeps_sizes():
    rng = np.random.default_rng(4)
    reference = (rng.normal(size=(30, 3)) * 50).astype(np.float32)
    meshes = 1.3 * reference + rng.normal(size=(300, 30, 3)) * 3  # more than one block
    turns = Rotation.random(300, rng=rng).as_matrix()
    moved = (meshes @ turns.transpose(0, 2, 1) + 40).astype(np.float32)
    aligned = align_batch(moved, reference)
    assert aligned.dtype == np.float32
    for k in (0, 255, 256, 299):
        expected = procrustes(moved[k].astype(float), reference.astype(float)).apply(moved[k])
        np.testing.assert_allclose(aligned[k], expected, atol=1e-3)
        spread = np.linalg.norm(meshes[k] - meshes[k].mean(axis=0))
        assert np.linalg.norm(aligned[k] - aligned[k].mean(axis=0)) == pytest.approx(
            spread, rel=1e-5
        )


def test_refusals():
    points = np.random.default_rng(5).normal(size=(5, 3))
    with pytest.raises(ShapeError, match="5 source and 4 target"):
        shapes.unchecked(procrustes)(points, points[:4])
    with pytest.raises(ShapeError, match="meshes of 5 vertices, reference of 4"):
        shapes.unchecked(align_batch)(points[None], points[:4])
    with pytest.raises(InputError, match="2 of 5 points have a positive weight"):
        procrustes(points, points, weights=np.array([1.0, 1, 0, 0, 0]))
    with pytest.raises(InputError, match="1 a negative"):
        procrustes(points, points, weights=np.array([1.0, 1, 1, 1, -1]))
    with pytest.raises(ShapeError, match="3 weights for 5 points"):
        shapes.unchecked(procrustes)(points, points, weights=np.ones(3))
