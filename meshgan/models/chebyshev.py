"""Convolution on a mesh: polynomials of its graph Laplacian, a few sparse products each."""

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from meshgan.arrays import Faces
from meshgan.errors import ShapeError
from meshgan.geometry.topology import vertex_adjacency

NARROW = 8
"""Up to so many channels, the terms of all polynomials are multiplied at once."""


class SparseMap(nn.Module):
    """A fixed sparse matrix that maps values at some points to values at others.

    Matrix and transpose are kept as compressed rows, and saved: the same map on any machine. Rows
    of values are contiguous, point by point, which is what sparse products want.

    Args:
        shape: (rows, columns).
        entries: number of stored entries.
    """

    forward_starts: Int[Tensor, "_"]
    forward_columns: Int[Tensor, "_"]
    forward_values: Float[Tensor, "_"]

    def __init__(self, shape: tuple[int, int], entries: int) -> None:
        super().__init__()
        self.shape = (int(shape[0]), int(shape[1]))
        for name, rows in (("forward", shape[0]), ("backward", shape[1])):
            self.register_buffer(f"{name}_starts", torch.zeros(rows + 1, dtype=torch.int32))
            self.register_buffer(f"{name}_columns", torch.zeros(entries, dtype=torch.int32))
            self.register_buffer(f"{name}_values", torch.zeros(entries))

    @classmethod
    def of(cls, matrix: sp.csr_matrix) -> "SparseMap":
        """The map of a SciPy matrix; entries that are zero are kept."""
        rows, columns = matrix.get_shape()
        made = cls((rows, columns), matrix.nnz)
        made.set(matrix)
        return made

    def set(self, matrix: sp.csr_matrix) -> None:
        """Take the entries of a matrix of the same shape and number of entries."""
        for name, part in (("forward", matrix.tocsr()), ("backward", sp.csr_matrix(matrix.T))):
            part.sort_indices()
            for key, values in (
                ("starts", part.indptr.astype(np.int32)),
                ("columns", part.indices.astype(np.int32)),
                ("values", part.data.astype(np.float32)),
            ):
                getattr(self, f"{name}_{key}").copy_(torch.from_numpy(values))

    def matrix(self, name: str = "forward") -> Tensor:
        """The matrix, or its transpose (``backward``), as a sparse CSR tensor."""
        return torch.sparse_csr_tensor(
            getattr(self, f"{name}_starts"),
            getattr(self, f"{name}_columns"),
            getattr(self, f"{name}_values"),
            self.shape if name == "forward" else self.shape[::-1],
            check_invariants=False,
        )

    def as_scipy(self) -> sp.csr_matrix:
        """The matrix on the CPU."""
        parts = (getattr(self, f"forward_{key}") for key in ("values", "columns", "starts"))
        return sp.csr_matrix(tuple(part.cpu().numpy() for part in parts), shape=self.shape)

    def forward(self, values: Float[Tensor, "N B C"]) -> Float[Tensor, "M B C"]:
        """Values at the other points, differentiable any number of times."""
        if len(values) != self.shape[1]:
            raise ShapeError(f"values at {len(values):,} points, the map takes {self.shape[1]:,}")
        columns = values.reshape(len(values), -1)
        mapped = _Product.apply(columns, self.matrix(), self.matrix("backward"))
        return mapped.view(-1, *values.shape[1:])


class _Product(torch.autograd.Function):
    """Matrix @ columns; the gradient is the transpose @ gradient."""

    @staticmethod
    def forward(ctx, columns: Tensor, matrix: Tensor, transpose: Tensor) -> Tensor:
        ctx.matrices = matrix, transpose
        out = columns.new_empty(matrix.shape[0], columns.shape[1])
        return torch.addmm(out, matrix, columns, beta=0, out=out)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        matrix, transpose = ctx.matrices
        return _Product.apply(gradient.contiguous(), transpose, matrix), None, None


def scaled_laplacian(vertex_count: int, faces: Faces) -> sp.csr_matrix:
    """Normalised graph Laplacian with its spectrum moved from [0, 2] to [-1, 1]: csr (V, V).

    With edges A and degrees D: 2 (I - D^-1/2 A D^-1/2) / 2 - I = -D^-1/2 A D^-1/2. Symmetric.

    Args:
        vertex_count: V; every vertex must be in a triangle.
        faces: triangles (F, 3).

    Source: Ranjan et al. 2018, Sec. 3.1, with 2 for the largest eigenvalue.
    """
    adjacency = vertex_adjacency(vertex_count, faces)
    degrees = np.asarray(adjacency.sum(axis=1)).ravel()
    scale = sp.diags(1 / np.sqrt(degrees))
    return sp.csr_matrix(-(scale @ adjacency @ scale))


