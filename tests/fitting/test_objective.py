"""LeastSquares: value by hand, gradient and curvature against finite differences."""

import torch

from meshgan.fitting.objective import LeastSquares, ModelPoints, point_jacobian
from meshgan.fitting.points import SurfacePoints
from tests.fitting.linear_faces import LinearFaces


class Twice:
    """Points that are sparse products: no forward derivative exists."""

    size = 2

    def __init__(self) -> None:
        dense = torch.tensor([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0]], dtype=torch.float64)
        self.matrix = dense.to_sparse()

    def __call__(self, unknowns):
        bent = unknowns + unknowns**2
        return torch.sparse.mm(self.matrix, bent.T).T[:, None, :]


def problem() -> tuple[LeastSquares, torch.Tensor]:
    model = LinearFaces(bend=0.5)
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(3, 10, generator=rng, dtype=torch.float64)
    targets = 50 * torch.randn(3, 6, 3, generator=rng, dtype=torch.float64)
    weights = torch.rand(3, 6, generator=rng, dtype=torch.float64)
    function = ModelPoints(model, SurfacePoints.at_vertices(torch.arange(6) * 3))
    return LeastSquares(function, targets, weights, torch.arange(10).double()), x


def test_value_is_the_sum_of_the_equation():
    squares, x = problem()
    expected = 0.0
    points = squares.function(x)
    for i in range(6):
        expected += squares.weights[1, i] * ((points[1, i] - squares.targets[1, i]) ** 2).sum()
    for j in range(10):
        expected += j * x[1, j] ** 2
    torch.testing.assert_close(squares.values(x)[1], expected)


def test_gradient():
    squares, x = problem()
    _, gradient = squares.gradients(x)
    step = torch.zeros_like(x)
    step[:, 4] = 1e-5
    slope = (squares.values(x + step) - squares.values(x - step)) / 2e-5
    torch.testing.assert_close(gradient[:, 4], slope, rtol=1e-6, atol=1e-4)


def test_linearised_is_gradient_and_curvature():
    """One Jacobian gives both; the gradient is that of automatic differentiation."""
    squares, x = problem()
    gradient, curvature = squares.linearised(x)
    torch.testing.assert_close(gradient, squares.gradients(x)[1])
    rows = point_jacobian(squares.function, x) * squares.weights.sqrt()[..., None, None]
    rows = rows.flatten(1, 2)
    expected = rows.transpose(1, 2) @ rows + torch.diag(torch.arange(10).double())
    torch.testing.assert_close(curvature, expected)


def test_jacobian_matches_differences_and_rows_are_apart():
    squares, x = problem()
    jacobian = point_jacobian(squares.function, x)
    step = torch.zeros_like(x)
    step[:, 7] = 1e-6
    slope = (squares.function(x + step) - squares.function(x - step)) / 2e-6
    torch.testing.assert_close(jacobian[..., 7], slope, rtol=1e-6, atol=1e-6)


def test_curvature_is_exact_where_the_points_are_linear():
    squares, x = problem()
    squares.function.model.bend = 0.0
    first = squares.take(slice(0, 1))
    whole = torch.autograd.functional.hessian(lambda z: first.values(z[None])[0], x[0])
    torch.testing.assert_close(first.curvatures(x[:1])[0], whole / 2)


def test_jacobian_of_a_sparse_product():
    x = torch.tensor([[1.0, 2.0], [-1.0, 0.5]], dtype=torch.float64)
    found = point_jacobian(Twice(), x)
    chain = 1 + 2 * x
    expected = torch.tensor([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0]]).double() * chain[:, None, :]
    torch.testing.assert_close(found[:, 0], expected)


def test_linear_unknowns_are_asked_of_one_face_only():
    """x0 enters linearly, x1 does not: the same Jacobian as without knowing it, for less."""

    class Half:
        size = 2
        linear = torch.tensor([True, False])

        def __init__(self):
            self.rows = []

        def __call__(self, x):
            self.rows.append(len(x))
            moved = torch.stack([2 * x[:, 0], x[:, 1] ** 2, x[:, 0] + x[:, 1].sin()], dim=1)
            return moved[:, None]

    x = torch.tensor([[0.3, 0.5], [1.0, -2.0], [0.0, 4.0]], dtype=torch.float64)
    function = Half()
    found = point_jacobian(function, x)
    assert min(function.rows) == 1
    zero, one = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    expected = torch.stack(
        [
            torch.stack([2 * one, zero], dim=1),
            torch.stack([zero, 2 * x[:, 1]], dim=1),
            torch.stack([one, x[:, 1].cos()], dim=1),
        ],
        dim=1,
    )
    torch.testing.assert_close(found[:, 0], expected)
