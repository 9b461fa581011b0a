"""Closing a hole between two vertex chains: a strip of triangles whose vertices follow the rim."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from meshgan.arrays import Faces, Vertices
from meshgan.geometry.operators import uniform_laplacian

Blend = dict[int, float]  # a point as a weighted mean of skin vertices


@dataclass(frozen=True)
class Strip:
    """Triangles between two chains; ids from ``first_id`` on are new, ``blends[k]`` says where."""

    triangles: list[tuple[int, int, int]]
    blends: list[Blend]


def chain_parameter(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """Arc length along a chain of points, from 0 to 1."""
    lengths = np.linalg.norm(np.diff(points, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    return along / along[-1]


def fill_strip(
    points: Vertices,
    upper: list[int],
    lower: list[int],
    rows: int,
    stations: int,
    first_id: int,
) -> Strip:
    """Fill between two chains that end in the same vertex, and may begin in the same.

    Args:
        points: positions of the chains' vertices, by id.
        upper: vertex ids of the upper chain.
        lower: vertex ids of the lower chain, running in the same direction.
        rows: rows of new vertices between the chains.
        stations: points along each row, its shared ends included.
        first_id: id of the first new vertex.
    """
    begins_together = upper[0] == lower[0]
    at = np.linspace(0, 1, stations)
    new_at = at[1:-1] if begins_together else at[:-1]
    upper_at, lower_at = chain_parameter(points[upper]), chain_parameter(points[lower])
    chains, blends = [(upper, upper_at)], []
    for row in range(1, rows + 1):
        share = row / (rows + 1)
        ids = range(first_id + len(blends), first_id + len(blends) + len(new_at))
        for place in new_at:
            above, below = _on_chain(upper, upper_at, place), _on_chain(lower, lower_at, place)
            blends.append(_mixed(above, below, share))
        begin = [upper[0]] if begins_together else []
        chains.append(([*begin, *ids, upper[-1]], at))
    chains.append((lower, lower_at))
    triangles = [
        triangle
        for (near, near_at), (far, far_at) in pairwise(chains)
        for triangle in _zip_chains(near, near_at, far, far_at)
    ]
    return Strip(triangles, blends)


def _on_chain(chain: list[int], at: np.ndarray, place: float) -> Blend:
    k = min(int(np.searchsorted(at, place, side="right")) - 1, len(chain) - 2)
    share = (place - at[k]) / (at[k + 1] - at[k])
    return {chain[k]: 1 - share, chain[k + 1]: share}


def _mixed(first: Blend, second: Blend, share: float) -> Blend:
    mixed: Blend = {}
    for blend, factor in ((first, 1 - share), (second, share)):
        for vertex, weight in blend.items():
            if weight > 0:
                mixed[vertex] = mixed.get(vertex, 0.0) + factor * weight
    return mixed


def _zip_chains(near, near_at, far, far_at) -> list[tuple[int, int, int]]:
    """Triangles between two chains, always stepping along the one that lags behind."""
    triangles, i, j = [], 0, 0
    while i < len(near) - 1 or j < len(far) - 1:
        near_lags = j == len(far) - 1 or (i < len(near) - 1 and near_at[i + 1] <= far_at[j + 1])
        if near_lags:
            triangles.append((near[i], near[i + 1], far[j]))
            i += 1
        else:
            triangles.append((near[i], far[j + 1], far[j]))
            j += 1
    return [triangle for triangle in triangles if len(set(triangle)) == 3]


def harmonic_weights(
    vertex_count: int, faces: Faces, inner: Int[np.ndarray, " m"]
) -> sparse.csr_matrix:
    """The membrane spanned by a rim: minimise the uniform Laplacian energy of ``inner``.

    Returns:
        Matrix (m, vertex_count): each inner vertex as a mean of the others, rows sum to 1.
    """
    laplacian = uniform_laplacian(vertex_count, faces)
    outer = np.setdiff1d(np.arange(vertex_count), inner)
    stiffness = laplacian[inner][:, inner].toarray()
    weights = np.linalg.solve(stiffness, -laplacian[inner][:, outer].toarray())
    weights[np.abs(weights) < 1e-6] = 0
    rows, columns = weights.nonzero()
    shape = (len(inner), vertex_count)
    return sparse.csr_matrix((weights[rows, columns], (rows, outer[columns])), shape=shape)


def membrane_depth(
    vertex_count: int, faces: Faces, inner: Int[np.ndarray, " m"]
) -> Float[np.ndarray, " m"]:
    """A bump over a membrane, 0 at its rim, 1 at its deepest: the root of d in L d = 1."""
    laplacian = uniform_laplacian(vertex_count, faces)
    depth = np.linalg.solve(laplacian[inner][:, inner].toarray(), np.ones(len(inner)))
    return np.sqrt(depth / depth.max())
