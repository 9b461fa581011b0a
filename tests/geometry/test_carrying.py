"""Carried displacements: exact for motions and stretches of the whole, smooth between."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from meshgan.geometry.carrying import SurfaceCarrier, nearest_rotations
from tests.fakes import face_like_mesh


@pytest.fixture(scope="module")
def face():
    vertices, faces = face_like_mesh(16)
    return vertices.astype(np.float64), faces


@pytest.fixture(scope="module")
def carrier(face):
    return SurfaceCarrier(*face)


@pytest.fixture(scope="module")
def field(face):
    return np.random.default_rng(1).normal(size=(2, len(face[0]), 3))


def test_nothing_changes_on_the_same_face(face, carrier, field):
    same = carrier.between_people(field, face[0], face[0])
    np.testing.assert_allclose(same, field, atol=1e-4)
    both = np.stack([face[0], face[0]])
    np.testing.assert_allclose(carrier.between_poses(field, both, both), field, atol=1e-4)


def test_displacements_turn_with_the_face(face, carrier, field):
    turn = Rotation.from_rotvec([0.2, -0.4, 0.9]).as_matrix()
    turned = carrier.between_people(field, face[0], face[0] @ turn.T + [1, 2, 3])
    np.testing.assert_allclose(turned, field @ turn.T, atol=2e-3)
    before = np.stack([face[0], face[0]])
    details = carrier.between_poses(field, before, before @ turn.T)
    np.testing.assert_allclose(details, field @ turn.T, atol=2e-3)


def test_people_stretch_displacements_and_poses_do_not(face, carrier, field):
    wide = 1.3 * face[0]
    carried = carrier.between_people(field, face[0], wide)
    # along the surface as the edges; across it by the root of that, so that noses stay noses
    grown = np.linalg.norm(carried, axis=2) / np.linalg.norm(field, axis=2)
    assert 1.3**0.5 - 0.01 < grown.min() < grown.max() < 1.31
    across = face[0] / np.linalg.norm(face[0], axis=1, keepdims=True)
    assert (grown[np.abs((field * across).sum(axis=2)) < 0.1]).mean() > 1.22
    kept = carrier.between_poses(field[:1], face[0][None], wide[None])
    np.testing.assert_allclose(kept, field[:1], atol=2e-3)


def test_it_is_linear_and_keeps_rows_apart(face, carrier, field):
    other = face[0] * [1.1, 0.9, 1.0] + 2 * np.sin(face[0][:, [1, 2, 0]] / 30)
    both = carrier.between_people(field, face[0], other)
    one = carrier.between_people(field[1:], face[0], other)
    np.testing.assert_allclose(both[1:], one, atol=1e-12)
    mixed = carrier.between_people(2 * field[:1] - field[1:], face[0], other)
    np.testing.assert_allclose(mixed, 2 * both[:1] - both[1:], atol=1e-9)


def test_a_local_stretch_is_felt_near_it_only(face, carrier):
    """The right half is twice as wide: smiles there go farther, on the left they stay."""
    vertices, _ = face
    wide = vertices * np.where(vertices[:, :1] > 0, [2.0, 1, 1], 1.0)
    push = np.zeros((1, len(vertices), 3))
    push[..., 0] = 1
    carried = carrier.between_people(push, vertices, wide)[0, :, 0]
    assert carried[vertices[:, 0] > 60].mean() > 1.5
    assert carried[vertices[:, 0] < -60].mean() < 1.2


def test_the_nearest_rotation_is_never_a_reflection():
    rng = np.random.default_rng(0)
    found = nearest_rotations(rng.normal(size=(50, 3, 3)))
    np.testing.assert_allclose(np.linalg.det(found), 1, atol=1e-9)
    np.testing.assert_allclose(
        found @ found.transpose(0, 2, 1), np.tile(np.eye(3), (50, 1, 1)), atol=1e-9
    )
    turn = Rotation.from_rotvec([0.3, 0.1, -0.5]).as_matrix()
    stretched = turn @ np.diag([1.5, 0.8, 1.1])
    np.testing.assert_allclose(nearest_rotations(stretched[None])[0], turn, atol=1e-9)
