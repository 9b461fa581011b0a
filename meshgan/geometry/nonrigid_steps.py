"""The single steps of a non-rigid ICP: match, build the linear system, solve (see ``nonrigid``)."""

from dataclasses import dataclass
from functools import cached_property

import igl
import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from meshgan.arrays import Faces, VertexIds
from meshgan.errors import ShapeError
from meshgan.geometry.closest_point import SurfaceIndex
from meshgan.geometry.folds import folded_faces
from meshgan.geometry.nonrigid_schedule import Stage
from meshgan.geometry.operators import face_areas, uniform_laplacian
from meshgan.geometry.simplify import collapse_edges

SAME_SIDE = 0.6  # least cosine between the normals of a match: 53 degrees
SCANNER_NOISE_MM = 0.15  # keeps robust weights from vanishing when all matches are near perfect
MIRROR_WEIGHT = 0.2  # of the other side's displacement, beside 1 for a match
SYMMETRIC_MM = 1.5  # motions that differ by more between left and right are not symmetric
SMALL_HOLE_MM = 8.0  # vertices nearer to a match than this need no help from the other side
MEND_ROUNDS, MEND_STIFFER = 3, 8.0
MEND_RINGS = 8  # around a fold; farther vertices stay


@dataclass(frozen=True, eq=False)
class Matches:
    """Closest points (V, 3) of a sheet's vertices, normals there, weights and distances (V,)."""

    point: np.ndarray
    normal: np.ndarray
    weight: np.ndarray
    distance: np.ndarray


@dataclass(frozen=True, eq=False)
class Pull:
    """Landmarks that are known: rows S (K, V) and where they should be, y (K, 3)."""

    rows: sparse.csr_matrix
    points: np.ndarray

    @classmethod
    def towards(cls, rows: sparse.csr_matrix, points: np.ndarray | None) -> "Pull":
        if points is None:
            return cls(rows[:0], np.zeros((0, 3)))
        count, _ = rows.get_shape()
        if len(points) != count:
            raise ShapeError(f"{len(points)} landmarks, the template has {count}")
        known = np.isfinite(points).all(axis=1)
        return cls(rows[np.flatnonzero(known)], points[known].astype(np.float64))


class Sheet:
    """Faces with the operators of one resolution."""

    def __init__(self, vertices: np.ndarray, faces: Faces, landmarks: sparse.csr_matrix) -> None:
        self.count = len(vertices)
        self.faces = np.ascontiguousarray(faces, dtype=np.int64)
        self.landmarks = landmarks
        self.spacing_mm = float(np.sqrt(face_areas(vertices, faces).sum() / self.count))
        umbrella = uniform_laplacian(self.count, faces)
        self.umbrella = umbrella.tocsr()
        self.bending = (umbrella.T @ umbrella).tocsc()

    @cached_property
    def order(self) -> np.ndarray:
        """Vertices in an order that keeps the factors of ``bending`` sparse (V,); found once."""
        return np.argsort(_factor(self.bending + sparse.eye(self.count)).perm_c)

    def solve(self, system: sparse.spmatrix, right: np.ndarray) -> np.ndarray:
        """Solve ``system x = right`` for x (V, 3); the system has the entries of ``bending``."""
        order = self.order
        ordered = _factor(system.tocsr()[order][:, order], "NATURAL")
        solved = np.empty_like(right)
        solved[order] = ordered.solve(right[order])
        return solved

    def stiffness(self, length_mm: float) -> float:
        """Weight of ``bending`` that smooths away bends shorter than ``length_mm``."""
        return (length_mm / self.spacing_mm) ** 4

    def landmark_weight(self, area_mm2: float) -> float:
        return area_mm2 / self.spacing_mm**2

    def match(self, current: np.ndarray, scan: SurfaceIndex, reach_mm: float) -> Matches:
        """Closest points; weight 0 at rims, for another side of the surface, and out of reach."""
        found = scan.closest(current)
        normals = np.nan_to_num(igl.per_vertex_normals(current, self.faces))
        good = ~found.on_boundary & (found.distance < reach_mm)
        good &= np.einsum("vc,vc->v", normals, found.normal) > SAME_SIDE
        weight = np.zeros(self.count)
        if good.any():
            typical = 1.4826 * np.median(found.distance[good]) + SCANNER_NOISE_MM
            weight[good] = (1 + (found.distance[good] / (3 * typical)) ** 2) ** -2.0
        return Matches(found.point, found.normal, weight, found.distance)


