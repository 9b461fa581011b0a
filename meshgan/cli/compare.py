"""``meshgan compare`` and ``meshgan baseline``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from meshgan.cli.command import Command, Summary


@dataclass(frozen=True, kw_only=True)
class Compare(Command):
    """One table over models, ablations and baselines, all trained and scored alike.

    Without RUNs, the decoupled GAN, its ablations and all baselines are trained first. What is
    finished is kept: the same command goes on where it stopped.

    Example: meshgan compare --data faces --out comparison
    """

    run: Positional[tuple[Path, ...]] = ()
    """RUN folders to compare; none: the standard models are trained."""
    data: Path
    """DATA folder; its training people are learned from, its test people are kept for the tests."""
    out: Path
    """Folder for runs, judges, results and the tables (compare.md, .csv, .json, .html)."""
    models: str | None = None
    """Which of the standard models, separated by commas: gan, pca, multilinear, mae, coma;
    ablations: mixed_start, without_regulariser, without_expression_classifier,
    without_feature_loss."""
    preset: str = "quick"
    """Settings of the GAN."""
    metrics: str | None = None
    """Which metrics, separated by commas; all that the data allow by default."""
    pairs: int = 10_000
    """Random pairs per diversity."""
    samples: int = 1000
    """Faces for specificity and its companions."""
    seed: int = 0
    """Of trainings and draws."""
    set: tuple[str, ...] = ()
    """key.path=value: settings of every training."""

    def __call__(self) -> Summary:
        from meshgan.apps.compare import Comparison, compare
        from meshgan.apps.contenders import STANDARD
        from meshgan.apps.evaluate import ALL_METRICS

        return compare(
            Comparison(
                self.data,
                self.out,
                self.run,
                _words(self.models) or STANDARD,
                self.preset,
                _words(self.metrics) or ALL_METRICS,
                self.seed,
                self.pairs,
                self.samples,
                self.set,
            )
        )

    def text(self, summary: Summary) -> str:
        """The paper's tables."""
        from meshgan.apps.compare_page import comparison_as_text

        return comparison_as_text(summary)


@dataclass(frozen=True, kw_only=True)
class Baseline(Command):
    """Train a baseline into the same kind of RUN: sample, evaluate and compare work on it.

    Example: meshgan baseline pca --data faces --out runs/pca
    """

    kind: Positional[Literal["pca", "multilinear", "mae", "coma"]]
    """Additive PCA, multilinear (Tucker), multilinear autoencoder, or convolutional mesh
    autoencoder."""
    data: Path
    """DATA folder, from meshgan data build or import."""
    out: Path
    """RUN folder to write."""
    config: Path | None = None
    """YAML file with settings on top of the baseline's own."""
    set: tuple[str, ...] = ()
    """key.path=value: settings on top of both."""
    resume: bool = False
    """Go on with the run in --out."""

    def __call__(self) -> Summary:
        from meshgan.apps.run_config import read_config
        from meshgan.apps.train import train

        return train(
            self.data, self.out, read_config(self.kind, self.config, self.set), self.resume
        )


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())
