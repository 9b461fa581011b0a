"""Settings of the decoupled GAN: networks, losses, steps. The defaults are the paper's."""

from dataclasses import dataclass, field
from typing import Literal

from meshgan.config import require
from meshgan.models.generator import NOISE
from meshgan.training.optimisation import OptimiserConfig


@dataclass(frozen=True)
class ModelConfig:
    """The networks. Defaults: the paper's, Sec. 5.1 and Fig. 11."""

    codes: dict[str, int] = field(default_factory=lambda: {"identity": 65, "expression": 15})
    """Length of each factor's code; the factors, and their order."""
    noise: int = 5
    hidden: int = 512
    slope: float = 0.2
    """Slope of the leaky ReLU below zero (the paper's table; its text says ReLU: 0)."""
    image_size: int = 64
    uv: Literal["template", "harmonic", "slim", "mean_value", "uniform"] = "harmonic"
    """Map to the unit square: the paper's ``harmonic``, ``slim`` (keeps nostrils and lips), ...;
    ``template``: the one that comes with the template."""
    trunk: tuple[int, ...] = (16, 32)
    branch: tuple[int, ...] = (64, 128)
    start: Literal["random", "additive", "mixed"] = "random"
    """``additive``: begin as the additive model of the labelled data instead of at random;
    ``mixed``: the same faces, but with all codes turned into one another, so that none means
    anything yet and only the losses can tell them apart (for ablations)."""
    axes: Literal["principal", "independent"] = "principal"
    """Of the expression code (any factor that shares directions) in the additive start.
    ``principal``: faces that share a code are more often taken for the same expression;
    ``independent``: strong expressions have shorter codes, so fits with a large weight of the
    codes' prior reach further."""
    neutral: str | None = "neutral"
    """Label of the faces at rest, in any factor that has it: what a person's shape is taken from
    in the additive start, as far as known. None: from the mean of all faces of the person."""
    details: int = 128
    """How many directions in which people differ beyond their code the additive start keeps, at
    most: a transfer leaves them where they are. 0 for none."""
    mirrored_start: bool = False
    """Let the additive model see every face's mirror image too, as another person's; needs a
    template with a mirror map."""

    def __post_init__(self) -> None:
        require(
            self,
            codes=len(self.codes) > 0 and all(size > 0 for size in self.codes.values()),
            noise=self.noise >= 0,
            hidden=self.hidden > 0,
            details=self.details >= 0,
            slope=0 <= self.slope < 1,
            image_size=self.image_size > 0,
        )

    @property
    def code_sizes(self) -> dict[str, int]:
        """Length of each code, noise last."""
        return {**self.codes, NOISE: self.noise}


@dataclass(frozen=True)
class LossConfig:
    """Weights of the losses. Defaults: the paper's, Sec. 5.1; 0 leaves a term out."""

    gan: float = 1.0
    """l1 of Eq. 8."""
    classification: float = 1.0
    """l2 of Eq. 8."""
    feature: float = 0.5
    """l3 of Eq. 8."""
    laplacian: float = 100.0
    """l4 of Eq. 8."""
    discriminator_classification: float = 0.1
    """lambda_C of Eq. 6."""
    gradient_penalty: float = 10.0
    """Gulrajani et al. 2017."""
    instance_noise: float = 0.1
    """Standard deviation of the noise on the discriminator's input, in units of the data RMS."""
    laplacian_length_mm: float = 1.0
    """l of the regulariser |l^2 Delta d|^2: its unit of length."""
    laplacian_weights: Literal["area", "data"] = "area"
    """Where the regulariser counts: "area" is everywhere alike (the paper); "data" at each vertex
    relative to the roughness of the training faces there, so that lids may fold and cheeks not."""
    anchor: float = 0.0
    """Weight of staying what ``model.start`` made of the generator at wide codes (mean squared
    vertex distance over the squared data RMS); only with ``start: additive``."""
    class_weights: Literal["inverse_frequency", "rare_events", "none"] = "inverse_frequency"
    unclassified: tuple[str, ...] = ()
    """Factors without classification loss (an ablation of the paper), and without feature loss:
    features of a branch that learns nothing mean nothing."""

    def __post_init__(self) -> None:
        values = {
            name: getattr(self, name) >= 0
            for name, value in vars(self).items()
            if isinstance(value, int | float)
        }
        require(self, **values)


@dataclass(frozen=True)
class StepConfig:
    """How the networks are stepped. Defaults: the paper's, Sec. 5.1."""

    batch: int = 64
    discriminator_steps: int = 3
    """Discriminator steps per generator step."""
    discriminator_first: int = 0
    """Iterations in which only the discriminator steps: a good start is not thrown about by a
    judge who has seen nothing yet."""
    generator: OptimiserConfig = field(default_factory=OptimiserConfig)
    discriminator: OptimiserConfig = field(default_factory=OptimiserConfig)
    penalty: Literal["piecewise", "double_backward"] = "piecewise"
    """How the gradient penalty is computed: the same number and gradient either way."""

    def __post_init__(self) -> None:
        require(
            self,
            batch=self.batch >= 2 and self.batch % 2 == 0,
            discriminator_steps=self.discriminator_steps >= 1,
            discriminator_first=self.discriminator_first >= 0,
        )
