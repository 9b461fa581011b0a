"""Poses: motions by hand, unknowns that move them, derivatives against automatic ones."""

import numpy as np
import torch

from meshgan.fitting.objective import ModelPoints, differentiate
from meshgan.fitting.points import SurfacePoints
from meshgan.fitting.poses import PosedPoints, Poses, rotations
from meshgan.geometry.rigid_icp import rotation_from_vector
from tests.fitting.linear_faces import LinearFaces


def some_poses(count: int) -> Poses:
    rng = torch.Generator().manual_seed(4)
    turns = torch.randn(count, 3, generator=rng, dtype=torch.float64)
    shifts = 200 * torch.randn(count, 3, generator=rng, dtype=torch.float64)
    return Poses(rotations(turns), shifts, torch.linspace(0.8, 1.3, count).double())


def test_rotations_are_those_of_the_formula_also_near_zero():
    vectors = torch.tensor([[0.3, -2.0, 1.1], [1e-9, 0.0, 2e-9], [0.0, 0.0, 0.0], [0.0, 3.1, 0.0]])
    expected = np.stack([rotation_from_vector(one) for one in vectors.double().numpy()])
    found = rotations(vectors.double())
    torch.testing.assert_close(found, torch.from_numpy(expected), atol=1e-12, rtol=0)
    slope = torch.autograd.functional.jacobian(lambda v: rotations(v[None])[0] @ v.new_ones(3),
                                               torch.zeros(3).double())  # fmt: skip
    by_hand = torch.tensor([[0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]]).double()
    torch.testing.assert_close(slope, by_hand)


def test_apply_and_remove():
    poses = some_poses(3)
    points = torch.randn(3, 7, 3, dtype=torch.float64)
    moved = poses.apply(points)
    one = poses.similarity(2)
    torch.testing.assert_close(moved[2], torch.from_numpy(one.apply(points[2].numpy())))
    torch.testing.assert_close(poses.remove(moved), points)
    torch.testing.assert_close(Poses.of([one], points).take(slice(1)).apply(points[2:]), moved[2:])
    assert torch.equal(Poses.identity(3, points).apply(points), points)


def test_unknowns_of_zero_are_the_start_and_derivatives_are_right():
    model = LinearFaces(bend=0.5)
    inner = ModelPoints(model, SurfacePoints.at_vertices(torch.arange(5) * 7))
    function = PosedPoints(inner, some_poses(4), torch.tensor([1.0, 20.0, -4.0]), scale=True)
    x = torch.randn(4, 17, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    rest = x.clone()
    rest[:, 10:] = 0
    torch.testing.assert_close(function(rest), function.start.apply(inner(x[:, :10])))
    torch.testing.assert_close(function.jacobian(x), differentiate(function, x))
    torch.testing.assert_close(function.jacobian(rest), differentiate(function, rest))
    some = torch.tensor([3, 1])
    torch.testing.assert_close(function.take(some)(x[some]), function(x)[some])
