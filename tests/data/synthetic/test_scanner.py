"""The crude scanner: scans lie on the true surface but for what was asked for, and repeat."""

import numpy as np
import pytest

from meshgan.data.synthetic.scanner import ScanSettings, scan_face
from meshgan.errors import InputError
from meshgan.geometry.closest_point import SurfaceIndex
from tests.geometry.shapes import grid

CLEAN = ScanSettings(faces=2000, noise_mm=0.0, holes=0, spikes=0.0, fragments=0)


@pytest.fixture(scope="module")
def sheet():
    """A wavy sheet, 120 mm wide."""
    points, faces = grid(25, 25)
    points *= 5
    height = 10 * np.sin(points[:, 0] / 20) * np.cos(points[:, 1] / 25)
    return np.column_stack([points, height]), faces


def scan(sheet, settings, seed=0):
    return scan_face(*sheet, np.random.default_rng(seed), settings, np.array([0, 312]))


def distance_to_truth(made):
    index = SurfaceIndex(made.surface.vertices, made.surface.faces)
    return index.closest(made.mesh.vertices).distance


def test_a_clean_scan_lies_on_the_surface(sheet):
    made = scan(sheet, CLEAN)
    assert distance_to_truth(made).max() < 0.2  # the chord of a simplified triangle
    assert abs(made.mesh.face_count - 2000) < 100


def test_truth_lies_on_the_surface_near_the_face_given(sheet):
    made = scan(sheet, CLEAN)
    index = SurfaceIndex(made.surface.vertices, made.surface.faces)
    assert index.closest(made.vertices).distance.max() < 1e-9
    moved = made.pose.apply(sheet[0])
    assert np.linalg.norm(made.vertices - moved, axis=1).mean() < 0.5


def test_noise_has_the_size_asked_for(sheet):
    made = scan(sheet, ScanSettings(faces=8000, noise_mm=0.5, holes=0, spikes=0.0, fragments=0))
    assert np.sqrt((distance_to_truth(made) ** 2).mean()) == pytest.approx(0.5, abs=0.05)


def test_spikes_and_fragments_stand_out(sheet):
    quiet = {"noise_mm": 0.0, "holes": 0, "faces": 8000}
    spiky = scan(sheet, ScanSettings(spikes=0.02, fragments=0, **quiet))
    assert (distance_to_truth(spiky) > 2).mean() == pytest.approx(0.02, abs=0.008)
    with_pieces = scan(sheet, ScanSettings(spikes=0.0, fragments=4, **quiet))
    assert (distance_to_truth(with_pieces) > 2).sum() > 4 * 5


def test_holes_have_the_size_asked_for(sheet):
    whole, holed = (
        scan(sheet, ScanSettings(faces=8000, noise_mm=0.0, spikes=0.0, fragments=0, holes=holes))
        for holes in (0, 3)
    )
    index = SurfaceIndex(holed.mesh.vertices, holed.mesh.faces)
    missing = index.closest(whole.mesh.vertices).distance
    assert 4 < missing.max() < 11  # the middle of a hole of 5 to 10 mm radius


def test_pose_stays_within_its_bounds(sheet):
    for seed in range(20):
        pose = scan(sheet, ScanSettings(faces=500, holes=0, fragments=0), seed).pose
        angle = np.arccos(np.clip((np.trace(pose.rotation) - 1) / 2, -1, 1))
        assert np.rad2deg(angle) <= 8
        assert np.abs(pose.translation).max() <= 15


def test_landmarks_are_noisy_true_positions(sheet):
    noise = [
        (lambda made: made.landmarks - made.vertices[[0, 312]])(scan(sheet, CLEAN, seed))
        for seed in range(20)
    ]
    assert np.std(noise) == pytest.approx(1.0, abs=0.25)


def test_repeats_with_its_seed_only(sheet):
    first, again, other = (scan(sheet, ScanSettings(faces=2000), seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.mesh.vertices, again.mesh.vertices)
    assert first.mesh.vertices.shape != other.mesh.vertices.shape


def test_refuses_nothing_to_scan(sheet):
    with pytest.raises(InputError, match="0 triangles to scan"):
        scan_face(sheet[0], np.zeros((0, 3), dtype=np.int64), np.random.default_rng(0))
    with pytest.raises(InputError, match="holes leave nothing"):
        scan(sheet, ScanSettings(faces=500, holes=1, hole_radius_mm=(500.0, 501.0)))
