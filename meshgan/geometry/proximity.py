"""How far meshes of one topology are apart, and the nearest of many, exactly but cheaply."""

import logging
from typing import Any, Protocol, TypeVar, overload, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.arrays import Vertices
from meshgan.errors import InputError, ShapeError

log = logging.getLogger(__name__)

Array = TypeVar("Array", np.ndarray, Tensor)
LEVELS = (16, 64, 256)  # groups per mesh, coarse to fine; each divides the next
BLOCK = 64  # reference meshes read at once
CACHED = 16  # meshes compared at once: what a CPU's cache holds


@runtime_checkable
class MeshRows(Protocol):
    """Meshes that are read as needed: an array, a memory map, or anything that acts like one."""

    def __len__(self) -> int:
        """N."""
        ...

    def __getitem__(self, which: Any, /) -> np.ndarray:
        """Vertices (b, V, 3) of a slice or of an array of ids."""
        ...


@overload
def mean_vertex_distance(a: Tensor, b: Tensor) -> Float[Tensor, "..."]: ...


@overload
def mean_vertex_distance(
    a: np.ndarray, b: np.ndarray
) -> Float[np.ndarray, "..."] | np.floating: ...


def mean_vertex_distance(
    a: Array, b: Array
) -> Float[np.ndarray, "..."] | Float[Tensor, "..."] | np.floating:
    """Mean over the vertices of the distance between corresponding vertices, mm.

    Args:
        a: (..., V, 3), numpy or torch.
        b: (..., V, 3), of the same kind; leading axes broadcast.

    Returns:
        (...); differentiable in torch, where no two vertices coincide.

    Source: Fernández Abrevaya et al. 2019, Sec. 5.3.
    """
    if a.shape[-2:] != b.shape[-2:]:
        raise ShapeError(
            f"distance: {a.shape[-2]:,} and {b.shape[-2]:,} vertices, expected as many"
        )
    difference = a - b
    # axis by axis: much quicker than a norm over an axis of length 3
    x, y, z = difference[..., 0], difference[..., 1], difference[..., 2]
    return ((x * x + y * y + z * z) ** 0.5).mean(-1)


def nearest_mesh(
    queries: Float[np.ndarray, "Q V 3"],
    references: MeshRows,
    *,
    order: Int[np.ndarray, " V"] | None = None,
    block: int = BLOCK,
) -> tuple[Float[np.ndarray, " Q"], Int[np.ndarray, " Q"]]:
    """The reference with the smallest mean vertex distance to each query: exact, mostly unread.

    The distance is a norm, so by Jensen's inequality the means over groups of vertices bound it:
    ``d(x, y) >= sum_g |g| / V * ||mean_g x - mean_g y||``. One pass over the references keeps the
    means of 256 groups. A query then discards references by the bounds of 16, 64 and 256
    groups, and compares itself with the few that are left, most promising first.

    Args:
        queries: (Q, V, 3), mm; compared in float32.
        references: N meshes (N, V, 3), as an array, a memory map, or an object that gives rows for
            a slice or an array of ids. Held in memory: 3 KB per reference and one block.
        order: permutation of the vertices in which neighbours on the surface are close; by default
            the first reference is bisected recursively. It decides the speed, not the result.
        block: reference meshes read at once.

    Returns:
        Distances (Q,), float32, mm, and ids of the references (Q,), int64; at equal distance the
        smaller id. The same as ``brute_force_nearest``.

    Raises:
        InputError: there is no reference, or a vertex is not finite.
        ShapeError: queries and references have different numbers of vertices.
    """
    queries = np.asarray(queries, dtype=np.float32)
    _check(queries, references)
    if order is None:
        order = coherent_order(np.asarray(references[:1][0]), LEVELS[-1])
    pyramid = _Pyramid(queries.shape[1], order)
    reference_means, reach = pyramid.means_of(references, block)
    query_means, query_reach = pyramid.means_of(queries, block)
    margin = pyramid.rounding * max(reach, query_reach)
    distance = np.empty(len(queries), dtype=np.float32)
    index = np.empty(len(queries), dtype=np.int64)
    compared = 0
    for k, query in enumerate(queries):
        own_means = [means[:, k] for means in query_means]
        search = _Search(query, references)
        pyramid.visit(search, own_means, reference_means, margin)
        distance[k], index[k] = search.best, search.best_id
        compared += search.compared
    log.debug("nearest mesh: %d of %d pairs compared", compared, len(queries) * len(references))
    return distance, index


def brute_force_nearest(
    queries: Float[np.ndarray, "Q V 3"], references: MeshRows, *, block: int = BLOCK
) -> tuple[Float[np.ndarray, " Q"], Int[np.ndarray, " Q"]]:
    """What ``nearest_mesh`` finds, by comparing every query with every reference."""
    queries = np.asarray(queries, dtype=np.float32)
    _check(queries, references)
    distance = np.full(len(queries), np.inf, dtype=np.float32)
    index = np.zeros(len(queries), dtype=np.int64)
    for start in range(0, len(references), block):
        rows = np.asarray(references[start : start + block], dtype=np.float32)
        for k, query in enumerate(queries):
            found = _distances(query, rows)
            nearest = int(found.argmin())
            if found[nearest] < distance[k]:
                distance[k], index[k] = found[nearest], start + nearest
    return distance, index


