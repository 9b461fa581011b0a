"""Settings of the convolutional mesh autoencoder: model and steps."""

from dataclasses import dataclass, field

from meshgan.config import require
from meshgan.errors import ConfigError
from meshgan.training.optimisation import OptimiserConfig, Schedule


@dataclass(frozen=True)
class ModelConfig:
    """Codes and autoencoder. Filters and polynomials: Ranjan et al. 2018, Table 1."""

    codes: dict[str, int] = field(default_factory=lambda: {"identity": 65, "expression": 20})
    """Length of each factor's code: the linear one first, then the autoencoder's."""
    neutral: str | None = "neutral"
    """Label of the faces at rest: what people's shapes are taken from; see the additive model."""
    filters: tuple[int, ...] = (16, 16, 16, 32)
    """Channels of the convolutions; after each the mesh is made coarser."""
    order: int = 6
    """Chebyshev polynomials per convolution."""
    factor: float = 4.0
    """Triangles of a mesh over those of the next coarser one."""

    def __post_init__(self) -> None:
        require(
            self,
            codes=all(size > 0 for size in self.codes.values()),
            filters=len(self.filters) > 0 and all(width > 0 for width in self.filters),
            order=self.order >= 1,
            factor=self.factor > 1,
        )
        if len(self.codes) != 2:
            raise ConfigError(
                f"model.codes: {', '.join(self.codes) or 'none'}; this model has two factors, the "
                "first linear (the person), the second the autoencoder's; name two"
            )


def _falling() -> OptimiserConfig:
    return OptimiserConfig(rate=2e-3, schedule=Schedule("cosine", warmup=100, floor=0.01))


@dataclass(frozen=True)
class StepConfig:
    """How the autoencoder is stepped. Differs from its paper (SGD, rate 8e-3): Adam is faster."""

    batch: int = 16
    optimiser: OptimiserConfig = field(default_factory=_falling)

    def __post_init__(self) -> None:
        require(self, batch=self.batch >= 1)
