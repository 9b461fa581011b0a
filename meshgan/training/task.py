"""Task and Phase: what one paper brings to the trainer that all papers share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from PIL import Image
from torch import Tensor, nn

from meshgan.training.optimisation import OptimiserConfig

Batch = Mapping[str, Any]
Terms = dict[str, Tensor]


@dataclass(frozen=True)
class Phase:
    """One step of one or more optimisers.

    Args:
        name: passed to ``Task.loss``; losses are logged under it.
        trains: names of the optimisers that step. Parameters of all others get no gradient.
        stream: the data stream whose batch it sees.
        fresh: draw a new batch; otherwise the last batch of that stream is used again.
    """

    name: str
    trains: tuple[str, ...]
    stream: str = "main"
    fresh: bool = True


@dataclass(frozen=True)
class Optimiser:
    """Which parameters one optimiser owns, and how it moves them.

    Args:
        modules: names in ``Task.modules()`` whose parameters it steps.
        config: kind, rates and schedule.
    """

    modules: tuple[str, ...]
    config: OptimiserConfig


@runtime_checkable
class Stream(Protocol):
    """An endless source of batches that can be put back to where it was."""

    def next(self) -> Batch:
        """The next batch, on the CPU."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Position, as plain values and tensors."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue exactly where ``state_dict`` was taken."""
        ...


class Task:
    """What one paper brings: modules, data, phases and losses. Base class with empty hooks.

    The trainer calls, each iteration: ``plan`` (or ``joint`` where it answers), ``loss`` for each
    phase, ``after_step`` after each optimiser step, ``after_iteration`` at the end; now and then
    ``validate`` and ``preview``. Randomness comes only from the generators that are passed in.
    """

    def modules(self) -> dict[str, nn.Module]:
        """Modules by name: moved to the device, saved and restored by the engine.

        Values that must survive a restart without being learned (fixed codes, balances,
        centroids) are buffers of one of them.
        """
        raise NotImplementedError

    def frozen(self) -> dict[str, nn.Module]:
        """Modules that are moved to the device but never stepped.

        Their persistent buffers are part of the training state, not of the weights for use.
        """
        return {}

    def streams(self) -> dict[str, Stream]:
        """Data streams by name."""
        raise NotImplementedError

    def optimisers(self) -> dict[str, Optimiser]:
        """Optimisers by name."""
        raise NotImplementedError

    def plan(self, iteration: int) -> Sequence[Phase]:
        """The phases of one iteration, in order; their number may change with it."""
        raise NotImplementedError

    def loss(self, phase: str, batch: Batch, iteration: int, rng: torch.Generator) -> Terms:
        """Weighted terms by name; the engine logs each and minimises their sum."""
        raise NotImplementedError

    def joint(
        self, iteration: int, rng: torch.Generator, draw: "Draw"
    ) -> dict[str, tuple[Tensor, tuple[str, ...]]] | None:
        """Several losses of one forward pass, each with the optimisers that it moves.

        Where this answers (not None), it replaces ``plan``: gradients of every loss are taken
        from the one graph, then all optimisers step together.
        """
        return None

    def after_step(self, phase: str, iteration: int) -> None:
        """Follow an optimiser step: rebuild what depends on the weights."""

    def after_iteration(self, iteration: int, values: Mapping[str, float]) -> None:
        """Follow an iteration: balances and centroids that move with the logged values."""

    def validate(self, rng: torch.Generator) -> dict[str, float]:
        """Scores of the current model (under EMA where there is one), by name."""
        return {}

    def preview(self, rng: torch.Generator) -> Image.Image | None:
        """What a person should look at during training."""
        return None


@runtime_checkable
class Draw(Protocol):
    """Gives the next batch of a stream, on the device."""

    def __call__(self, stream: str = "main") -> Batch:
        """The next batch."""
        ...
