"""Work in a process of its own, which may hang, run out of memory or crash without harm to others.

A thread cannot be stopped and a crash in compiled code ends its whole process. So each task of a
batch is done in a process that is stopped when the task takes too long, and replaced when it dies.
"""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from meshgan.errors import JobError, MeshGANError

log = logging.getLogger(__name__)

START_LIMIT_S = 600.0  # imports, and tables that are made once per machine
CALL, CALL_LIMIT_S = "are you there?", 10.0
SPARE_CPU_S = 30.0
ONE_THREAD = {
    name: "1"
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "IGL_NUM_THREADS")
}
Setup = Callable[[], Callable[[Any], Any]]
_PROGRAM = "import sys; from meshgan.apps.isolated import serve; serve(int(sys.argv[1]))"


class TaskFailed(JobError):
    """One task was not done; the message says why. The next one can be."""


class IsolatedProcess:
    """A Python process that does one task after another; started on first use.

    Args:
        setup: is sent to the process and called there once; it gives the function that does a
            task. Must be picklable, as must tasks and results.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._process: subprocess.Popen | None = None
        self._pipe: Connection | None = None

    def start(self) -> None:
        """Start the process and wait until it is ready; nothing to do if it is.

        Raises:
            JobError: the setup failed there.
        """
        if self._process is not None:
            return
        ours, theirs = socket.socketpair()
        environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(sys.path)}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self._pipe = Connection(ours.detach())
        try:
            self._ask(self._setup, START_LIMIT_S)
        except TaskFailed as error:
            self.stop()
            raise JobError(f"a working process could not be set up: {error}") from error

    def call(self, task: Any, time_limit_s: float) -> Any:
        """Do a task.

        Raises:
            TaskFailed: it raised an exception, took longer than the limit, or its process died.
            JobError: the process cannot be started.
        """
        if self._process is not None and not self._answers():
            self.stop()  # it died while it had nothing to do
        self.start()
        return self._ask(task, time_limit_s)

    def _answers(self) -> bool:
        """Whether the process is there: one that is about to end still looks alive from outside."""
        pipe = self._pipe
        assert pipe is not None
        try:
            pipe.send((CALL, CALL_LIMIT_S))
            return pipe.poll(CALL_LIMIT_S) and bool(pipe.recv())
        except (EOFError, OSError):
            return False

    def kill(self) -> None:
        """End the process from another thread than the one that waits for its answer."""
        process = self._process
        if process is not None:
            process.kill()

    def stop(self) -> None:
        """End the process at once."""
        process, pipe = self._process, self._pipe
        self._process = self._pipe = None
        if process is not None:
            process.kill()
            process.wait()
        if pipe is not None:
            pipe.close()

    def _ask(self, message: Any, limit_s: float) -> Any:
        process, pipe = self._process, self._pipe
        assert process is not None
        assert pipe is not None
        try:
            pipe.send((message, limit_s))
            if not pipe.poll(limit_s):
                self.stop()
                raise TaskFailed(f"took longer than {limit_s:,.0f} s and was stopped")
            good, answer = pipe.recv()
        except (EOFError, OSError) as error:
            code = process.wait()
            self.stop()
            raise TaskFailed(_death(code)) from error
        if not good:
            raise TaskFailed(answer)
        return answer


class ProcessPool:
    """As many isolated processes as threads ask for at the same time; each is kept for reuse."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._lock = threading.Lock()
        self._all: set[IsolatedProcess] = set()
        self._idle: list[IsolatedProcess] = []
        self._closed = False

    def call(self, task: Any, time_limit_s: float) -> Any:
        """Do a task in an idle process, or a new one; see ``IsolatedProcess.call``."""
        with self._lock:
            if self._closed:
                raise TaskFailed("the batch was ended")
            process = self._idle.pop() if self._idle else IsolatedProcess(self._setup)
            self._all.add(process)
        try:
            return process.call(task, time_limit_s)
        finally:
            with self._lock:
                self._idle.append(process)
                closed = self._closed
            if closed:
                process.stop()

    def close(self) -> None:
        """End all processes, busy ones too."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = self._all - set(idle)
        for process in idle:
            process.stop()
        for process in busy:
            process.kill()


def serve(descriptor: int) -> None:
    """What the process does: take tasks from its parent until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, who then ends us
    threading.Thread(target=_leave_with_parent, args=(os.getppid(),), daemon=True).start()
    with contextlib.suppress(OSError):  # if memory runs out, the system ends us, not the parent
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    pipe = Connection(descriptor)
    work: Callable[[Any], Any] | None = None
    while True:
        try:
            task, limit_s = pipe.recv()
        except (EOFError, OSError):
            return
        except Exception as error:  # a task that cannot be unpickled here
            pipe.send((False, _told(error)))
            continue
        if _is_call(task):
            pipe.send((True, None))
            continue
        _limit_cpu(limit_s)
        try:
            if work is None:
                work, answer = task(), None
            else:
                answer = work(task)
            pipe.send((True, answer))
        except Exception as error:
            log.debug("%s", traceback.format_exc())
            pipe.send((False, _told(error)))


def _is_call(task: Any) -> bool:
    return isinstance(task, str) and task == CALL


def _leave_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _limit_cpu(limit_s: float) -> None:
    """Compiled code that never ends is ended by the system, even if the parent is gone."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used + limit_s + SPARE_CPU_S) + 1, hard))


def _told(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory"
    text = " ".join(str(error).split())
    if isinstance(error, MeshGANError) and text:
        return text
    return f"{type(error).__name__}: {text}".rstrip(": ")


def _death(code: int) -> str:
    if code == -signal.SIGKILL:
        return "its process was killed; was there enough memory?"
    if code < 0:
        return f"its process died of {signal.Signals(-code).name}"
    return f"its process ended with status {code}"