def chebyshev_rows(
    laplacian: sp.csr_matrix, ids: Int[np.ndarray, " L"], order: int
) -> sp.csr_matrix:
    """Rows ``ids`` of T_0(L), T_1(L), ... below one another: csr (K L, V)."""
    shape = (len(ids), laplacian.get_shape()[0])
    before = sp.csr_matrix((np.ones(len(ids)), (np.arange(len(ids)), ids)), shape=shape)
    terms = [before]
    if order > 1:
        terms.append(sp.csr_matrix(before @ laplacian))
    while len(terms) < order:
        terms.append(sp.csr_matrix(2 * (terms[-1] @ laplacian) - terms[-2]))
    return sp.csr_matrix(sp.vstack(terms))


class ChebyshevConvolution(nn.Module):
    """y = sum over k < K of T_k(L) x W_k, plus a bias per channel.

    T_k are the Chebyshev polynomials, L a scaled Laplacian: each vertex sees its neighbours up to
    K - 1 edges away, with the same weights everywhere.

    Axis letters: V vertices, B batch, C channels in, D channels out, K polynomials.

    Args:
        inputs: C.
        outputs: D.
        order: K.

    Source: Defferrard et al. 2016, Eqs. 4-5; Ranjan et al. 2018, Eqs. 1-2.
    """

    def __init__(self, inputs: int, outputs: int, order: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(order, inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        bound = (6 / (order * (inputs + outputs))) ** 0.5  # Glorot & Bengio 2010, Eq. 16
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(
        self, values: Float[Tensor, "V B C"], laplacian: SparseMap
    ) -> Float[Tensor, "V B D"]:
        """Convolve on the mesh of ``laplacian``."""
        if len(values) != laplacian.shape[0]:
            raise ShapeError(
                f"values at {len(values):,} vertices, the Laplacian has {laplacian.shape[0]:,}"
            )
        return _Convolution.apply(values, self.weight, laplacian.matrix()) + self.bias


class _Convolution(torch.autograd.Function):
    """The sum over the polynomials. Only ``values`` is kept for the gradients:

    L is symmetric, hence so is T_k(L), and both are made of T_k(L) g alone:
    dx = sum_k T_k(L) g W_k^T and dW_k = x^T T_k(L) g.
    """

    @staticmethod
    def forward(ctx, values: Tensor, weight: Tensor, laplacian: Tensor) -> Tensor:
        ctx.save_for_backward(values, weight)
        ctx.laplacian = laplacian
        return convolve(values, weight, laplacian)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        values, weight = ctx.saved_tensors
        laplacian = ctx.laplacian
        needs_values, needs_weight, _ = ctx.needs_input_grad
        order, inputs, outputs = weight.shape
        gradient = gradient.contiguous()
        if torch.is_grad_enabled():  # a gradient that is itself to be differentiated
            by_weight = _WeightGradient.apply(values, gradient, laplacian, order)
            by_values = _Convolution.apply(gradient, weight.transpose(1, 2), laplacian)
            return by_values, by_weight if needs_weight else None, None
        if not needs_weight:
            return convolve(gradient, weight.transpose(1, 2), laplacian), None, None
        rows = values.reshape(-1, inputs)
        if not needs_values:
            return None, _weight_gradient(values, gradient, laplacian, order), None
        values_gradient = torch.zeros_like(rows)
        if outputs <= NARROW:
            stack = _stacked_terms(gradient, laplacian, order)
            beside = weight.transpose(1, 2).reshape(order * outputs, inputs)
            torch.mm(stack, beside, out=values_gradient)
            weight_gradient = (rows.T @ stack).view(inputs, order, outputs).transpose(0, 1)
        else:
            weight_gradient = torch.empty_like(weight)
            for k, term in enumerate(_chebyshev_terms(gradient, laplacian, order)):
                torch.mm(rows.T, term, out=weight_gradient[k])
                values_gradient.addmm_(term, weight[k].T)
        return values_gradient.view(values.shape), weight_gradient, None


class _WeightGradient(torch.autograd.Function):
    """dW within a gradient that is differentiated again; itself it is not differentiable."""

    @staticmethod
    def forward(ctx, values: Tensor, gradient: Tensor, laplacian: Tensor, order: int) -> Tensor:
        return _weight_gradient(values, gradient, laplacian, order)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        raise NotImplementedError("second derivatives by the weights of a convolution")


def _weight_gradient(values: Tensor, gradient: Tensor, laplacian: Tensor, order: int) -> Tensor:
    """dW_k = x^T T_k(L) g = (T_k(L) x)^T g: polynomials of whichever has fewer channels."""
    inputs, outputs = values.shape[2], gradient.shape[2]
    rows, turned = values.reshape(-1, inputs), gradient.reshape(-1, outputs)
    if inputs < outputs:
        terms = _chebyshev_terms(values, laplacian, order)
        return torch.stack([term.T @ turned for term in terms])
    return torch.stack([rows.T @ term for term in _chebyshev_terms(gradient, laplacian, order)])


def convolve(
    values: Float[Tensor, "V B C"], weight: Float[Tensor, "K C D"], laplacian: Tensor
) -> Float[Tensor, "V B D"]:
    """Sum over k of T_k(L) x W_k, without gradient and without a bias.

    Sparse products are made on whichever side has fewer channels; the result is the same.

    Args:
        values: x (V, B, C).
        weight: W (K, C, D).
        laplacian: L (V, V), a sparse CSR tensor.
    """
    order, inputs, outputs = weight.shape
    vertices, batch, _ = values.shape
    rows = values.reshape(-1, inputs)
    if outputs < inputs:
        return _clenshaw(rows, weight, laplacian).view(vertices, batch, outputs)
    if inputs <= NARROW:
        stack = _stacked_terms(values, laplacian, order)
        return (stack @ weight.reshape(order * inputs, outputs)).view(vertices, batch, outputs)
    out = values.new_zeros(len(rows), outputs)
    for k, term in enumerate(_chebyshev_terms(values, laplacian, order)):
        out.addmm_(term, weight[k])
    return out.view(vertices, batch, outputs)


def _stacked_terms(values: Tensor, laplacian: Tensor, order: int) -> Tensor:
    """T_0 x, T_1 x, ... side by side (V B, K C): one dense product instead of K slim ones."""
    channels = values.shape[2]
    stack = values.new_empty(values.shape[0] * values.shape[1], order, channels)
    for k, term in enumerate(_chebyshev_terms(values, laplacian, order)):
        stack[:, k] = term
    return stack.view(-1, order * channels)


def _chebyshev_terms(values: Tensor, laplacian: Tensor, order: int) -> Iterator[Tensor]:
    """T_0 x, T_1 x, ... as rows (V B, C), by T_k = 2 L T_k-1 - T_k-2.

    Each is only good until the next but one: two pieces of memory are used in turn.
    """
    channels = values.shape[2]
    columns = values.reshape(len(values), -1)
    yield columns.view(-1, channels)
    if order == 1:
        return
    before, last = columns.clone(), torch.empty_like(columns)
    torch.addmm(last, laplacian, columns, beta=0, out=last)
    yield last.view(-1, channels)
    for _ in range(order - 2):
        torch.addmm(before, laplacian, last, beta=-1, alpha=2, out=before)
        before, last = last, before
        yield last.view(-1, channels)


def _clenshaw(rows: Tensor, weight: Tensor, laplacian: Tensor) -> Tensor:
    """Sum of T_k(L) y_k with y_k = x W_k: b_k = y_k + 2 L b_k+1 - b_k+2; y_0 + L b_1 - b_2.

    Source: Clenshaw 1955, A note on the summation of Chebyshev series.
    """
    order, _, outputs = weight.shape
    vertices = laplacian.shape[0]

    parts = torch.mm(rows, weight.transpose(0, 1).reshape(len(weight[0]), order * outputs))
    parts = parts.view(-1, order, outputs)

    def part(k: int) -> Tensor:
        return parts[:, k].reshape(vertices, -1)

    later, last = torch.zeros_like(part(0)), torch.zeros_like(part(0))
    for k in range(order - 1, 0, -1):
        current = part(k).sub_(later)
        torch.addmm(current, laplacian, last, alpha=2, out=current)
        later, last = last, current
    total = part(0).sub_(later)
    return torch.addmm(total, laplacian, last, out=total).view(-1, outputs)
