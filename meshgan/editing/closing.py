"""Eyes and lips that close where they should: how open each slit is, kept in a transfer."""

import numpy as np
from jaxtyping import Float
from scipy import sparse
from scipy.sparse.linalg import splu

from meshgan.data.slits import Slit, find_slits
from meshgan.data.template import Template
from meshgan.geometry.operators import cotangent_laplacian, mass_matrix

REACH_MM = 10.0  # vertices farther from the rims stay
UPPER_SHARE = {"left_lids": 0.75, "right_lids": 0.75, "lips": 0.5}
OPEN_MM = 0.3  # a slit less open than this at rest has no share to keep


class SlitClosing:
    """Opens or closes one slit of a face, and lets the skin around it follow.

    The rims move up and down by what is wanted at their stations; between the rims and where the
    skin stays, the displacement is biharmonic: minimise u^T L M^-1 L u, u given on the rims and 0
    beyond their reach.

    Args:
        template: the surface on which the skin's stiffness is measured.
        slit: of that template.
        upper_share: how much of a change the upper rim takes.
    """

    def __init__(self, template: Template, slit: Slit, upper_share: float) -> None:
        self.slit = slit
        points = np.asarray(template.mesh.vertices, dtype=np.float64)
        rims = np.concatenate([slit.upper, slit.lower])
        distance = np.linalg.norm(points[:, None] - points[rims], axis=2).min(axis=1)
        near = np.flatnonzero(distance < REACH_MM)
        moving = np.setdiff1d(near, rims)
        stations = len(slit.to_upper)
        given = np.zeros((len(points), stations))
        given[slit.lower] = -(1 - upper_share) * _along(slit.to_lower)
        given[slit.upper] = upper_share * _along(slit.to_upper)
        laplacian = cotangent_laplacian(points, template.mesh.faces)
        masses = mass_matrix(points, template.mesh.faces).diagonal()
        bending = (laplacian @ sparse.diags_array(1 / np.maximum(masses, 1e-9)) @ laplacian).tocsr()
        solver = splu(bending[moving][:, moving].tocsc())
        given[moving] = solver.solve(-(bending[moving] @ given))
        self._ids, self._fields = near, given[near]

    def keep(
        self,
        vertices: Float[np.ndarray, "B V 3"],
        target_rest: Float[np.ndarray, "B V 3"],
        source: Float[np.ndarray, "B V 3"],
        source_rest: Float[np.ndarray, "B V 3"],
    ) -> Float[np.ndarray, "B V 3"]:
        """Faces whose slit is as far closed as the source's, as a share of how open it was.

        Where the source opens it farther than at rest, nothing is changed.

        Args:
            vertices: after a transfer, mm.
            target_rest: the same people at rest, mm.
            source: what was transferred, mm.
            source_rest: the source at rest, mm.
        """
        before, now = self.slit.gaps(source_rest), self.slit.gaps(source)
        share = np.clip(now, 0, None) / np.maximum(before, OPEN_MM)
        wanted = share * self.slit.gaps(target_rest)
        closes = (before > OPEN_MM) & (share < 1)
        change = np.where(closes, wanted - self.slit.gaps(vertices), 0.0)
        moved = vertices.astype(np.float64)
        moved[:, self._ids, 1] += change @ self._fields.T
        return moved


def slit_closings(template: Template) -> list[SlitClosing]:
    """The slits of a template; none without iBUG landmarks."""
    return [
        SlitClosing(template, slit, UPPER_SHARE[name])
        for name, slit in find_slits(template).items()
    ]


def _along(to_rim: Float[np.ndarray, "S n"]) -> Float[np.ndarray, "n S"]:
    """Values at the stations, linear along the rim and 0 at the corners: the matrix to vertices."""
    count = to_rim.shape[1]
    places = to_rim @ np.arange(count)
    at = np.arange(count)
    corners = np.concatenate([[0.0], places, [count - 1.0]])
    values = np.vstack([np.zeros(len(places)), np.eye(len(places)), np.zeros(len(places))])
    return np.stack([np.interp(at, corners, column) for column in values.T], axis=1)
