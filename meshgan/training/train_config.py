"""How long a training runs, on what, and how often it looks and saves."""

from dataclasses import dataclass
from typing import Literal

from lightning_fabric import Fabric

from meshgan.config import require
from meshgan.errors import InputError


@dataclass(frozen=True)
class TrainConfig:
    """How long, on what, and how often to look and save."""

    iterations: int = 2000
    """Executions of the task's plan; steps inside one are not counted."""
    minutes: float | None = None
    """Stop after this much time even if iterations are left; None: never."""
    seed: int = 0
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = 1
    """Processes, each with its own share of the batches; gradients are averaged."""
    precision: Literal["32", "bf16"] = "32"
    """``bf16``: matrix products and convolutions in bfloat16, all else in float32."""
    log_every: int = 10
    preview_every: int = 250
    """Iterations between sheets; 0: none."""
    validate_every: int = 250
    """Iterations between validations; 0: none."""
    save_every: int = 500
    keep_states: int = 2
    ema_decay: float | None = None
    """Decay of the moving average of the weights; None: no average."""
    ema_modules: tuple[str, ...] = ()
    """Modules to average; all by default."""
    divergence_limit: float = 1e6
    """Largest magnitude of the sum of a phase's terms before training is stopped."""

    def __post_init__(self) -> None:
        require(
            self,
            iterations=self.iterations > 0,
            minutes=self.minutes is None or self.minutes > 0,
            devices=self.devices >= 1,
            log_every=self.log_every > 0,
            preview_every=self.preview_every >= 0,
            validate_every=self.validate_every >= 0,
            save_every=self.save_every > 0,
            keep_states=self.keep_states > 0,
            ema_decay=self.ema_decay is None or 0 < self.ema_decay < 1,
            divergence_limit=self.divergence_limit > 0,
        )


def make_fabric(config: TrainConfig) -> Fabric:
    """The device layer: one CPU, one GPU, or several processes (``.launch()`` starts them)."""
    try:
        return Fabric(
            accelerator=config.accelerator,
            devices=config.devices,
            strategy="ddp" if config.devices > 1 else "auto",
            precision="bf16-mixed" if config.precision == "bf16" else "32-true",
        )
    except Exception as error:
        raise InputError(
            f"train.accelerator {config.accelerator}, {config.devices} devices: not available here "
            f"({' '.join(str(error).split())[:200]})"
        ) from error
