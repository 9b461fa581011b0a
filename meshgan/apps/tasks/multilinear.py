"""The multilinear face model as a run: fitted by alternating least squares, no training."""

from dataclasses import dataclass, field

from meshgan.apps.prepare import Prepared
from meshgan.apps.run_config import RunConfig
from meshgan.apps.tasks.pca import LinearModelConfig, linear_facts, linear_start, template_tensors
from meshgan.config import require
from meshgan.data.store import Store
from meshgan.errors import ConfigError
from meshgan.models.baselines.multilinear import MultilinearFaces
from meshgan.models.baselines.pca import as_tensor
from meshgan.models.baselines.tucker import fit_tucker


@dataclass(frozen=True)
class ModelConfig(LinearModelConfig):
    """The additive model's settings, and those of the alternation."""

    interaction: float = 0.03
    """How large the products of codes are expected to be, in sum, as a share of the last
    factor's own effect; 0: none. Large values learn the training people by heart."""
    rounds: int = 20
    """Rounds of the alternation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.codes) < 2:
            raise ConfigError(
                f"model.codes: {', '.join(self.codes)} alone; a multilinear model needs two "
                "factors or more (task pca takes one)"
            )
        require(
            self,
            interaction=self.interaction >= 0,
            rounds=self.rounds >= 1,
        )


@dataclass(frozen=True)
class Config(RunConfig):
    """All settings of a multilinear model."""

    task: str = "multilinear"
    model: ModelConfig = field(default_factory=ModelConfig)


def prepare(store: Store, config: Config, rank: int = 0, fresh: bool = True) -> Prepared:
    """The multilinear model of a data set.

    Args:
        store: the data set.
        config: of the run.
        rank: number of this process; all compute the same.
        fresh: of no account here: nothing is trained.

    Raises:
        InputError: the data set lacks a factor, or labels for one, or is too small.
    """
    start = linear_start(store, config.model, config.part, config.train.seed)
    fit = fit_tucker(
        start.subspace.coefficients,
        start.labels,
        start.spaces,
        config.model.interaction,
        config.model.rounds,
    )
    ranks = [size - 1 for size in fit.core.shape[:-1]]
    model = MultilinearFaces(
        *template_tensors(store),
        start.factors,
        config.model.codes,
        ranks,
        fit.core.shape[-1],
        config.model.details,
    )
    model.set_model(fit, start.subspace)
    model.set_details(as_tensor(start.spaces.details @ start.subspace.directions))
    about = {**linear_facts(start), "left_of_a_coordinate_mm": fit.deviation}
    return Prepared(None, model, store.template, config, store, about)
