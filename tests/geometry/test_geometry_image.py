"""Mesh to image and back: the matrix, its bilinear inverse, and the cost of the trip."""

import numpy as np
import pytest
import torch

from meshgan.errors import ShapeError
from meshgan.geometry.geometry_image import lookup_matrix, round_trip_error, sample_image
from meshgan.geometry.rasterize import rasterize_uv
from tests.geometry import shapes


@pytest.fixture(scope="module")
def patch():
    return shapes.flat_square(9, shake=0.35)


@pytest.fixture(scope="module")
def lookup(patch):
    return rasterize_uv(patch.uv, patch.faces, 16)


def test_matrix_maps_uv_to_pixel_centres(patch, lookup):
    matrix = lookup_matrix(lookup, torch.float64)
    image = (matrix @ torch.from_numpy(patch.uv)).view(16, 16, 2).numpy()
    steps = (np.arange(16) + 0.5) / 16
    np.testing.assert_allclose(image[0, :, 0], steps, atol=1e-12)
    np.testing.assert_allclose(image[:, 0, 1], steps[::-1], atol=1e-12)


def test_matrix_rows_sum_to_one(lookup):
    matrix = lookup_matrix(lookup)
    assert (matrix.layout, matrix.dtype) == (torch.sparse_csr, torch.float32)
    assert matrix.shape == (256, 81)
    torch.testing.assert_close(matrix.to_dense().sum(dim=1), torch.ones(256))


def test_linear_images_are_read_exactly(patch):
    size = 10
    columns, rows = np.meshgrid(np.arange(size), np.arange(size))
    u, v = (columns + 0.5) / size, 1 - (rows + 0.5) / size
    image = torch.from_numpy(np.stack([2 * u - 3 * v, v]))[None]
    inner = ((patch.uv > 0.05) & (patch.uv < 0.95)).all(axis=1)
    read = sample_image(image, torch.from_numpy(patch.uv[inner]))[0].numpy()
    np.testing.assert_allclose(read[:, 0], patch.uv[inner] @ [2, -3], atol=1e-12)
    np.testing.assert_allclose(read[:, 1], patch.uv[inner, 1], atol=1e-12)


def test_the_border_is_repeated():
    image = torch.arange(4.0).view(1, 1, 2, 2)
    corners = torch.tensor([[0.0, 1.0], [1, 1], [0, 0], [1, 0], [0.5, 0.5]])
    assert sample_image(image, corners).view(-1).tolist() == [0, 1, 2, 3, 1.5]


def test_gradient():
    image = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    uv = (0.2 + 0.6 * torch.rand(5, 2, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(sample_image, (image, uv))


def test_round_trip_gets_better_with_size():
    mesh, _ = shapes.hill(21)
    uv = 0.5 + 0.5 * mesh.vertices[:, :2]
    errors = [
        round_trip_error(mesh.vertices, uv, rasterize_uv(uv, mesh.faces, size)).mean()
        for size in (4, 16, 64)
    ]
    assert errors[0] > 3 * errors[1] > 9 * errors[2] > 0


def test_round_trip_of_a_point_between_pixels():
    # 2 x 2 pixels: a vertex at u = 0 is read at u = 0.25, so a sheet of 100 mm moves by 25 mm
    uv = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    vertices = 100 * np.pad(uv, ((0, 0), (0, 1)))
    lookup = rasterize_uv(uv, np.array([[0, 1, 2], [0, 2, 3]]), 2)
    np.testing.assert_allclose(round_trip_error(vertices, uv, lookup), 25 * np.sqrt(2))


def test_refuses_another_mesh(patch, lookup):
    with pytest.raises(ShapeError, match="80, 80, 81 vertices"):
        round_trip_error(patch.vertices[:80], patch.uv[:80], lookup)
