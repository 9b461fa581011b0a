"""What a user makes of a model: faces that are never changed, only replaced."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float
from torch import Tensor

from meshgan.models.base import Codes

MEAN = "mean face"


@dataclass(frozen=True, eq=False)
class Face:
    """One face: its codes, and what is known of them. Never changed, only replaced.

    Args:
        codes: by name (1, d).
        labels: factor -> label whose code it has, or "random" or "changed".
        detail: what a fitted mesh has that the model cannot say (V, 3), mm; None for none.
        name: where it comes from.
        fit_rms_mm: how far its codes are from the mesh they were fitted to (root mean square).
    """

    codes: Codes
    labels: Mapping[str, str] = field(default_factory=dict)
    detail: Float[np.ndarray, "V 3"] | None = None
    name: str = MEAN
    fit_rms_mm: float = 0.0

    def caption(self) -> str:
        """Where it comes from, and what its codes are."""
        words = [f"{factor} {label}" for factor, label in self.labels.items()]
        return ", ".join(words if words and self.name == MEAN else [self.name, *words])

    def with_code(self, factor: str, code: Float[Tensor, "1 d"], label: str) -> "Face":
        """The same face with another code of one factor; an empty label takes the word away."""
        words = {**self.labels, factor: label}
        labels = {name: word for name, word in words.items() if word}
        return replace(self, codes={**self.codes, factor: code}, labels=labels)


@dataclass(frozen=True, eq=False)
class Pair:
    """The two faces, which one the sliders move, and whether both are shown."""

    faces: tuple[Face, Face]
    active: int = 0
    both: bool = False
