"""What a fit lets pass: the ways in which people differ beyond a model's codes.

A model has a few dozen directions for what people look like. What it lacks of a face would be
made up for by the codes of its expression, if nothing else could; a fit that knows how people
differ beyond the codes leaves it alone.
"""

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.fitting.objective import LeastSquares, PointFunction, point_jacobian
from meshgan.models.base import MeshModel

WEAKEST = 1e-6  # of the penalty: directions with less change nothing


@runtime_checkable
class DetailedModel(Protocol):
    """A model that knows in which directions people differ beyond its codes.

    ``details``: (k, V, 3), mm, each as long as people's deviation along it; None if not known.
    """

    details: Tensor | None


def details_of(model: MeshModel) -> Float[Tensor, "k V 3"] | None:
    """The directions beyond a model's codes, where it knows any."""
    found = model.details if isinstance(model, DetailedModel) else None
    return found if found is not None and bool(found.any()) else None


@dataclass(frozen=True, eq=False)
class Details:
    """Directions in which faces may differ from the model's, at a price.

    Args:
        directions: d (k, V, 3), mm.
        regularisation: lambda, mm^2 (sum over all vertices) per square of their weights.
    """

    directions: Float[Tensor, "k V 3"]
    regularisation: float

    def let_pass(self, problem: LeastSquares, vertex_ids: Int[Tensor, " L"]) -> LeastSquares:
        """The same problem, with sum_i w_i |p_i(x) + sum_k a_k d_ki - t_i|^2 + lambda |a|^2.

        The weights a are solved for: what is left is |T (p(x) - t)|^2 with T = (1 + w D D^T /
        lambda)^(-1/2), so the unknowns stay those of the model.

        Args:
            problem: of points that are vertices, all of one weight.
            vertex_ids: which.
        """
        share = float(problem.weights.max()) / max(self.regularisation, WEAKEST)
        flat = (share**0.5 * self.directions[:, vertex_ids]).flatten(1).double()
        squares, axes = torch.linalg.eigh(flat @ flat.T)
        kept = squares > WEAKEST
        squares, axes = squares[kept], axes[:, kept]
        axes = flat.T @ (axes / squares.sqrt())
        passed = 1 - (1 + squares).rsqrt()
        targets = problem.targets
        function = LoosePoints(problem.function, axes.to(targets), passed.to(targets))
        return replace(problem, function=function, targets=function.without_details(targets))


class LoosePoints:
    """Points, less a share of what some directions explain of them.

    Args:
        function: from unknowns to points.
        axes: orthonormal columns (3L, k).
        passed: the share of each, 0 to 1.
    """

    def __init__(
        self, function: PointFunction, axes: Float[Tensor, "W k"], passed: Float[Tensor, " k"]
    ) -> None:
        self._function, self._axes, self._passed = function, axes, passed
        self.size = function.size

    def __call__(self, unknowns: Float[Tensor, "B p"]) -> Float[Tensor, "B L 3"]:
        """Where the points are, less what passes, mm."""
        return self.without_details(self._function(unknowns))

    def without_details(self, points: Float[Tensor, "B L 3"]) -> Float[Tensor, "B L 3"]:
        """Points or differences of points, less what passes."""
        flat, axes = points.flatten(1), self._axes.to(points)
        return (flat - (flat @ axes * self._passed.to(points)) @ axes.T).view_as(points)

    def jacobian(self, unknowns: Float[Tensor, "B p"]) -> Float[Tensor, "B L 3 p"]:
        """Derivative of every point of a face by every unknown of that face."""
        columns = point_jacobian(self._function, unknowns)
        flat, axes = columns.flatten(1, 2), self._axes.to(columns)
        along = self._passed[:, None].to(columns) * (axes.T @ flat)
        return (flat - axes @ along).view_as(columns)
