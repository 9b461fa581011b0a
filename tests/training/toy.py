"""Small tasks for the engine's tests; run as a script it trains one in a process of its own."""

import argparse
import time
from pathlib import Path

import torch
from torch import nn

from meshgan.training.optimisation import OptimiserConfig, Schedule
from meshgan.training.run_folder import RunFolder
from meshgan.training.task import Optimiser, Phase, Task
from meshgan.training.train_config import TrainConfig, make_fabric
from meshgan.training.trainer import Trainer

PLAIN = OptimiserConfig(kind="sgd", rate=0.1, betas=(0.0, 0.0))


class Counter:
    """Batches 0, 1, 2, ... of ``size`` rows, of which this process takes its share."""

    def __init__(self, size: int = 4, rank: int = 0, world: int = 1):
        self.position, self.size, self.rank, self.world = 0, size, rank, world

    def next(self):
        rng = torch.Generator().manual_seed(self.position)
        rows = torch.randn(self.size, 3, generator=rng)
        self.position += 1
        return {"rows": rows.chunk(self.world)[self.rank], "number": self.position - 1}

    def state_dict(self):
        return {"position": self.position}

    def load_state_dict(self, state):
        self.position = state["position"]


class ToyTask(Task):
    """Two linear layers in a row, each with its own optimiser, loss and noise."""

    def __init__(self, phases=("first", "second"), width=4, nan_at=None, slow=False, stream=None):
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(3, width), nn.Linear(width, 1)
        self.phases, self.nan_at, self.slow, self.seen = phases, nan_at, slow, []
        self.stream = stream or Counter()
        self.noise = 0.1 if stream is None else 0.0

    def modules(self):
        return {"first": self.first, "second": self.second}

    def streams(self):
        return {"main": self.stream}

    def optimisers(self):
        falling = OptimiserConfig(rate=0.05, schedule=Schedule("cosine", floor=0.1), clip=1.0)
        config = falling if self.noise else PLAIN
        return {name: Optimiser((name,), config) for name in ("first", "second")}

    def plan(self, iteration):
        fresh = {"first": True, "second": len(self.phases) == 1}
        return [Phase(name, (name,), fresh=fresh[name]) for name in self.phases]

    def loss(self, phase, batch, iteration, rng):
        self.seen.append(batch["number"])
        time.sleep(0.02 if self.slow else 0)
        rows = batch["rows"] + self.noise * torch.randn(batch["rows"].shape, generator=rng)
        value = self.second(self.first(rows)).square().mean()
        if self.nan_at == iteration:
            value = value * float("nan")
        return {
            "square": value,
            "small": 0.01 * self.first.weight.square().sum()
            if phase == "first"
            else 0.01 * self.second.weight.square().sum(),
        }

    def validate(self, rng):
        return {"score/size": float(self.first.weight.norm())}


class JointTask(Task):
    """Two networks whose losses come from one forward pass."""

    def __init__(self):
        torch.manual_seed(1)
        self.a, self.b = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)

    def modules(self):
        return {"a": self.a, "b": self.b}

    def streams(self):
        return {"main": Counter()}

    def optimisers(self):
        return {name: Optimiser((name,), PLAIN) for name in ("a", "b")}

    def losses(self, rows):
        made = self.b(self.a(rows))
        return {"up": made.square().mean(), "down": -made.sum()}

    def joint(self, iteration, rng, draw):
        losses = self.losses(draw()["rows"])
        return {"up": (losses["up"], ("a",)), "down": (losses["down"], ("b",))}

    def separate_gradients(self):
        rows = Counter().next()["rows"]
        (a,) = torch.autograd.grad(self.losses(rows)["up"], [self.a.weight])
        (b,) = torch.autograd.grad(self.losses(rows)["down"], [self.b.weight])
        return {"a": a, "b": b}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("iterations", type=int)
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--devices", type=int)
    options = parser.parse_args()
    config = TrainConfig(
        iterations=options.iterations,
        accelerator="cpu",
        devices=options.devices or 1,
        save_every=5,
        preview_every=0,
        validate_every=0,
        log_every=1,
    )
    fabric = make_fabric(config)
    fabric.launch()
    stream = None
    if options.devices:
        stream = Counter(4, fabric.global_rank, fabric.world_size)
    options.run.mkdir(parents=True, exist_ok=True)
    task = ToyTask(slow=options.slow, stream=stream)
    Trainer(task, config, RunFolder(options.run), fabric).fit(resume=True)


if __name__ == "__main__":
    main()
