"""GeometryMap: exact on what is linear, differentiable, clear about a wrong mesh."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import linear

from meshgan.apps.benchmarks.disk import delaunay_disk
from meshgan.errors import ShapeError
from meshgan.geometry.geometry_image import lookup_matrix
from meshgan.geometry.rasterize import rasterize_uv
from meshgan.models.geometry_map import GeometryMap

VERTICES, SIZE = 81, 16


@pytest.fixture(scope="module")
def patch():
    return delaunay_disk(VERTICES)


@pytest.fixture(scope="module")
def lookup(patch):
    return rasterize_uv(patch.uv, patch.faces, SIZE)


@pytest.fixture(scope="module")
def geometry_map(lookup):
    return GeometryMap(lookup)


def plain(lookup, values):
    """Eq. 5, written down."""
    gathered = values[:, lookup.corners]
    return torch.einsum("bijkc,ijk->bcij", gathered, lookup.weights.to(values.dtype))


def random_values(dtype, batch: int = 3, channels: int = 3, seed: int = 0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(batch, VERTICES, channels, generator=rng, dtype=torch.float64).to(dtype)


def test_uv_maps_to_pixel_centres(geometry_map, patch):
    u, v = geometry_map(torch.from_numpy(patch.uv)[None])[0]
    centre = (torch.arange(SIZE, dtype=torch.float64) + 0.5) / SIZE
    torch.testing.assert_close(u, centre.expand(SIZE, SIZE), atol=1e-12, rtol=0)
    expected = centre.flip(0)[:, None].expand(SIZE, SIZE)
    torch.testing.assert_close(v, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_constants_map_to_constants(geometry_map, dtype):
    image = geometry_map(torch.full((1, VERTICES, 1), 7.0, dtype=dtype))
    torch.testing.assert_close(image, torch.full((1, 1, SIZE, SIZE), 7.0, dtype=dtype))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_is_linear(geometry_map, seed):
    x, y = random_values(torch.float64, batch=2, seed=seed)[:, None]
    torch.testing.assert_close(geometry_map(2 * x - y), 2 * geometry_map(x) - geometry_map(y))


@pytest.mark.parametrize("channels", [1, 3, 6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_equals_the_plain_map_with_its_gradient(geometry_map, lookup, dtype, channels):
    values = random_values(dtype, channels=channels)
    images, gradients = [], []
    for function in (geometry_map, lambda v: plain(lookup, v)):
        leaf = values.clone().requires_grad_()
        images.append(function(leaf))
        (images[-1] ** 2).sum().backward()
        gradients.append(leaf.grad)
    tolerance = {torch.float32: 1e-6, torch.float64: 1e-14, torch.bfloat16: 3e-2}[dtype]
    torch.testing.assert_close(images[0], images[1], atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(gradients[0], gradients[1], atol=20 * tolerance, rtol=tolerance)
    assert images[0].is_contiguous()
    assert images[0].dtype == dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradient_is_the_transposed_matrix(geometry_map, lookup, dtype):
    values = random_values(dtype).requires_grad_()
    gradient = torch.randn(3, 3, SIZE, SIZE, dtype=dtype)
    (found,) = torch.autograd.grad(geometry_map(values), values, gradient)
    matrix = lookup_matrix(lookup, dtype).to_dense()
    expected = torch.einsum("pv,bcp->bvc", matrix, gradient.flatten(2))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_gradcheck(geometry_map):
    values = random_values(torch.float64, batch=1, channels=2).requires_grad_()
    assert torch.autograd.gradcheck(geometry_map, values)


def test_can_be_differentiated_twice(geometry_map, lookup):
    found = []
    for function in (geometry_map, lambda v: plain(lookup, v)):
        values = random_values(torch.float32).requires_grad_()
        (first,) = torch.autograd.grad((function(values) ** 3).sum(), values, create_graph=True)
        found.append(torch.autograd.grad((first**2).sum(), values)[0])
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-3)


def test_any_batch_gives_the_same_rows(geometry_map):
    values = random_values(torch.float32, batch=5)
    whole = geometry_map(values)
    for k in range(5):
        assert torch.equal(geometry_map(values[k : k + 1])[0], whole[k])
    assert geometry_map(values[:0]).shape == (0, 3, SIZE, SIZE)
    strided = values.transpose(1, 2).contiguous().transpose(1, 2)
    assert torch.equal(geometry_map(strided), whole)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("channels", [1, 3])
def test_fused_layer_is_the_layer_then_the_map(geometry_map, dtype, channels):
    layer = torch.nn.Linear(10, channels * VERTICES, dtype=dtype)
    hidden = torch.randn(4, 10, dtype=dtype)
    weight, bias = geometry_map.fuse(layer.weight, layer.bias)
    fused = linear(hidden, weight, bias).view(4, channels, SIZE, SIZE)
    expected = geometry_map(layer(hidden).view(4, VERTICES, channels))
    tolerance = 1e-5 if dtype == torch.float32 else 1e-13
    torch.testing.assert_close(fused, expected, atol=tolerance, rtol=tolerance)
    assert not weight.requires_grad


def test_fuse_into_buffers(geometry_map):
    weight, bias = torch.randn(3 * VERTICES, 4), torch.randn(3 * VERTICES)
    expected = geometry_map.fuse(weight, bias)
    buffers = tuple(torch.full_like(part, torch.nan) for part in expected)
    assert geometry_map.fuse(weight, bias, out=buffers) == buffers
    assert torch.equal(buffers[0], expected[0])
    assert torch.equal(buffers[1], expected[1])


def test_moves_and_copies_like_a_module_but_saves_nothing(geometry_map):
    assert geometry_map.state_dict() == {}
    assert list(geometry_map.parameters()) == []
    moved = copy.deepcopy(geometry_map).to(torch.float32)
    assert moved.weights.dtype == torch.float32
    assert moved.corners.dtype == torch.int64
    values = random_values(torch.float32)
    torch.testing.assert_close(moved(values), geometry_map(values))
    assert moved.to("meta").weights.device.type == "meta"


def test_refuses_another_topology(geometry_map):
    with pytest.raises(ShapeError, match="80 vertices, the template 81"):
        geometry_map(torch.zeros(1, 80, 3))
    with pytest.raises(ShapeError, match="240 weight rows and 240 biases"):
        geometry_map.fuse(torch.zeros(240, 4), torch.zeros(240))
    with pytest.raises(ShapeError, match=r"out has shapes \(5, 4\), \(5,\), expected \(768, 4\)"):
        geometry_map.fuse(
            torch.zeros(243, 4), torch.zeros(243), out=(torch.zeros(5, 4), torch.zeros(5))
        )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_same(geometry_map):
    values = random_values(torch.float32)
    there = copy.deepcopy(geometry_map).cuda()
    torch.testing.assert_close(there(values.cuda()).cpu(), geometry_map(values))
