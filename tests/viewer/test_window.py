"""The window itself: opened on a screen without a monitor, driven by mouse and keys."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from meshgan.apps.open3d_probe import offscreen_problem
from meshgan.data.mesh_io import write_mesh
from meshgan.data.store import Store
from meshgan.geometry.alignment import procrustes

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("window")]
PATIENCE_S = 180
DRAG_STEPS = 5
HOLDS_S = (0.6, 3.0, 8.0)  # a click within one picture is not seen
TOOLS = ("Xvfb", "xdotool")


@dataclass
class Driver:
    """A running window: where its controls are, what it shows, and hands to use it."""

    folder: Path
    process: subprocess.Popen
    environment: dict[str, str]

    def wait(self, what: str, ready: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not ready():
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < end, f"no {what} after {PATIENCE_S} s"
            time.sleep(0.1)

    def state(self) -> tuple[int, np.ndarray, str]:
        with np.load(self.folder / "state.npz") as found:
            return int(found["changes"]), found["faces"], str(found["caption"])

    def hands(self, *words: object) -> str:
        command = ["xdotool", *map(str, words)]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=True
        ).stdout

    def place(self, control: str, across: float = 0.5) -> tuple[int, int]:
        """Pixel of the screen on a control, a share of its width from its left."""
        x, y, width, height = json.loads((self.folder / "controls.json").read_text())[control]
        (window,) = self.hands("search", "--name", "meshgan").split()[:1]
        found = dict(
            line.split("=") for line in self.hands("getwindowgeometry", "--shell", window).split()
        )
        return int(found["X"]) + round(x + across * width), int(found["Y"]) + y + height // 2

    def after(self, act: Callable[[], None], before: int | None = None) -> tuple[np.ndarray, str]:
        """What is shown once the window has answered."""
        before = self.state()[0] if before is None else before
        act()
        self.wait("change", lambda: self.state()[0] > before)
        time.sleep(0.5)
        return self.state()[1:]

    def click(self, control: str) -> tuple[np.ndarray, str]:
        """Press and let go of the mouse: longer where a slow window has missed it."""
        before = self.state()[0]
        for hold_s in HOLDS_S:
            self.hands("mousemove", *self.place(control))
            time.sleep(0.4)
            self.hands("mousedown", 1)
            time.sleep(hold_s)
            self.hands("mouseup", 1)
            end = time.monotonic() + 20
            while time.monotonic() < end and self.state()[0] == before:
                time.sleep(0.1)
            if self.state()[0] > before:
                break
        return self.after(lambda: None, before)

    def press(self, key: str) -> tuple[np.ndarray, str]:
        def act() -> None:
            self.hands("keydown", key)
            time.sleep(0.4)
            self.hands("keyup", key)

        return self.after(act)

    def drag(self, control: str, start: float, end: float) -> tuple[np.ndarray, str]:
        def act() -> None:
            self.hands("mousemove", *self.place(control, start))
            time.sleep(0.4)
            self.hands("mousedown", 1)
            for share in np.linspace(start, end, DRAG_STEPS):
                time.sleep(0.4)
                self.hands("mousemove", *self.place(control, float(share)))
            time.sleep(0.6)
            self.hands("mouseup", 1)

        found = self.after(act)
        time.sleep(1.0)  # the last steps of the drag
        return self.state()[1:] if found else found


@pytest.fixture(scope="module")
def screen() -> Iterator[dict[str, str]]:
    """A screen in memory; skips where one of the tools, Open3D or its driver is missing."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} (apt-get install xvfb xdotool)")
    if problem := offscreen_problem():
        pytest.skip(problem)
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1100x760x24"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as answer:
        number = answer.readline().strip()
    if not number:
        pytest.skip("Xvfb does not start on this machine")
    yield {**os.environ, "DISPLAY": f":{number}"}
    server.terminate()
    server.wait()


@pytest.fixture
def open_window(screen, tmp_path) -> Iterator[Callable[[Path], Driver]]:
    drivers = []

    def open_on(what: Path, *more: Path) -> Driver:
        log = (tmp_path / "log").open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.viewer.drive_window", *map(str, (what, tmp_path, *more))],
            env=screen,
            cwd=Path(__file__).parents[2],
            stdout=log,
            stderr=log,
        )
        drivers.append(Driver(tmp_path, process, screen))
        drivers[0].wait("window", lambda: (tmp_path / "controls.json").exists())
        drivers[0].hands("mousemove", *drivers[0].place("view"))
        time.sleep(1)
        return drivers[0]

    yield open_on
    for driver in drivers:
        driver.process.terminate()
        driver.process.wait()


def test_a_model_by_mouse_and_keys(open_window, tiny_run):
    window = open_window(tiny_run)
    _, (mean,), caption = window.state()
    assert caption == "mean face"
    slider = next(name for name in controls(window) if name.startswith("identity: 1 "))

    (moved,), caption = window.drag(slider, 0.5, 0.9)
    step = np.linalg.norm(moved - mean, axis=1)
    assert step.max() > 1.0
    assert caption == "identity changed"

    (happy,), caption = window.click("expression: happiness")
    assert caption.endswith("expression happiness")
    assert not np.allclose(happy, moved)

    (back,), _ = window.press("z")
    np.testing.assert_array_equal(back, moved)
    (start,), caption = window.click(": Undo")  # the whole drag is one step, unless
    steps = 1
    while caption != "mean face" and steps < DRAG_STEPS:  # the machine is very slow
        (start,), caption = window.click(": Undo")
        steps += 1
    np.testing.assert_array_equal(start, mean)
    for _ in range(steps):
        (again,), _ = window.press("y")
    np.testing.assert_array_equal(again, moved)

    faces, _ = window.press("b")
    assert len(faces) == 2
    window.press("e")
    (left, right), _ = window.press("t")
    assert not np.allclose(left, moved)
    assert not np.allclose(right, mean)
    window.press("c")
    window.press("s")
    window.wait("screenshot", (window.folder / "view_001.png").exists)
    time.sleep(1)
    picture = np.asarray(Image.open(window.folder / "view_001.png").convert("RGB"), dtype=float)
    coloured = np.ptp(picture, axis=2) > 40
    half = picture.shape[1] // 2
    assert coloured[:, :half].mean() > 0.1
    assert coloured[:, half:].mean() > 0.1


def test_a_data_set_by_keys(open_window, tiny_data):
    window = open_window(tiny_data)
    _, (first,), caption = window.state()
    assert caption.startswith("row 0")
    (second,), caption = window.press("n")
    assert caption.startswith("row 1")
    assert not np.array_equal(first, second)
    (again,), _ = window.press("p")
    np.testing.assert_array_equal(again, first)


def test_a_mesh_is_fitted_beside_the_window(open_window, tiny_run, tiny_data, tmp_path):
    store = Store.open(tiny_data)
    (face,) = store.vertices(np.array([3]))
    write_mesh(tmp_path / "someone.ply", store.template.mesh.with_vertices(face))
    window = open_window(tiny_run, tmp_path / "someone.ply")
    window.wait("fit", lambda: window.state()[2] == "someone.ply")
    (shown,) = window.state()[1]
    motion = procrustes(shown.astype(np.float64), face.astype(np.float64))
    assert np.abs(motion.apply(shown.astype(np.float64)) - face).max() < 0.01


def controls(window: Driver) -> list[str]:
    return list(json.loads((window.folder / "controls.json").read_text()))
