"""What the decoupled GAN is fed: real images with labels, and codes of generated faces."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.models.base import Codes
from meshgan.models.generator import DecoupledGenerator
from meshgan.training.task import Batch


@dataclass(frozen=True, eq=False)
class Normalisation:
    """How displacement images (mm) become the discriminator's input: (x - mean) / scale.

    Args:
        mean: mean image of the training data (3, n, n), mm.
        scale: RMS of the training displacements, mm; the unit of the generator's output.
    """

    mean: Float[Tensor, "3 n n"]
    scale: float


@runtime_checkable
class ResumableOrder(Protocol):
    """Row numbers batch by batch, from where ``load_state_dict`` put it."""

    def __next__(self) -> Int[np.ndarray, " B"]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class ImageStream:
    """Batches of normalised geometry images with their labels.

    Args:
        images: displacement images (N, 3, n, n) in mm, in memory or memory-mapped.
        labels: by factor (N,), -1 where unlabelled.
        normalisation: applied to every batch.
        order: gives row numbers, and remembers where it is.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: Mapping[str, Int[np.ndarray, " N"]],
        normalisation: Normalisation,
        order: ResumableOrder,
    ) -> None:
        self.images, self.order, self.normalisation = images, order, normalisation
        self.labels = {name: torch.from_numpy(np.asarray(rows)) for name, rows in labels.items()}

    def next(self) -> Batch:
        """Images (B, 3, n, n) and labels (B,) by factor."""
        rows = np.asarray(next(self.order))
        images = torch.from_numpy(np.asarray(self.images[rows], dtype=np.float32))
        images = (images - self.normalisation.mean) / self.normalisation.scale
        index = torch.from_numpy(rows)
        return {
            "images": images,
            "labels": {name: labels[index] for name, labels in self.labels.items()},
        }

    def state_dict(self) -> dict[str, Any]:
        return self.order.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.order.load_state_dict(state)


@dataclass(frozen=True, eq=False)
class FakeBatch:
    """Codes of generated faces, and what the losses must know of them.

    Args:
        codes: by factor, and ``noise`` (B, d).
        labelled: the factor whose codes stand for labels.
        labels: those labels (B,).
        pairs: by unlabelled factor, the pairs p whose faces p and p + B/2 share its code.
    """

    codes: Codes
    labelled: str
    labels: Int[Tensor, " B"]
    pairs: dict[str, Int[Tensor, " _"]]


def draw_codes(
    generator: DecoupledGenerator, count: int, turn: int, rng: torch.Generator
) -> FakeBatch:
    """Codes of one batch: factor ``turn`` takes labelled codes, the others Gaussian ones in pairs.

    Faces p and p + count/2 are a pair. The unlabelled factors take turns over the pairs: each
    pair shares the code of one of them and differs in all else.

    Source: Fernández Abrevaya et al. 2019, Sec. 4.3.
    """
    factors = list(generator.factors)
    labelled = factors[turn % len(factors)]
    others = [name for name in factors if name != labelled]
    codes = generator.sample_codes(count, rng)
    half = count // 2
    shared_by = torch.arange(half) % max(len(others), 1)
    pairs = {name: torch.nonzero(shared_by == k).squeeze(1) for k, name in enumerate(others)}
    for name, members in pairs.items():
        codes[name][half + members] = codes[name][members]
    table = generator.label_codes(labelled)
    labels = torch.randint(len(table), (count,), generator=rng, device=rng.device)
    codes[labelled] = table[labels.to(table.device)]
    return FakeBatch(codes, labelled, labels.to(table.device), pairs)
