"""Training for real: what a RUN holds, resume to the bit, any factors, data that do not fit."""

import errno
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from meshgan.apps.face_model import FaceModel
from meshgan.apps.run_config import RunConfig, presets, read_config
from meshgan.apps.train import resumed_config, train
from meshgan.data.splits import write_split
from meshgan.data.template import Template
from meshgan.errors import ConfigError, InputError, JobError
from meshgan.training.run_folder import RunFolder
from tests.apps.domes import EXPRESSIONS, PEOPLE, SETTINGS, VISEMES, dome_config, dome_data

ROOT = Path(__file__).parents[2]


def command(*words) -> list[str]:
    return [sys.executable, "-c", "from meshgan.cli.main import main; main()", *map(str, words)]


def as_options(overrides) -> list[str]:
    return [word for override in overrides for word in ("--set", override)]


def states_are_equal(first, second) -> bool:
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(
            states_are_equal(first[key], second[key]) for key in first
        )
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(map(states_are_equal, first, second))
    return first == second


# ---- default faces, from end to end


def test_a_run_holds_what_is_promised(tiny_run, tiny_data):
    run = RunFolder(tiny_run)
    names = {path.name for path in tiny_run.iterdir()}
    assert names == {
        "config.yaml", "model.json", "template.npz", "provenance.json", "result.json",
        "weights.safetensors",
        "metrics.jsonl", "state", "previews", "tensorboard",
    }  # fmt: skip
    assert [path.name for path in sorted(run.states.iterdir())] == ["00000004.pt", "00000006.pt"]
    assert [path.name for path in sorted(run.previews.iterdir())] == ["000003.png", "000006.png"]
    lines = run.read_metrics()
    assert [line["iteration"] for line in lines] == [1, 2, 3, 4, 5, 6]
    scores = {key for key in lines[2] if key.startswith("score/")}
    assert {"score/diversity_identity", "score/laplacian_ratio"} <= scores
    assert not any(key.startswith("score/") for key in lines[3])
    assert all(np.isfinite(value) for line in lines for value in line.values())
    provenance = json.loads(run.provenance_file.read_text())
    assert {"command", "seed", "device", "machine", "packages"} <= provenance.keys()
    description = json.loads((tiny_run / "model.json").read_text())
    assert description["data"]["meshes"] == 260
    assert Template.load(tiny_run / "template.npz").topology_hash == description["topology"]
    details = run.read_weights()["generator.details"]  # what people have beyond their codes
    assert details.shape == (128, len(Template.load(tiny_run / "template.npz").mesh.vertices), 3)
    assert description["settings"]["details"] == 128
    assert torch.equal(FaceModel.load(tiny_run).model.details, details)


def test_config_of_a_run_reads_back(tiny_run):
    config = read_config(None, tiny_run / "config.yaml")
    assert (config.train.iterations, config.step.batch, config.model.start) == (6, 8, "additive")


def test_the_start_already_varies_as_the_data_do(tiny_run):
    """Six iterations after the additive start, diversities are within 30 % of the data's."""
    last = RunFolder(tiny_run).read_metrics()[-1]
    ratios = [last[f"score/diversity{of}_ratio"] for of in ("", "_identity", "_expression")]
    assert all(0.7 < ratio < 1.3 for ratio in ratios), ratios


# ---- resume


