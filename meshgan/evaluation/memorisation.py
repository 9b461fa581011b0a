"""Memorisation: does a model draw copies of its training faces?

Fresh real faces tell how near a real face comes to the training data by chance. A model that draws
faces nearer than that has learnt faces by heart; a model below the usual distance throughout is
one to look at.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import InputError
from meshgan.evaluation.estimate import Estimate
from meshgan.evaluation.specificity import Specificity

USUAL = 0.05  # of the fresh faces are nearer than "usually near"


@dataclass(frozen=True, eq=False)
class Memorisation:
    """Distances to the nearest training face, of samples and of fresh real faces.

    Args:
        samples: of each sample (S,), mm.
        nearest: index (S,) of its nearest training face.
        fresh: of each fresh real face (F,), mm.
    """

    samples: Float[Tensor, " S"]
    nearest: Int[Tensor, " S"]
    fresh: Float[Tensor, " F"]

    @property
    def closest(self) -> Int[Tensor, " S"]:
        """The samples by distance, the most suspicious first."""
        return self.samples.argsort(stable=True)

    def shares(self) -> dict[str, Estimate]:
        """The distributions in numbers.

        Returns:
            ``copies``: share of the samples nearer to a training face than any fresh face is;
            ``near_copies``: nearer than 95 % of the fresh faces are (5 % if as fresh faces);
            ``nearer_than_fresh``: chance that a random sample is nearer than a random fresh face
            (0.5 if alike, ties half; 1 = always nearer).
        """
        fresh = self.fresh.double().sort().values
        near = torch.quantile(fresh, USUAL)
        drawn = self.samples.double()
        nearer = len(fresh) - torch.searchsorted(fresh, drawn, right=True)
        tied = torch.searchsorted(fresh, drawn, right=True) - torch.searchsorted(fresh, drawn)
        return {
            "copies": Estimate.of((drawn < fresh[0]).double()),
            "near_copies": Estimate.of((drawn < near).double()),
            "nearer_than_fresh": Estimate.of((nearer + 0.5 * tied) / len(fresh)),
        }

    def distributions(self, points: int = 200) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Share of the faces below each distance (mm), for samples and fresh faces: two curves."""
        largest = float(torch.cat([self.samples, self.fresh]).max())
        grid = np.linspace(0, 1.02 * largest, points)
        return {
            name: (grid, np.searchsorted(np.sort(values.numpy()), grid, side="right") / len(values))
            for name, values in (("samples", self.samples), ("fresh real faces", self.fresh))
        }


def memorisation(samples: Specificity, fresh: Specificity) -> Memorisation:
    """Compare the nearest training faces of samples with those of fresh real faces.

    Args:
        samples: ``specificity`` of what a model drew.
        fresh: ``specificity`` of real faces that the model never saw, against the same data.

    Raises:
        InputError: there is no fresh face.
    """
    if not len(fresh.distance):
        raise InputError("memorisation: no fresh real faces to compare with; give some")
    return Memorisation(samples.distance, samples.nearest, fresh.distance)
