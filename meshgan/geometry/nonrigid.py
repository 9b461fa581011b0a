"""Non-rigid ICP: bends a template onto a scan, from stiff to soft, from few vertices to all.

At each step every template vertex looks for its closest point on the scan, and the displacements
d of all vertices solve one sparse linear system:

    minimise  sum_v w_v |P_v (x_v + d_v - c_v)|^2  +  (l / h)^4 |G d|^2
              +  (m / h^2) |S (x + d) - y|^2

with closest points c, robust weights w, the umbrella operator G of the template, landmarks S, y.
Stiffness is stated as a length l: bends shorter than l are smoothed away. Divided by the spacing
h of the vertices it means the same on a coarse and on a fine template. A landmark is stated as the
area m of surface that it outweighs.

While the template is stiff, a few hundred of its vertices carry the motion. There the distance is
measured to the tangent plane (P_v keeps little of what lies in the plane), so that the template
slides along the scan to where smoothness and landmarks want it; closest points alone would hold
it where it happened to land. All vertices then finish, point to point, which decouples x, y and z.

Source: Amberg, Romdhani, Vetter 2007 (optimal steps; Secs. 3-4: stiffness, landmark term, dropped
matches). Differs: displacements instead of affine maps per vertex; two resolutions; distances to
planes while coarse; smooth robust weights (Geman, McClure 1985).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import sparse

from meshgan.arrays import Faces, VertexIds
from meshgan.errors import ShapeError
from meshgan.geometry.closest_point import SurfaceIndex
from meshgan.geometry.folds import folded_faces
from meshgan.geometry.nonrigid_schedule import COARSE, FINE, Schedule, Stage
from meshgan.geometry.nonrigid_steps import CoarseSheet, FinalSteps, Pull, Sheet

__all__ = ["COARSE", "FINE", "NonrigidFit", "NonrigidTemplate", "Schedule", "Stage"]


@dataclass(frozen=True, eq=False)
class NonrigidFit:
    """A template bent onto a scan.

    Args:
        vertices: (V, 3), float64, mm.
        matched: which of them lie on the scan; the others were carried along (V,), bool.
        distance: to the scan (V,), mm, whether matched or not.
        folded: triangles that lie against their neighbourhood, if any could not be mended.
    """

    vertices: Float[np.ndarray, "V 3"]
    matched: Bool[np.ndarray, " V"]
    distance: Float[np.ndarray, " V"]
    folded: Int[np.ndarray, " K"]


class NonrigidTemplate:
    """A template prepared for bending: its operators and its coarse version, made once.

    Args:
        vertices: rest positions (V, 3), mm; they decide the coarse version and the spacing.
        faces: triangles (F, 3) of a manifold.
        landmarks: (L, V) sparse; each row holds the barycentric weights of a landmark.
        mirror: left-right partner of each vertex (V,), or None; where a side of the scan is
            missing, it follows the other one.
        schedule: of the steps.

    Raises:
        ShapeError: the landmark rows are for another number of vertices.
    """

    def __init__(
        self,
        vertices: Float[np.ndarray, "V 3"],
        faces: Faces,
        landmarks: sparse.csr_matrix | None = None,
        mirror: VertexIds | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        count = len(vertices)
        self.schedule = schedule or Schedule()
        self.mirror = mirror
        rows = sparse.csr_matrix((0, count)) if landmarks is None else landmarks.tocsr()
        _, columns = rows.get_shape()
        if columns != count:
            raise ShapeError(f"landmark rows for {columns:,} vertices, the template has {count:,}")
        self._all = Sheet(vertices, faces, rows)
        self._coarse: CoarseSheet | None = None
        if self.schedule.coarse is not None and count > 1.5 * self.schedule.coarse_vertices:
            self._coarse = CoarseSheet(self._all, vertices, self.schedule.coarse_vertices)

    @property
    def landmark_count(self) -> int:
        """L."""
        return len(self._all.landmarks.indptr) - 1

    def fit(
        self,
        start: Float[np.ndarray, "V 3"],
        scan: SurfaceIndex,
        landmarks: Float[np.ndarray, "L 3"] | None = None,
        *,
        warm: Float[np.ndarray, "V 3"] | None = None,
        schedule: Schedule | None = None,
    ) -> NonrigidFit:
        """Bend the template onto a scan.

        Args:
            start: the template placed on the scan (V, 3), mm; displacements count from here.
            scan: what to reach, in the same frame.
            landmarks: where the landmarks are on the scan (L, 3), mm; NaN rows are unknown.
            warm: positions (V, 3) to begin from, for instance the frame before; the coarse stage
                is left out then.
            schedule: other steps than the template's own.

        Raises:
            ShapeError: another number of vertices or landmarks.
        """
        steps = schedule or self.schedule
        for name, given in (("start", start), ("warm", warm)):
            if given is not None and len(given) != self._all.count:
                raise ShapeError(
                    f"{name}: {len(given):,} vertices, the template has {self._all.count:,}"
                )
        pull = Pull.towards(self._all.landmarks, landmarks)
        current = np.asarray(start, dtype=np.float64) if warm is None else warm.astype(np.float64)
        if warm is None and self._coarse is not None and steps.coarse is not None:
            current = self._coarse.bend(start, scan, pull, steps.coarse)
        final = FinalSteps(self._all, self.mirror, start.astype(np.float64), pull)
        for stiffness, weight, reach in steps.fine.schedule():
            current = final.step(current, scan, stiffness, weight, reach)
        current = final.mend(current)
        return NonrigidFit(
            current,
            final.found.weight > 0,
            final.found.distance,
            folded_faces(current, self._all.faces),
        )
