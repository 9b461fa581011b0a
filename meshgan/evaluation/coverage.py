"""Do samples lie where real faces lie, and do they reach all of them?

Precision falls when a model draws what no real face is like, recall when it leaves real faces out.
Both ask whether a face lies within the ball around a face of the other set, as wide as the distance
to that face's k-th nearest neighbour in its own set. Density and coverage are their sturdier
forms. Read them beside the numbers of fresh real faces: 1 is out of reach for a finite set.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import ShapeError
from meshgan.evaluation.estimate import Estimate
from meshgan.evaluation.neighbours import grouped_pair, inside_balls, neighbour_radius

NEIGHBOURS = 5


def coverage(
    samples: Float[Tensor, "S V 3"],
    reference: Float[Tensor, "R W 3"],
    neighbours: int = NEIGHBOURS,
    sample_people: Int[np.ndarray, " S"] | None = None,
    reference_people: Int[np.ndarray, " R"] | None = None,
) -> dict[str, Estimate]:
    """Precision, recall, density and coverage, with the mean vertex distance between meshes.

    Faces of one person, frames of a recording above all, are so close to each other that their
    balls hold nobody else: where people are given, neighbours are sought among other people.

    Args:
        samples: what a model drew, or fresh real faces, mm.
        reference: real faces, mm; as many as the samples make the numbers fair.
        neighbours: k.
        sample_people: a number for each sample; all are different people if None.
        reference_people: a number for each real face, likewise.

    Returns:
        ``precision``: share of the samples inside the ball of a real face; ``recall``: share of
        the real faces inside the ball of a sample; ``density``: in how many balls of real faces a
        sample lies, over k (near 1 for real faces, can be more); ``coverage``: share of the real
        faces whose ball holds a sample.

    Raises:
        InputError: a set is empty or not finite, or too small for k neighbours.
        ShapeError: the topologies differ, or there is not one person per face.

    Source: Kynkäänniemi et al. 2019, Sec. 3, Eq. 1-2; Naeem et al. 2020, Sec. 3.2, Eq. 4-5.
    Differs: mean vertex distance, not a distance of features; other people's faces only.
    """
    if samples.shape[1] != reference.shape[1]:
        raise ShapeError(
            f"coverage: samples of {samples.shape[1]:,} vertices, real faces of "
            f"{reference.shape[1]:,}; give data of the model's template"
        )
    drawn, real = grouped_pair(_array(samples), _array(reference))
    own_radius = neighbour_radius(drawn, neighbours, sample_people)
    real_radius = neighbour_radius(real, neighbours, reference_people)
    balls = np.zeros(drawn.count)
    covered, recalled = np.zeros((2, real.count), dtype=bool)
    for k in range(drawn.count):
        in_theirs, in_own = inside_balls(drawn, own_radius, real, real_radius, k)
        balls[k] = in_theirs.sum()
        covered |= in_theirs
        recalled |= in_own
    return {
        "precision": _mean(balls > 0),
        "recall": _mean(recalled),
        "density": _mean(balls / neighbours),
        "coverage": _mean(covered),
    }


def _array(faces: Tensor) -> np.ndarray:
    return faces.detach().cpu().float().numpy()


def _mean(values: np.ndarray) -> Estimate:
    return Estimate.of(torch.from_numpy(values.astype(np.float64)))
