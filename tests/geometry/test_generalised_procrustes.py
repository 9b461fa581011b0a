"""Generalised Procrustes: finds the common shape, whatever is missing, wrong or badly scaled."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from meshgan.errors import InputError, ShapeError
from meshgan.geometry.alignment import procrustes
from meshgan.geometry.generalised_procrustes import generalised_procrustes


def scattered(seed, meshes=12, points=40, noise=0.0, scale=False):
    """One shape of 50 mm moved about at random: shape, moved meshes, their sizes."""
    rng = np.random.default_rng(seed)
    shape = rng.normal(size=(points, 3)) * 50
    sizes = np.exp(rng.normal(0, 0.2, meshes)) if scale else np.ones(meshes)
    turns = Rotation.random(meshes, rng=rng).as_matrix()
    each = shape + rng.normal(size=(meshes, points, 3)) * noise
    moved = sizes[:, None, None] * each @ turns.transpose(0, 2, 1)
    return shape, moved + rng.normal(size=(meshes, 1, 3)) * 80, sizes


def moved_by(found, meshes):
    return np.stack([found.motion(k).apply(mesh) for k, mesh in enumerate(meshes)])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.booleans())
def test_copies_of_one_shape_meet_exactly(seed, scale):
    shape, meshes, sizes = scattered(seed, scale=scale)
    found = generalised_procrustes(meshes, scale=scale)
    together = moved_by(found, meshes)
    np.testing.assert_allclose(together, np.broadcast_to(found.mean, together.shape), atol=1e-6)
    assert found.converged
    assert found.rms[-1] < 1e-6
    expected = np.exp(np.log(sizes).mean()) / sizes  # sizes meet at their geometric mean
    np.testing.assert_allclose(found.scales, expected, rtol=1e-9)
    np.testing.assert_allclose(  # and the mean is the shape, moved: never a reflection
        procrustes(shape, found.mean, scale=True).apply(shape), found.mean, atol=1e-6
    )


@pytest.mark.parametrize("scale", [False, True])
def test_each_round_is_closer_and_the_end_is_a_fixed_point(scale):
    _, meshes, _ = scattered(1, noise=8.0, scale=scale)
    found = generalised_procrustes(meshes, scale=scale, tolerance=1e-9)
    assert all(
        after <= before + 1e-9 for before, after in zip(found.rms, found.rms[1:], strict=False)
    )
    together = moved_by(found, meshes)
    np.testing.assert_allclose(together.mean(axis=0), found.mean, atol=1e-6)
    for k, mesh in enumerate(meshes):
        alone = procrustes(mesh, found.mean, scale=scale)
        np.testing.assert_allclose(found.rotations[k], alone.rotation, atol=1e-6)


def test_is_better_than_aligning_to_one_mesh():
    _, meshes, _ = scattered(2, noise=10.0)
    found = generalised_procrustes(meshes)
    to_first = np.stack([procrustes(mesh, meshes[0]).apply(mesh) for mesh in meshes])
    spread = np.sqrt(((to_first - to_first.mean(axis=0)) ** 2).sum(axis=2).mean())
    assert found.rms[-1] < spread


def test_chunks_give_the_same_as_one_array():
    _, meshes, _ = scattered(3, noise=5.0)
    whole = generalised_procrustes(meshes)
    passes = []

    def chunks():
        passes.append(0)
        return (meshes[start : start + 5].astype(np.float32) for start in range(0, 12, 5))

    streamed = generalised_procrustes(chunks)
    assert len(streamed) == 12
    np.testing.assert_allclose(streamed.mean, whole.mean, atol=1e-4)
    assert len(passes) == len(streamed.rms) + 2  # the reference, a pass a round, the last motions


@pytest.mark.parametrize("scale", [False, True])
def test_missing_parts_do_not_pull(scale):
    _, meshes, _ = scattered(4, scale=scale)
    holed = meshes.copy()
    rng = np.random.default_rng(5)
    for mesh in holed[1:]:
        mesh[rng.permutation(40)[:25]] = np.nan
    complete = generalised_procrustes(meshes, scale=scale)
    found = generalised_procrustes(holed, scale=scale, tolerance=1e-9, max_rounds=1000)
    together = moved_by(found, meshes)  # the hidden points are in their places too
    np.testing.assert_allclose(together, np.broadcast_to(found.mean, together.shape), atol=1e-4)
    np.testing.assert_allclose(found.scales, complete.scales, rtol=1e-6)


def test_a_point_that_nobody_has_stays_unknown():
    shape, meshes, _ = scattered(6)
    meshes[:, 7] = np.nan
    found = generalised_procrustes(meshes, reference=shape)
    assert np.isnan(found.mean[7]).all()
    assert np.isfinite(np.delete(found.mean, 7, axis=0)).all()
    with pytest.raises(InputError, match="1 points of the first mesh are missing; give a refer"):
        generalised_procrustes(meshes)


def test_spikes_lose_their_vote():
    _, meshes, _ = scattered(7, noise=0.5)
    clean = generalised_procrustes(meshes)
    spiked = meshes.copy()
    rng = np.random.default_rng(8)
    for mesh in spiked:  # also the first, where it begins
        mesh[rng.permutation(40)[:10]] += rng.normal(size=(10, 3)) * 200
    robust = generalised_procrustes(spiked, robust=True)
    plain = generalised_procrustes(spiked)

    def error(found):
        matched = procrustes(found.mean, clean.mean)
        return np.linalg.norm(matched.apply(found.mean) - clean.mean, axis=1).mean()

    assert error(robust) < 0.3  # half the noise of one mesh
    assert error(plain) > 20


def test_weights_choose_what_is_stable():
    _, meshes, _ = scattered(9)
    meshes[:, 30:] += np.random.default_rng(10).normal(size=(12, 10, 3)) * 60  # moving parts
    found = generalised_procrustes(meshes, weights=np.r_[np.ones(30), np.zeros(10)])
    together = moved_by(found, meshes)[:, :30]
    np.testing.assert_allclose(
        together, np.broadcast_to(found.mean[:30], together.shape), atol=1e-5
    )


def test_reference_gives_the_orientation():
    shape, meshes, _ = scattered(11)
    found = generalised_procrustes(meshes, reference=shape)
    np.testing.assert_allclose(found.mean, shape, atol=1e-6)


def test_then_moves_everything():
    _, meshes, _ = scattered(12, noise=1.0, scale=True)
    found = generalised_procrustes(meshes, scale=True)
    motion = procrustes(meshes[3], meshes[5], scale=True)
    after = found.then(motion)
    np.testing.assert_allclose(
        moved_by(after, meshes), motion.apply(moved_by(found, meshes)), atol=1e-9
    )
    np.testing.assert_allclose(after.mean, motion.apply(found.mean), atol=1e-9)


def test_stops_when_told():
    _, meshes, _ = scattered(13, noise=20.0)
    found = generalised_procrustes(meshes, max_rounds=1, tolerance=1e-12)
    assert (len(found.rms), found.converged) == (1, False)


def test_refusals():
    _, meshes, _ = scattered(14)
    meshes[4, 2:] = np.nan
    with pytest.raises(InputError, match="mesh 4 has 2 points that count, expected at least three"):
        generalised_procrustes(meshes)
    with pytest.raises(InputError, match="no meshes"):
        generalised_procrustes(np.empty((0, 5, 3)))
    with pytest.raises(InputError, match="0 of 40 points have a positive weight"):
        generalised_procrustes(meshes, weights=np.zeros(40))
    with pytest.raises(ShapeError, match="meshes of 39 points, expected 40"):
        generalised_procrustes(lambda: [meshes[:2], meshes[:2, :39]])
