"""Displacements follow a person's proportions: a smooth linear map per vertex."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from meshgan.geometry.skin import Skin

AVERAGINGS = 25
NORMAL_MM = 2.0  # weight of the normal beside the edges, as a length
RIDGE = 1e-3


class Transport:
    """Finds, per vertex v, the J that maps the reference's neighbourhood to a person's.

    minimise over J:
    sum_w |J (r_w - r_v) - (x_w - x_v)|^2 + h^2 |J n_r - s n_x|^2 + ridge |J - I|^2,
    r the reference, x the person, n their normals, s the root of the local stretch; the J are
    then made smooth.

    Args:
        skin: the connectivity.
        reference: r (S, 3), mm.
        smooth: averages values (S, 9) over the surface; 25 averagings over neighbours if None.

    Source: deformation gradients as in Sumner and Popović 2004, Sec. 3, made per vertex.
    """

    def __init__(
        self,
        skin: Skin,
        reference: Float[np.ndarray, "S 3"],
        smooth: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self._skin, self._smooth = skin, smooth or self._averaged
        self._products = [m.astype(np.float32) for m in skin.edge_products(reference)]
        self._normals = skin.normals(reference[None])[0]
        edges = self._moments(reference.astype(np.float32))
        self._trace = _frobenius2(edges)
        normal = NORMAL_MM**2 * self._normals[:, :, None] * self._normals[:, None, :]
        self._inverse = np.linalg.inv(edges + normal + RIDGE * np.eye(3)).astype(np.float32)

    def _moments(self, points: np.ndarray) -> np.ndarray:
        return np.stack([product @ points for product in self._products], axis=2)

    def __call__(self, neutral: Float[np.ndarray, "S 3"]) -> Float[np.ndarray, "S 3 3"]:
        """The maps for a person's neutral skin (mm), float32.

        Args:
            neutral: x (S, 3), float32.
        """
        edges = self._moments(neutral)
        stretch = (_frobenius2(edges) / self._trace) ** 0.25
        normals = self._skin.normals(neutral[None])[0] * stretch[:, None]
        normal = NORMAL_MM**2 * normals[:, :, None] * self._normals[:, None, :]
        maps = (edges + normal + RIDGE * np.eye(3, dtype=np.float32)) @ self._inverse
        maps = self._smooth(maps.reshape(-1, 9).astype(np.float32))
        return np.ascontiguousarray(maps.reshape(-1, 3, 3), dtype=np.float32)

    def _averaged(self, maps: np.ndarray) -> np.ndarray:
        return self._skin.averaged(maps[None], AVERAGINGS)[0]


def _frobenius2(matrices: np.ndarray) -> np.ndarray:
    return np.einsum("vij,vij->v", matrices, matrices)
