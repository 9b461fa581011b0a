"""Whether Open3D can draw is asked in another process, and the answer is one command to run."""

import signal

import pytest

from meshgan.apps import open3d_probe as probe


class Ended:
    def __init__(self, returncode: int, stderr: str = "") -> None:
        self.returncode, self.stderr = returncode, stderr


@pytest.fixture
def trials(monkeypatch):
    """Pretend that open3d is there; the trial processes end as the test says, in turn."""
    monkeypatch.setattr(probe.importlib.util, "find_spec", lambda name: object())
    ends = []
    monkeypatch.setattr(probe.subprocess, "run", lambda *words, **options: ends.pop(0))
    return ends


def test_not_installed(monkeypatch):
    monkeypatch.setattr(probe.importlib.util, "find_spec", lambda name: None)
    assert probe.import_problem() == probe.offscreen_problem()
    assert "pip install 'meshgan[viewer]'" in probe.import_problem()


def test_a_missing_library(trials):
    trials += [Ended(1, "Traceback\nOSError: libGL.so.1: cannot open shared object file\n")]
    problem = probe.offscreen_problem()
    assert problem.startswith("OSError: libGL.so.1")
    assert "apt-get install -y --no-install-recommends libgl1" in problem


def test_a_process_that_is_killed_for_want_of_a_driver(trials):
    trials += [Ended(0), Ended(-signal.SIGABRT)]
    problem = probe.offscreen_problem()
    assert "Vulkan driver" in problem
    assert "mesa-vulkan-drivers" in problem


def test_all_is_well(trials):
    trials += [Ended(0), Ended(0)]
    assert probe.offscreen_problem() is None


def test_no_answer(monkeypatch, trials):
    def hang(*words, **options):
        raise probe.subprocess.TimeoutExpired("python", 1)

    monkeypatch.setattr(probe.subprocess, "run", hang)
    assert "did not answer" in probe.import_problem()


def test_screens(monkeypatch):
    monkeypatch.setattr(probe.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert "--screenshot" in probe.display_problem()
    monkeypatch.setenv("DISPLAY", ":1")
    assert probe.display_problem() is None
