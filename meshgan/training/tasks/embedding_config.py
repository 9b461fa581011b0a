"""Settings of an embedding network: what it sees, its batches, its loss. Defaults: the paper's."""

from dataclasses import dataclass, field
from typing import Literal

from meshgan.config import require
from meshgan.training.optimisation import OptimiserConfig

Mining = Literal["all", "semihard", "hard", "hardest"]


@dataclass(frozen=True)
class EmbeddingModelConfig:
    """The network and its pictures. Defaults: Fernández Abrevaya et al. 2019, Sec. 5.3."""

    factor: str = "identity"
    """What makes two faces alike."""
    size: int = 128
    """Length of the embedding."""
    width: int = 64
    """Channels of the first stage; 64 is ResNet-18."""
    size_px: int = 224
    """Pixels a side of the normal maps."""

    def __post_init__(self) -> None:
        require(
            self,
            factor=bool(self.factor),
            size=self.size > 0,
            width=self.width > 0,
            size_px=self.size_px >= 32,
        )


@dataclass(frozen=True)
class TripletConfig:
    """Batches and loss. The paper gives neither margin nor mining nor batch [choice]."""

    labels: int = 16
    """Labels in a batch (all, where the factor has fewer)."""
    faces: int = 4
    """Faces of each label in a batch; with fewer labels than ``labels``, more, to fill it."""
    margin: float = 0.2
    """How much nearer a face of the same label must be, in units of the unit sphere."""
    mining: Mining = "semihard"
    """Triplets that count. ``all``: those that violate the margin; of these ``hard``: where the
    other label is the nearer one, ``semihard``: where it is not; ``hardest``: per face the farthest
    of its label and the nearest of another."""
    optimiser: OptimiserConfig = field(default_factory=lambda: OptimiserConfig(rate=1e-3))

    def __post_init__(self) -> None:
        require(
            self,
            labels=self.labels >= 2,
            faces=self.faces >= 2,
            margin=self.margin > 0,
        )


@dataclass(frozen=True)
class VariationConfig:
    """How a face may vary while its label stays; 0 leaves a variation out. Each is Gaussian."""

    rotation_deg: float = 0.0
    """About a random axis through the middle of the face."""
    translation_mm: float = 0.0
    """Along each axis."""
    scale: float = 0.0
    """Of the whole face, relative: no good where size is a sign, as for identity."""
    stretch: float = 0.0
    """Along each axis on its own, relative: another build, for factors other than identity."""
    mirrored: float = 0.0
    """Share of faces whose left and right are exchanged; needs a symmetric template."""
    noise: float = 0.0
    """On each number of a normal map."""

    def __post_init__(self) -> None:
        require(
            self,
            rotation_deg=self.rotation_deg >= 0,
            translation_mm=self.translation_mm >= 0,
            scale=0 <= self.scale < 0.3,
            stretch=0 <= self.stretch < 0.3,
            mirrored=0 <= self.mirrored <= 1,
            noise=self.noise >= 0,
        )
