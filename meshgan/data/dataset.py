"""MeshDataset: what training needs of a DATA folder."""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from meshgan.data.image_cache import ImageType, cached_images, refuse_other_topology
from meshgan.data.splits import Split, read_split, rows_of, split_subjects
from meshgan.data.store import Store
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.geometry.rasterize import PixelLookup

Weighting = Literal["inverse_frequency", "rare_events", "none"]
_CHUNK = 64


class MeshDataset:
    """One part of a store, split by subject: meshes, labels, class weights and statistics.

    Axis letters: N meshes of this part, b of them, V vertices, K labels of a factor.

    Args:
        store: an open store, or the path of a DATA folder.
        split: which people: train, validation or test; None for everyone. The folder's stored
            split counts (``splits.write_split``); without one a tenth of the people is held out
            for each of validation and test, always the same ones.

    Raises:
        InputError: nobody is in that part.
    """

    def __init__(self, store: Store | Path | str, split: Split | None = "train") -> None:
        self.store = store if isinstance(store, Store) else Store.open(store)
        self.split = split
        self.ids = self._rows_of_split()
        """Row numbers in the store (N,), int64, ascending."""
        if not len(self.ids):
            people = len(self.store.subjects)
            raise InputError(
                f"{self.store.path}: no mesh in part {split or 'all'!r} ({people:,} subjects); "
                "build a data set of more subjects, or split it by hand"
            )

    @property
    def count(self) -> int:
        """N."""
        return len(self.ids)

    def __len__(self) -> int:
        return self.count

    @property
    def template(self) -> Template:
        """Template whose topology all meshes have."""
        return self.store.template

    @property
    def factors(self) -> Mapping[str, tuple[str, ...]]:
        """Factor -> label names, those of the whole store."""
        return self.store.factors

    @property
    def subject(self) -> Int[np.ndarray, " N"]:
        """Whose face each mesh is: index into ``store.subjects``."""
        return self.store.subject[self.ids]

    def labels(self, factor: str) -> Int[np.ndarray, " N"]:
        """One label per mesh, an index into ``factors[factor]``; -1 = unlabelled."""
        return self.store.labels(factor)[self.ids]

    def vertices(self, samples: Int[np.ndarray, " b"]) -> Float[np.ndarray, "b V 3"]:
        """Positions of some samples (0 to N - 1), float32, mm."""
        samples = np.asarray(samples, dtype=np.int64)
        if len(samples) and not (0 <= samples.min() and samples.max() < self.count):
            raise InputError(
                f"{self.store.path}: no sample {int(samples.max()):,} in part "
                f"{self.split or 'all'!r}; it has {self.count:,}"
            )
        return self.store.vertices(self.ids[samples])

    def displacements(self, samples: Int[np.ndarray, " b"]) -> Float[np.ndarray, "b V 3"]:
        """Positions less the template's, float32, mm: what generators learn."""
        return self.vertices(samples) - self.template.mesh.vertices.astype(np.float32)

    def class_weights(
        self,
        factor: str,
        kind: Weighting = "inverse_frequency",
        population: Mapping[str, float | int] | None = None,
    ) -> Float[np.ndarray, " K"]:
        """A weight per label, so that rare labels count; the mean over labelled samples is 1.

        With y_k the share of label k among the labelled samples here and t_k its share in the
        population, label k weighs t_k / y_k. ``rare_events`` takes t_k from ``population``, equal
        for all labels if that is unknown; ``inverse_frequency`` always takes it equal; ``none``
        weighs all alike. Labels that do not occur here weigh 0.

        Args:
            factor: whose labels.
            kind: which of the three.
            population: label name -> its share (any scale), for ``rare_events`` only.

        Raises:
            InputError: an unknown factor, kind or label name, a share that is not positive, or a
                population given for another kind.

        Source: King and Zeng 2001, Logistic Regression in Rare Events Data, Eq. 15-16: weighting.
        Differs: several classes; scaled to mean 1, so that loss weights keep their meaning.
        """
        names = self.factors.get(factor)
        labels = self.labels(factor)
        assert names is not None  # labels() refuses an unknown factor
        counts = np.bincount(labels[labels >= 0], minlength=len(names)).astype(np.float64)
        target = self._population(names, kind, population, counts) * (counts > 0)
        if not counts.any():
            return np.zeros(len(names))
        weights = np.divide(target, counts, out=np.zeros(len(names)), where=counts > 0)
        return weights * counts.sum() / (weights * counts).sum()

    def mean(self) -> Float[np.ndarray, "V 3"]:
        """Mean displacement per vertex, float64, mm."""
        return self._statistics[0]

    def rms(self) -> float:
        """Root mean square of the displacements about their mean, over all coordinates, mm.

        The one number that geometry images are divided by, so that noise levels mean the same on
        any data set.
        """
        return self._statistics[1]

    def _rows_of_split(self) -> np.ndarray:
        store = self.store
        if self.split is None:
            return np.arange(store.count)
        parts = read_split(store.path, store.subjects) or split_subjects(store.subjects)
        if self.split not in parts:
            raise InputError(f"split {self.split!r} is unknown; use {', '.join(parts)}")
        return rows_of(store.subject, store.subjects, parts[self.split])

    @cached_property
    def _statistics(self) -> tuple[np.ndarray, float]:
        total = np.zeros((self.store.vertex_count, 3))
        squares = 0.0
        for start in range(0, self.count, _CHUNK):
            samples = np.arange(start, min(start + _CHUNK, self.count))
            moved = self.displacements(samples).astype(np.float64)
            total += moved.sum(axis=0)
            squares += float((moved**2).sum())
        mean = total / self.count
        variance = squares / (self.count * mean.size) - float((mean**2).mean())
        return mean, float(np.sqrt(max(variance, 0.0)))

    def _population(
        self,
        names: tuple[str, ...],
        kind: str,
        population: Mapping[str, float | int] | None,
        counts: np.ndarray,
    ) -> np.ndarray:
        if kind not in get_args(Weighting):
            raise InputError(
                f"class weights {kind!r} are unknown; use {', '.join(get_args(Weighting))}"
            )
        if population is not None and kind != "rare_events":
            raise InputError(f"class weights {kind}: only rare_events has use for a population")
        if kind == "none":
            return counts
        if population is None:
            return np.ones(len(names))
        if population.keys() != set(names) or min(population.values()) <= 0:
            raise InputError(
                f"class weights: the population is {dict(population)}, expected a positive share "
                f"for each of {', '.join(names)}"
            )
        return np.array([population[name] for name in names], dtype=np.float64)


def geometry_images(
    dataset: MeshDataset, lookup: PixelLookup, dtype: ImageType = "float32"
) -> np.memmap:
    """Geometry images of all displacements of a data set, in mm: mapped once, then reused.

    They are kept in the DATA folder's ``cache/``, under a name that depends on meshes, template,
    lookup and type; a damaged file is made again. float16 halves the file and rounds
    displacements of 10 mm by up to 0.004 mm.

    Args:
        dataset: N meshes.
        lookup: of the template's UV map, n pixels a side.
        dtype: float32 or float16.

    Returns:
        (N, 3, n, n), memory-mapped, read-only; image k is of sample k.

    Raises:
        ShapeError: the lookup is of another topology.
        JobError: the cache cannot be written.
    """
    refuse_other_topology(dataset.store.vertex_count, lookup)
    rows = hashlib.sha256(dataset.ids.astype("<i8").tobytes()).hexdigest()
    key = f"{dataset.store.content_hash} {rows} {dtype}"
    folder = dataset.store.path / "cache"
    return cached_images(folder, key, dataset.count, dataset.displacements, lookup, dtype)
