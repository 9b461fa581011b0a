"""Pictures of registrations: error in colours, landmarks where they are, whatever the pose."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib import colormaps

from meshgan.apps.register_jobs import PictureTask, RawScan
from meshgan.apps.register_pictures import (
    LARGEST_MM,
    SIZE_PX,
    UNMATCHED,
    YAW_DEG,
    draw_registration,
    draw_task,
    error_colours,
)
from meshgan.data.importers.base import MeasuredLandmarks
from meshgan.geometry.alignment import Similarity
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.rigid_icp import rotation_from_vector
from tests.apps.raw_scans import template

CELLS = 3 * len(YAW_DEG)


class Job:
    name, recording = "face", ""

    def __init__(self, mesh, landmarks=None):
        self.scan = RawScan(mesh, landmarks, "mm")

    def fingerprint(self):
        return {}

    def load(self, source=None):
        return self.scan


@pytest.fixture(scope="module")
def face():
    mesh = template().mesh
    return TriMesh(mesh.vertices.astype(np.float64), mesh.faces)


def task(face, motion=None, landmarks=None, matched=None):
    """The template itself as the scan, moved by ``motion``, and its perfect registration."""
    motion = motion or Similarity(np.eye(3), np.zeros(3))
    if landmarks is not None:
        landmarks = MeasuredLandmarks("", motion.apply(landmarks))
    job = Job(replace(face, vertices=motion.apply(face.vertices)), landmarks)
    matched = np.ones(face.vertex_count, bool) if matched is None else matched
    return PictureTask(job, face.vertices, matched, motion)


def cells(picture):
    assert picture.shape == (SIZE_PX, CELLS * SIZE_PX, 3)
    return np.split(picture.astype(int), CELLS, axis=1)


def test_colours_of_errors():
    matched = np.array([True, True, True, False])
    found = error_colours(np.array([0.0, LARGEST_MM / 2, 99.0, 0.0]), matched)
    ramp = [colormaps["viridis"](share)[:3] for share in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(found, [*ramp, UNMATCHED], atol=0.01)


def test_the_pose_of_the_scan_does_not_matter(face):
    motion = Similarity(rotation_from_vector(np.array([0.5, -1.0, 2.0])), np.array([300.0, -9, 50]))
    marks = face.vertices[template().landmarks["ibug68"]]
    still = draw_task(task(face, landmarks=marks), template(), None)
    moved = draw_task(task(face, motion, marks), template(), None)
    assert (np.abs(still.astype(int) - moved) > 8).mean() < 1e-3


def test_error_shows_where_mesh_and_scan_differ(face):
    """A scan that is 3 mm behind the mesh on the subject's left side only: the picture's right."""
    left = face.vertices[:, 0] > 0
    scan = replace(face, vertices=face.vertices - np.array([0, 0, 3.0]) * left[:, None])
    everywhere = np.ones(face.vertex_count, bool)
    front = cells(draw_registration(scan, face, everywhere, np.zeros((0, 3))))[2 * len(YAW_DEG)]
    yellow = (front[..., 0] > 150) & (front[..., 1] > 150) & (front[..., 2] < 110)
    middle = SIZE_PX // 2
    assert yellow[:, middle + 15 :].sum() > 2000
    assert yellow[:, : middle - 15].sum() == 0


def test_unmatched_parts_are_grey(face):
    matched = face.vertices[:, 0] > 0
    front = cells(draw_registration(face, face, matched, np.zeros((0, 3))))[2 * len(YAW_DEG)]
    grey = (np.ptp(front, axis=2) < 12) & (front[..., 0] < 235)
    middle = SIZE_PX // 2
    assert grey[:, : middle - 15].sum() > 3000
    assert grey[:, middle + 15 :].sum() < 300  # the outline


def test_landmarks_are_dots_on_the_scan_alone(face):
    tip = face.vertices[template().landmarks["ibug68"]][30:31]
    plain = cells(draw_task(task(face), template(), None))
    dotted = cells(draw_task(task(face, landmarks=tip), template(), None))
    for place, (before, after) in enumerate(zip(plain, dotted, strict=True)):
        changed = np.argwhere(np.abs(before - after).max(axis=2) > 0)
        assert (len(changed) > 0) == (place < len(YAW_DEG))
        if len(changed):
            assert (np.ptp(changed, axis=0) < 8).all()
    red = (dotted[0][..., 0] > 180) & (dotted[0][..., 1] < 70)
    row, column = np.argwhere(red).mean(axis=0)
    assert column == pytest.approx(SIZE_PX / 2, abs=3)  # the tip of the nose, from the front
    assert 0.4 * SIZE_PX < row < 0.7 * SIZE_PX


def test_what_has_no_mesh_is_shown_as_it_is(face):
    alone = draw_task(PictureTask(Job(face)), template(), None)
    assert alone.shape == (SIZE_PX, len(YAW_DEG) * SIZE_PX, 3)
    assert (alone < 200).any()
    nothing = TriMesh(np.eye(3) * 50, np.array([[0, 1, 2]]))
    assert draw_task(PictureTask(Job(nothing)), template(), None) is None
