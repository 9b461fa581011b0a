"""The engine: resume to the bit, phases and joint steps, divergence, averages, schedules."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from meshgan.errors import ConfigError, DivergenceError, FileFormatError, InputError
from meshgan.training.optimisation import MovingAverage, OptimiserConfig, Schedule
from meshgan.training.run_folder import RunFolder
from meshgan.training.train_config import TrainConfig
from meshgan.training.trainer import Trainer
from tests.training.toy import JointTask, ToyTask

CONFIG = TrainConfig(
    iterations=6,
    accelerator="cpu",
    save_every=3,
    preview_every=0,
    validate_every=2,
    log_every=1,
    ema_decay=0.9,
)


def trainer(path, config=CONFIG, task=None):
    run = RunFolder(path)
    run.path.mkdir(parents=True, exist_ok=True)
    return Trainer(task or ToyTask(), config, run)


def weights(made: Trainer) -> torch.Tensor:
    return torch.cat([p.flatten() for m in made.modules.values() for p in m.state_dict().values()])


def test_resume_equals_running_through(tmp_path):
    through = trainer(tmp_path / "a")
    through.fit()
    trainer(tmp_path / "b").fit()
    (tmp_path / "b" / "state" / "00000006.pt").unlink()  # as if stopped half way
    resumed = trainer(tmp_path / "b")
    resumed.fit(resume=True)
    assert resumed.iteration == 6
    assert torch.equal(weights(through), weights(resumed))
    for key, value in through.average.shadow.items():
        assert torch.equal(value, resumed.average.shadow[key])
    assert through.run.read_metrics() == resumed.run.read_metrics()


def test_resume_drops_lines_after_the_state(tmp_path):
    trainer(tmp_path).fit()
    (tmp_path / "state" / "00000006.pt").unlink()  # as if killed after iteration 6's line
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"iteration": 7, "half')
    resumed = trainer(tmp_path)
    resumed.fit(resume=True)
    assert [line["iteration"] for line in resumed.run.read_metrics()] == [1, 2, 3, 4, 5, 6]


def test_survives_kill_dash_nine(tmp_path):
    """A process killed in the middle, resumed, ends with the weights of one that ran through."""
    script = Path(__file__).with_name("toy.py")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(script), str(tmp_path / "killed"), "40"]
    process = subprocess.Popen([*command, "--slow"], env=environment)
    deadline = time.monotonic() + 60
    while not any((tmp_path / "killed" / "state").glob("[0-9]*.pt")):
        assert time.monotonic() < deadline, "no state was written"
        assert process.poll() is None, "the process ended before it could be killed"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for arguments in (command, [*command[:2], str(tmp_path / "through"), "40"]):
        subprocess.run(arguments, env=environment, check=True)
    killed, through = (RunFolder(tmp_path / name).read_weights() for name in ("killed", "through"))
    assert killed.keys() == through.keys()
    assert all(torch.equal(killed[key], through[key]) for key in through)
    assert not list((tmp_path / "killed").glob(".*"))


def test_what_a_killed_process_left_is_removed_on_resume(tmp_path):
    trainer(tmp_path).fit()
    (tmp_path / "state" / "00000006.pt").unlink()
    left = [
        tmp_path / ".weights-ab12cd34.safetensors",
        tmp_path / "state" / ".00000006-x1y2z3w4.pt",
    ]
    for path in left:
        path.write_bytes(b"half")
    trainer(tmp_path).fit(resume=True)
    assert not any(path.exists() for path in left)
    assert (tmp_path / "weights.safetensors").exists()


def test_damaged_state_falls_back_to_the_one_before(tmp_path):
    trainer(tmp_path).fit()
    newest = tmp_path / "state" / "00000006.pt"
    newest.write_bytes(newest.read_bytes()[:200])
    assert RunFolder(tmp_path).read_state()["iteration"] == 3
    (tmp_path / "state" / "00000003.pt").write_bytes(b"")
    with pytest.raises(FileFormatError, match="no readable training state"):
        RunFolder(tmp_path).read_state()


def test_states_hold_no_code(tmp_path):
    trainer(tmp_path).fit()
    torch.load(tmp_path / "state" / "00000006.pt", weights_only=True)


def test_state_of_another_model_is_refused(tmp_path):
    trainer(tmp_path).fit()
    with pytest.raises(FileFormatError, match="another model"):
        trainer(tmp_path, task=ToyTask(width=5)).fit(resume=True)


def test_phases_train_only_their_own(tmp_path):
    """The second optimiser's loss runs through the first one's weights without moving them."""
    task = ToyTask(phases=("second",))
    made = trainer(tmp_path, replace(CONFIG, iterations=1), task)
    before = {name: p.clone() for name, p in task.first.named_parameters()}
    second = task.second.weight.clone()
    made.step()
    assert all(torch.equal(before[name], p) for name, p in task.first.named_parameters())
    assert not torch.equal(second, task.second.weight)
    assert task.first.weight.grad is None


def test_a_stale_batch_is_the_last_one(tmp_path):
    task = ToyTask(phases=("first", "second"))
    trainer(tmp_path, replace(CONFIG, iterations=2), task).fit()
    assert task.seen == [0, 0, 1, 1]  # second phase: fresh=False


def test_joint_step_equals_separate_gradients(tmp_path):
    """One forward for two losses gives each network the gradient of its own loss alone."""
    joint = JointTask()
    made = trainer(tmp_path, replace(CONFIG, iterations=1, ema_decay=None), joint)
    expected = joint.separate_gradients()
    before = {name: module.weight.detach().clone() for name, module in made.modules.items()}
    made.step()
    for name, module in made.modules.items():
        moved = before[name] - module.weight.detach()
        torch.testing.assert_close(moved, 0.1 * expected[name])  # plain SGD, rate 0.1


def test_divergence_names_term_and_iteration(tmp_path):
    with pytest.raises(
        DivergenceError, match=r"iteration 4 in phase first: square = nan.*00000003"
    ):
        trainer(tmp_path, task=ToyTask(nan_at=4)).fit()
    with pytest.raises(DivergenceError, match="nothing was saved yet"):
        trainer(tmp_path / "b", replace(CONFIG, divergence_limit=1e-9)).fit()


def test_minutes_stop_the_run(tmp_path):
    made = trainer(tmp_path, replace(CONFIG, iterations=10**6, minutes=0.01))
    made.fit()
    assert 0 < made.iteration < 10**6
    assert made.run.weights_file.exists()


def test_weights_for_use_are_the_average(tmp_path):
    made = trainer(tmp_path)
    made.fit()
    stored = made.run.read_weights()
    torch.testing.assert_close(stored["first.weight"], made.average.shadow["first.weight"])
    assert not torch.equal(stored["first.weight"], made.modules["first"].weight)


def test_average_by_hand():
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, 1.0)
    average = MovingAverage({"m": module}, decay=0.9, warmup=False)
    nn.init.constant_(module.weight, 2.0)
    average.update()
    assert average.shadow["m.weight"].item() == pytest.approx(1.1)
    with average.applied():
        assert module.weight.item() == pytest.approx(1.1)
    assert module.weight.item() == 2.0


def test_average_warmup():
    average = MovingAverage({}, decay=0.9999)
    assert [average.decay_at(t) for t in (0, 10)] == [0.1, 0.55]
    assert average.decay_at(1000) == pytest.approx(0.991089, abs=1e-6)
    assert average.decay_at(89_990) == pytest.approx(0.9999)


def test_run_folder_refuses_what_is_not_meant(tmp_path):
    run = RunFolder(tmp_path / "run")
    with pytest.raises(InputError, match="no run to resume"):
        run.start(resume=True)
    run.start(resume=False)
    run.config_file.write_text("{}")
    with pytest.raises(InputError, match="holds a run already"):
        run.start(resume=False)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "photo.jpg").write_text("")
    with pytest.raises(InputError, match="not empty and not a run"):
        RunFolder(tmp_path / "other").start(resume=False)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(), [1, 1, 1]),
        (Schedule("linear", hold=0.5), [1, 1, 0]),
        (Schedule("cosine", floor=0.1), [1, 0.55, 0.1]),
        (Schedule("steps", at=(50, 100), factor=0.5), [1, 0.5, 0.25]),
        (Schedule("table", at=(0, 50), factors=(0.2, 3.0)), [0.2, 3.0, 3.0]),
    ],
)
def test_schedules_at_start_middle_end(schedule, expected):
    assert [schedule(i, 100) for i in (0, 50, 100)] == pytest.approx(expected)


def test_warmup_rises_linearly():
    assert [Schedule(warmup=4)(i, 100) for i in range(5)] == [0.25, 0.5, 0.75, 1, 1]


def test_bad_settings():
    with pytest.raises(ConfigError, match="iterations = 0"):
        TrainConfig(iterations=0)
    with pytest.raises(ConfigError, match="rate"):
        OptimiserConfig(rate=-1.0)
    with pytest.raises(ConfigError, match="factors"):
        Schedule("table", at=(1,))


@pytest.mark.slow
def test_two_processes_average_their_gradients(tmp_path):
    """Two processes on halves of a batch take the steps of one process on all of it."""
    script = Path(__file__).with_name("toy.py")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for devices in ("1", "2"):
        subprocess.run(
            [sys.executable, str(script), str(tmp_path / devices), "4", "--devices", devices],
            env=environment,
            check=True,
            timeout=120,
        )
    one, two = (RunFolder(tmp_path / devices).read_weights() for devices in ("1", "2"))
    torch.testing.assert_close(one["first.weight"], two["first.weight"])
