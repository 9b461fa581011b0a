"""ARKit's actions: weights come back from faces, for people whose shapes nobody was told."""

import numpy as np
import pytest

from meshgan.data.synthetic.source import open_source
from meshgan.data.template import Template
from meshgan.data.weight_files import ARKIT_NAMES
from meshgan.editing.arkit import ArkitFace, source_of
from meshgan.errors import InputError, ShapeError
from meshgan.geometry.mesh import TriMesh
from tests.fakes import face_like_mesh

PURE = np.concatenate([level * np.eye(52) for level in (0.3, 0.7, 1.0)])
STILL = ARKIT_NAMES.index("tongueOut")


@pytest.fixture(scope="module")
def source():
    return open_source("low")


@pytest.fixture(scope="module")
def face(source) -> ArkitFace:
    return ArkitFace(source, source.neutral(3, 1))


def as_the_source_orders(source, weights: np.ndarray) -> np.ndarray:
    return weights[:, [ARKIT_NAMES.index(name) for name in source.action_names]]


def test_names_are_those_of_the_source(source):
    assert sorted(ARKIT_NAMES) == sorted(source.action_names)


def test_weights_of_zero_are_the_face_itself(face, source):
    np.testing.assert_array_equal(face.express(np.zeros((1, 52)))[0], face.neutral)
    np.testing.assert_allclose(face.neutral, source.neutral(3, 1), atol=1e-4)


def test_round_trip_of_each_action_alone(face):
    found = face.weights_of(face.express(PURE))
    wanted = PURE.copy()
    wanted[:, STILL] = 0
    assert np.abs(found.weights - wanted).max() < 0.02
    assert found.residual_mm.max() < 0.02
    assert found.absent == ("tongueOut",)


def test_reads_the_sources_own_people_from_their_meshes_alone(source):
    """The truth is the source's: its person, posed by its rig, which the reader never sees."""
    errors = []
    for subject in range(3):
        face = ArkitFace(source, source.neutral(11, subject))
        made = source.express(11, subject, as_the_source_orders(source, PURE))
        wanted = PURE.copy()
        wanted[:, STILL] = 0
        errors.append(np.abs(face.weights_of(made).weights - wanted))
    assert np.mean(errors) < 0.002
    assert np.max(errors) < 0.1  # softness of skin does not show at rest


def test_faces_of_many_actions_and_any_pose(source, face):
    rng = np.random.default_rng(0)
    weights = rng.uniform(0, 0.8, (4, 52)) * (rng.random((4, 52)) < 0.15)
    weights[:, STILL] = 0
    turned = face.express(weights) @ np.array([[0, 0, 1.0], [0, 1, 0], [-1, 0, 0]]).T + (5, 80, -3)
    found = face.weights_of(turned.astype(np.float32)).weights
    assert np.abs(found - weights).max() < 0.05
    assert np.abs(found - weights).mean() < 0.005


def test_smoothing_takes_noise_off_a_sequence(face):
    wave = np.sin(np.linspace(0, np.pi, 30)) ** 2
    weights = np.zeros((30, 52))
    weights[:, ARKIT_NAMES.index("jawOpen")] = 0.5 * wave
    weights[:, ARKIT_NAMES.index("eyeBlinkLeft")] = 0.8 * wave
    noise = np.random.default_rng(1).normal(0, 0.6, (30, *face.neutral.shape))
    noisy = (face.express(weights) + noise).astype(np.float32)
    plain, smooth = (face.weights_of(noisy, smoothness=s).weights for s in (0.0, 0.1))
    rough = [np.abs(np.diff(found, 2, axis=0)).mean() for found in (plain, smooth)]
    assert rough[1] < 0.75 * rough[0]
    assert np.abs(smooth - weights).mean() < 0.9 * np.abs(plain - weights).mean()


def test_a_blink_closes_each_persons_eyes_as_the_source_would(source):
    """How far lids travel differs between people by half; it is known from the resting mesh."""
    upper, lower = [43, 44], [47, 46]  # iBUG: lids of the subject's left eye
    ids = source.template.landmarks["ibug68"]
    weights = np.zeros((1, 52))
    weights[0, ARKIT_NAMES.index("eyeBlinkLeft")] = 1

    def gap(shown):
        return np.linalg.norm(shown[ids[upper]] - shown[ids[lower]], axis=1)

    for subject in range(4):
        closed = ArkitFace(source, source.neutral(5, subject)).express(weights)[0]
        truth = source.express(5, subject, as_the_source_orders(source, weights))[0]
        np.testing.assert_allclose(gap(closed), gap(truth), atol=0.1)


def test_refuses_what_it_cannot_know(source, face):
    vertices, faces = face_like_mesh()
    other = Template("dome", TriMesh(vertices, faces))
    with pytest.raises(InputError, match=r"template dome \(576 vertices\).*register"):
        source_of(other)
    assert source_of(source.template).template.name == source.template.name
    with pytest.raises(ShapeError, match="576 vertices"):
        ArkitFace(source, vertices)
    with pytest.raises(ShapeError, match="expected 52"):
        face.express(np.zeros((1, 51)))
    with pytest.raises(InputError, match="not finite"):
        face.express(np.full((1, 52), np.nan))
    with pytest.raises(InputError, match="a vertex is not finite"):
        face.weights_of(np.full((1, *face.neutral.shape), np.nan, np.float32))
    with pytest.raises(InputError, match=r"smoothness -1\.0"):
        face.weights_of(face.neutral[None], smoothness=-1.0)
