"""What a triangle mesh is made of, whatever its shape: edges, loops, components, handles."""

from dataclasses import dataclass

import igl
import numpy as np
from jaxtyping import Int
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from meshgan.arrays import Faces


@dataclass(frozen=True)
class Topology:
    """Counts that decide what a mesh can be used for.

    ``handles`` is the genus summed over the components; None when the mesh is no manifold, which
    leaves it undefined.
    """

    components: int
    boundary_loops: int
    handles: int | None
    edge_manifold: bool
    vertex_manifold: bool
    oriented: bool

    @property
    def is_disk(self) -> bool:
        """True for one piece with one outline: what a UV square can hold."""
        whole = self.components == 1 and self.boundary_loops == 1 and self.handles == 0
        return whole and self.edge_manifold and self.vertex_manifold and self.oriented


def half_edges(faces: Faces) -> Int[np.ndarray, "H 2"]:
    """The directed edges of all faces (3F, 2): first edges of all faces, second, third."""
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)


def unique_edges(faces: Faces) -> Int[np.ndarray, "E 2"]:
    """Undirected edges (E, 2), int64: smaller id first, rows in ascending order."""
    return _edge_counts(faces)[0]


def vertex_adjacency(vertex_count: int, faces: Faces) -> sparse.csr_matrix:
    """Symmetric (V, V) matrix with a one for each pair of vertices that share an edge."""
    first, second = unique_edges(faces).T
    rows, columns = np.concatenate([first, second]), np.concatenate([second, first])
    shape = (vertex_count, vertex_count)
    return sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)


def boundary_loops(faces: Faces) -> list[Int[np.ndarray, " L"]]:
    """Vertex ids along each hole or outline, in the direction of the faces beside it.

    Returns:
        int64 arrays, most vertices first (then the smallest ids first); each starts at its smallest
        vertex id. A vertex where two outlines touch belongs to both loops. Faces that are not
        oriented alike leave outlines without direction; these are not returned.
    """
    following: dict[int, list[int]] = {}
    for start, end in _boundary_half_edges(faces).tolist():
        following.setdefault(start, []).append(end)
    loops = []
    for start in list(following):
        while following[start]:
            loops.extend(_walk(start, following))
    loops = [np.roll(loop, -int(np.argmin(loop))) for loop in loops]
    return sorted(loops, key=lambda loop: (-len(loop), loop.tolist()))


def euler_characteristic(vertex_count: int, faces: Faces) -> int:
    """V - E + F; 2 for a sphere, 1 for a disk, one less per hole, two less per handle."""
    return vertex_count - len(unique_edges(faces)) + len(faces)


def is_edge_manifold(faces: Faces) -> bool:
    """True when every edge belongs to one or two faces."""
    return bool((_edge_counts(faces)[1] <= 2).all())


def is_oriented(faces: Faces) -> bool:
    """True when no two faces run along an edge in the same direction."""
    _, counts = np.unique(_edge_keys(half_edges(faces)), return_counts=True)
    return bool((counts == 1).all())


def piece_sizes(vertex_count: int, faces: Faces) -> list[int]:
    """Vertices of each connected piece, most first; an unused vertex is a piece of its own."""
    _, piece = connected_components(vertex_adjacency(vertex_count, faces), directed=False)
    return sorted(np.bincount(piece).tolist(), reverse=True)


def is_disk(vertex_count: int, faces: Faces) -> bool:
    """True for a single oriented manifold piece with one boundary loop and no handle."""
    return describe(vertex_count, faces).is_disk


def describe(vertex_count: int, faces: Faces) -> Topology:
    """Count the pieces, holes and handles of a mesh; an unused vertex is a piece of its own."""
    components, _ = connected_components(vertex_adjacency(vertex_count, faces), directed=False)
    loops = len(boundary_loops(faces))
    edge_manifold = is_edge_manifold(faces)
    vertex_manifold = edge_manifold and bool(np.all(igl.is_vertex_manifold(faces)))
    handles = None
    if edge_manifold and vertex_manifold and is_oriented(faces):
        unused = vertex_count - len(np.unique(faces))
        surfaces = int(components) - unused
        euler = euler_characteristic(vertex_count, faces) - unused
        handles = (2 * surfaces - loops - euler) // 2
    return Topology(
        components=int(components),
        boundary_loops=loops,
        handles=handles,
        edge_manifold=edge_manifold,
        vertex_manifold=vertex_manifold,
        oriented=is_oriented(faces),
    )


def _edge_keys(edges: np.ndarray) -> np.ndarray:
    """One integer per row: far quicker to sort than rows."""
    return edges[:, 0] * (1 << 31) + edges[:, 1]


def _edge_counts(faces: Faces) -> tuple[np.ndarray, np.ndarray]:
    keys, counts = np.unique(_edge_keys(np.sort(half_edges(faces), axis=1)), return_counts=True)
    return np.stack([keys >> 31, keys & ((1 << 31) - 1)], axis=1), counts


def _boundary_half_edges(faces: Faces) -> np.ndarray:
    edges = half_edges(faces)
    _, where, counts = np.unique(
        _edge_keys(np.sort(edges, axis=1)), return_index=True, return_counts=True
    )
    return edges[where[counts == 1]]


def _walk(start: int, following: dict[int, list[int]]) -> list[np.ndarray]:
    """Follow the boundary from ``start``; where it touches itself, cut a loop off."""
    loops, path, position = [], [start], {start: 0}
    while following.get(path[-1]):
        vertex = following[path[-1]].pop()
        if vertex in position:
            cut = position[vertex]
            loops.append(np.array(path[cut:], dtype=np.int64))
            for gone in path[cut + 1 :]:
                del position[gone]
            path = path[: cut + 1]
        else:
            position[vertex] = len(path)
            path.append(vertex)
    return loops
