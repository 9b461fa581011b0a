"""Registration of one scan: accurate with landmarks and without, and a clear word for bad input."""

import numpy as np
import pytest

from meshgan.data.importers.base import MeasuredLandmarks
from meshgan.data.mesh_formats.raw import RawMesh
from meshgan.data.synthetic import open_source
from meshgan.data.synthetic.scanner import ScanSettings, scan_face
from meshgan.geometry.closest_point import SurfaceIndex
from meshgan.geometry.mesh import TriMesh
from meshgan.registration.quality import NOTHING, Quality, measure, scan_distances
from meshgan.registration.register import RegisterSettings, Registrar

SETTINGS = ScanSettings(faces=12_000)


@pytest.fixture(scope="module")
def source():
    return open_source("low")


@pytest.fixture(scope="module")
def registrar(source):
    return Registrar(source.template)


@pytest.fixture(scope="module")
def scan(source):
    """A raw scan of a smiling person."""
    weights = np.zeros((1, len(source.action_names)))
    for name in ("mouthSmileLeft", "mouthSmileRight"):
        weights[0, source.action_names.index(name)] = 0.6
    vertices = source.express(3, 7, weights)[0].astype(np.float64)
    rng = np.random.default_rng(4)
    ids = source.template.landmarks["ibug68"]
    return scan_face(vertices, source.template.mesh.faces, rng, SETTINGS, ids)


def marked(scan, change=None) -> MeasuredLandmarks:
    points = scan.landmarks.copy()
    return MeasuredLandmarks("ibug68", points if change is None else change(points))


def test_with_landmarks(registrar, scan):
    found = registrar.register(scan.mesh, marked(scan))
    assert found.status == "ok", found.message
    surface = SurfaceIndex(scan.surface.vertices, scan.surface.faces)
    beside = surface.closest(found.vertices.astype(np.float64)).distance
    assert beside[found.matched].mean() < 0.2
    assert np.linalg.norm(found.vertices - scan.vertices, axis=1).mean() < 2.5
    assert found.quality.coverage > 0.8
    assert 0.5 < found.quality.landmark_mm < 3
    assert not found.predicted


def test_without_landmarks_ends_near_the_same_place(registrar, scan):
    given = registrar.register(scan.mesh, marked(scan))
    turned = TriMesh(scan.mesh.vertices[:, [2, 0, 1]] * [1, -1, -1], scan.mesh.faces)
    found = registrar.register(turned)
    assert found.status == "ok", found.message
    back = np.empty_like(found.vertices)
    back[:, [2, 0, 1]] = found.vertices * [1, -1, -1]
    assert np.linalg.norm(back - given.vertices, axis=1).mean() < 2.0
    assert found.predicted


def test_template_frame_keeps_the_size(registrar, scan):
    found = registrar.register(scan.mesh, marked(scan))
    moved = found.in_template_frame().astype(np.float64)
    rest = registrar.rest
    assert np.linalg.norm(moved.mean(axis=0) - rest.mean(axis=0)) < 1e-3
    edge = np.linalg.norm(moved[100] - moved[2000])
    assert edge == pytest.approx(
        np.linalg.norm(found.vertices[100] - found.vertices[2000]), rel=1e-5
    )


def test_five_landmarks_are_enough(registrar, scan):
    def few(points):
        kept = np.full_like(points, np.nan)
        kept[[30, 36, 45, 48, 54]] = points[[30, 36, 45, 48, 54]]
        return kept

    found = registrar.register(scan.mesh, marked(scan, few))
    assert found.status == "ok", found.message
    assert np.linalg.norm(found.vertices - scan.vertices, axis=1).mean() < 4
    assert not found.predicted


@pytest.mark.parametrize("kept", [[30, 8], [27, 28, 29]], ids=["two", "on a line"])
def test_landmarks_that_fix_no_pose_are_replaced(registrar, scan, kept):
    def few(points):
        result = np.full_like(points, np.nan)
        result[kept] = points[kept]
        return result

    found = registrar.register(scan.mesh, marked(scan, few))
    assert found.predicted
    assert any("do not fix a pose" in note for note in found.notes)
    assert found.status == "ok", found.message


