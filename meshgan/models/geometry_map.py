"""The geometry mapping layer: a mesh becomes an image that a 2D network can judge."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from meshgan.errors import ShapeError
from meshgan.geometry.rasterize import PixelLookup

ITEMS_AT_ONCE = 8  # meshes per sparse product: more leave the cache, fewer wait for threads
BAG_TYPES = (torch.float32, torch.float16, torch.bfloat16)  # float64 has no fast bag on CPUs


class GeometryMap(nn.Module):
    """Reads a mesh as an image, so that a 2D network can judge it.

    Each pixel centre of the UV square lies in one template triangle; its value is the
    barycentric mean of that triangle's corners. The map is linear, a fixed sparse matrix M,
    and its gradient is exactly its transpose.

    On a CPU both products are weighted sums over bags of rows (pixels gather three vertices; in
    the gradient, vertices gather their pixels), which reads each number once and writes none
    twice. Elsewhere plain gathers do the same.

    Args:
        lookup: corners and weights of every pixel, from ``geometry.rasterize.rasterize_uv``.

    Input: values (B, V, C), any unit and float type: positions, displacements (mm), normals.
    Output: image (B, C, n, n), contiguous, the same unit; row 0 is the top of the face (v = 1).

    Raises:
        ShapeError: ``values`` has another number of vertices than the template.

    Source: Fernández Abrevaya et al. 2019, Sec. 4.1, Eq. 5.
    Differs: the paper maps positions only; here any per-vertex attribute.
    """

    corners: Int[Tensor, "n n 3"]
    weights: Float[Tensor, "n n 3"]  # each row sums to 1
    _pixel_starts: Tensor
    _by_vertex: Tensor
    _vertex_starts: Tensor

    def __init__(self, lookup: PixelLookup) -> None:
        super().__init__()
        self.vertex_count = lookup.vertex_count
        self.size_px = lookup.size_px
        flat = lookup.corners.reshape(-1)
        by_vertex = torch.argsort(flat, stable=True)
        count = torch.bincount(flat, minlength=lookup.vertex_count)
        buffers = {
            "corners": lookup.corners,
            "weights": lookup.weights,
            "_pixel_starts": torch.arange(0, len(flat), 3),
            "_by_vertex": by_vertex,
            "_vertex_starts": count.cumsum(0) - count,
        }
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, values: Float[Tensor, "B V C"]) -> Float[Tensor, "B C n n"]:
        """Map per-vertex values to pixels."""
        if values.shape[1] != self.vertex_count:
            raise ShapeError(
                f"the mesh has {values.shape[1]:,} vertices, the template {self.vertex_count:,}; "
                "register it to the template first (meshgan register)"
            )
        if values.device.type == "cpu" and values.dtype in BAG_TYPES:
            pixels = _BagSums.apply(values, *self._bags(values.dtype))
        else:
            pixels = self._gather(values)
        size = self.size_px
        return pixels.transpose(1, 2).contiguous().view(len(values), values.shape[2], size, size)

    @torch.no_grad()
    def fuse(
        self,
        weight: Float[Tensor, "CV H"],
        bias: Float[Tensor, " CV"],
        out: tuple[Float[Tensor, "CP H"], Float[Tensor, " CP"]] | None = None,
    ) -> tuple[Float[Tensor, "CP H"], Float[Tensor, " CP"]]:
        """Merge this map into the linear layer before it: (M W, M b), channel first.

        With ``layer`` = (weight, bias) giving meshes, ``linear(h, *fuse(weight, bias))`` viewed as
        (B, C, n, n) equals ``map(layer(h).view(B, V, C))``: the whole mesh is never computed.
        No gradient; rebuild it after each update of the layer.

        Args:
            weight: (C*V, H), row C*v + c for channel c of vertex v.
            bias: (C*V,).
            out: buffers (C*n*n, H) and (C*n*n,) to write into instead of new ones.

        Raises:
            ShapeError: the rows are not a multiple of V, or a buffer has another shape.

        Source: the map is linear (Eq. 5), so it commutes with the generator's last layer.
        """
        channels, rest = divmod(len(weight), self.vertex_count)
        if rest or not channels or len(bias) != len(weight):
            raise ShapeError(
                f"fuse: {len(weight):,} weight rows and {len(bias):,} biases, expected the same "
                f"multiple of {self.vertex_count:,} vertices"
            )
        shape = (channels * self.size_px**2, weight.shape[1])
        fused_weight, fused_bias = out or (weight.new_empty(shape), bias.new_empty(shape[0]))
        if fused_weight.shape != shape or fused_bias.shape != shape[:1]:
            raise ShapeError(
                f"fuse: out has shapes {tuple(fused_weight.shape)}, {tuple(fused_bias.shape)}, "
                f"expected {shape}, {shape[:1]}"
            )
        self._fuse_rows(weight, channels, fused_weight)
        self._fuse_rows(bias[:, None], channels, fused_bias[:, None])
        return fused_weight, fused_bias

    def _fuse_rows(self, rows: Tensor, channels: int, out: Tensor) -> None:
        fast = rows.device.type == "cpu" and rows.dtype in BAG_TYPES
        bags = self._bags(rows.dtype)[0]
        for channel, part in enumerate(out.chunk(channels)):
            ids = channels * bags.ids + channel
            if fast:
                part.copy_(_bag_sum(rows, bags._replace(ids=ids)))
            else:
                part.copy_(_gather_sum(rows[None], ids.view(-1, 3), bags.weights.view(-1, 3))[0])

    def _gather(self, values: Tensor) -> Tensor:
        weights = self.weights.reshape(-1, 3).to(values.dtype)
        return _gather_sum(values, self.corners.reshape(-1, 3), weights)

    def _bags(self, dtype: torch.dtype) -> "tuple[_Bags, _Bags]":
        """What each pixel gathers from vertices, and each vertex from pixels."""
        weights = self.weights.reshape(-1).to(dtype)
        order = self._by_vertex
        pixels = _Bags(self.corners.reshape(-1), self._pixel_starts, weights)
        return pixels, _Bags(order // 3, self._vertex_starts, weights[order])


class _Bags(NamedTuple):
    """Row k of the result is the sum of ``weights * rows[ids]`` from ``starts[k]`` on."""

    ids: Tensor
    starts: Tensor
    weights: Tensor

    def repeat(self, times: int, row_count: int) -> "_Bags":
        """The same bags for several items whose ``row_count`` rows follow each other."""
        items = torch.arange(times, device=self.ids.device)[:, None]
        ids = (self.ids + row_count * items).view(-1)
        starts = (self.starts + len(self.ids) * items).view(-1)
        return _Bags(ids, starts, self.weights.repeat(times))


class _BagSums(torch.autograd.Function):
    """A batched sparse product; its gradient is the same operation with the transposed bags."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, bags: _Bags, transposed: _Bags) -> Tensor:
        ctx.bags, ctx.transposed = bags, transposed
        batch, row_count, channels = values.shape
        sums = values.new_empty(batch, len(bags.starts), channels)
        for start in range(0, batch, ITEMS_AT_ONCE):
            rows = values[start : start + ITEMS_AT_ONCE]
            found = _bag_sum(rows.reshape(-1, channels), bags.repeat(len(rows), row_count))
            sums[start : start + len(rows)] = found.view(len(rows), -1, channels)
        return sums

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return _BagSums.apply(gradients[0], ctx.transposed, ctx.bags), None, None


def _bag_sum(rows: Tensor, bags: _Bags) -> Tensor:
    return torch.embedding_bag(
        rows, bags.ids, bags.starts, mode=0, per_sample_weights=bags.weights
    )[0]


def _gather_sum(values: Tensor, ids: Tensor, weights: Tensor) -> Tensor:
    """Sum over three gathered rows: (B, R, C), ids (P, 3), weights (P, 3) -> (B, P, C)."""
    terms = (values.index_select(1, ids[:, k]) * weights[:, k, None] for k in range(3))
    return sum(terms, start=values.new_zeros(()))
