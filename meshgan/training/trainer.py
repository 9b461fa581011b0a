"""The training loop that meshes and images share. It knows tasks, not what they learn."""

import logging
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from meshgan import seeding
from meshgan.errors import DivergenceError, FileFormatError, InputError
from meshgan.training.journal import Journal
from meshgan.training.optimisation import MovingAverage
from meshgan.training.run_folder import RunFolder
from meshgan.training.task import Batch, Phase, Task
from meshgan.training.train_config import TrainConfig, make_fabric

log = logging.getLogger(__name__)


class Trainer:
    """Runs a task: phases, steps, averages, schedules, logs, previews, states.

    The same weights and numbers come out whether a training runs through or is killed and
    resumed: on a CPU to the bit.

    Args:
        task: what to train.
        config: how long and how.
        run: where everything is written.
        fabric: device layer; made from ``config`` by default.
    """

    def __init__(
        self, task: Task, config: TrainConfig, run: RunFolder, fabric: Fabric | None = None
    ) -> None:
        self.task, self.config, self.run = task, config, run
        self.fabric = fabric or make_fabric(config)
        self.modules = task.modules()
        for module in (*self.modules.values(), *task.frozen().values()):
            module.to(self.fabric.device)
        for module in task.frozen().values():
            module.requires_grad_(False).eval()
        self.specs = task.optimisers()
        self.parameters = {
            name: self._parameters_of(spec.modules) for name, spec in self.specs.items()
        }
        self.optimisers = {
            name: spec.config.build(self.parameters[name]) for name, spec in self.specs.items()
        }
        self.streams = task.streams()
        self.average = self._make_average()
        self.iteration = 0
        self.rng = seeding.torch_generator(config.seed, "training", self.fabric.global_rank)
        self._last: dict[str, Batch] = {}
        self._window: dict[str, list[float]] = {}  # terms since the last logged line

    # ---- the loop

    def fit(self, resume: bool = False) -> dict[str, float]:
        """Train to the end of the configuration; the last logged values come back.

        Raises:
            DivergenceError: a term is not finite, or their sum leaves the limit; names the
                phase, the term, the iteration and the last saved state.
        """
        if resume and self.run.has_state():
            self.load_state(self.run.read_state())
            if self.fabric.is_global_zero:
                self.run.clear_unfinished()
            log.info("resumed at iteration %d", self.iteration)
        chief = self.fabric.is_global_zero
        journal = Journal(self.run, self.iteration, self.config.iterations) if chief else None
        started, values = time.monotonic(), {}
        try:
            while self.iteration < self.config.iterations and not self._late(started):
                values = self.step()
                self._record(journal, values)
        finally:
            if journal:
                journal.close()
        if chief:
            self.save()
        return values

    def step(self) -> dict[str, float]:
        """One iteration: every phase, then what follows it. Returns the terms by phase."""
        self._set_rates()
        self._only_train(tuple(self.specs))
        with self.fabric.autocast():
            joint = self.task.joint(self.iteration, self.rng, self._draw)
        tensors = self._joint_step(joint) if joint is not None else self._planned_steps()
        values = {key: float(value) for key, value in tensors.items()}
        self.task.after_iteration(self.iteration, values)
        if self.average:
            self.average.update()
        self.iteration += 1
        return values

    def _planned_steps(self) -> dict[str, Tensor]:
        seen: dict[str, Tensor] = {}
        for phase in self.task.plan(self.iteration):
            self._only_train(phase.trains)
            batch = self._batch(phase)
            with self.fabric.autocast():
                terms = self.task.loss(phase.name, batch, self.iteration, self.rng)
            total = torch.stack([term.float() for term in terms.values()]).sum()
            self._check(phase.name, terms, total)
            total.backward()
            self._step_optimisers(phase.trains)
            self.task.after_step(phase.name, self.iteration)
            seen |= {f"{phase.name}/{key}": value.detach() for key, value in terms.items()}
        return seen

    def _joint_step(self, joint: Mapping[str, tuple[Tensor, tuple[str, ...]]]) -> dict[str, Tensor]:
        stepped: set[str] = set()
        for name, (loss, trains) in joint.items():
            self._check(name, {name: loss}, loss)
            parameters = [p for key in trains for p in self.parameters[key]]
            gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                if gradient is not None:
                    held = parameter.grad
                    parameter.grad = gradient if held is None else held + gradient
            stepped.update(trains)
        self._step_optimisers(tuple(stepped))
        self.task.after_step("joint", self.iteration)
        return {f"joint/{name}": loss.detach() for name, (loss, _) in joint.items()}

    def _only_train(self, names: Sequence[str]) -> None:
        for name, parameters in self.parameters.items():
            for parameter in parameters:
                parameter.requires_grad_(name in names)

    def _step_optimisers(self, names: Sequence[str]) -> None:
        for name in names:
            if self.fabric.world_size > 1:
                self._average_gradients(self.parameters[name])
            if (clip := self.specs[name].config.clip) is not None:
                nn.utils.clip_grad_norm_(self.parameters[name], clip)
            self.optimisers[name].step()
            self.optimisers[name].zero_grad(set_to_none=True)

    def _average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Mean over the processes, whatever way the gradient was made."""
        for parameter in parameters:
            if parameter.grad is not None:
                mean = self.fabric.all_reduce(parameter.grad, reduce_op="mean")
                assert isinstance(mean, Tensor)  # as what went in
                parameter.grad.copy_(mean)

    def _draw(self, stream: str = "main") -> Batch:
        self._last[stream] = self.fabric.to_device(self.streams[stream].next())
        return self._last[stream]

    def _batch(self, phase: Phase) -> Batch:
        fresh = phase.fresh or phase.stream not in self._last
        return self._draw(phase.stream) if fresh else self._last[phase.stream]

    def _set_rates(self) -> None:
        for name, optimiser in self.optimisers.items():
            config = self.specs[name].config
            rate = config.rate * config.schedule(self.iteration, self.config.iterations)
            for group in optimiser.param_groups:
                group["lr"] = rate

    def _check(self, phase: str, terms: Mapping[str, Tensor], total: Tensor) -> None:
        value = float(total.detach())
        if math.isfinite(value) and abs(value) <= self.config.divergence_limit:
            return
        bad = {key: float(term.detach()) for key, term in terms.items()}
        worst = max(bad, key=lambda key: abs(bad[key]) if math.isfinite(bad[key]) else math.inf)
        saved = sorted(self.run.states.glob("[0-9]*.pt"))
        raise DivergenceError(
            f"{self.run.path}: diverged at iteration {self.iteration} in phase {phase}: "
            f"{worst} = {bad[worst]:.4g}; "
            + (f"the last good state is {saved[-1].name}; " if saved else "nothing was saved yet; ")
            + "lower the learning rate or the weight of that term and resume"
        )

    # ---- what happens now and then

    def _record(self, journal: Journal | None, values: dict[str, float]) -> None:
        if journal is None:
            return
        config, last = self.config, self.iteration == self.config.iterations
        due = lambda every: every > 0 and (self.iteration % every == 0 or last)  # noqa: E731
        for key, value in values.items():
            self._window.setdefault(key, []).append(value)
        scores = self.validate() if due(config.validate_every) else {}
        if due(config.log_every) or scores:
            means = {key: math.fsum(seen) / len(seen) for key, seen in self._window.items()}
            self._window.clear()
            journal.write(self.iteration, {**means, **scores})
        if due(config.preview_every) and (path := self.preview()):
            journal.picture("preview", path, self.iteration)
        if self.iteration % config.save_every == 0:
            self.save()

    def validate(self) -> dict[str, float]:
        """The task's scores, under the average where there is one."""
        rng = seeding.torch_generator(self.config.seed, "validation")
        with self._averaged(), torch.no_grad():
            return self.task.validate(rng)

    def preview(self):
        """Write the task's picture; returns its path, or None where there is none."""
        rng = seeding.torch_generator(self.config.seed, "preview")
        with self._averaged(), torch.no_grad():
            image = self.task.preview(rng)
        if image is None:
            return None
        self.run.previews.mkdir(exist_ok=True)
        path = self.run.previews / f"{self.iteration:06d}.png"
        image.save(path)
        return path

    def save(self) -> None:
        """Write the full state, then the weights for use."""
        self.run.write_state(self.iteration, self.state(), self.config.keep_states)
        with self._averaged():
            self.run.write_weights(
                {
                    f"{name}.{key}": value
                    for name, module in self.modules.items()
                    for key, value in module.state_dict().items()
                }
            )

    def state(self) -> dict[str, Any]:
        """All that the future of this training depends on."""
        return {
            "iteration": self.iteration,
            "modules": {name: module.state_dict() for name, module in self.modules.items()},
            "frozen": {name: module.state_dict() for name, module in self.task.frozen().items()},
            "optimisers": {name: opt.state_dict() for name, opt in self.optimisers.items()},
            "streams": {name: stream.state_dict() for name, stream in self.streams.items()},
            "average": self.average.state_dict() if self.average else None,
            "window": {key: list(seen) for key, seen in self._window.items()},
            "rng": self.rng.get_state(),
            "global_rng": seeding.capture_rng(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Put everything back to where ``state`` was taken.

        Raises:
            FileFormatError: the state belongs to another task or model.
        """
        try:
            self.iteration = state["iteration"]
            self._window = {key: list(seen) for key, seen in state["window"].items()}
            for name, module in self.modules.items():
                module.load_state_dict(state["modules"][name])
            frozen = self.task.frozen()
            for name, values in state["frozen"].items():
                frozen[name].load_state_dict(values)
            for name, optimiser in self.optimisers.items():
                optimiser.load_state_dict(state["optimisers"][name])
            for name, stream in self.streams.items():
                stream.load_state_dict(state["streams"][name])
            if self.average and state["average"] is not None:
                self.average.load_state_dict(state["average"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise FileFormatError(
                f"{self.run.states}: the training state is of another model or version ({error})"
            ) from error
        if self.fabric.is_global_zero:
            self.rng.set_state(state["rng"])
        else:  # only the first process saves: the others start a stream of their own
            self.rng = seeding.torch_generator(
                self.config.seed, "training", self.fabric.global_rank, self.iteration
            )
        seeding.restore_rng(state["global_rng"])
        self.task.after_step("resume", self.iteration)

    # ---- parts

    def _parameters_of(self, names: Sequence[str]) -> list[nn.Parameter]:
        unknown = [name for name in names if name not in self.modules]
        if unknown:
            raise InputError(f"optimiser: no module {', '.join(unknown)} in this task")
        return [p for name in names for p in self.modules[name].parameters()]

    def _make_average(self) -> MovingAverage | None:
        if self.config.ema_decay is None:
            return None
        names = self.config.ema_modules or tuple(self.modules)
        return MovingAverage({name: self.modules[name] for name in names}, self.config.ema_decay)

    def _averaged(self):
        from contextlib import nullcontext

        return self.average.applied() if self.average else nullcontext()

    def _late(self, started: float) -> bool:
        """Whether the time is up; the first process decides for all, whose clocks differ."""
        if self.config.minutes is None:
            return False
        late = time.monotonic() - started > 60 * self.config.minutes
        return bool(self.fabric.broadcast(late)) if self.fabric.world_size > 1 else late