def test_resume_after_kill_dash_nine_is_exact(domes, tmp_path):
    """The real task, killed in the middle and resumed, ends in the state of one that ran through:
    weights, optimisers, averages, generators, metrics.
    """
    settings = (*SETTINGS, "train.iterations=60", "train.save_every=10", "train.validate_every=0",
                "train.preview_every=0", "train.ema_decay=0.9", "model.start=additive")  # fmt: skip
    killed, through = tmp_path / "killed", tmp_path / "through"
    words = ["train", "--data", domes, "--out", killed, *as_options(settings)]
    process = subprocess.Popen(command(*words), cwd=ROOT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not any((killed / "state").glob("[0-9]*.pt")):
        assert time.monotonic() < deadline, "no state was written"
        assert process.poll() is None, "the process ended before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert RunFolder(killed).read_state()["iteration"] < 60
    summary = train(domes, killed, resumed_config(killed), resume=True)
    assert summary["iterations"] == 60
    config = read_config("quick", None, settings)
    train(domes, through, config)
    first, second = (RunFolder(path).read_state() for path in (killed, through))
    for state in (first, second):
        del state["global_rng"]  # of the process: nothing here draws from it
    assert states_are_equal(first, second)
    assert RunFolder(killed).read_metrics() == RunFolder(through).read_metrics()
    assert killed.joinpath("weights.safetensors").read_bytes() == (
        through.joinpath("weights.safetensors").read_bytes()
    )


@pytest.fixture
def finished(domes, tmp_path):
    train(domes, tmp_path / "run", dome_config())
    return tmp_path / "run"


def test_resume_of_a_finished_run_changes_nothing(domes, finished):
    weights = (finished / "weights.safetensors").read_bytes()
    summary = train(domes, finished, resumed_config(finished), resume=True)
    assert summary["iterations"] == 4
    assert (finished / "weights.safetensors").read_bytes() == weights
    last = RunFolder(finished).read_metrics()[-1]
    assert summary["final_losses"]
    assert all(last[name] == value for name, value in summary["final_losses"].items())


def test_resume_can_go_further(domes, finished, tmp_path):
    longer = resumed_config(finished, ["train.iterations=6"])
    assert train(domes, finished, longer, resume=True)["iterations"] == 6
    train(domes, tmp_path / "through", dome_config("train.iterations=6"))
    first, second = (RunFolder(path).read_weights() for path in (finished, tmp_path / "through"))
    assert states_are_equal(first, second)


def test_resume_keeps_the_runs_own_settings(domes, finished, caplog):
    other = dome_config("step.batch=16", "loss.feature=0", "train.precision=bf16")
    with caplog.at_level(logging.WARNING):
        train(domes, finished, other, resume=True)
    assert "not used: loss.feature, step.batch, train.precision" in caplog.text
    assert read_config(None, finished / "config.yaml") == dome_config()


def test_resume_refuses_another_model_or_other_data(domes, finished, tmp_path):
    with pytest.raises(InputError, match="other model settings"):
        train(domes, finished, dome_config("model.hidden=24"), resume=True)
    other = dome_data(tmp_path / "other", side=10)
    with pytest.raises(InputError, match="other meshes than"):
        train(other, finished, dome_config(), resume=True)


def test_nothing_is_overwritten(domes, finished, tmp_path):
    before = (finished / "weights.safetensors").read_bytes()
    with pytest.raises(InputError, match="holds a run already; use --resume"):
        train(domes, finished, dome_config())
    assert (finished / "weights.safetensors").read_bytes() == before
    with pytest.raises(InputError, match="no run to resume"):
        train(domes, tmp_path / "new", dome_config(), resume=True)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("")
    with pytest.raises(InputError, match="not empty and not a run"):
        train(domes, tmp_path / "photos", dome_config())


def test_full_disk_while_saving(domes, tmp_path, monkeypatch):
    """The job fails with one message; the state before stays readable, and resume ends exact."""
    run, real_save, calls = tmp_path / "run", torch.save, []

    def save(state, path):
        calls.append(path)
        if len(calls) == 2:
            Path(path).write_bytes(b"half a state")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real_save(state, path)

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(JobError, match="No space left on device"):
        train(domes, run, dome_config())
    assert [path.name for path in (run / "state").iterdir()] == ["00000002.pt"]
    assert RunFolder(run).read_state()["iteration"] == 2
    train(domes, run, dome_config(), resume=True)
    train(domes, tmp_path / "through", dome_config())
    weights = [RunFolder(path).read_weights() for path in (run, tmp_path / "through")]
    assert states_are_equal(*weights)


# ---- factors, by configuration alone


@pytest.mark.parametrize("start", ["additive", "random", "mixed"])
@pytest.mark.parametrize(
    "codes",
    [
        {"identity": 5},
        {"identity": 5, "expression": 3},
        {"expression": 3, "identity": 5, "viseme": 2},
    ],
)
def test_any_list_of_factors(domes, tmp_path, codes, start):
    given = ", ".join(f"{name}: {size}" for name, size in codes.items())
    given = [f"model.codes={{{given}}}", f"model.start={start}", "model.hidden=24"]
    config = dome_config(*given, "train.iterations=3")
    summary = train(domes, tmp_path / "run", config)
    assert all(np.isfinite(value) for value in summary["final_losses"].values())
    assert {f"discriminator/{name}" for name in codes} <= summary["final_losses"].keys()
    model = FaceModel.load(tmp_path / "run")
    assert dict(model.model.code_sizes) == {**codes, "noise": 2}
    labels = {"identity": PEOPLE, "expression": EXPRESSIONS, "viseme": VISEMES}
    for name in codes:
        assert set(model.model.factors[name]) <= set(labels[name])
    assert all(np.isfinite(mesh.vertices).all() for mesh in model.sample(2))


def test_independent_axes_turn_the_expression_code_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr("meshgan.apps.tasks.decoupled_gan.bend_codes", lambda *_: None)
    sparse = np.where(np.arange(64) % 5 == 0, np.arange(64) // 8 % 4, -1)
    data, paths = dome_data(tmp_path / "data", {"expression": sparse}), {}
    for axes in ("principal", "independent"):
        words = ("model.start=additive", f"model.axes={axes}", "model.hidden=24")
        words += ("model.codes={identity: 5, expression: 4}", "step.discriminator_first=9")
        train(data, tmp_path / axes, dome_config(*words))
        model = FaceModel.load(tmp_path / axes).model
        sizes = list(model.code_sizes.values())
        joined = torch.cat([torch.eye(sum(sizes)), torch.zeros(1, sum(sizes))]).split(sizes, dim=1)
        faces = model.decode(dict(zip(model.code_sizes, joined, strict=True))).detach()
        ways = (faces[:-1] - faces[-1]).flatten(1).split(sizes)
        paths |= {(axes, name): way for name, way in zip(model.code_sizes, ways, strict=True)}
    turned, before = paths["independent", "expression"], paths["principal", "expression"]
    assert (turned - before).abs().max() > 0.05 * before.abs().max()
    for name in ("identity", "noise"):
        torch.testing.assert_close(paths["independent", name], paths["principal", name])


def test_people_of_other_parts_have_no_place_in_the_model(tmp_path):
    data = dome_data(tmp_path / "data")
    split = {"train": PEOPLE[:5], "validation": PEOPLE[5:6], "test": PEOPLE[6:]}
    write_split(data, split)
    train(data, tmp_path / "part", dome_config("train.iterations=1"))
    assert FaceModel.load(tmp_path / "part").model.factors["identity"] == PEOPLE[:5]
    train(data, tmp_path / "all", dome_config("train.iterations=1", "part=all"))
    assert FaceModel.load(tmp_path / "all").model.factors["identity"] == PEOPLE


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"expression": None}, "the model asks for expression"),
        ({"expression": np.full(64, -1)}, "no training mesh has a label for expression"),
        ({"expression": np.full(64, 2)}, "all labels of expression are 'open'"),
    ],
)
def test_labels_that_do_not_serve(tmp_path, labels, message):
    data = dome_data(tmp_path / "data", labels)
    with pytest.raises(InputError, match=message):
        train(data, tmp_path / "run", dome_config())
    train(data, tmp_path / "run", dome_config("model.codes={identity: 5}", "train.iterations=1"))


