"""``meshgan evaluate``."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from meshgan.cli.command import Command, Summary


@dataclass(frozen=True, kw_only=True)
class Evaluate(Command):
    """Score a model, with the training data's own values beside it.

    Example: meshgan evaluate runs/demo --data faces --out scores --pairs 2000
    """

    run: Positional[Path | None] = None
    """RUN folder of a trained model; none: the model that comes with the package."""
    data: Path
    """DATA folder that the model was trained on."""
    out: Path | None = None
    """Folder for metrics.json."""
    metrics: str = "diversity,specificity,quality"
    """Which numbers, separated by commas: diversity, specificity, quality, oracle, decoupling,
    companions, reconstruction, transfer; or all. What the data do not allow is left out."""
    fresh: Path | None = None
    """DATA folder of real faces that the model never saw: the floor of specificity. By default the
    test people of --data, if the run did not learn from them."""
    judges: Path | None = None
    """Folder of the networks that judge decoupling, trained where there are none; by default in
    the cache of --data."""
    pairs: int = 10_000
    """Random pairs per diversity."""
    samples: int = 1000
    """Faces for specificity and quality."""
    seed: int = 0
    """The same seed gives the same numbers."""

    def __call__(self) -> Summary:
        from meshgan.apps.evaluate import ALL_METRICS
        from meshgan.apps.evaluate_run import evaluate_run

        asked = tuple(name.strip() for name in self.metrics.split(",") if name.strip())
        return evaluate_run(
            self.run,
            self.data,
            metrics=ALL_METRICS if asked == ("all",) else asked,
            seed=self.seed,
            pairs=self.pairs,
            samples=self.samples,
            out=self.out,
            fresh=self.fresh,
            judges=self.judges,
        )
