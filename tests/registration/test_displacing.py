"""Carried motion: exact on the surface it comes from, dies out beyond it, keeps lips apart."""

import numpy as np
import pytest

from meshgan.registration.displacing import DisplacementCarrier
from tests.fakes import face_like_mesh


@pytest.fixture(scope="module")
def template():
    vertices, faces = face_like_mesh(24)
    return vertices.astype(np.float64), faces


def test_another_triangulation_moves_as_the_surface(template):
    vertices, faces = template
    fine, fine_faces = face_like_mesh(37)
    carrier = DisplacementCarrier(vertices, faces, fine.astype(np.float64), fine_faces)
    wave = np.stack([np.sin(vertices[:, 1] / 40), vertices[:, 0] / 70, 0 * vertices[:, 0]], axis=1)
    expected = np.stack([np.sin(fine[:, 1] / 40), fine[:, 0] / 70, 0 * fine[:, 0]], axis=1)
    inner = (np.abs(fine[:, 0]) < 60) & (np.abs(fine[:, 1]) < 85)
    off = np.linalg.norm(carrier.carry(wave) - expected, axis=1)[inner]
    assert off.mean() < 0.02
    assert off.max() < 0.15


def test_it_is_linear(template):
    vertices, faces = template
    carrier = DisplacementCarrier(vertices, faces, vertices + np.array([0.3, 0, 0.5]), faces)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, *vertices.shape))
    mixed = carrier.carry(2 * a - b)
    np.testing.assert_allclose(mixed, 2 * carrier.carry(a) - carrier.carry(b), atol=1e-9)


def test_what_is_far_from_the_template_stays(template):
    """A long strip that reaches 200 mm below the face."""
    vertices, faces = template
    x, y = np.meshgrid(np.linspace(-20, 20, 5), np.linspace(-300, 40, 69))
    z = np.interp(y, [-95, 40], [35, 80])
    strip = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    corner = (np.arange(68)[:, None] * 5 + np.arange(4)).ravel()
    strip_faces = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + 6], axis=1),
            np.stack([corner, corner + 6, corner + 5], axis=1),
        ]
    )
    moved = DisplacementCarrier(vertices, faces, strip, strip_faces).carry(
        np.tile([0.0, 0, 5.0], (len(vertices), 1))
    )
    assert np.abs(moved[strip[:, 1] < -150]).max() < 0.01
    steps = np.diff(moved[2::5, 2])
    assert np.abs(steps).max() < 1.5  # 5 mm a row: no tear


def test_two_sheets_that_touch_are_not_confused():
    """Lips: two sheets a little apart that face away from each other and move apart."""
    side = 12
    x, y = np.meshgrid(np.linspace(-30, 30, side), np.linspace(-20, 20, side))
    upper = np.stack([x, y, 0 * x + 0.4], axis=-1).reshape(-1, 3)
    lower = np.stack([x, y, 0 * x - 0.4], axis=-1).reshape(-1, 3)
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    up = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + side + 1], axis=1),
            np.stack([corner, corner + side + 1, corner + side], axis=1),
        ]
    )
    faces = np.concatenate([up, up[:, ::-1] + side * side])
    vertices = np.concatenate([upper, lower])
    apart = np.where(np.arange(len(vertices))[:, None] < side * side, [0, 0, 3.0], [0, 0, -3.0])
    # the mesh is registered 0.6 mm too low: each upper vertex lies nearer to the lower sheet
    carrier = DisplacementCarrier(vertices, faces, vertices - [0, 0, 0.6], faces)
    moved = carrier.carry(apart)[:, 2]
    inner = np.abs(np.tile(x.ravel(), 2)) < 20
    assert (moved * apart[:, 2] > 0)[inner].all()
