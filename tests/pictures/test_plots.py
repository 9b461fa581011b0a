"""Charts: the lines are where the numbers say; smoothing is a mean; bad input is refused."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from meshgan.errors import InputError
from meshgan.pictures.plots import COLOURS, bar_chart, line_chart, running_mean, training_curves


def pixels_of(picture, colour: str) -> np.ndarray:
    target = np.array(to_rgb(colour)) * 255
    return np.argwhere(np.abs(np.asarray(picture).astype(float) - target).max(axis=-1) < 12)


def test_rising_line_rises():
    drawn = pixels_of(line_chart({"loss": (range(50), range(50))}, "t", "x", "y"), COLOURS[0])
    slope = np.polyfit(drawn[:, 1], -drawn[:, 0], 1)[0]
    assert slope > 0.2
    assert np.ptp(drawn[:, 1]) > 400


def test_every_curve_is_drawn_in_its_own_colour():
    x = np.arange(300.0)
    curves = {f"group/{k}": (x, np.full(300, float(k))) for k in range(3)}
    picture = training_curves(curves)
    rows = [np.median(pixels_of(picture, colour)[:, 0]) for colour in COLOURS[:3]]
    assert rows[0] > rows[1] > rows[2]


def test_bars_have_the_height_of_their_values():
    picture = bar_chart({"a": {"one": 1.0, "two": 2.0}})
    drawn = pixels_of(picture, COLOURS[0])
    split = (drawn[:, 1].min() + drawn[:, 1].max()) / 2
    small, large = (
        np.ptp(part[:, 0]) for part in (drawn[drawn[:, 1] < split], drawn[drawn[:, 1] > split])
    )
    assert large / small == pytest.approx(2.0, rel=0.05)


def test_running_mean_by_hand():
    np.testing.assert_allclose(running_mean(np.array([1.0, 2, 6, 3]), 3), [1.5, 3, 11 / 3, 4.5])
    np.testing.assert_allclose(running_mean(np.array([1.0, np.nan, 3]), 3), [1, 2, 3])
    np.testing.assert_allclose(running_mean(np.array([1.0, 2.0]), 9), [1.5, 1.5])


def test_values_that_are_not_finite_leave_a_gap():
    y = [0.0, 1.0, float("nan"), 1.0, float("inf"), 0.0]
    assert line_chart({"a": (range(6), y)}).size[0] > 300


def test_refuses_bad_input():
    with pytest.raises(InputError, match="no curves"):
        training_curves({})
    with pytest.raises(InputError, match="a: 2 x for 3 y"):
        line_chart({"a": ([0, 1], [0, 1, 2])})
    with pytest.raises(InputError, match="no values"):
        bar_chart({"a": {}})
