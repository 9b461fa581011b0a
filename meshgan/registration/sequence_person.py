"""One person in a sequence: their own template, how it may move, and finding it in a scan."""

import logging
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import sparse
from scipy.sparse.linalg import splu

from meshgan.arrays import Faces, VertexIds, Vertices
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.geometry.alignment import Similarity
from meshgan.geometry.closest_point import SurfaceIndex
from meshgan.geometry.nonrigid_steps import Sheet
from meshgan.registration.prior import FacePrior
from meshgan.registration.prior_carry import carry_prior
from meshgan.registration.scan import Scan
from meshgan.registration.sequence_model import ExpressionModel, PointTargets

log = logging.getLogger(__name__)

LENGTHS_MM = (8.0, 5.0, 3.5, 2.5, 2.0, 2.0)  # bends shorter than this are smoothed away, per step
REACH_MM = 5.0


def expression_modes(prior: FacePrior, template: Template) -> Float[np.ndarray, "E V 3"]:
    """How faces move, on a template of any topology; no modes if no face is found in it."""
    try:
        carried = carry_prior(prior, template)
    except InputError as error:
        log.warning("%s; a sequence is followed without knowing expressions", error)
        return np.zeros((0, template.vertex_count, 3))
    return carried.modes[carried.identity_count :].astype(np.float64)


@dataclass(frozen=True, eq=False)
class Tracked:
    """The person's template found in one scan.

    Args:
        vertices: (V, 3), float64, mm, the scan's frame.
        weight: how well each lies on the scan, 0 to 1 (V,); 0 where it was carried along.
        pose: of the head, rigid; from the model, so only roughly free of expression.
        coefficients: of the expression modes (E,).
        rms_mm: root mean square distance of the vertices on the scan.
    """

    vertices: Vertices
    weight: Float[np.ndarray, " V"]
    pose: Similarity
    coefficients: Float[np.ndarray, " E"]
    rms_mm: float

    @property
    def coverage(self) -> float:
        """Share of the vertices on the scan."""
        return float((self.weight > 0).mean())


class Person:
    """Follows one person's own template through scans.

    Two steps per scan: pose and expression modes, which no path that led here can shift; then the
    whole surface, bent as little as possible from where these put it:

        minimise  sum_v w_v |a_v + d_v - c_v|^2 + (l / h)^4 |G d|^2

    over displacements d from the modelled face a (see ``geometry.nonrigid``). As d is small, the
    systems need not be factored anew with each set of weights: for missing weight a vertex is
    tied to where it is, which has the same solution and one matrix for all scans.

    Args:
        neutral: the person's template (V, 3), mm, in the head's frame.
        faces: its triangles (F, 3).
        modes: expressions (E, V, 3), mm, in the head's frame.

    Source: Fernandez Abrevaya et al. 2018 (one identity, expression per frame). Differs: linear
    modes of the face prior, and majorised weights (Hunter and Lange 2004) in the template fit.
    """

    def __init__(self, neutral: Vertices, faces: Faces, modes: Float[np.ndarray, "E V 3"]) -> None:
        self.neutral, self.faces = neutral, faces
        self._model = ExpressionModel(neutral, faces, modes)
        self._sheet = Sheet(neutral, faces, sparse.csr_matrix((0, len(neutral))))
        self._solvers = {length: self._factored(length) for length in set(LENGTHS_MM)}

    def _factored(self, length_mm: float):
        stiff = self._sheet.stiffness(length_mm) * self._sheet.bending
        return splu(
            (sparse.eye(self._sheet.count) + stiff).tocsc(),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )

    def find(
        self,
        scan: Scan,
        pose: Similarity,
        coefficients: Float[np.ndarray, " E"] | None = None,
        landmarks: tuple[VertexIds, Float[np.ndarray, "L 3"]] | None = None,
    ) -> Tracked:
        """Find the person in a scan, from a pose and an expression that are nearly right.

        Args:
            scan: status "ok".
            pose: rigid, takes the head's frame to the scan's.
            coefficients: of the modes (E,); rest if None.
            landmarks: vertices and where they were measured, mm; rows of NaN are left out.
        """
        pose, coefficients = self._model.fit(scan.index, pose, coefficients, _known(landmarks))
        anchor = pose.apply(self._model.face(coefficients))
        vertices, weight, distance = self._bent(anchor, scan.index)
        on = weight > 0
        rms = float(np.sqrt((distance[on] ** 2).mean())) if on.any() else float("inf")
        return Tracked(vertices, weight, pose, coefficients, rms)

    def _bent(
        self, anchor: Vertices, scan: SurfaceIndex
    ) -> tuple[Vertices, Float[np.ndarray, " V"], Float[np.ndarray, " V"]]:
        displacement = np.zeros_like(anchor)
        for length in LENGTHS_MM:
            found = self._sheet.match(anchor + displacement, scan, REACH_MM)
            gap = found.point - anchor - displacement
            towards = displacement + found.weight[:, None] * gap
            displacement = self._solvers[length].solve(towards)
        return anchor + displacement, found.weight, found.distance


def _known(landmarks: tuple[VertexIds, Float[np.ndarray, "L 3"]] | None) -> PointTargets | None:
    if landmarks is None:
        return None
    ids, points = landmarks
    known = np.isfinite(points).all(axis=1)
    return PointTargets(ids[known], points[known].astype(np.float64)) if known.any() else None
