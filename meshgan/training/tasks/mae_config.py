"""Settings of the multilinear autoencoder: model, losses, steps."""

from dataclasses import dataclass, field
from typing import Literal

from meshgan.config import require
from meshgan.training.optimisation import OptimiserConfig, Schedule


@dataclass(frozen=True)
class ModelConfig:
    """Codes, decoder and encoder."""

    codes: dict[str, int] = field(default_factory=lambda: {"identity": 65, "expression": 20})
    """Length of each factor's code; the factors, and their order."""
    directions: int = 300
    """Principal directions of the meshes in which the tensor acts; fewer where there are fewer."""
    neutral: str | None = "neutral"
    """Label of the faces at rest, for the start; see the additive model."""
    interaction: float = 0.03
    """How large the products of codes are at the start; see the multilinear model."""
    image_size: int = 64
    uv: Literal["template", "harmonic", "slim", "mean_value", "uniform"] = "slim"
    """Map to the unit square."""
    channels: tuple[int, ...] = (16, 32, 64, 128)
    """Of the encoder's convolutions."""
    slope: float = 0.2
    """Slope of the encoder's leaky ReLU below zero."""

    def __post_init__(self) -> None:
        require(
            self,
            codes=len(self.codes) > 0 and all(size > 0 for size in self.codes.values()),
            directions=self.directions > 0,
            interaction=self.interaction >= 0,
            image_size=self.image_size > 0,
            channels=len(self.channels) > 0 and all(width > 0 for width in self.channels),
            slope=0 <= self.slope < 1,
        )


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses; 0 leaves a term out."""

    agreement: float = 1.0
    """Of the codes of one label, in mm^2: spread within labels over spread of all codes."""
    agreement_rise: int = 500
    """Iterations over which it rises from 0: first the encoder must find codes at all."""

    def __post_init__(self) -> None:
        require(self, agreement=self.agreement >= 0, agreement_rise=self.agreement_rise >= 1)


def _falling() -> OptimiserConfig:
    return OptimiserConfig(rate=1e-3, schedule=Schedule("cosine", floor=0.01))


@dataclass(frozen=True)
class StepConfig:
    """How the model is stepped."""

    batch: int = 64
    labelled_share: float = 0.25
    """Of each batch, faces with a label of the factor that has fewest; for one that has more
    anyway, faces are drawn as they come."""
    optimiser: OptimiserConfig = field(default_factory=_falling)

    def __post_init__(self) -> None:
        require(self, batch=self.batch >= 2, labelled_share=0 <= self.labelled_share <= 1)
