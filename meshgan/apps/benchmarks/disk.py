"""An artificial face-sized disk of any number of vertices, for benchmarks that need no data."""

import numpy as np
from scipy.spatial import Delaunay

from meshgan.geometry.mesh import TriMesh


def delaunay_disk(vertex_count: int, seed: int = 0) -> TriMesh:
    """A curved square sheet of 150 mm with exactly ``vertex_count`` vertices and its UV map.

    The inner points are spread evenly (a shaken lattice), so triangles are well shaped.
    """
    rng = np.random.default_rng(seed)
    edge = max(2, round(np.sqrt(vertex_count)))
    steps = np.linspace(0, 1, edge)[:-1]
    zeros, ones = np.zeros(edge - 1), np.ones(edge - 1)
    rim = np.concatenate(
        [
            np.stack(side, axis=1)
            for side in ((steps, zeros), (ones, steps), (1 - steps, ones), (zeros, 1 - steps))
        ]
    )
    count = vertex_count - len(rim)
    golden = (np.sqrt(5) - 1) / 2
    lattice = np.stack([(np.arange(count) + 0.5) / count, (np.arange(count) * golden) % 1], axis=1)
    margin = 0.5 / edge
    inner = margin + (1 - 2 * margin) * lattice + rng.normal(0, 1e-4 / edge, lattice.shape)
    uv = np.concatenate([rim, np.clip(inner, margin / 2, 1 - margin / 2)])
    faces = Delaunay(uv).simplices.astype(np.int64)
    a, b, c = (uv[faces[:, k]] for k in range(3))
    area = np.cross(np.pad(b - a, ((0, 0), (0, 1))), np.pad(c - a, ((0, 0), (0, 1))))[:, 2]
    faces = np.where((area < 0)[:, None], faces[:, [0, 2, 1]], faces)[np.abs(area) > 1e-12]
    height = 40 * (1 - (2 * uv[:, 0] - 1) ** 2) * (1 - 0.5 * (2 * uv[:, 1] - 1) ** 2)
    vertices = np.column_stack([150 * (uv - 0.5), height]).astype(np.float32)
    return TriMesh(vertices, faces, uv)
