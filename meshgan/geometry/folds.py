"""Triangles that are folded over: they lie against the surface around them."""

import numpy as np
from jaxtyping import Float, Int

from meshgan.arrays import Faces


def folded_faces(vertices: Float[np.ndarray, "V 3"], faces: Faces) -> Int[np.ndarray, " K"]:
    """Triangles whose normal points against the surface around them (ids, ascending).

    The surface around a triangle is what its corners' neighbours say: their triangles' area
    vectors, without the triangle's own.
    """
    first, second, third = (vertices[faces[:, k]] for k in range(3))
    area_vectors = np.cross(second - first, third - first)
    sums = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(sums, faces[:, k], area_vectors)
    around = sums[faces].sum(axis=1) - 3 * area_vectors
    return np.flatnonzero(np.einsum("fc,fc->f", around, area_vectors) < 0)
