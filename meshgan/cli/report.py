"""``meshgan report``."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from meshgan.cli.command import Command, Summary


@dataclass(frozen=True, kw_only=True)
class Report(Command):
    """Show a trained model on one web page: its faces, its numbers, how it was made.

    Example: meshgan report runs/first --data faces --out runs/first/report
    """

    run: Positional[Path | None] = None
    """RUN folder of a trained model; none: the model that comes with the package."""
    data: Path
    """DATA folder that the model was trained on."""
    out: Path
    """Folder for report.html, its pictures as PNG, and metrics.json."""
    fresh: Path | None = None
    """DATA folder of real faces that the model never saw: the floor of specificity. By default the
    test people of --data, if the run did not learn from them."""
    pairs: int = 10_000
    """Random pairs per diversity."""
    samples: int = 1000
    """Faces for specificity and quality."""
    seed: int = 0
    """The same seed gives the same page."""

    def __call__(self) -> Summary:
        from meshgan.apps.report_run import report_run

        return report_run(
            self.run,
            self.data,
            self.out,
            fresh=self.fresh,
            seed=self.seed,
            pairs=self.pairs,
            samples=self.samples,
        )
