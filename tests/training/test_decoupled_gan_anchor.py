"""The anchor: nothing at the start, exact after a known move, there again after a restart."""

import pytest
import torch

from meshgan.apps.benchmarks.train import make_task
from meshgan.errors import ConfigError
from meshgan.models.generator import DecoupledGenerator
from meshgan.training.run_folder import RunFolder
from meshgan.training.tasks.decoupled_gan import DecoupledGAN
from meshgan.training.tasks.decoupled_gan_anchor import FARTHEST, NEAREST, Anchor
from meshgan.training.train_config import TrainConfig
from meshgan.training.trainer import Trainer


@pytest.fixture
def generator() -> DecoupledGenerator:
    torch.manual_seed(0)
    sizes = {"identity": 6, "expression": 4, "noise": 2}
    factors = {"identity": ("a", "b"), "expression": ("c", "d")}
    return DecoupledGenerator(torch.zeros(9, 3), torch.tensor([[0, 1, 2]]), factors, sizes, 24)


def test_nothing_pulls_at_the_start(generator):
    anchor = Anchor(generator)
    loss = anchor(*anchor.draw(16, torch.Generator().manual_seed(0)))
    loss.backward()
    assert loss.item() == 0
    assert all(float(p.grad.abs().max()) == 0 for p in generator.parameters())


def test_a_known_move_costs_its_square(generator):
    anchor = Anchor(generator)
    with torch.no_grad():
        generator.output.bias += torch.tensor([1.0, -2.0, 3.0]).repeat(9)
    loss = anchor(*anchor.draw(16, torch.Generator().manual_seed(0)))
    assert loss.item() == pytest.approx(1 + 4 + 9, rel=1e-4)


def test_it_pulls_the_hidden_layer_back(generator):
    anchor = Anchor(generator)
    drawn = anchor.draw(64, torch.Generator().manual_seed(0))
    with torch.no_grad():
        generator.hidden.weight += 0.1 * torch.randn(24, 12)
    before = anchor(*drawn)
    optimiser = torch.optim.SGD(generator.parameters(), 1e-3)
    before.backward()
    optimiser.step()
    assert anchor(*drawn) < before


def test_codes_are_wide(generator):
    codes, vertices = Anchor(generator).draw(4000, torch.Generator().manual_seed(0))
    widths = codes["identity"].square().mean(dim=1).sqrt()
    expected = (NEAREST**2 + NEAREST * FARTHEST + FARTHEST**2) / 3  # of a uniform width, squared
    assert widths.square().mean().item() == pytest.approx(expected, rel=0.05)
    assert vertices.unique().tolist() == list(range(9))


def trainer_in(folder, iterations):
    task = make_task(DecoupledGAN, {"vertices": 60, "identities": 3, "batch": 4, "image_size": 16})
    task.anchor = Anchor(task.generator)
    config = TrainConfig(iterations=iterations, accelerator="cpu", log_every=1)
    run = RunFolder(folder)
    run.path.mkdir(exist_ok=True)
    return Trainer(task, config, run)


def test_a_restart_holds_on_to_the_first_start(tmp_path):
    through = trainer_in(tmp_path / "through", 4)
    through.fit()
    trainer_in(tmp_path / "killed", 2).fit()
    resumed = trainer_in(tmp_path / "killed", 4)
    with torch.no_grad():
        for buffer in resumed.task.anchor.buffers():
            buffer.zero_()  # a restart knows no start
    resumed.fit(resume=True)
    for module in ("generator", "anchor"):
        first, second = (
            {**one.task.modules(), **one.task.frozen()}[module].state_dict()
            for one in (through, resumed)
        )
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first), module


def test_an_anchor_needs_a_start_worth_keeping():
    from meshgan.apps.run_config import read_config

    with pytest.raises(ConfigError, match=r"loss.anchor .* model.start"):
        read_config("paper", None, ["loss.anchor=1"])