def test_one_mesh_per_label_warns_and_trains(tmp_path, caplog):
    one_each = np.full(64, -1)
    one_each[[1, 2, 3, 4]] = np.arange(4)
    data = dome_data(tmp_path / "data", {"expression": one_each})
    with caplog.at_level(logging.WARNING):
        summary = train(data, tmp_path / "run", dome_config("part=all", "model.start=additive"))
    assert "4 of 4 labels of expression have one mesh only (neutral, ...)" in caplog.text
    assert all(np.isfinite(value) for value in summary["final_losses"].values())


def test_meshes_that_are_all_the_same(tmp_path):
    data = dome_data(tmp_path / "data", still=True)
    with pytest.raises(InputError, match="training meshes are the same"):
        train(data, tmp_path / "run", dome_config())


def test_a_data_set_smaller_than_a_batch(tmp_path):
    data = dome_data(tmp_path / "data", count=12)
    summary = train(data, tmp_path / "run", dome_config("step.batch=64", "part=all"))
    assert summary["iterations"] == 4


# ---- settings


def test_bf16_with_an_average(domes, tmp_path):
    config = dome_config("train.precision=bf16", "train.ema_decay=0.9", "model.start=additive")
    summary = train(domes, tmp_path / "run", config)
    assert all(np.isfinite(value) for value in summary["final_losses"].values())
    weights, state = RunFolder(tmp_path / "run").read_weights(), RunFolder(tmp_path / "run")
    shadow = state.read_state()["average"]["shadow"]
    assert all(weights[key].dtype == torch.float32 for key in shadow)
    assert torch.equal(weights["generator.output.weight"], shadow["generator.output.weight"])


