"""What a fit found."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from meshgan.errors import InputError
from meshgan.fitting.cameras import Cameras
from meshgan.fitting.objective import LeastSquares, split_codes
from meshgan.fitting.poses import Poses
from meshgan.fitting.solvers import Solution
from meshgan.models.base import Codes, MeshModel

log = logging.getLogger(__name__)


@runtime_checkable
class Posed(Protocol):
    """A function whose unknowns hold poses."""

    def poses(self, unknowns: Float[Tensor, "B p"]) -> Poses:
        """The poses that the unknowns stand for."""
        ...


@dataclass(frozen=True, eq=False)
class Fit:
    """Codes that explain what was observed, and how well.

    Args:
        codes: by name (B, d).
        landmarks: the fitted points (B, L, 3), mm, where the faces are; of pictures (B, L, 2),
            pixels.
        landmark_rms_mm: root mean square distance to the targets over the points with weight (B,).
        objective: what was minimised (B,), mm^2.
        converged: whether it has settled (B,).
        iterations: steps of the solver.
        poses: where the faces are; None: they are in the model's own frame.
        trust: what a robust fit left of the weight of each point (B, L): near 0 for a point that
            it takes for a mistake; None where every point counted in full.
        notes: what a user should know about the fit, a sentence each.
        cameras: of faces seen in pictures; the poses are then in the camera's frame.
        solved: the problem, and the unknowns (B, p) that solve it.
    """

    codes: Codes
    landmarks: Float[Tensor, "B L C"]
    landmark_rms_mm: Float[Tensor, " B"]
    objective: Float[Tensor, " B"]
    converged: Bool[Tensor, " B"]
    iterations: int
    poses: Poses | None = None
    trust: Float[Tensor, "B L"] | None = None
    notes: tuple[str, ...] = ()
    cameras: Cameras | None = None
    solved: tuple[LeastSquares, Float[Tensor, "B p"]] | None = None

    def __len__(self) -> int:
        return len(self.objective)

    def vertices(self, model: MeshModel) -> Float[Tensor, "B V 3"]:
        """The whole faces (B, V, 3), mm, where they were observed."""
        with torch.no_grad():
            shown = model.decode(self.codes)
        return shown if self.poses is None else self.poses.apply(shown)


def join_fits(fits: Sequence[Fit]) -> Fit:
    """Fits of the same points of several faces as one.

    Raises:
        InputError: there is none.
    """
    if not fits:
        raise InputError("fit: nothing to fit; give one face or more")
    first = fits[0]

    def together(parts: Sequence[Tensor | None]) -> Tensor | None:
        known = [part for part in parts if part is not None]
        return torch.cat(known) if len(known) == len(parts) else None

    poses = [fit.poses for fit in fits if fit.poses is not None]
    return Fit(
        {name: torch.cat([fit.codes[name] for fit in fits]) for name in first.codes},
        torch.cat([fit.landmarks for fit in fits]),
        torch.cat([fit.landmark_rms_mm for fit in fits]),
        torch.cat([fit.objective for fit in fits]),
        torch.cat([fit.converged for fit in fits]),
        max(fit.iterations for fit in fits),
        Poses.join(poses) if len(poses) == len(fits) else None,
        together([fit.trust for fit in fits]),
        tuple(note for fit in fits for note in fit.notes),
    )


def summarise(
    model: MeshModel, problem: LeastSquares, solution: Solution, notes: tuple[str, ...] = ()
) -> Fit:
    """A solution in the words of faces; warns of those that have not settled."""
    function = problem.function
    codes = sum(model.code_sizes.values())
    with torch.no_grad():
        found = function(solution.unknowns)
        poses = function.poses(solution.unknowns) if isinstance(function, Posed) else None
        trust = None if problem.width_mm is None else problem.trust(solution.unknowns)
    counted = (problem.weights > 0).to(found)
    squared = (found - problem.targets).square().sum(dim=2)
    rms = ((counted * squared).sum(dim=1) / counted.sum(dim=1)).sqrt()
    if waiting := int((~solution.converged).sum()):
        log.warning(
            "fit: %d of %d faces had not settled after %d iterations",
            waiting,
            len(found),
            solution.iterations,
        )
    return Fit(
        split_codes(solution.unknowns[:, :codes], model),
        found,
        rms,
        solution.objective,
        solution.converged,
        solution.iterations,
        poses,
        trust,
        notes,
        solved=(problem, solution.unknowns),
    )
