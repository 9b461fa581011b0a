"""Overlays: marks where they belong, lines of what faces the camera only, the picture below."""

import numpy as np

from meshgan.pictures.overlay import CANVAS, FITTED, GIVEN, draw_overlay

SQUARE = np.array([[0.0, 0.0], [100.0, 0.0], [100.0, 100.0], [0.0, 100.0]])  # y down
TOWARDS = np.array([[0, 2, 1], [0, 3, 2]])
SIZE = 260  # a margin of 0.15 on each side: 2 pixels per pixel of the picture


def place(x, y):
    return round(30 + 2 * y), round(30 + 2 * x)


def near(image, at, colour, reach=4):
    """Whether a colour occurs near a place."""
    row, column = at
    part = image[row - reach : row + reach + 1, column - reach : column + reach + 1].astype(int)
    return np.abs(part - colour).sum(axis=2).min() < 60


def test_points_and_crosses_stand_where_they_were_seen():
    given, fitted = np.array([[30.0, 20.0], [np.nan, 1.0]]), np.array([[60.0, 40.0], [80.0, 80.0]])
    drawn = draw_overlay(SQUARE, TOWARDS, given, fitted, SIZE)
    assert drawn.shape == (SIZE, SIZE, 3)
    assert near(drawn, place(30, 20), GIVEN)
    assert near(drawn, place(60, 40), FITTED)
    assert not near(drawn, place(80, 80), FITTED)  # its landmark is missing
    assert not near(drawn, place(60, 40), GIVEN)


def test_only_what_faces_the_camera_is_drawn():
    none = np.empty((0, 2))
    towards = draw_overlay(SQUARE, TOWARDS, none, none, SIZE)
    away = draw_overlay(SQUARE, TOWARDS[:, [0, 2, 1]], none, none, SIZE)
    assert (away == CANVAS).all()
    middle, edge = towards[place(50, 50)].astype(int), towards[place(50, 0)].astype(int)
    assert edge.sum() < middle.sum() < 3 * 246  # the outline is darker than the diagonal


def test_the_photograph_lies_below_and_ends_where_it_ends():
    photograph = np.zeros((60, 200, 3), dtype=np.uint8)
    photograph[:, :40] = (0, 200, 0)
    none = np.empty((0, 2))
    drawn = draw_overlay(SQUARE, TOWARDS, none, none, SIZE, photograph).astype(int)
    green, black, outside = drawn[place(20, 10)], drawn[place(80, 30)], drawn[place(30, 80)]
    assert green[1] > green[0] + 100
    assert black.max() < 120
    assert np.abs(outside - CANVAS).max() < 10
