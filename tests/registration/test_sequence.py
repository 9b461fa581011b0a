"""Sequences: one person all along, motion as smooth as it was, nothing that drifts."""

from functools import lru_cache, partial

import numpy as np
import pytest

from meshgan.data.importers.base import MeasuredLandmarks
from meshgan.data.synthetic import open_source
from meshgan.data.synthetic.scanner import ScanSettings, SyntheticScan, scan_face
from meshgan.errors import InputError
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.rigid_icp import rotation_from_vector
from meshgan.registration.sequence import register_sequence

SETTINGS = ScanSettings(
    faces=5_000, holes=1, fragments=1, rotation_deg=0.0, shift_mm=0.0, landmark_noise_mm=0.5
)
FRAMES, PERIOD = 17, 8.0
LOST = 11  # this frame's scan is empty


def acted(frame: int) -> np.ndarray:
    """A person who smiles and opens the mouth once every ``PERIOD`` frames, at rest in frame 0."""
    source = open_source("low")
    weights = np.zeros((1, len(source.action_names)))
    amount = 0.5 - 0.5 * np.cos(2 * np.pi * frame / PERIOD)
    for name, most in (("mouthSmileLeft", 0.8), ("mouthSmileRight", 0.8), ("jawOpen", 0.3)):
        weights[0, source.action_names.index(name)] = most * amount
    return source.express(5, 31, weights)[0].astype(np.float64)


@lru_cache(maxsize=FRAMES)
def scanned(frame: int) -> SyntheticScan:
    """A scan of that frame; the head turns and wanders meanwhile."""
    template = open_source("low").template
    turn = rotation_from_vector(np.deg2rad([3 * np.sin(frame / 4), 12 * np.sin(frame / 9), 0.0]))
    place = np.array([15 * np.sin(frame / 7), 5 * np.cos(frame / 5), 0.0])
    rng = np.random.default_rng([31, frame])
    ids = template.landmarks["ibug68"]
    moved = acted(frame) @ turn.T + place
    return scan_face(moved, template.mesh.faces, rng, SETTINGS, ids)


def load(frame: int) -> TriMesh:
    if frame == LOST:
        return TriMesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    return scanned(frame).mesh


pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sequence")]


@pytest.fixture(scope="module")
def found():
    landmarks = [MeasuredLandmarks("ibug68", scanned(0).landmarks), *[None] * (FRAMES - 1)]
    frames = [partial(load, frame) for frame in range(FRAMES)]
    return register_sequence(frames, open_source("low").template, landmarks)


def test_frames_lie_where_the_face_was(found):
    error = [
        np.linalg.norm(one.vertices - scanned(frame).vertices, axis=1).mean()
        for frame, one in enumerate(found.frames)
    ]
    assert max(error) < 2.5
    later, earlier = np.mean(error[FRAMES // 2 :]), np.mean(error[: FRAMES // 2])
    assert later < earlier + 0.3  # nothing adds up


def test_the_same_expression_gives_the_same_face(found):
    """One period later, and two, a frame is what it was: no drift."""
    still = found.in_head_frame().astype(np.float64)

    def apart(first: int, last: int) -> float:
        return float(np.linalg.norm(still[last] - still[first], axis=1).mean())

    assert max(apart(0, 8), apart(0, 16), apart(4, 12)) < 0.5
    assert apart(0, 4) > 1.0  # at rest, and smiling


def test_motion_is_as_smooth_as_it_was(found):
    truth = np.stack([acted(frame) for frame in range(FRAMES)])
    bends = np.linalg.norm(np.diff(truth, 2, axis=0), axis=2).mean()
    assert found.smoothness.jitter_mm < 1.3 * bends + 0.05
    assert found.smoothness.jitter_mm < found.smoothness.jitter_before_mm


def test_a_frame_without_a_scan_is_bridged(found):
    assert found.bridged == [LOST]
    assert "carried over" in found.frames[LOST].message
    assert [one.status for one in found.frames].count("ok") == FRAMES - 1
    figures = found.summary()
    assert figures["frames"] == FRAMES
    assert figures["statuses"] == {"bridged": 1, "ok": FRAMES - 1}


def test_refuses_what_is_no_sequence():
    template = open_source("low").template
    with pytest.raises(InputError, match="no frames"):
        register_sequence([], template)
    with pytest.raises(InputError, match="landmarks for 2 frames"):
        register_sequence([partial(load, 0)], template, [None, None])
