"""Levenberg-Marquardt: known minima; derivatives are taken again only where a face has moved."""

import pytest
import torch

from meshgan.fitting.objective import LeastSquares
from meshgan.fitting.solvers import levenberg_marquardt


class Rosenbrock:
    """Two residuals per face whose only zero is (1, 1), along a bent valley."""

    size = 2

    def __init__(self) -> None:
        self.differentiated = []

    def __call__(self, x):
        left = torch.stack([10 * (x[:, 1] - x[:, 0] ** 2), 1 - x[:, 0], 0 * x[:, 0]], dim=1)
        return left[:, None]

    def jacobian(self, x):
        self.differentiated.append(x.clone())
        one, zero = torch.ones_like(x[:, 0]), torch.zeros_like(x[:, 0])
        rows = [[-20 * x[:, 0], 10 * one], [-one, zero], [zero, zero]]
        return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)[:, None]


def rosenbrock(faces):
    shape = (faces, 1)
    targets = torch.zeros(*shape, 3, dtype=torch.float64)
    return LeastSquares(Rosenbrock(), targets, torch.ones(shape).double(), torch.zeros(2).double())


def test_the_bent_valley_is_walked_to_its_end():
    start = torch.tensor([[-1.2, 1.0], [1.0, 1.0], [3.0, -2.0]], dtype=torch.float64)
    problem = rosenbrock(3)
    found = levenberg_marquardt(problem, start)
    torch.testing.assert_close(found.unknowns, torch.ones(3, 2).double(), atol=1e-6, rtol=0)
    assert bool(found.converged.all())


@pytest.mark.parametrize("start", [(-1.2, 1.0), (3.0, -2.0)])
def test_no_face_is_differentiated_twice_in_one_place(start):
    """A refused step leaves a face where it was, and its derivatives with it."""
    problem = rosenbrock(1)
    found = levenberg_marquardt(problem, torch.tensor([start], dtype=torch.float64))
    places = torch.cat(problem.function.differentiated)
    assert len(places) == len(torch.unique(places, dim=0))
    assert found.iterations > 5


def test_a_face_does_not_depend_on_the_others():
    start = torch.tensor([[-1.2, 1.0], [3.0, -2.0]], dtype=torch.float64)
    together = levenberg_marquardt(rosenbrock(2), start)
    alone = levenberg_marquardt(rosenbrock(1), start[1:])
    torch.testing.assert_close(together.unknowns[1:], alone.unknowns, atol=1e-12, rtol=0)


def test_known_curvatures_need_no_jacobian():
    """Roughly right is enough: the gradient decides where the steps end."""
    start = torch.tensor([[0.9, 0.9], [1.2, 1.3]], dtype=torch.float64)
    problem = rosenbrock(2)
    curvatures = problem.curvatures(torch.ones(2, 2, dtype=torch.float64))
    problem.function.differentiated.clear()
    found = levenberg_marquardt(problem, start, 400, curvatures)
    assert problem.function.differentiated == []
    torch.testing.assert_close(found.unknowns, torch.ones(2, 2).double(), atol=1e-2, rtol=0)