class CoarseSheet:
    """Some vertices of a sheet, and how the others follow them as smoothly as can be."""

    def __init__(self, sheet: Sheet, vertices: np.ndarray, target: int) -> None:
        subset = collapse_edges(
            np.asarray(vertices, dtype=np.float64),
            sheet.faces,
            target,
            protected=np.unique(sheet.landmarks.indices),
        )
        self.kept = subset.kept
        self.sheet = Sheet(vertices[self.kept], subset.faces, sheet.landmarks[:, self.kept])
        self.others = np.setdiff1d(np.arange(sheet.count), self.kept)
        rows = sheet.bending.tocsr()[self.others]
        self._from_kept = rows[:, self.kept].tocsr()
        self._solver = _factor(rows[:, self.others] + 1e-9 * sparse.eye(len(self.others)))

    def bend(self, start: np.ndarray, scan: SurfaceIndex, pull: Pull, stage: Stage) -> np.ndarray:
        """All vertices (V, 3) after the steps of ``stage`` on the kept ones."""
        sheet, here = self.sheet, np.asarray(start[self.kept], dtype=np.float64)
        rows = pull.rows[:, self.kept]
        missing = pull.points - rows @ here
        damping = 1e-6 * sparse.eye(sheet.count)
        current = here
        for length, area, reach in stage.schedule():
            found = sheet.match(current, scan, reach)
            weight = sheet.landmark_weight(area)
            stiff = sheet.stiffness(length) * sheet.bending + weight * (rows.T @ rows) + damping
            along = np.einsum("vi,vj->vij", found.normal, found.normal)
            measure = stage.sliding * along + (1 - stage.sliding) * np.eye(3)
            measure *= found.weight[:, None, None]
            blocks = sparse.bsr_matrix(
                (measure, np.arange(sheet.count), np.arange(sheet.count + 1))
            )
            system = sparse.kron(stiff, sparse.eye(3)) + blocks
            wanted = np.einsum("vij,vj->vi", measure, found.point - here)
            wanted += weight * (rows.T @ missing)
            current = here + _factor(system).solve(wanted.ravel()).reshape(-1, 3)
        return np.asarray(start, dtype=np.float64) + self._spread(current - here)

    def _spread(self, displacement: np.ndarray) -> np.ndarray:
        everywhere = np.empty((len(self.kept) + len(self.others), 3))
        everywhere[self.kept] = displacement
        everywhere[self.others] = -self._solver.solve(self._from_kept @ displacement)
        return everywhere


class FinalSteps:
    """The steps on all vertices, and the mending of folds after the last."""

    def __init__(
        self, sheet: Sheet, mirror: VertexIds | None, start: np.ndarray, pull: Pull
    ) -> None:
        self.sheet, self.mirror, self.start, self.pull = sheet, mirror, start, pull
        self.missing = pull.points - pull.rows @ start
        self.found = Matches(start, start, np.zeros(len(start)), np.zeros(len(start)))
        if mirror is not None:
            self._reflection = _best_reflection(start, start[mirror])
        self._last: tuple[sparse.csc_matrix, np.ndarray, float] | None = None

    def step(
        self, current: np.ndarray, scan: SurfaceIndex, length: float, area: float, reach: float
    ) -> np.ndarray:
        sheet, rows = self.sheet, self.pull.rows
        found = sheet.match(current, scan, reach)
        self.found = found
        weight = sheet.landmark_weight(area)
        data = sparse.diags(found.weight + 1e-6) + weight * (rows.T @ rows)
        wanted = found.weight[:, None] * (found.point - self.start)
        wanted += weight * (rows.T @ self.missing)
        if self.mirror is not None:
            follow, displacement = self._from_other_side(current)
            data = data + sparse.diags(follow)
            wanted += follow[:, None] * displacement
        stiffness = sheet.stiffness(length)
        self._last = (data.tocsr(), wanted, stiffness)
        system = data + stiffness * sheet.bending
        return self.start + sheet.solve(system, wanted)

    def _from_other_side(self, current: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For vertices deep in a hole whose partner has a match: weights (V,), displacements.

        The reflection is the one that best exchanges left and right of the start. The less
        symmetric the motion is where both sides are seen, the less it counts.
        """
        sheet, partner = self.sheet, self.mirror
        seen = self.found.weight > 0
        displacement = (current - self.start)[partner] @ self._reflection.T
        near = seen
        for _ in range(round(SMALL_HOLE_MM / sheet.spacing_mm)):
            near = abs(sheet.umbrella) @ near.astype(np.float64) > 0
        both = seen & seen[partner]
        if not both.any():
            return np.zeros(sheet.count), displacement
        astray = np.linalg.norm(displacement - (current - self.start), axis=1)[both].mean()
        trust = MIRROR_WEIGHT * np.exp(-((astray / SYMMETRIC_MM) ** 2))
        return trust * (~near & seen[partner]), displacement

    def mend(self, current: np.ndarray) -> np.ndarray:
        """Solve the last step again near folded triangles, stiffer there, until there are none."""
        if self._last is None:
            return current
        data, wanted, stiffness = self._last
        umbrella = self.sheet.umbrella
        neighbours = abs(umbrella)
        stiff = np.full(self.sheet.count, stiffness)
        for _ in range(MEND_ROUNDS):
            folded = folded_faces(current, self.sheet.faces)
            if not len(folded):
                break
            near = np.zeros(self.sheet.count)
            near[self.sheet.faces[folded]] = 1
            near += neighbours @ near
            stiff[near > 0] *= MEND_STIFFER
            for _ in range(MEND_RINGS):
                near += neighbours @ near
            moving = near > 0
            ids = np.flatnonzero(moving)
            rows = data[ids] + umbrella[:, ids].T @ sparse.diags(stiff) @ umbrella
            still = np.where(moving[:, None], 0.0, current - self.start)
            right = wanted[ids] - rows @ still
            current = current.copy()
            current[ids] = self.start[ids] + _factor(rows[:, ids]).solve(right)
        return current


def _best_reflection(points: np.ndarray, partners: np.ndarray) -> np.ndarray:
    """The orthogonal matrix of determinant -1 that takes partners closest to points, centred."""
    covariance = (points - points.mean(axis=0)).T @ (partners - partners.mean(axis=0))
    left, _, right = np.linalg.svd(covariance)
    signs = np.array([1.0, 1.0, -np.sign(np.linalg.det(left) * np.linalg.det(right))])
    return (left * signs) @ right


def _factor(system: sparse.spmatrix, order: str = "MMD_AT_PLUS_A"):
    """LU of a symmetric positive definite matrix, ordered for symmetry, without pivoting."""
    return splu(
        system.tocsc(),
        permc_spec=order,
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