def test_metres_are_detected_and_said(registrar, scan):
    metres = TriMesh(scan.mesh.vertices / 1000, scan.mesh.faces)
    found = registrar.register(metres, marked(scan, lambda points: points / 1000))
    assert found.status == "ok", found.message
    assert np.linalg.norm(found.vertices - scan.vertices, axis=1).mean() < 2.5
    assert any(" m" in note or "metre" in note for note in found.notes), found.notes


def _exchanged(points):
    return points * [-1, 1, 1]


def _reversed_jaw(points):
    points[:17] = points[:17][::-1].copy()
    return points


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        (_exchanged, "mirrored", "left and right"),
        (_reversed_jaw, "bad_landmarks", "jaw"),
        (lambda points: points[:50], "bad_landmarks", "50 points, but ibug68 has 68"),
        (lambda points: np.random.default_rng(0).normal(size=(68, 3)) * 80, "bad_landmarks", "far"),
    ],
    ids=["mirrored", "reversed jaw", "too few", "nonsense"],
)
def test_wrong_landmarks_are_refused(registrar, scan, change, status, message):
    found = registrar.register(scan.mesh, marked(scan, change))
    assert found.status == status
    assert message in found.message
    assert not found.usable


def _sphere():
    direction = np.random.default_rng(0).normal(size=(4_000, 3))
    points = 90 * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    from scipy.spatial import ConvexHull

    return TriMesh(points, ConvexHull(points).simplices.astype(np.int64))


@pytest.mark.parametrize(
    ("mesh", "status"),
    [
        (lambda: TriMesh(np.eye(3)[:2], np.zeros((0, 3), np.int64)), "too_small"),
        (lambda: RawMesh(np.full((900, 3), np.nan), np.arange(900).reshape(-1, 3)), "empty"),
        (lambda: TriMesh(np.ones((500, 3)), np.zeros((900, 3), np.int64)), "too_small"),
        (_sphere, "no_face"),
        (
            lambda: TriMesh(
                np.random.default_rng(1).uniform(-90, 90, (3_000, 3)),
                np.random.default_rng(2).integers(0, 3_000, (6_000, 3)),
            ),
            "no_face",
        ),
    ],
    ids=["two points", "all NaN", "no area", "sphere", "soup"],
)
def test_hopeless_scans_get_a_status(registrar, mesh, status):
    found = registrar.register(mesh())
    assert found.status == status, found.message
    assert found.message
    assert not found.usable


def test_spikes_alone_make_no_fit_poor():
    limits = RegisterSettings(good_rms_mm=1.5)
    assert limits.is_near(Quality(1.9, 0.4, 0.9, 0, 1.0))
    assert limits.is_near(Quality(1.2, 2.5, 0.9, 0, 1.0))
    assert not limits.is_near(Quality(1.9, 3.1, 0.9, 0, 1.0))
    assert not limits.is_near(NOTHING)


def test_poor_fits_are_called_poor(source, scan):
    strict = Registrar(source.template, RegisterSettings(good_rms_mm=0.01, good_landmark_mm=0.1))
    found = strict.register(scan.mesh, marked(scan))
    assert found.status == "poor"
    assert "expected 0.01" in found.message
    assert "landmarks" in found.message


def test_quality_by_hand():
    vertices = np.array([[0.0, 0, 0], [40, 0, 0], [40, 40, 0], [0, 40, 0], [20, 20, 0]])
    faces = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
    points = np.array([[10.0, 20, 3], [20, 10, -4], [20, 20, 50], [90, 0, 0]])
    distance = scan_distances(points, vertices, faces)
    np.testing.assert_allclose(distance, [3, 4, np.nan, np.nan])
    matched = np.array([True, True, True, False, False])
    quality = measure(points, vertices, faces, matched, 0, np.array([3.0, 4.0]))
    assert quality.rms_mm == pytest.approx(np.sqrt(12.5))
    assert quality.coverage == pytest.approx(0.6)
    assert quality.landmark_mm == pytest.approx(np.sqrt(12.5))
    assert quality.folded == 0
    assert measure(points[2:], vertices, faces, matched, 0).as_dict()["rms_mm"] is None
