"""The decoder of a mesh autoencoder at some of the vertices, with its derivatives."""

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from meshgan.models.chebyshev import ChebyshevConvolution, SparseMap, chebyshev_rows, convolve

CACHED_COLUMNS = 64  # values per vertex that are convolved at once: more do not fit into caches


class DecoderRows:
    """Decoded values at some vertices, and their derivatives by the code, in forward mode.

    All layers but the ReLUs are linear: a direction in the space of codes passes through them as
    the values themselves do, and where a ReLU is shut it ends. All directions of a face go through
    the sparse products side by side. On the finest mesh, only the vertices that the wanted ones
    see through the last two convolutions are computed, and the last convolution at the wanted ones
    alone.

    Axis letters: V vertices, L of them wanted, B batch, C channels, d length of a code.

    Args:
        widening: convolutions of the decoder, coarsest mesh first; each is followed by a ReLU.
        last: convolution after them, without one.
        from_code: linear layer of the coarsest values, vertex by vertex.
        laplacians: of the levels, the finest first.
        up: maps from each coarser level to the next finer one, the finest first.
        ids: wanted vertices (L,).

    Source: Ranjan et al. 2018, Sec. 3 (the layers). Differs: the same values and derivatives as the
    whole decoder, for less.
    """

    def __init__(
        self,
        widening: list[ChebyshevConvolution],
        last: ChebyshevConvolution,
        from_code: nn.Linear,
        laplacians: list[SparseMap],
        up: list[SparseMap],
        ids: Int[Tensor, " L"],
    ) -> None:
        self.widening, self.last, self.from_code = widening, last, from_code
        device = from_code.weight.device
        finest = laplacians[0].as_scipy()
        reach = len(widening[-1].weight) + len(last.weight) - 2
        seen = _neighbourhood(finest, ids.cpu().numpy(), reach)
        place = np.full(finest.get_shape()[0], -1)
        place[seen] = np.arange(len(seen))
        near = sp.csr_matrix(finest[seen][:, seen])
        wanted = place[ids.cpu().numpy()]
        rows = chebyshev_rows(near, wanted, len(last.weight))
        # of the last convolution, whichever way takes fewer products
        order, channels, outputs = last.weight.shape
        each, whole = rows.nnz * channels, order * outputs * (len(seen) * channels + near.nnz)
        self.rows = as_csr(rows, device) if each < whole else None
        self.wanted = torch.from_numpy(wanted).to(device)
        self.laplacians = [as_csr(near, device), *(one.matrix() for one in laplacians[1:])]
        first = as_csr(sp.csr_matrix(up[0].as_scipy()[seen]), device)
        self.up = [first, *(one.matrix() for one in up[1:])]

    @torch.no_grad()
    def values(self, codes: Float[Tensor, "B d"]) -> Float[Tensor, "B L C"]:
        """Decoded values at the wanted vertices; no gradient."""
        each = max(1, CACHED_COLUMNS // self.widening[-1].weight.shape[1])
        return torch.cat([self._values(part) for part in codes.float().split(each)])

    @torch.no_grad()
    def jacobian(self, codes: Float[Tensor, "B d"]) -> Float[Tensor, "B L C d"]:
        """Derivatives of the decoded values at the wanted vertices by the codes."""
        found = [self._derivatives(one[None]) for one in codes.float()]
        return torch.stack(found).permute(0, 1, 3, 2)

    def _values(self, codes: Float[Tensor, "b d"]) -> Float[Tensor, "b L C"]:
        x = self._start(self.from_code(codes))
        for level, convolution in self._layers():
            x = self._convolved(self._finer(x, level), convolution, level)
            x = x.add_(convolution.bias).relu_()
        return (self._last(x) + self.last.bias).transpose(0, 1)

    def _derivatives(self, code: Float[Tensor, "1 d"]) -> Float[Tensor, "L d C"]:
        x, along = self._start(self.from_code(code)), self._start(self.from_code.weight.T)
        for level, convolution in self._layers():
            x = self._convolved(self._finer(x, level), convolution, level).add_(convolution.bias)
            if level > 0:
                along = self._convolved(self._finer(along, level), convolution, level)
                along *= x > 0
                x.relu_()
        each = max(1, CACHED_COLUMNS // along.shape[2])
        return torch.cat([self._finest(part, x > 0) for part in along.split(each, dim=1)], dim=1)

    def _finest(self, along: Float[Tensor, "V b C"], is_open: Tensor) -> Float[Tensor, "L b D"]:
        """A few directions through the finest mesh."""
        moved = self._convolved(self._finer(along, 0), self.widening[-1], 0)
        return self._last(moved.mul_(is_open))

    def _start(self, values: Float[Tensor, "b W"]) -> Float[Tensor, "V b C"]:
        channels = self.widening[0].weight.shape[1]
        return values.unflatten(1, (-1, channels)).transpose(0, 1).contiguous()

    def _layers(self) -> list[tuple[int, ChebyshevConvolution]]:
        levels = reversed(range(len(self.widening)))
        return list(zip(levels, self.widening, strict=True))

    def _finer(self, values: Float[Tensor, "N b C"], level: int) -> Float[Tensor, "M b C"]:
        return _product(self.up[level], values)

    def _convolved(
        self, values: Float[Tensor, "V b C"], layer: ChebyshevConvolution, level: int
    ) -> Float[Tensor, "V b D"]:
        return convolve(values, layer.weight, self.laplacians[level])

    def _last(self, values: Float[Tensor, "V b C"]) -> Float[Tensor, "L b D"]:
        if self.rows is None:
            return convolve(values, self.last.weight, self.laplacians[0])[self.wanted]
        terms = _product(self.rows, values).unflatten(0, (len(self.last.weight), -1))
        return torch.einsum("klbc,kcd->lbd", terms, self.last.weight)


def as_csr(matrix: sp.csr_matrix, device: torch.device) -> Tensor:
    """A SciPy matrix as a float32 tensor of compressed rows."""
    return SparseMap.of(matrix).to(device).matrix()


def _product(matrix: Tensor, values: Float[Tensor, "N b C"]) -> Float[Tensor, "M b C"]:
    columns = values.reshape(len(values), -1)
    out = columns.new_empty(matrix.shape[0], columns.shape[1])
    return torch.addmm(out, matrix, columns, beta=0, out=out).view(-1, *values.shape[1:])


def _neighbourhood(
    laplacian: sp.csr_matrix, ids: Int[np.ndarray, " L"], reach: int
) -> Int[np.ndarray, " S"]:
    """Vertices at most ``reach`` edges from any of ``ids``, in order."""
    steps = sp.csr_matrix(abs(laplacian))
    seen = np.zeros(laplacian.get_shape()[0], dtype=bool)
    seen[ids] = True
    for _ in range(reach):
        seen |= steps @ seen.astype(np.float32) > 0
    return np.flatnonzero(seen)