def test_same_seed_same_weights_another_seed_others(domes, tmp_path):
    found = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        train(domes, tmp_path / name, dome_config(f"train.seed={seed}", "train.iterations=2"))
        found.append(RunFolder(tmp_path / name).read_weights()["generator.output.weight"])
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_epochs_set_the_length(domes, tmp_path):
    """Three passes over 48 training meshes (6 of 8 people), 8 x 3 meshes an iteration."""
    summary = train(domes, tmp_path / "run", dome_config("epochs=3"))
    assert summary["iterations"] == 6


@pytest.mark.parametrize("name", ["quick", "full", "paper"])
def test_presets_parse(name):
    assert name in presets()
    assert isinstance(read_config(name, None), RunConfig)


def test_paper_preset_is_the_paper():
    """Fernández Abrevaya et al. 2019, Sec. 5.1, as read there."""
    config = read_config("paper", None)
    assert config.model.code_sizes == {"identity": 65, "expression": 15, "noise": 5}
    weights = config.loss
    assert (weights.gan, weights.classification, weights.feature) == (1, 1, 0.5)
    assert (weights.laplacian, weights.instance_noise) == (100, 0.1)
    assert (config.step.batch, config.step.discriminator_steps, config.epochs) == (64, 3, 200)
    assert (config.model.image_size, config.step.generator.rate) == (64, 2e-4)


def test_settings_are_refused_with_a_suggestion(tmp_path):
    with pytest.raises(ConfigError, match=r"train.iteration is not .*did you mean train.iteratio"):
        read_config("quick", None, ["train.iteration=5"])
    with pytest.raises(ConfigError, match=r"no such preset; known: .*full, .*quick"):
        read_config("quik", None)
    (tmp_path / "my.yaml").write_text("model: {hidden: many}")
    with pytest.raises(ConfigError, match=r"my.yaml: model.hidden must be a whole number"):
        read_config("quick", tmp_path / "my.yaml")


def test_a_file_that_names_codes_means_these_and_no_others(tmp_path):
    (tmp_path / "my.yaml").write_text("model: {codes: {age: 4}}\ntrain: {iterations: 7}")
    config = read_config("quick", tmp_path / "my.yaml", ["train.seed=2"])
    assert config.model.codes == {"age": 4}
    assert (config.train.iterations, config.train.seed) == (7, 2)


# ---- several processes


@pytest.mark.slow
def test_two_processes_write_one_run_and_one_answer(domes, tmp_path):
    script = tmp_path / "start.py"  # the second process runs the same file again
    script.write_text("from meshgan.cli.main import main\n\nmain()\n")
    words = [sys.executable, script, "train", "--data", domes, "--out", tmp_path / "run"]
    words += ["--devices", "2", "--json", *as_options([*SETTINGS, "train.iterations=2"])]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["iterations"] == 2  # one object, of the first process
    assert all(
        np.isfinite(mesh.vertices).all() for mesh in FaceModel.load(tmp_path / "run").sample(2)
    )
    refused = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 2
    assert "holds a run already" in json.loads(refused.stdout)["error"]
    assert "Traceback" not in refused.stderr
