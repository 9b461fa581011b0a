"""Screenshots without a window: by Open3D where it can draw, and by our own renderer anywhere."""

import numpy as np
import pytest
from PIL import Image

from meshgan.apps.open3d_probe import offscreen_problem
from meshgan.errors import InputError, MissingExtraError
from meshgan.pictures.shading import SKIN
from meshgan.viewer import screenshot
from meshgan.viewer.screenshot import take_screenshot
from tests.viewer.faces import additive_scene


def read(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"), dtype=np.float64)


def test_own_renderer(tmp_path):
    scene = additive_scene()
    found = take_screenshot(scene, tmp_path / "one.png", (300, 200), "own")
    assert found == {"screenshot": str(tmp_path / "one.png"), "renderer": "own"}
    picture = read(tmp_path / "one.png")
    assert picture.shape == (200, 300, 3)
    assert (picture[:, :40] == 255).all()
    middle = picture[90:110, 140:160].mean(axis=(0, 1)) / 255
    np.testing.assert_allclose(middle / middle.sum(), np.array(SKIN) / sum(SKIN), atol=0.08)


def test_two_faces_and_a_legend(tmp_path):
    scene = additive_scene()
    scene.randomise()
    scene.show_both(True)
    scene.show(colour_by="mean")
    take_screenshot(scene, tmp_path / "two.png", (400, 200), "own")
    picture = read(tmp_path / "two.png")
    dark = picture.min(axis=2) < 128
    assert dark[:, 50:150].any()
    assert dark[:, 250:350].any()
    bar = picture[-50:-20]  # the legend ends in yellow
    assert ((bar[..., 0] > 200) & (bar[..., 2] < 100)).any()


def test_says_why_open3d_did_not_draw(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(screenshot, "offscreen_problem", lambda: "no driver; run: apt-get ...")
    found = take_screenshot(additive_scene(), tmp_path / "a.png", (200, 200))
    assert (found["renderer"], found["reason"]) == ("own", "no driver; run: apt-get ...")
    assert "no driver" in caplog.text
    with pytest.raises(MissingExtraError, match="no driver"):
        take_screenshot(additive_scene(), tmp_path / "b.png", (200, 200), "open3d")


def test_refuses(tmp_path):
    with pytest.raises(InputError, match=r"ends in \.png"):
        take_screenshot(additive_scene(), tmp_path / "a.jpg")
    with pytest.raises(InputError, match="at least 64"):
        take_screenshot(additive_scene(), tmp_path / "a.png", (10, 10), "own")


def test_open3d_draws_the_colours_that_were_computed(tmp_path):
    """Off screen, in this process: no tone mapping, no second light, nothing cut off."""
    if problem := offscreen_problem():
        pytest.skip(problem)
    scene = additive_scene(side=40)
    found = take_screenshot(scene, tmp_path / "one.png", (300, 200), "open3d")
    assert found["renderer"] == "open3d"
    picture = read(tmp_path / "one.png")
    assert picture.shape == (200, 300, 3)
    paper = picture[0, 0]
    covered = np.abs(picture - paper).max(axis=2) > 12
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    assert 150 < np.ptp(rows) < 198
    assert 0 < columns[0] < columns[-1] < 299
    (surface,) = scene.surfaces()
    tip = int(surface.vertices[:, 2].argmax())  # the nose points at the camera
    y, x = (rows[0] + rows[-1]) / 2, (columns[0] + columns[-1]) / 2
    height = np.ptp(surface.vertices[:, 1])
    scale = np.ptp(rows) / height
    centre = (surface.vertices.min(axis=0) + surface.vertices.max(axis=0)) / 2
    row = round(y - (surface.vertices[tip, 1] - centre[1]) * scale)
    column = round(x + (surface.vertices[tip, 0] - centre[0]) * scale)
    shown = picture[row - 1 : row + 2, column - 1 : column + 2].mean(axis=(0, 1)) / 255
    np.testing.assert_allclose(shown, surface.colours[tip], atol=0.06)
