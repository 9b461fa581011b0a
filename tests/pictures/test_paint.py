"""Paint: distances to an outline by hand; eyes and lips where the landmarks are."""

import numpy as np
import pytest

from meshgan.errors import ShapeError
from meshgan.pictures.paint import depth_inside, paint_features
from meshgan.pictures.render import render_faces
from meshgan.pictures.shading import SKIN


def ring(centre: tuple[float, float], radius: float, count: int) -> np.ndarray:
    angle = np.arange(count) * 2 * np.pi / count
    flat = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
    return flat * radius + np.array([*centre, 0.0])


@pytest.fixture(scope="module")
def face():
    """68 landmarks and, after them, the middles of eyes, lips, mouth and a cheek."""
    parts = [
        np.full((36, 3), 99.0),
        ring((-30, 30), 12, 6),
        ring((30, 30), 12, 6),
        ring((0, -40), 20, 12),
        ring((0, -40), 10, 8),
        np.array([[-30, 30, 0], [39, 30, 0], [0, -25.5, 0], [0, -40, 0], [40, -5, 0]]),
    ]
    return np.concatenate(parts).astype(np.float32)


def test_depth_inside_a_square_by_hand():
    square = np.array([[0.0, 0], [4, 0], [4, 4], [0, 4]])
    points = np.array([[2.0, 2], [1, 2], [-3, 2], [7, 8]])
    np.testing.assert_allclose(depth_inside(points, square), [2, 1, -3, -5])


def test_each_part_has_its_colour(face):
    colours = paint_features(face, np.arange(68))
    iris, white, lip, mouth, cheek = colours[68:]
    assert iris.mean() < 0.5 < 0.85 < white.mean()
    assert lip[0] - lip[1] > SKIN[0] - SKIN[1]
    assert mouth.max() < 0.5
    np.testing.assert_allclose(cheek, SKIN, atol=1e-6)


def test_one_colour_set_serves_a_batch():
    square = np.array([[-9, -9, 0], [9, -9, 0], [9, 9, 0], [-9, 9, 0]], dtype=np.float32)
    colour = np.tile(np.float32([0, 0, 1]), (4, 1))
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    pictures = render_faces(np.stack([square, square]), faces, 16, colour=colour)
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert pictures[0, 8, 8, 2] > 2 * pictures[0, 8, 8, 0]


def test_refuses_other_landmarks(face):
    with pytest.raises(ShapeError, match="5 landmarks, expected the 68"):
        paint_features(face, np.arange(5))
