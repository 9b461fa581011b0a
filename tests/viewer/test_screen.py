"""The scaling of a screen, from the resources of its desktop."""

import pytest

from meshgan.viewer.window.screen import scaling_of, screen_scaling


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (b"", 1.0),
        (b"Xft.dpi:\t192\n", 2.0),
        (b"Xft.antialias:\t1\nXft.dpi: 120\nXft.rgba: rgb\n", 1.25),
        (b"Xft.dpi:\t72\n", 1.0),
        (b"*Xft.dpi:\t192\n", 1.0),
        (b"Xft.dpi:\tlarge\n", 1.0),
    ],
)
def test_what_the_desktop_asks_for(resources, expected):
    assert scaling_of(resources) == expected


def test_without_a_screen(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    assert screen_scaling() == 1.0
