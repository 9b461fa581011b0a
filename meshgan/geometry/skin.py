"""A surface of fixed connectivity: averaging, triangle areas, normals, batched, in numpy."""

import numpy as np
from jaxtyping import Float
from scipy import sparse

from meshgan.arrays import Faces
from meshgan.geometry.topology import vertex_adjacency


def apply_rows(
    matrix: sparse.csr_matrix, values: Float[np.ndarray, "b V C"]
) -> Float[np.ndarray, "b W C"]:
    """Multiply each of a batch of (V, C) arrays by a sparse (W, V) matrix, in one product."""
    batch, count, channels = values.shape
    columns = values.transpose(1, 0, 2).reshape(count, batch * channels)
    product = matrix @ columns
    return product.reshape(-1, batch, channels).transpose(1, 0, 2)


def apply_matrices(
    matrices: Float[np.ndarray, "V 3 3"], vectors: Float[np.ndarray, "b V 3"]
) -> Float[np.ndarray, "b V 3"]:
    """Multiply the vector of each vertex by the matrix of that vertex."""
    turned = vectors.transpose(1, 0, 2) @ matrices.transpose(0, 2, 1)
    return turned.transpose(1, 0, 2)


class Skin:
    """Fixed connectivity of S skin vertices and T triangles.

    ``averaging``: matrix (S, S), each vertex and its neighbours with equal weights.
    ``incidence``: matrix (S, T), one where a triangle has the vertex.
    """

    def __init__(self, vertex_count: int, faces: Faces) -> None:
        self.faces = faces
        adjacency = vertex_adjacency(vertex_count, faces)
        around = (adjacency + sparse.identity(vertex_count)).tocsr()
        valence = np.asarray(around.sum(axis=1)).ravel()
        self.averaging = (sparse.diags(1 / valence) @ around).astype(np.float32).tocsr()
        corner = (faces.T.ravel(), np.tile(np.arange(len(faces)), 3))
        ones = np.ones(3 * len(faces), dtype=np.float32)
        self.incidence = sparse.csr_matrix((ones, corner), shape=(vertex_count, len(faces)))
        self._adjacency = adjacency

    def averaged(self, values: Float[np.ndarray, "b S C"], times: int) -> np.ndarray:
        """``values`` (b, S, C) after ``times`` averagings over neighbours."""
        batch, count, channels = values.shape
        columns = values.transpose(1, 0, 2).reshape(count, batch * channels)
        for _ in range(times):
            columns = self.averaging @ columns
        return columns.reshape(count, batch, channels).transpose(1, 0, 2)

    def area_vectors(self, points: Float[np.ndarray, "b S 3"]) -> Float[np.ndarray, "b T 3"]:
        """Normals of the triangles, twice their area long (mm^2)."""
        a, b, c = (points[:, corner] for corner in self.faces.T)
        return _cross(b - a, c - a)

    def normals(self, points: Float[np.ndarray, "b S 3"]) -> Float[np.ndarray, "b S 3"]:
        """Unit vertex normals, weighted by area."""
        return unit(apply_rows(self.incidence, self.area_vectors(points)))

    def edge_products(self, reference: Float[np.ndarray, "S 3"]) -> list[sparse.csr_matrix]:
        """Three matrices (S, S), one per axis k: applied to points x they give, per vertex v,
        the sum over its edges to w of ``(x_w - x_v) (r_w - r_v)_k``.
        """
        row, column = self._adjacency.nonzero()
        edges = reference[column] - reference[row]
        products = []
        for k in range(3):
            weights = sparse.csr_matrix((edges[:, k], (row, column)), shape=self._adjacency.shape)
            products.append(
                (weights - sparse.diags(np.asarray(weights.sum(axis=1)).ravel())).tocsr()
            )
        return products


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors along the last axis, of length one; zero stays zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)


def _cross(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Cross product along the last axis; np.cross takes three times as long."""
    (px, py, pz), (qx, qy, qz) = np.moveaxis(p, -1, 0), np.moveaxis(q, -1, 0)
    return np.stack([py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx], axis=-1)
