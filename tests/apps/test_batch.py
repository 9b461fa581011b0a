"""Batches: every task is answered once, whatever the others do to their processes."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from meshgan.apps.batch import BatchSettings, run_batch
from meshgan.apps.isolated import IsolatedProcess, ProcessPool, TaskFailed
from meshgan.errors import InputError, JobError
from tests.apps import batch_tasks
from tests.apps.batch_tasks import CountingSetup, failing_setup, setup

BAD = {
    "raise": "KeyError: 3",
    "memory": "not enough memory",
    "unpicklable": "pickle",
    "sleep": "took longer than 1 s and was stopped",
    "kill": "its process was killed; was there enough memory?",
    "crash": "its process died of SIGSEGV",
    "exit": "its process ended with status 7",
}


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[0] != "Z"
    except OSError:
        return False


def gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(pid)


# ---- one process


@pytest.fixture
def process():
    place = IsolatedProcess(setup)
    yield place
    place.stop()


def test_does_one_task_after_another_in_one_other_process(process):
    assert [process.call(("square", k), 30.0) for k in range(4)] == [0, 1, 4, 9]
    pids = {process.call(("process", 0), 30.0) for _ in range(3)}
    assert len(pids) == 1
    assert os.getpid() not in pids


def test_uses_one_thread_and_keeps_output_to_itself(process, capfd):
    assert process.call(("threads", 0), 30.0) == "1"
    assert process.call(("print", 5), 30.0) == 5
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("what", BAD)
def test_says_why_a_task_failed_and_does_the_next(process, what):
    process.start()
    with pytest.raises(TaskFailed, match=BAD[what]):
        process.call((what, 3), 1.0)
    assert process.call(("square", 3), 30.0) == 9


def test_a_process_that_dies_idle_is_replaced(process):
    pid = process.call(("process", 0), 30.0)
    os.kill(pid, signal.SIGKILL)
    assert gone_within(pid, 5)
    assert process.call(("square", 3), 30.0) == 9


def test_setup_is_called_once_in_each_process(tmp_path):
    process = IsolatedProcess(CountingSetup(tmp_path))
    for k in range(3):
        process.call(("square", k), 30.0)
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(TaskFailed):
        process.call(("kill", 0), 30.0)
    process.call(("square", 1), 30.0)
    assert len(list(tmp_path.iterdir())) == 2
    process.stop()


def test_a_setup_that_fails_is_no_fault_of_the_task():
    process = IsolatedProcess(failing_setup)
    with pytest.raises(JobError, match="could not be set up: ValueError: no such table") as caught:
        process.call(("square", 1), 30.0)
    assert not isinstance(caught.value, TaskFailed)


def test_closing_a_pool_ends_its_processes():
    pool = ProcessPool(setup)
    pid = pool.call(("process", 0), 30.0)
    assert pool.call(("process", 0), 30.0) == pid  # the idle one is taken again
    pool.close()
    assert gone_within(pid, 5)
    with pytest.raises(TaskFailed, match="was ended"):
        pool.call(("square", 1), 30.0)


def test_processes_do_not_outlive_a_killed_parent():
    """Not even one that sleeps in its task, and that nobody can tell to stop."""
    code = (
        "from tests.apps.batch_tasks import setup; from meshgan.apps.isolated import *\n"
        "place = IsolatedProcess(setup); print(place.call(('process', 0), 30.0), flush=True)\n"
        "place.call(('sleep', 0), 3600.0)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_alive(pid)
    parent.kill()
    parent.wait()
    assert gone_within(pid, 10)


# ---- batches


def values(answers):
    found = list(answers)
    assert sorted(answer.number for answer in found) == list(range(len(found)))
    return [answer.value for answer in sorted(found, key=lambda answer: answer.number)]


def test_nothing_to_do_starts_nothing():
    assert list(run_batch([], failing_setup)) == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_bad_tasks_do_not_stop_the_rest(jobs):
    tasks = [("square", 2), *((what, 3) for what in BAD), ("square", 4)]
    settings = BatchSettings(jobs=jobs, time_limit_s=1.5)
    found = sorted(run_batch(tasks, setup, settings), key=lambda answer: answer.number)
    assert [answer.value for answer in found] == [4, *[None] * len(BAD), 16]
    for answer, reason in zip(found[1:-1], BAD.values(), strict=True):
        assert reason.replace("1 s", "2 s") in answer.failure
    assert found[0].failure == found[-1].failure == ""


def test_answers_do_not_depend_on_the_number_of_processes():
    tasks = [("slow square", k) for k in range(9)]
    expected = [k * k for k in range(9)]
    assert values(run_batch(tasks, setup, BatchSettings(jobs=1))) == expected
    answers = list(run_batch(tasks, setup, BatchSettings(jobs=3)))
    assert values(answers) == expected
    assert [answer.number for answer in answers] != list(range(9))  # quick ones came first


def test_few_tasks_are_in_flight(monkeypatch):
    """A list of any length is handed out as it is done, not at once."""
    from distributed import Client

    real, submitted = Client.submit, []

    def counted(self, *arguments, **options):
        submitted.append(arguments[2])
        return real(self, *arguments, **options)

    monkeypatch.setattr(Client, "submit", counted)
    tasks = [("square", k) for k in range(40)]
    most = 0
    for done, _ in enumerate(run_batch(tasks, setup, BatchSettings(jobs=2))):
        most = max(most, len(submitted) - done)
    assert len(submitted) == 40
    assert most <= 2 * 2 + 1


def test_leaving_a_batch_ends_its_processes():
    answers = run_batch([("process", 0), ("sleep", 0), ("sleep", 0)], setup, BatchSettings(jobs=2))
    pid = next(answers).value
    answers.close()
    assert gone_within(pid, 10)


def test_a_setup_that_fails_ends_the_batch():
    for jobs in (1, 2):
        with pytest.raises(JobError, match="no such table"):
            list(run_batch([("square", 1)] * 3, failing_setup, BatchSettings(jobs=jobs)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"jobs": 0}, "--jobs 0: expected 1 or more"),
        ({"jobs": 2, "scheduler": "tcp://a:1"}, "exclude each other"),
        ({"time_limit_s": 0.0}, "--time-limit 0.0"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(InputError, match=message):
        BatchSettings(**settings)


def test_a_scheduler_that_is_not_there(monkeypatch):
    monkeypatch.setattr("meshgan.apps.batch_dask.CONNECT_S", 1)
    settings = BatchSettings(scheduler="tcp://127.0.0.1:9")
    with pytest.raises(InputError, match=r"--scheduler tcp://127.0.0.1:9: cannot be reached"):
        list(run_batch([("square", 1)], setup, settings))


@pytest.mark.slow
def test_on_a_cluster_of_processes_that_lose_a_worker():
    """Two workers that are processes of their own, as on a cluster; one of them is killed."""
    from distributed import LocalCluster

    assert multiprocessing.current_process().daemon is False
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True,
        dashboard_address="127.0.0.1:0", worker_dashboard_address="127.0.0.1:0",
    ) as cluster:  # fmt: skip
        settings = BatchSettings(scheduler=cluster.scheduler_address, time_limit_s=20.0)
        tasks = [("raise", 3), ("kill", 3), *[("slow square", k) for k in range(30)]]
        answers = run_batch(tasks, setup, settings)
        found = [next(answers)]
        os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
        found += answers
        assert sorted(answer.number for answer in found) == list(range(32))
        by_number = {answer.number: answer for answer in found}
        assert by_number[0].failure == "KeyError: 3"
        assert "was killed" in by_number[1].failure
        assert [by_number[k + 2].value for k in range(30)] == [k * k for k in range(30)]
        again = run_batch([("square", 5)], setup, settings)  # the cluster stays as it was
        assert [answer.value for answer in again] == [25]
    assert batch_tasks.setup is setup
