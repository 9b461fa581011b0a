"""How far the true factors move when only another code changes, in mm.

A leak that no threshold hides: the oracle reads the neutral shape and the expression of a face; in
a decoupled model the neutral shape stays where it is while the expression code changes. True faces
of the source, where nothing leaks, tell how much of it is the reader's own error.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import InputError
from meshgan.evaluation.estimate import Estimate, batch_size
from meshgan.evaluation.oracle import Oracle, Recovered
from meshgan.evaluation.source_oracle import ParametricSource, true_grid
from meshgan.models.base import Codes, MeshModel
from meshgan.seeding import generator, torch_generator

IDENTITY, EXPRESSION = "identity", "expression"
TRUTHS = (IDENTITY, EXPRESSION)
GRID = 30


@dataclass(frozen=True)
class Motion:
    """What happens to one true factor.

    Args:
        factor: ``identity`` (the neutral shape) or ``expression`` (displacement from it).
        between: how far it is from one random face to another: root mean square over the
            vertices, mm.
        own: how far it moves when only its own code is drawn anew, mm.
        leak: how far when only another code is drawn anew, by the name of that code, mm.
    """

    factor: str
    between: Estimate
    own: Estimate
    leak: dict[str, Estimate]

    def share(self, changed: str) -> Estimate:
        """The leak from ``changed`` over the distance of random faces.

        0 = decoupled; 1 = that code alone decides.

        Raises:
            InputError: random faces are all alike to the oracle.
        """
        leak, whole = self.leak[changed], self.between
        if whole.mean == 0:
            raise InputError(f"oracle motion: {self.factor} never moves; the model has collapsed")
        ratio = leak.mean / whole.mean
        relative = ratio * whole.standard_error
        error = (leak.standard_error**2 + relative**2) ** 0.5 / whole.mean
        return Estimate(ratio, error, leak.count)


def model_motion(
    model: MeshModel, oracle: Oracle, pairs: int = 200, seed: int = 0
) -> dict[str, Motion]:
    """Change one code of random faces at a time, and see what the oracle reads.

    Args:
        model: with the factors ``identity`` and ``expression``.
        oracle: reads true factors (``source_oracle.fit_source_oracle``).
        pairs: random faces; each is drawn again with one code changed, for every code.
        seed: of the codes.

    Returns:
        By true factor; ``leak`` has every other code of the model, noise included.

    Raises:
        InputError: a factor is missing, or there is no pair.
    """
    if missing := [name for name in TRUTHS if name not in model.factors]:
        raise InputError(
            f"oracle motion: the model has no factor {', '.join(missing)}; "
            f"it has {', '.join(model.factors)}"
        )
    if pairs < 1:
        raise InputError(f"oracle motion: {pairs} pairs, expected at least 1")
    rng = torch_generator(seed, "oracle motion")
    codes, other = dict(model.sample_codes(pairs, rng)), model.sample_codes(pairs, rng)
    before = _read(model, oracle, codes)
    after = {name: _read(model, oracle, {**codes, name: other[name]}) for name in codes}
    return _motions(before, after, _read(model, oracle, other), oracle)


def true_motion(
    source: ParametricSource, oracle: Oracle, pairs: int = 200, seed: int = 0
) -> dict[str, Motion]:
    """The same of true faces: another person doing the same, the same person doing another thing.

    Args:
        source: knows the truth behind its faces.
        oracle: fitted on other people of the source.
        pairs: pairs of faces per number, of 30 people with 30 expressions.
        seed: of the people and pairs.
    """
    read = oracle.recover(true_grid(source, GRID, GRID, seed))
    rng = generator(seed, "true motion")
    cell = rng.integers(0, GRID, (pairs, 2))
    step = rng.integers(1, GRID, (pairs, 2))
    partner = (cell + step) % GRID
    after = {
        IDENTITY: _take(read, partner[:, 0], cell[:, 1]),
        EXPRESSION: _take(read, cell[:, 0], partner[:, 1]),
    }
    both = _take(read, partner[:, 0], partner[:, 1])
    return _motions(_take(read, cell[:, 0], cell[:, 1]), after, both, oracle)


def _motions(
    before: Recovered, after: dict[str, Recovered], another: Recovered, oracle: Oracle
) -> dict[str, Motion]:
    """``after``: one code drawn anew, by its name; ``another``: all of them."""
    found = {}
    for factor in TRUTHS:
        moved = {name: _distance(before, read, factor, oracle) for name, read in after.items()}
        between = _distance(before, another, factor, oracle)
        found[factor] = Motion(factor, between, moved.pop(factor), moved)
    return found


def _take(
    read: Recovered, person: Int[np.ndarray, " n"], expression: Int[np.ndarray, " n"]
) -> Recovered:
    rows = torch.from_numpy(person * GRID + expression)
    return Recovered(read.identity[rows], read.expression[rows], read.actions[rows])


@torch.no_grad()
def _read(model: MeshModel, oracle: Oracle, codes: Codes) -> Recovered:
    size = batch_size(len(model.template_vertices))
    count = len(next(iter(codes.values())))
    parts = [
        oracle.recover(model.decode({name: code[k : k + size] for name, code in codes.items()}))
        for k in range(0, count, size)
    ]
    return Recovered(
        torch.cat([part.identity for part in parts]),
        torch.cat([part.expression for part in parts]),
        torch.cat([part.actions for part in parts]),
    )


def _distance(first: Recovered, second: Recovered, factor: str, oracle: Oracle) -> Estimate:
    """Mean length of the change: coefficients of an orthonormal basis over all coordinates, mm."""
    change: Float[Tensor, "n d"] = getattr(second, factor) - getattr(first, factor)
    vertex_count = len(oracle.meshes.mean) // 3
    return Estimate.of(change.norm(dim=1) / vertex_count**0.5)
