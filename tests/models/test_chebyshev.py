"""Chebyshev convolutions against dense polynomials; sparse maps against dense products."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from meshgan.errors import ShapeError
from meshgan.models.chebyshev import (
    NARROW,
    ChebyshevConvolution,
    SparseMap,
    _Convolution,
    scaled_laplacian,
)
from tests.geometry.shapes import flat_square, hill

MESH = hill(7)[0]
COUNT = len(MESH.vertices)


def dense_laplacian() -> np.ndarray:
    """From the definition: 2 L / 2 - I with L = I - D^-1/2 A D^-1/2."""
    adjacency = np.zeros((COUNT, COUNT))
    for face in MESH.faces:
        for a, b in ((0, 1), (1, 2), (2, 0)):
            adjacency[face[a], face[b]] = adjacency[face[b], face[a]] = 1
    root = np.diag(adjacency.sum(axis=0) ** -0.5)
    laplacian = np.eye(COUNT) - root @ adjacency @ root
    return laplacian - np.eye(COUNT)


def dense_polynomial(laplacian: np.ndarray, order: int) -> np.ndarray:
    """T_order(L) through the eigenvalues: T_k(cos t) = cos(k t)."""
    values, vectors = np.linalg.eigh(laplacian)
    return vectors @ np.diag(np.cos(order * np.arccos(values.clip(-1, 1)))) @ vectors.T


def test_laplacian_is_the_definition():
    matrix = scaled_laplacian(COUNT, MESH.faces)
    np.testing.assert_allclose(matrix.toarray(), dense_laplacian(), atol=1e-12)
    values = np.linalg.eigvalsh(matrix.toarray())
    assert values.min() > -1 - 1e-9
    assert values.max() < 1 + 1e-9


@pytest.mark.parametrize("order", [1, 2, 3, 6])
@pytest.mark.parametrize("channels", [(3, 5), (5, 3), (12, 12), (12, 4), (9, 20)])
def test_convolution_is_the_dense_polynomial(order, channels):
    """All ways through the code: narrow, wide, more in than out, fewer."""
    assert NARROW == 8
    inputs, outputs = channels
    torch.manual_seed(order)
    convolution = ChebyshevConvolution(inputs, outputs, order)
    torch.nn.init.normal_(convolution.bias)
    values = torch.randn(COUNT, 2, inputs)
    weight = convolution.weight.detach().double().numpy()
    expected = convolution.bias.detach().double().numpy() + sum(
        np.einsum(
            "vw,wbc,cd->vbd",
            dense_polynomial(dense_laplacian(), k), values.double().numpy(), weight[k],
        )
        for k in range(order)
    )  # fmt: skip
    found = convolution(values, SparseMap.of(scaled_laplacian(COUNT, MESH.faces)))
    np.testing.assert_allclose(found.detach().numpy(), expected, atol=2e-5)


@pytest.fixture(scope="module")
def laplacian64():
    matrix = scaled_laplacian(COUNT, MESH.faces)
    parts = (matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data)
    return torch.sparse_csr_tensor(
        *map(torch.from_numpy, parts), matrix.shape, check_invariants=False
    )


@pytest.mark.parametrize("trained", ["both", "weight", "values"])
@pytest.mark.parametrize("channels", [(2, 3), (3, 2), (9, 10), (10, 9)])
def test_gradients(laplacian64, channels, trained):
    rng = torch.Generator().manual_seed(0)
    inputs, outputs = channels
    values = torch.randn(COUNT, 1, inputs, dtype=torch.float64, generator=rng)
    weight = torch.randn(3, inputs, outputs, dtype=torch.float64, generator=rng)
    values.requires_grad_(trained != "weight")
    weight.requires_grad_(trained != "values")
    made = lambda x, w: _Convolution.apply(x, w, laplacian64)  # noqa: E731
    assert torch.autograd.gradcheck(made, (values, weight), fast_mode=True)


def test_second_derivatives_by_the_values(laplacian64):
    rng = torch.Generator().manual_seed(0)
    values = torch.randn(COUNT, 1, 2, dtype=torch.float64, generator=rng, requires_grad=True)
    weight = torch.randn(3, 2, 3, dtype=torch.float64, generator=rng)
    made = lambda x: _Convolution.apply(x, weight, laplacian64).sin()  # noqa: E731
    assert torch.autograd.gradgradcheck(made, (values,), fast_mode=True)


def test_a_vertex_sees_as_far_as_the_order_says():
    """K polynomials reach K - 1 edges, and no farther."""
    mesh = flat_square(15)
    convolution = ChebyshevConvolution(1, 1, 4)
    values = torch.zeros(225, 1, 1)
    values[112] = 1  # the middle
    moved = convolution(values, SparseMap.of(scaled_laplacian(225, mesh.faces)))[:, 0, 0]
    steps = sp.csgraph.shortest_path(scaled_laplacian(225, mesh.faces) != 0, unweighted=True)[112]
    assert (moved.detach().numpy()[steps > 3] == 0).all()
    assert (moved.detach().numpy()[steps == 3] != 0).all()


def test_sparse_map_and_its_transpose():
    rng = np.random.default_rng(0)
    matrix = sp.random(7, 11, 0.4, format="csr", rng=rng)
    made = SparseMap.of(matrix)
    values = torch.randn(11, 2, 3, requires_grad=True)
    given = torch.randn(7, 2, 3)
    mapped = made(values)
    mapped.backward(given)
    dense = torch.from_numpy(matrix.toarray()).float()
    torch.testing.assert_close(mapped, torch.einsum("mn,nbc->mbc", dense, values))
    torch.testing.assert_close(values.grad, torch.einsum("mn,mbc->nbc", dense, given))


def test_sparse_map_is_saved_whole():
    matrix = sp.random(7, 11, 0.4, format="csr", rng=np.random.default_rng(0))
    empty = SparseMap((7, 11), matrix.nnz)
    empty.load_state_dict(SparseMap.of(matrix).state_dict())
    np.testing.assert_array_equal(
        empty.matrix().to_dense().numpy(), matrix.toarray().astype(np.float32)
    )


def test_refuses_other_meshes():
    made = SparseMap.of(scaled_laplacian(COUNT, MESH.faces))
    with pytest.raises(ShapeError, match="values at 48 vertices, the Laplacian has 49"):
        ChebyshevConvolution(2, 2, 3)(torch.zeros(48, 1, 2), made)
    with pytest.raises(ShapeError, match="values at 48 points, the map takes 49"):
        made(torch.zeros(48, 1, 2))
