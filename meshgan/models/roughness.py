"""Where faces are rough: the mesh regulariser told of it, so that lids may fold and cheeks not."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float


def vertex_energies(
    regulariser: sp.csr_matrix, displacements: Float[np.ndarray, "N V 3"]
) -> Float[np.ndarray, " V"]:
    """What each vertex adds to ``||P d||^2``, the mean over the displacements.

    Args:
        regulariser: P (V, V), from ``mapped_output.laplacian_regulariser``.
        displacements: in the unit that P expects.
    """
    count = displacements.shape[1]
    columns = np.moveaxis(displacements, 0, 1).reshape(count, -1)
    return np.asarray(((regulariser @ columns) ** 2).sum(axis=1)) / len(displacements)


def weigh_by_data(
    regulariser: sp.csr_matrix, energies: Float[np.ndarray, " V"], areas: Float[np.ndarray, " V"]
) -> sp.csr_matrix:
    """A regulariser that counts roughness at each vertex relative to what real faces have there.

    On a real face nearly all of the energy sits at lids, lips and nostrils, which fold; a uniform
    weight irons these and hardly feels bumps on the cheeks. With e_v the energy per area of the
    real faces at vertex v and m its median over the surface, vertex v gets the weight
    c / sqrt(e_v + m); c keeps the mean energy of the real faces, and so the meaning of l4.
    (Without the root, lids are left so free that their triangles turn over.)

    Args:
        regulariser: P (V, V).
        energies: (V,), ``vertex_energies`` of the training faces.
        areas: of each vertex, mm^2.

    Source: none; the paper (Eq. 12) weighs all vertices alike.
    """
    density = energies / areas
    order = np.argsort(density)
    share = np.cumsum(areas[order]) / areas.sum()
    middle = density[order][np.searchsorted(share, 0.5)]
    if middle <= 0:  # half of the surface never moves: nothing to compare with
        return regulariser
    weights = 1 / np.sqrt(density + middle)
    weights *= energies.sum() / (weights * energies).sum()
    return sp.csr_matrix(sp.diags(np.sqrt(weights)) @ regulariser)