def coherent_order(vertices: Vertices, groups: int) -> Int[np.ndarray, " V"]:
    """Order vertices so that equal consecutive parts are compact pieces of the surface.

    The vertices are halved at the median of their widest axis, and the halves again.

    Args:
        vertices: positions (V, 3).
        groups: parts wanted, a power of two.
    """
    order = np.arange(len(vertices))
    starts = _starts(len(vertices), groups)
    pieces = [(0, groups)]
    while pieces:
        first, last = pieces.pop()
        if last - first < 2:
            continue
        middle = (first + last) // 2
        low, cut, high = starts[first], starts[middle], starts[last]
        points = vertices[order[low:high]]
        if 0 < cut - low < len(points):
            along = points[:, np.ptp(points, axis=0).argmax()]
            order[low:high] = order[low:high][np.argpartition(along, cut - low)]
        pieces += [(first, middle), (middle, last)]
    return order


def _check(queries: np.ndarray, references: MeshRows) -> None:
    if not len(references):
        raise InputError("nearest mesh: there are no reference meshes to compare with")
    if (found := references[:1].shape[1:]) != queries.shape[1:]:
        raise ShapeError(
            f"nearest mesh: queries have {queries.shape[1]:,} vertices, references {found[0]:,}"
        )


def _starts(count: int, groups: int) -> np.ndarray:
    return np.arange(groups + 1) * count // groups


def _distances(query: np.ndarray, rows: np.ndarray) -> np.ndarray:
    parts = [
        mean_vertex_distance(rows[start : start + CACHED], query)
        for start in range(0, len(rows), CACHED)
    ]
    return np.concatenate(parts)


class _Search:
    """The best reference so far for one query."""

    def __init__(self, query: np.ndarray, references: MeshRows) -> None:
        self.query, self.references = query, references
        self.best, self.best_id, self.compared = np.float32(np.inf), -1, 0

    def compare(self, ids: np.ndarray) -> None:
        """Compare with references by ascending id, so that any storage reads forward."""
        ids = np.sort(ids)
        found = _distances(self.query, np.asarray(self.references[ids], dtype=np.float32))
        nearest = int(found.argmin())
        candidate = (found[nearest], ids[nearest])
        if candidate < (self.best, self.best_id) or self.best_id < 0:
            self.best, self.best_id = candidate[0], int(candidate[1])
        self.compared += len(ids)


class _Pyramid:
    """Group means of meshes at several levels, and the bounds they give."""

    def __init__(self, vertex_count: int, order: np.ndarray) -> None:
        self.levels = [level for level in LEVELS if level <= vertex_count] or [1]
        self.vertex_count = vertex_count
        finest = _starts(vertex_count, self.levels[-1])
        self.order = torch.from_numpy(np.ascontiguousarray(order, dtype=np.int64))
        self.starts = torch.from_numpy(finest[:-1])
        self.sizes = np.diff(finest)
        # float32 sums over a group, differences, norms and the weighted sum: each a few ulps
        self.rounding = float(np.finfo(np.float32).eps) * (self.sizes.max() + 64)

    def means_of(self, meshes: MeshRows, block: int) -> tuple[list[np.ndarray], float]:
        """Means (3, N, g) per level, and the largest coordinate."""
        finest = np.empty((3, len(meshes), len(self.sizes)), dtype=np.float32)
        reach = 0.0
        for start in range(0, len(meshes), block):
            rows = np.ascontiguousarray(meshes[start : start + block], dtype=np.float32)
            largest = float(max(rows.max(), -rows.min()))  # NaN stays NaN
            if not np.isfinite(largest):
                bad = start + int((~np.isfinite(rows).all(axis=(1, 2))).argmax())
                raise InputError(f"nearest mesh: mesh {bad:,} has a vertex that is not finite")
            reach = max(reach, largest)
            for k, mesh in enumerate(torch.from_numpy(rows), start=start):
                sums = torch.nn.functional.embedding_bag(self.order, mesh, self.starts, mode="sum")
                finest[:, k] = sums.numpy().T
        means = []
        for level in self.levels:
            shape = (3, len(meshes), level, -1)
            size = self._sizes(level)
            means.append((finest.reshape(shape).sum(axis=-1) / size).astype(np.float32))
        return means, reach

    def visit(
        self, search: _Search, own: list[np.ndarray], others: list[np.ndarray], margin: float
    ) -> None:
        """Let ``search`` compare, most promising first, until the bounds exclude the rest."""
        bounds = self._bounds(0, own, others, slice(None))
        kept = np.arange(len(bounds))
        likely = np.argpartition(bounds, min(CACHED, len(bounds) - 1))[:CACHED]
        fine = self._bounds(-1, own, others, likely)
        search.compare(likely[[int(fine.argmin())]])
        for level in range(len(self.levels)):
            if level:
                bounds = self._bounds(level, own, others, kept)
            open_ = bounds - margin <= search.best
            kept, bounds = kept[open_], bounds[open_]
        ascending = np.argsort(bounds, kind="stable")
        kept, bounds = kept[ascending], bounds[ascending]
        step = 2
        while len(kept):
            search.compare(kept[:step])
            kept, bounds = kept[step:], bounds[step:]
            count = int(np.searchsorted(bounds, search.best + margin, side="right"))
            kept, bounds = kept[:count], bounds[:count]
            step = min(2 * step, CACHED)

    def _bounds(
        self, level: int, own: list[np.ndarray], others: list[np.ndarray], ids: Any
    ) -> np.ndarray:
        squared = np.float32(0)
        for axis in range(3):
            difference = others[level][axis][ids] - own[level][axis]
            squared = squared + difference * difference
        share = (self._sizes(self.levels[level]) / self.vertex_count).astype(np.float32)
        return np.sqrt(squared) @ share

    def _sizes(self, level: int) -> np.ndarray:
        return self.sizes.reshape(level, -1).sum(axis=1)
