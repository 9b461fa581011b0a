"""The z-buffer: the same as a loop over pixels and triangles, differentiable where promised."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.errors import InputError, ShapeError
from meshgan.geometry import visibility
from meshgan.geometry.visibility import interpolate_visible, visible_triangles
from tests.geometry import shapes

SIZE = 12


def random_scene(seed: int, batch: int = 2, triangles: int = 15):
    rng = torch.Generator().manual_seed(seed)
    points = torch.rand(batch, 3 * triangles, 2, dtype=torch.float64, generator=rng)
    depth = torch.rand(batch, 3 * triangles, dtype=torch.float64, generator=rng) * 20 - 10
    faces = torch.arange(3 * triangles).view(-1, 3)
    return points * 1.6 * SIZE - 0.3 * SIZE, depth, faces


def by_hand(points: np.ndarray, depth: np.ndarray, faces: np.ndarray, cull: bool) -> np.ndarray:
    """Pixel by pixel and triangle by triangle, solving for the weights."""
    seen = np.full((SIZE, SIZE), -1)
    for row in range(SIZE):
        for column in range(SIZE):
            nearest = -np.inf
            for k, corners in enumerate(faces):
                system = np.vstack([points[corners].T, np.ones(3)])
                weights = np.linalg.solve(system, [column + 0.5, row + 0.5, 1])
                front = np.linalg.det(system) < 0
                height = weights @ depth[corners]
                if (front or not cull) and weights.min() >= 0 and height > nearest:
                    nearest, seen[row, column] = height, k
    return seen


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cull=st.booleans())
def test_agrees_with_a_loop(seed, cull):
    points, depth, faces = random_scene(seed)
    found = visible_triangles(points, depth, faces, SIZE, cull=cull).numpy()
    for k in range(2):
        expected = by_hand(points[k].numpy(), depth[k].numpy(), faces.numpy(), cull)
        assert (found[k] == expected).mean() >= 0.99  # a pixel may lie within 1e-5 of an edge


def test_nearer_wins_and_background_is_minus_one():
    square = torch.tensor([[0.0, 4], [0, 0], [4, 0], [4, 4]])  # from the lower left, clockwise
    points = torch.cat([square, square])[None]
    faces = torch.tensor([[0, 2, 1], [0, 3, 2], [4, 6, 5], [4, 7, 6]])
    for near, first in ((0, 0), (1, 2)):
        depth = torch.zeros(1, 8)
        depth[0, 4 * near : 4 * near + 4] = 1
        seen = visible_triangles(points, depth, faces, 6)[0]
        assert (seen[:4, :4] // 2 * 2 == first).all()
        assert (seen[4:] == -1).all()
        assert (seen[:, 4:] == -1).all()


def test_negative_depths_are_ordered():
    points = torch.tensor([[0.0, 2], [2, 2], [0, 0]]).repeat(3, 1)[None]
    depth = torch.tensor([-5.0, -1, -3]).repeat_interleave(3)[None]
    seen = visible_triangles(points, depth, torch.arange(9).view(3, 3), 2)
    assert seen[0].tolist() == [[1, -1], [1, 1]]


def test_back_faces():
    points = torch.tensor([[[0.0, 2], [2, 2], [0, 0]]])
    turned = torch.tensor([[0, 2, 1]])
    assert (visible_triangles(points, torch.zeros(1, 3), turned, 2) == -1).all()
    assert visible_triangles(points, torch.zeros(1, 3), turned, 2, cull=False).max() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_cracks(dtype):
    mesh = shapes.flat_square(40, shake=0.4)
    points = torch.from_numpy(mesh.uv * [1, -1] + [0, 1])[None].to(dtype) * 97
    faces = torch.from_numpy(mesh.faces)
    seen = visible_triangles(points, torch.zeros(points.shape[:2], dtype=dtype), faces, 97)
    assert (seen >= 0).all()


def test_parts_of_a_batch_give_the_same(monkeypatch):
    points, depth, faces = random_scene(0, batch=7)
    whole = visible_triangles(points, depth, faces, SIZE)
    monkeypatch.setattr(visibility, "CPU_CANDIDATES", 500)
    assert torch.equal(visible_triangles(points, depth, faces, SIZE), whole)
    assert torch.equal(visible_triangles(points[3:4], depth[3:4], faces, SIZE), whole[3:4])
    assert visible_triangles(points[:0], depth[:0], faces, SIZE).shape == (0, SIZE, SIZE)


def test_interpolates_positions_to_pixel_centres():
    points, depth, faces = random_scene(1)
    seen = visible_triangles(points, depth, faces, SIZE)
    image = interpolate_visible(seen, points, points, faces)
    steps = torch.arange(SIZE, dtype=torch.float64) + 0.5
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    expected = torch.stack([columns, rows], dim=-1).expand(2, -1, -1, -1) * (seen >= 0)[..., None]
    torch.testing.assert_close(image, expected, atol=1e-9, rtol=0)
    assert 0 < (seen >= 0).double().mean() < 1


def test_gradients_with_visibility_fixed():
    points, depth, faces = random_scene(2, batch=1, triangles=4)
    seen = visible_triangles(points, depth, faces, SIZE)
    attributes = torch.randn(1, 12, 2, dtype=torch.float64, requires_grad=True)

    def image(p, a):
        return interpolate_visible(seen, p, a, faces)

    assert torch.autograd.gradcheck(image, (points.requires_grad_(), attributes))


def test_refusals():
    points, depth, faces = random_scene(3)
    with pytest.raises(ShapeError, match="differ"):
        shapes.unchecked(visible_triangles)(points, depth[:1], faces, SIZE)
    points[0, 0] = torch.nan
    with pytest.raises(InputError, match="not finite"):
        visible_triangles(points, depth, faces, SIZE)
