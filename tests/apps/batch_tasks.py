"""Tasks that behave and misbehave, for processes of their own: everything here is picklable."""

import ctypes
import os
import signal
import time
from pathlib import Path


def setup():
    """Gives the function that does a task: (what, value)."""
    return act


def failing_setup():
    raise ValueError("no such table")


class CountingSetup:
    """Notes in a folder in which process it was called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self):
        (self.folder / f"{os.getpid()}-{time.monotonic_ns()}").touch()
        return act


def act(task):
    what, value = task
    match what:
        case "square":
            return value * value
        case "process":
            return os.getpid()
        case "slow square":
            time.sleep(0.3 if value % 2 else 0.02)
            return value * value
        case "raise":
            raise KeyError(value)
        case "memory":
            raise MemoryError
        case "unpicklable":
            return lambda: value
        case "sleep":
            time.sleep(3600)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "crash":
            ctypes.string_at(0)
        case "exit":
            os._exit(7)
        case "print":
            os.write(1, b"noise on standard output\n")
            return value
        case "threads":
            return os.environ["OMP_NUM_THREADS"]
    raise AssertionError(what)
