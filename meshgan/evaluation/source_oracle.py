"""The oracle of a parametric source: fitted on people that no data set holds.

True faces of the source stand beside the model's. Three groups of fresh people are kept apart:
those that the readers learn from, those of the grid of true faces, and those whose performances
give that grid its expressions.
"""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.data.rows import FaceRows
from meshgan.data.synthetic.plan import FRESH_PEOPLE, Plan, plan_dataset
from meshgan.evaluation.oracle import Oracle, grid_indices, grid_retrieval, model_decoupling
from meshgan.models.base import MeshModel
from meshgan.seeding import generator

LEARNED_FROM, SHOWN, ACTED = (FRESH_PEOPLE + k for k in (100_000, 200_000, 300_000))
FACES_PER_PERSON = 5


@runtime_checkable
class ParametricSource(Protocol):
    """What the oracle asks of a source, for example ``data.synthetic.source.FaceSource``."""

    def stream(self, plan: Plan, seed: int = 0) -> Iterator[FaceRows]:
        """Faces of a plan, with their true ``actions`` in the extras."""
        ...

    def neutral(self, seed: int, subject: int) -> Float[np.ndarray, "V 3"]:
        """A person at rest, mm."""
        ...

    def express(
        self, seed: int, subject: int, actions: Float[np.ndarray, "b A"]
    ) -> Float[np.ndarray, "b V 3"]:
        """A person with these weights of the facial actions, mm."""
        ...


def fit_source_oracle(source: ParametricSource, count: int = 1000, seed: int = 0) -> Oracle:
    """Learn to read persons and expressions from ``count`` fresh faces of a source.

    Args:
        source: knows the truth behind its faces.
        count: faces, five of each person.
        seed: decides who the people are; people of data sets never occur.
    """
    rows = _fresh_faces(source, count, LEARNED_FROM, seed)
    people, place = np.unique(rows["subject"], return_inverse=True)
    calm = np.stack([source.neutral(seed, LEARNED_FROM + int(k)) for k in people])
    return Oracle.fit(rows["vertices"], calm[place], rows["actions"])


def true_grid(
    source: ParametricSource, persons: int, expressions: int, seed: int = 0
) -> Float[Tensor, "N V 3"]:
    """True faces (mm) of a grid: fresh persons in the rows, the same actions in each column."""
    rows = _fresh_faces(source, FACES_PER_PERSON * expressions, ACTED, seed)
    chosen = generator(seed, "oracle actions").permutation(len(rows["actions"]))[:expressions]
    actions = rows["actions"][chosen]
    grid = [source.express(seed, SHOWN + person, actions) for person in range(persons)]
    return torch.from_numpy(np.concatenate(grid))


def source_decoupling(
    model: MeshModel,
    source: ParametricSource,
    persons: int = 20,
    expressions: int = 20,
    seed: int = 0,
    count: int = 1000,
) -> dict[str, dict[str, float]]:
    """Oracle decoupling of a model, and of true faces of the source in the same kind of grid.

    Args:
        model: with the factors ``identity`` and ``expression``, on the source's template.
        source: knows the truth behind its faces.
        persons: rows of the grid.
        expressions: columns of the grid.
        seed: of every draw.
        count: fresh faces that the readers learn from.

    Returns:
        ``model`` and ``source``, each what ``oracle.grid_retrieval`` returns.
    """
    oracle = fit_source_oracle(source, count, seed)
    reference = oracle.recover(true_grid(source, persons, expressions, seed))
    return {
        "model": model_decoupling(model, oracle, persons, expressions, seed),
        "source": grid_retrieval(reference, *grid_indices(persons, expressions)),
    }


def _fresh_faces(
    source: ParametricSource, count: int, first: int, seed: int
) -> dict[str, np.ndarray]:
    plan = plan_dataset(count, max(1, count // FACES_PER_PERSON), first_subject=first)
    batches = list(source.stream(plan, seed))
    return {
        "vertices": np.concatenate([rows.vertices for rows in batches]),
        "actions": np.concatenate([rows.extras["actions"] for rows in batches]),
        "subject": np.concatenate([rows.subject for rows in batches]),
    }
