"""Tasks on the workers of a Dask cluster, few of them in flight at a time."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

from distributed import Client, Future, LocalCluster, as_completed, get_worker
from distributed.diagnostics.plugin import WorkerPlugin

from meshgan.apps.batch import Answer, answer_of
from meshgan.apps.isolated import ProcessPool, Setup
from meshgan.errors import InputError, JobError

IN_FLIGHT = 2  # tasks per core that are handed out at a time: a list may be very long
CONNECT_S, FIRST_WORKER_S = 15, 60
LOOPBACK = "127.0.0.1:0"  # Dask's status pages: for this machine only, at any free port


Run = Callable[[Sequence[Any], Sequence[float]], Iterator[Answer]]


@contextmanager
def workers(setup: Setup, scheduler: str | None, processes: int) -> Iterator[Run]:
    """A cluster for the time of the block, as a function of tasks and their time limits.

    Its answers come in the order in which they are ready.

    Args:
        setup: picklable; gives each process the function that does a task.
        scheduler: address of a cluster; None starts one on this machine.
        processes: on this machine.

    Raises:
        InputError: the scheduler cannot be reached.
        JobError: no process can be set up, or the cluster was lost.
    """
    name = f"meshgan-{uuid4().hex[:12]}"
    with _client(scheduler, processes) as client:
        try:
            client.register_plugin(_Processes(setup, name))
        except Exception as error:
            raise JobError(
                f"the workers cannot be prepared ({error}); is the same meshgan installed there?"
            ) from error
        try:
            yield partial(_all_answers, client, name)
        finally:
            client.unregister_worker_plugin(name)


class _Processes(WorkerPlugin):
    """Gives each worker of a cluster, also one that joins later, its isolated processes."""

    def __init__(self, setup: Setup, name: str) -> None:
        self._setup, self.name = setup, name

    def setup(self, worker: Any) -> None:
        self.pool = ProcessPool(self._setup)

    def teardown(self, worker: Any) -> None:
        self.pool.close()


def _on_this_worker(name: str, number: int, task: Any, time_limit_s: float) -> Answer:
    return answer_of(get_worker().plugins[name].pool, number, task, time_limit_s)


@contextmanager
def _client(scheduler: str | None, processes: int) -> Iterator[Client]:
    """A connection to a cluster: the one at the address, or one for the time of the block."""
    logging.getLogger("distributed").setLevel(logging.ERROR)
    if scheduler is None:
        # One worker with a thread per process: the threads only wait for the processes.
        with (
            LocalCluster(
                n_workers=1,
                threads_per_worker=processes,
                processes=False,
                dashboard_address=LOOPBACK,
                worker_dashboard_address=LOOPBACK,
                memory_limit=0,
                silence_logs=logging.ERROR,
            ) as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = Client(scheduler, timeout=CONNECT_S)
    except (OSError, ValueError, ImportError) as error:
        raise InputError(
            f"--scheduler {scheduler}: cannot be reached ({error or type(error).__name__}); "
            "give the address that dask scheduler shows, like tcp://host:8786"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=FIRST_WORKER_S)
        except TimeoutError as error:
            raise JobError(
                f"--scheduler {scheduler}: has had no worker for {FIRST_WORKER_S} s; "
                "start some with dask worker"
            ) from error
        yield client


def _all_answers(
    client: Client, name: str, tasks: Sequence[Any], limits_s: Sequence[float]
) -> Iterator[Answer]:
    run = uuid4().hex[:8]
    waiting = enumerate(zip(tasks, limits_s, strict=True))
    numbers: dict[Future, int] = {}
    running = as_completed(raise_errors=False)

    def hand_out() -> None:
        wanted = IN_FLIGHT * max(1, sum(client.nthreads().values()))
        while len(numbers) < wanted and (following := next(waiting, None)) is not None:
            number, (task, limit_s) = following
            future = client.submit(
                _on_this_worker, name, number, task, limit_s,
                key=f"{name}-{run}-{number}", pure=False,
            )  # fmt: skip
            numbers[future] = number
            running.add(future)

    try:
        hand_out()
        for future in running:
            number = numbers.pop(future)
            answer = _taken(future, number)
            future.release()
            hand_out()
            yield answer
    finally:
        client.cancel(list(numbers))


def _taken(future: Future, number: int) -> Answer:
    """The answer that a worker gave; a failure if it was lost with its worker."""
    if future.status == "cancelled":
        raise JobError("the cluster was lost; go on with --resume")
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, JobError):
        raise error
    return Answer(number, None, f"its worker was lost ({type(error).__name__})", 0.0)
