"""Displacements carried from one shape of a surface to another, in its own directions."""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from jaxtyping import Float
from scipy.sparse.linalg import splu

from meshgan.arrays import Faces, Vertices
from meshgan.geometry.operators import cotangent_laplacian, mass_matrix
from meshgan.geometry.skin import Skin, apply_matrices
from meshgan.geometry.transport import Transport

PROPORTIONS_MM = 40.0
DETAIL_MM = 8.0


class SurfaceCarrier:
    """Carries small vectors on one shape of a surface to another shape of it.

    Between two people, a displacement follows the proportions around it: where the face is wider,
    a smile goes farther. Between two poses of one person, details keep their size and turn with
    the skin that they are on. Either map is smooth over a length: (M + l^2 L) J = M J_0, J_0 the
    map of each vertex's own neighbours, M the masses, L the cotangent Laplacian of ``vertices``.

    Args:
        vertices: any typical shape (V, 3), mm; areas and smoothness are measured on it.
        faces: triangles (F, 3).
        proportions_mm: l of maps between people.
        detail_mm: l of turns between poses.

    Source: Sumner and Popović 2004, Sec. 3 (deformation gradients).
    Differs: one smooth map per vertex instead of a least-squares surface over all triangles: it
    acts on any displacement, and is linear in it.
    """

    def __init__(
        self,
        vertices: Vertices,
        faces: Faces,
        proportions_mm: float = PROPORTIONS_MM,
        detail_mm: float = DETAIL_MM,
    ) -> None:
        self._vertices, self._skin = (
            np.asarray(vertices, dtype=np.float64),
            Skin(len(vertices), faces),
        )
        self._lengths = proportions_mm, detail_mm

    def between_people(
        self,
        displacements: Float[np.ndarray, "B V 3"],
        source: Float[np.ndarray, "V 3"],
        target: Float[np.ndarray, "V 3"],
    ) -> Float[np.ndarray, "B V 3"]:
        """Displacements of one person's face as another's: turned and stretched.

        Args:
            displacements: on the source, mm.
            source: one person, usually at rest, mm.
            target: the other, in the same expression, mm.
        """
        transport = Transport(self._skin, source.astype(np.float32), self._over_proportions)
        return apply_matrices(transport(target.astype(np.float32)), displacements)

    def between_poses(
        self,
        details: Float[np.ndarray, "B V 3"],
        before: Float[np.ndarray, "B V 3"],
        after: Float[np.ndarray, "B V 3"],
    ) -> Float[np.ndarray, "B V 3"]:
        """Details of a surface after it has moved: turned with it, as long as they were.

        Args:
            details: small displacements from ``before``, mm.
            before: the surface that they belong to, mm.
            after: where it has moved, mm.
        """
        turned = []
        for detail, old, new in zip(details, before, after, strict=True):
            transport = Transport(self._skin, old.astype(np.float32), self._over_detail)
            turned.append(
                apply_matrices(nearest_rotations(transport(new.astype(np.float32))), detail[None])
            )
        return np.concatenate(turned)

    @cached_property
    def _over_proportions(self) -> Callable[[np.ndarray], np.ndarray]:
        return self._smoother(self._lengths[0])

    @cached_property
    def _over_detail(self) -> Callable[[np.ndarray], np.ndarray]:
        return self._smoother(self._lengths[1])

    def _smoother(self, length_mm: float) -> Callable[[np.ndarray], np.ndarray]:
        faces = self._skin.faces
        masses = mass_matrix(self._vertices, faces)
        system = masses + length_mm**2 * cotangent_laplacian(self._vertices, faces)
        solver = splu(system.tocsc())
        return lambda maps: solver.solve(masses @ maps.astype(np.float64))


def nearest_rotations(maps: Float[np.ndarray, "V 3 3"]) -> Float[np.ndarray, "V 3 3"]:
    """The rotation closest to each matrix (polar decomposition); never a reflection."""
    left, _, right = np.linalg.svd(maps)
    left[..., -1] *= np.sign(np.linalg.det(left @ right))[:, None]
    return left @ right
