"""From a resting face on a template back to the control mesh: then any face can be posed."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy import sparse
from scipy.sparse.linalg import splu

from meshgan.data.synthetic.bases import (
    HELPERS,
    JAW,
    LEFT_EYE,
    LEFT_POLE,
    RIGHT_EYE,
    RIGHT_POLE,
    FaceBases,
)
from meshgan.geometry.alignment import procrustes
from meshgan.geometry.topology import vertex_adjacency

SMOOTHNESS = 1e-4  # of what the template does not show: beside 1 for each vertex that it does
HOLD = 1e-8
ON_MEMBRANE = 1e-6


class RestingFaces:
    """Finds the skin of the control mesh under a resting face of a template.

    The template's vertices v are rows over the control mesh, v = K x; K sees neither the skin
    outside of the outline nor, in the membranes, an eyeball.

    minimise over x: |K x - v|^2 + smoothness |L (x - r)|^2, r the average face, L the graph
    Laplacian, over the rows of skin.

    Args:
        bases: shapes and control mesh.
        matrix: rows (V, C) of the template over the control mesh.
    """

    def __init__(self, bases: FaceBases, matrix: sparse.csr_matrix) -> None:
        control, count = bases.control, bases.skin_count
        self._reference = bases.reference()
        self._rings = control.eye_rings
        on_skin = np.abs(matrix[:, count:]).sum(axis=1)
        self._seen = np.flatnonzero(np.asarray(on_skin).ravel() < ON_MEMBRANE)
        self._rows = matrix[self._seen][:, :count].astype(np.float64)
        self._expected = self._rows @ self._reference[:count]
        adjacency = vertex_adjacency(count, control.skin_faces)
        valence = np.asarray(adjacency.sum(axis=1)).ravel()
        laplacian = sparse.diags(valence) - adjacency
        normal = (
            self._rows.T @ self._rows
            + SMOOTHNESS * (laplacian.T @ laplacian)
            + HOLD * sparse.identity(count)
        )
        self._solve = splu(normal.tocsc()).solve

    def control_points(self, vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "P 3"]:
        """Skin and helpers of the control mesh, float64, mm, near the average face in pose.

        The eyeballs are those of the average face, moved and scaled with the lids around them.
        """
        seen = vertices[self._seen].astype(np.float64)
        seen = procrustes(seen, self._expected).apply(seen)
        average = self._reference[:-HELPERS]
        skin = average + self._solve(self._rows.T @ (seen - self._expected))
        helpers = self._reference[-HELPERS:].copy()
        for side, points in enumerate(((LEFT_EYE, LEFT_POLE), (RIGHT_EYE, RIGHT_POLE))):
            ids = np.unique(self._rings[side])
            moved = procrustes(average[ids], skin[ids], scale=True)
            helpers[list(points)] = moved.apply(helpers[list(points)])
        middle = procrustes(average, skin, scale=True)
        helpers[JAW] = middle.apply(helpers[JAW])
        return np.concatenate([skin, helpers])


class RigOfFace:
    """One resting face and how it moves.

    ``neutral`` (V, 3): the face at rest, float32, mm, aligned to the template as all faces are.
    """

    def __init__(
        self,
        neutral: Float[np.ndarray, "V 3"],
        express: Callable[[np.ndarray], np.ndarray],
    ) -> None:
        self.neutral, self._express = neutral, express
        self._rest: Float[np.ndarray, "V 3"] | None = None

    def express(self, actions: Float[np.ndarray, "b A"]) -> Float[np.ndarray, "b V 3"]:
        """The face with these weights of the facial actions, float32, mm; exact at rest.

        Raises:
            ShapeError: not one weight per action.
        """
        if self._rest is None:
            self._rest = self._express(np.zeros((1, actions.shape[1])))[0]
        return self.neutral + (self._express(actions) - self._rest)
