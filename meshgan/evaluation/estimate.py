"""What every metric returns, and what it needs to know of a set of meshes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import InputError
from meshgan.seeding import generator

VALUES_AT_ONCE = 6_000_000  # coordinates decoded or read together: 24 MB in float32


@dataclass(frozen=True)
class Estimate:
    """A mean over random draws.

    Args:
        mean: the metric, in its own unit.
        standard_error: of the mean, from the spread of the draws; the same unit.
        count: how many draws.
        interval: 95 % interval of the mean, where it was bootstrapped over groups of draws.
    """

    mean: float
    standard_error: float
    count: int
    interval: tuple[float, float] | None = None

    @property
    def interval_95(self) -> tuple[float, float]:
        """95 % interval of the mean: the bootstrapped one, or the normal one of the error."""
        spread = 1.96 * self.standard_error
        return self.interval or (self.mean - spread, self.mean + spread)

    @classmethod
    def of(cls, values: Float[Tensor, " n"]) -> "Estimate":
        """Mean and standard error of values, summed in float64.

        Raises:
            InputError: there is no value, or one is not finite.
        """
        values = values.double()
        if len(values) == 0:
            raise InputError("metric: no values to average; ask for at least one sample or pair")
        if bad := int((~values.isfinite()).sum()):
            raise InputError(
                f"metric: {bad:,} of {len(values):,} values are not finite; "
                "the model may have diverged"
            )
        spread = float(values.std(correction=1)) if len(values) > 1 else 0.0
        return cls(float(values.mean()), spread / len(values) ** 0.5, len(values))


@runtime_checkable
class FaceCollection(Protocol):
    """Registered meshes with labels: a ``data.store.Store``, or anything that looks like one.

    Attributes:
        count: N.
        factors: label names per factor.
    """

    @property
    def count(self) -> int: ...

    @property
    def factors(self) -> Mapping[str, Any]: ...

    def labels(self, factor: str) -> Int[np.ndarray, " N"]:
        """Label of each mesh, -1 = unlabelled."""
        ...

    def vertices(self, ids: Any, /) -> Float[np.ndarray, "b V 3"]:
        """Positions of some meshes, mm."""
        ...


def batch_size(vertex_count: int) -> int:
    """How many meshes of ``vertex_count`` vertices to hold at once."""
    return max(1, VALUES_AT_ONCE // (3 * vertex_count))


def read_vertices(collection: FaceCollection, ids: Int[np.ndarray, " b"]) -> Float[Tensor, "b V 3"]:
    """Meshes in any order, repeats allowed; each is read once, in the order of the file."""
    wanted, place = np.unique(ids, return_inverse=True)
    return torch.from_numpy(np.array(collection.vertices(wanted)))[torch.from_numpy(place)]


def some_meshes(
    collection: FaceCollection, count: int, seed: int
) -> Iterator[Float[Tensor, "b V 3"]]:
    """At most ``count`` random meshes of a collection, in batches, each once."""
    rng = generator(seed, "some meshes")
    ids = np.sort(rng.permutation(collection.count)[:count])
    size = batch_size(collection.vertices(ids[:1]).shape[1])
    for start in range(0, len(ids), size):
        yield torch.from_numpy(np.array(collection.vertices(ids[start : start + size])))
