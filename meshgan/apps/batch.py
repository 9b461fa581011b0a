"""Many independent tasks on all cores, or on a cluster; one that fails never stops the rest.

Dask hands the tasks out: to a cluster that runs already, or to one that is started on this machine
for the time of the batch. Each worker does its tasks in processes that may die (``isolated``).
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from meshgan.apps.isolated import IsolatedProcess, ProcessPool, Setup, TaskFailed
from meshgan.errors import InputError


@dataclass(frozen=True)
class BatchSettings:
    """Where and how the tasks of a batch are done."""

    jobs: int | None = None
    """Processes on this machine; as many as cores by default."""
    scheduler: str | None = None
    """Address of a Dask scheduler ("tcp://host:8786"), to use its workers instead."""
    time_limit_s: float = 300.0
    """A task that takes longer is stopped."""

    def __post_init__(self) -> None:
        if self.jobs is not None and self.jobs < 1:
            raise InputError(f"--jobs {self.jobs}: expected 1 or more")
        if self.jobs is not None and self.scheduler is not None:
            raise InputError("--jobs and --scheduler exclude each other; the cluster has its own")
        if not self.time_limit_s > 0:
            raise InputError(f"--time-limit {self.time_limit_s}: expected more than 0 seconds")


@dataclass(frozen=True)
class Answer:
    """What became of one task.

    Args:
        number: of the task.
        value: the result; None if it failed.
        failure: why it failed; empty if it did not.
        seconds: it took, with a start of its process if one was needed.
    """

    number: int
    value: Any
    failure: str
    seconds: float


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Batch:
    """A place where tasks are done, for the time of a ``with`` block; processes are kept in it.

    Args:
        setup: picklable; called once in each process, gives the function that does a task.
        settings: where.
    """

    def __init__(self, setup: Setup, settings: BatchSettings | None = None) -> None:
        self._setup, self._settings = setup, settings or BatchSettings()
        self._single = IsolatedProcess(setup)
        self._open = ExitStack()
        self._workers: Callable[[Sequence[Any], Sequence[float]], Iterator[Answer]] | None = None

    def __enter__(self) -> "Batch":
        return self

    def __exit__(self, *_: object) -> None:
        self._single.stop()
        self._open.close()

    def run(self, tasks: Sequence[Any], weights: Sequence[float] | None = None) -> Iterator[Answer]:
        """Do all tasks; answers come in the order in which they are ready, each once.

        Args:
            tasks: picklable.
            weights: of each task, how many times the time limit it may take; 1 by default.

        Raises:
            InputError: the scheduler cannot be reached.
            JobError: no process can be set up, or the cluster was lost.
        """
        settings = self._settings
        processes = settings.jobs or available_cores()
        limits = [settings.time_limit_s * weight for weight in weights or [1.0] * len(tasks)]
        if settings.scheduler is None and min(processes, len(tasks)) <= 1:
            for number, (task, limit_s) in enumerate(zip(tasks, limits, strict=True)):
                yield answer_of(self._single, number, task, limit_s)
        elif tasks:
            if self._workers is None:
                from meshgan.apps.batch_dask import workers  # takes a second to load

                place = workers(self._setup, settings.scheduler, processes)
                self._workers = self._open.enter_context(place)
            yield from self._workers(tasks, limits)


def run_batch(
    tasks: Sequence[Any], setup: Setup, settings: BatchSettings | None = None
) -> Iterator[Answer]:
    """Do all tasks of one batch; see ``Batch``."""
    with Batch(setup, settings) as place:
        yield from place.run(tasks)


def answer_of(
    place: IsolatedProcess | ProcessPool, number: int, task: Any, time_limit_s: float
) -> Answer:
    """Do a task, and say what became of it."""
    began = time.perf_counter()
    value, failure = None, ""
    try:
        value = place.call(task, time_limit_s)
    except TaskFailed as error:
        failure = str(error)
    return Answer(number, value, failure, time.perf_counter() - began)
