"""Slits: where an upper and a lower rim can meet, as lids and lips do."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from meshgan.arrays import VertexIds
from meshgan.data.template import Template
from meshgan.geometry.topology import vertex_adjacency

STATIONS = 9
LEAST_SHARE, MOST_SHARE = 0.2, 0.8  # of the way between the corners; nearer, rims always meet
# Upper and lower rim of each slit, corner to corner, as points of the iBUG 68.
RIMS = {
    "right_lids": ((36, 37, 38, 39), (36, 41, 40, 39)),
    "left_lids": ((42, 43, 44, 45), (42, 47, 46, 45)),
    "lips": ((60, 61, 62, 63, 64), (60, 67, 66, 65, 64)),
}


@dataclass(frozen=True, eq=False)
class Slit:
    """Two rims that share their corners.

    Args:
        upper: vertices from corner to corner.
        lower: the same of the lower rim, in the same direction.
        to_upper: places on the upper rim at S stations between the corners: (S, number of its
            vertices), rows sum to 1.
        to_lower: the same on the lower rim.
    """

    upper: Int[np.ndarray, " _"]
    lower: Int[np.ndarray, " _"]
    to_upper: Float[np.ndarray, "S _"]
    to_lower: Float[np.ndarray, "S _"]

    def gaps(self, vertices: Float[np.ndarray, "B V 3"]) -> Float[np.ndarray, "B S"]:
        """How far the rims are apart at each station, up and down, mm; negative: they cross.

        Args:
            vertices: faces that look along +z, mm.
        """
        heights = np.asarray(vertices, np.float64)[:, :, 1]
        return heights[:, self.upper] @ self.to_upper.T - heights[:, self.lower] @ self.to_lower.T


def find_slits(template: Template) -> dict[str, Slit]:
    """The slits of a face, from its iBUG landmarks; none without them.

    Landmarks next to each other on a rim are joined by the shortest way along edges.
    """
    if "ibug68" not in template.landmarks:
        return {}
    points = np.asarray(template.mesh.vertices, np.float64)
    graph = vertex_adjacency(template.vertex_count, template.mesh.faces).tocoo()
    graph.data = np.linalg.norm(points[graph.row] - points[graph.col], axis=1)
    landmarks = template.landmarks["ibug68"]
    at = np.linspace(LEAST_SHARE, MOST_SHARE, STATIONS)
    slits = {}
    for name, (upper, lower) in RIMS.items():
        rims = [_way(sparse.csr_matrix(graph), landmarks[list(rim)]) for rim in (upper, lower)]
        slits[name] = Slit(*rims, *(_places(points[rim], at) for rim in rims))
    return slits


def _way(graph: sparse.csr_matrix, stops: VertexIds) -> Int[np.ndarray, " n"]:
    _, before = dijkstra(graph, indices=stops[:-1], return_predecessors=True)
    way = [int(stops[0])]
    for row, end in zip(before, stops[1:], strict=True):
        part = [int(end)]
        while row[part[-1]] >= 0:
            part.append(int(row[part[-1]]))
        way += part[-2::-1]
    return np.array(way)


def _places(rim: Float[np.ndarray, "n 3"], at: Float[np.ndarray, " S"]) -> np.ndarray:
    """Matrix that interpolates values on a rim linearly at shares of its width."""
    along = rim[:, 0] - rim[0, 0]
    share = np.maximum.accumulate(along / along[-1])
    return np.stack([np.interp(at, share, row) for row in np.eye(len(rim))], axis=1)
