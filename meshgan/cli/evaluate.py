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

    run: Positional[Path]
    """RUN folder of a trained model."""
    data: Path
    """DATA folder that the model was trained on."""
    out: Path | None = None
    """Folder for metrics.json."""
    metrics: str = "diversity,specificity,quality"
    """Which numbers, separated by commas; oracle as well where the data are default faces."""
    fresh: Path | None = None
    """DATA folder of real faces that the model never saw: the floor of specificity."""
    pairs: int = 10_000
    """Random pairs per diversity."""
    samples: int = 1000
    """Faces for specificity and quality."""
    seed: int = 0
    """The same seed gives the same numbers."""

    def __call__(self) -> Summary:
        from meshgan.apps.evaluate import default_source, evaluate
        from meshgan.apps.face_model import load_model
        from meshgan.apps.prepare import training_part_of
        from meshgan.data.store import Store

        names = tuple(name.strip() for name in self.metrics.split(",") if name.strip())
        store = Store.open(self.data)
        source = None
        if "oracle" in names:
            source = default_source(store.template.name, store.template.topology_hash)
        return evaluate(
            load_model(self.run),
            training_part_of(self.run, store),
            metrics=names,
            seed=self.seed,
            pairs=self.pairs,
            samples=self.samples,
            out=self.out,
            fresh=None if self.fresh is None else Store.open(self.fresh),
            source=source,
        )
