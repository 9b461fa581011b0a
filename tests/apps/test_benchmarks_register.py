"""What ``bench register`` scans, and what it calls a rim."""

from pathlib import Path

import numpy as np
import pytest

from meshgan.apps.benchmarks.register_faces import open_faces
from meshgan.data.synthetic.scanner import ScanSettings
from meshgan.errors import MeshGANError

SUBSET = Path(__file__).parents[2] / "../shared/data/ict_face_subset.npz"
NOSE_TIP, CHIN, UPPER_LIP, LEFT_EYE = 30, 8, 62, 42
CLEAN = ScanSettings(faces=3_000, noise_mm=0.0, holes=0, spikes=0.0, fragments=0)


@pytest.fixture(params=["default", "ict"])
def faces(request):
    if request.param == "default":
        return open_faces(None)
    if not SUBSET.exists():
        pytest.skip("the compact ICT face model is not beside the repository")
    return open_faces(SUBSET)


def test_rims_are_at_eyes_and_mouth_only(faces):
    around = [
        faces.at_rims[(faces.template.mesh.faces == faces.landmarks[mark]).any(axis=1)]
        for mark in (NOSE_TIP, CHIN, UPPER_LIP, LEFT_EYE)
    ]
    assert [part.mean() for part in around] == [0, 0, 1, 1]
    assert 0.01 < faces.at_rims.mean() < 0.45


def test_scans_are_in_mm_and_move_with_the_expression(faces):
    still, moved = (faces.scan(3, CLEAN, expressive) for expressive in (False, True))
    count = faces.template.vertex_count
    height = np.ptp(still.pose.inverse().apply(still.vertices[:count])[:, 1])
    assert 120 < height < 260
    apart = [one.pose.inverse().apply(one.vertices)[:count] for one in (still, moved)]
    assert 1 < np.linalg.norm(apart[0] - apart[1], axis=1).max() < 60
    again = faces.scan(3, CLEAN, True)
    np.testing.assert_array_equal(again.mesh.vertices, moved.mesh.vertices)


def test_refuses_other_files(tmp_path):
    with pytest.raises(MeshGANError):
        open_faces(tmp_path / "nothing.npz")
