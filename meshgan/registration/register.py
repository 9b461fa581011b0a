"""Registration of one raw scan: where the face is, then the template bent onto it."""

import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy import sparse

from meshgan.arrays import VertexIds, Vertices
from meshgan.data.importers.base import MeasuredLandmarks
from meshgan.data.landmark_check import check_landmark_order
from meshgan.data.landmark_orders import landmark_order, match_sets, order_names
from meshgan.data.mesh_formats.raw import RawMesh
from meshgan.data.template import Template
from meshgan.geometry.alignment import Similarity, procrustes
from meshgan.geometry.folds import folded_faces
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.nonrigid import NonrigidTemplate, Schedule, Stage
from meshgan.geometry.rigid_icp import Matches, rigid_icp
from meshgan.registration.prediction import Guides, lay_over
from meshgan.registration.prior import default_prior
from meshgan.registration.quality import NOTHING, Quality, measure
from meshgan.registration.scan import Scan, prepare_scan
from meshgan.registration.scan_cleaning import normals_and_areas
from meshgan.registration.start import Start, find_start

FEWEST_LANDMARKS = 4
ENOUGH_LANDMARKS = 15  # with fewer, the pose is refined by rigid ICP
HOPELESS = ("left and right are exchanged", "points, but", "is it another order")
SNAP_MM = 4.0  # a landmark this near to the surface is taken to be on it


@dataclass(frozen=True)
class RegisterSettings:
    """How scans are registered, and what counts as a success."""

    schedule: Schedule = field(default_factory=Schedule)
    """Of the non-rigid steps."""
    scale: bool = True
    """Let the template's size follow the landmarks before it is bent."""
    check_landmarks: bool = True
    """Refuse measured landmarks in another order, mirrored, or far from where they belong."""
    predicted_weight: float = 0.02
    """How much a predicted landmark counts beside a measured one."""
    good_rms_mm: float = 1.5
    """A scan-to-mesh distance above this is poor: the RMS, which a few spikes spoil, and also the
    distance below which 95 % of the points stay."""
    good_coverage: float = 0.6
    """A smaller share of the template on the scan is poor."""
    good_landmark_mm: float = 6.0
    """Measured landmarks farther than this from the mesh's own are poor."""

    def is_near(self, quality: Quality) -> bool:
        """The mesh lies on the scan as well as ``good_rms_mm`` asks."""
        return min(quality.rms_mm, quality.p95_mm) <= self.good_rms_mm


@dataclass(frozen=True, eq=False)
class Registration:
    """A template bent onto a scan.

    Args:
        status: "ok"; "poor": it ended, but does not fit well; "uncertain": found without
            landmarks, and much of the face does not fit; "no_face"; or why the scan cannot be
            used: "empty", "too_small", "flat", "unit_unknown", "mirrored", "bad_landmarks".
        message: the reason in a sentence, with numbers.
        vertices: of the template on the scan (V, 3), float32, mm, in the scan's frame; the
            template where it rests if nothing was found.
        matched: which of them lie on the scan (V,).
        pose: rigid motion that takes the template's frame to the scan's: the one that brings the
            resting template closest to ``vertices``.
        landmarks: measured or predicted, and the template's vertices for them: (K, 3), (K,).
        predicted: whether the landmarks were predicted.
        quality: distances.
        notes: what was found and changed on the way, a sentence each.
        seconds: it took.
    """

    status: str
    message: str
    vertices: Float[np.ndarray, "V 3"]
    matched: Bool[np.ndarray, " V"]
    pose: Similarity
    landmarks: Float[np.ndarray, "K 3"]
    landmark_vertices: VertexIds
    predicted: bool
    quality: Quality
    notes: tuple[str, ...]
    seconds: float

    @property
    def usable(self) -> bool:
        """True for "ok"."""
        return self.status == "ok"

    def in_template_frame(self) -> Float[np.ndarray, "V 3"]:
        """The vertices without the scan's pose but in the scan's size (V, 3), float32, mm."""
        back = self.pose.inverse()
        return back.apply(self.vertices.astype(np.float64)).astype(np.float32)

    def summary(self) -> dict[str, Any]:
        """For JSON: status, message, quality, seconds."""
        return {
            "status": self.status,
            "message": self.message,
            **self.quality.as_dict(),
            "landmarks": "predicted" if self.predicted else "measured",
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
        }


def register(
    scan: TriMesh | RawMesh | Scan,
    template: Template,
    landmarks: MeasuredLandmarks | None = None,
    *,
    unit: str | None = None,
    settings: RegisterSettings | None = None,
) -> Registration:
    """Bring a template onto a raw scan; for many scans make one ``Registrar`` and keep it.

    Args:
        scan: any triangles, or points alone (``read_scan``), in any pose.
        template: what to bend; needs landmarks (at least the set "ibug68" for scans without).
        landmarks: measured on the scan, in its unit; None: they are predicted.
        unit: of the scan, "mm", "cm", "m" or "um"; found from its size if None.
        settings: see ``RegisterSettings``.

    Returns:
        A result whatever the scan is; its ``status`` says what it is worth.

    Raises:
        InputError: the template has none of the landmarks; or, without any, is no face.

    Source: Amberg et al. 2007 (non-rigid steps); Salazar et al. 2014 (start without landmarks).
    """
    return Registrar(template, settings).register(scan, landmarks, unit=unit)


class Registrar:
    """Registers scans to one template; what depends on the template alone is made once.

    Args:
        template: what to bend.
        settings: of all registrations.
    """

    def __init__(self, template: Template, settings: RegisterSettings | None = None) -> None:
        self.template = template
        self.settings = settings or RegisterSettings()
        self.rest: Vertices = template.mesh.vertices.astype(np.float64)
        self._bendable: dict[bytes, NonrigidTemplate] = {}

    @cached_property
    def _guides(self) -> Guides:
        return lay_over(default_prior(), self.template)

    @cached_property
    def _folded_at_rest(self) -> int:
        return len(folded_faces(self.rest, self.template.mesh.faces))

    def register(
        self,
        scan: TriMesh | RawMesh | Scan,
        landmarks: MeasuredLandmarks | None = None,
        *,
        unit: str | None = None,
    ) -> Registration:
        """Bring the template onto one scan; see the function of this name."""
        began = time.perf_counter()
        prepared = scan if isinstance(scan, Scan) else prepare_scan(scan, unit=unit)
        if prepared.status != "ok":
            result = self._nothing(prepared.status, prepared.notes[-1], prepared)
        elif landmarks is not None:
            result = self._from_measured(prepared, landmarks)
        else:
            result = self._from_prediction(prepared)
        return replace(result, seconds=time.perf_counter() - began)

    def _from_measured(self, scan: Scan, landmarks: MeasuredLandmarks) -> Registration:
        problems = self._problems(landmarks, scan.mm_per_unit)
        if fatal := [one for one in problems if any(sign in one for sign in HOPELESS)]:
            status = "mirrored" if HOPELESS[0] in fatal[0] else "bad_landmarks"
            return self._nothing(status, f"landmarks: {fatal[0]}", scan)
        numbers, ids = match_sets(landmarks.order, self.template.landmarks)
        points = landmarks.points[numbers].astype(np.float64) * scan.mm_per_unit
        known = np.isfinite(points).all(axis=1)
        if int(known.sum()) < FEWEST_LANDMARKS or _on_a_line(points[known]):
            found = self._from_prediction(scan)
            note = f"{int(known.sum())} usable landmarks do not fix a pose; others were predicted"
            return replace(found, notes=(*found.notes, note))
        pose = procrustes(self.rest[ids[known]], points[known], scale=self.settings.scale)
        if int(known.sum()) < ENOUGH_LANDMARKS:
            pose = self._refined(scan, pose)
        found = self._bend(scan, pose, points, ids, predicted=False)
        if not problems:
            return found
        told = f"landmarks: {'; '.join(problems[:3])}"
        if found.status == "ok":  # strange, but the scan agrees: a rare expression
            return replace(found, notes=(*found.notes, told))
        return replace(found, status="bad_landmarks", message=f"{told}; {found.message}")

    def _problems(self, landmarks: MeasuredLandmarks, mm_per_unit: float) -> list[str]:
        """What is wrong with measured landmarks; too few to judge is not wrong."""
        if landmarks.order not in order_names():
            return []
        expected = landmark_order(landmarks.order).count
        if len(landmarks.points) != expected:
            return [f"{len(landmarks.points)} points, but {landmarks.order} has {expected}"]
        usable = np.asarray(np.isfinite(landmarks.points).all(axis=1))
        if not self.settings.check_landmarks or int(usable.sum()) < FEWEST_LANDMARKS:
            return []
        points = np.where(usable[:, None], landmarks.points, np.nan) * mm_per_unit
        if _on_a_line(points[usable]):
            return []
        return check_landmark_order(points, landmarks.order)

    def _from_prediction(self, scan: Scan) -> Registration:
        return self._bent_from(find_start(scan, default_prior()))

    def register_from(self, start: Start) -> Registration:
        """Bring the template onto a scan in which a face was found, see ``find_start``."""
        began = time.perf_counter()
        found = self._bent_from(start)
        return replace(found, seconds=time.perf_counter() - began)

    def _bent_from(self, start: Start) -> Registration:
        if start.status in ("no_face", "unusable"):
            return self._nothing(start.status, start.message, start.scan)
        guides = self._guides
        places = guides.places(start.vertices)
        pose = procrustes(self.rest[guides.vertex_ids], places, scale=self.settings.scale)
        found = self._bend(start.scan, pose, places, guides.vertex_ids, predicted=True)
        notes = found.notes
        if start.others:
            notes = (*notes, f"{1 + len(start.others)} faces in the scan; the best one was taken")
        if start.status == "uncertain" and found.status == "ok":
            return replace(found, status="uncertain", message=start.message, notes=notes)
        return replace(found, notes=notes)

    def _bend(
        self,
        scan: Scan,
        pose: Similarity,
        points: Float[np.ndarray, "K 3"],
        ids: VertexIds,
        predicted: bool,
    ) -> Registration:
        schedule = self.settings.schedule
        if predicted:
            schedule = _with_weaker_landmarks(schedule, self.settings.predicted_weight)
        fit = self._template(ids).fit(
            pose.apply(self.rest), scan.index, _on_surface(scan, points), schedule=schedule
        )
        off = np.linalg.norm(fit.vertices[ids] - points, axis=1)
        quality = measure(
            scan.vertices,
            fit.vertices,
            self.template.mesh.faces,
            fit.matched,
            self._folded_at_rest,
            None if predicted else off[np.isfinite(off)],
        )
        status, message = self._judged(quality)
        return Registration(
            status=status,
            message=message,
            vertices=fit.vertices.astype(np.float32),
            matched=fit.matched,
            pose=procrustes(self.rest, fit.vertices),
            landmarks=points,
            landmark_vertices=ids,
            predicted=predicted,
            quality=quality,
            notes=scan.notes,
            seconds=0.0,
        )

    def _judged(self, quality: Quality) -> tuple[str, str]:
        limits = self.settings
        wrong = []
        if not quality.coverage >= limits.good_coverage:
            wrong.append(
                f"{quality.coverage:.0%} of the template lie on the scan, expected "
                f"{limits.good_coverage:.0%}"
            )
        if not limits.is_near(quality):
            wrong.append(
                f"RMS {quality.rms_mm:.2f} mm and 95 % within {quality.p95_mm:.2f} mm, expected "
                f"{limits.good_rms_mm:.2f}"
            )
        if quality.landmark_mm > limits.good_landmark_mm:
            wrong.append(
                f"landmarks {quality.landmark_mm:.1f} mm off, expected "
                f"{limits.good_landmark_mm:.1f}"
            )
        if wrong:
            return "poor", "; ".join(wrong)
        return "ok", f"RMS {quality.rms_mm:.2f} mm, {quality.coverage:.0%} covered"

    def _template(self, ids: VertexIds) -> NonrigidTemplate:
        key = ids.tobytes()
        if key not in self._bendable:
            count = len(ids)
            rows = sparse.csr_matrix(
                (np.ones(count), (np.arange(count), ids)), shape=(count, len(self.rest))
            )
            self._bendable[key] = NonrigidTemplate(
                self.rest,
                self.template.mesh.faces,
                rows,
                self.template.mirror,
                self.settings.schedule,
            )
        return self._bendable[key]

    def _refined(self, scan: Scan, pose: Similarity) -> Similarity:
        normals, areas = normals_and_areas(self.rest, self.template.mesh.faces)
        some = slice(None, None, max(1, len(self.rest) // 1000))

        def match(points: np.ndarray) -> Matches:
            found = scan.index.closest(points)
            return Matches(found.point, found.normal, (~found.on_boundary).astype(np.float64))

        return rigid_icp(
            self.rest[some], normals[some], match, pose, (12.0, 8.0, 6.0, 4.0), areas[some]
        ).pose

    def _nothing(self, status: str, message: str, scan: Scan) -> Registration:
        return Registration(
            status=status,
            message=message,
            vertices=self.rest.astype(np.float32),
            matched=np.zeros(len(self.rest), dtype=bool),
            pose=Similarity(np.eye(3), np.zeros(3)),
            landmarks=np.zeros((0, 3)),
            landmark_vertices=np.zeros(0, dtype=np.int64),
            predicted=True,
            quality=NOTHING,
            notes=scan.notes,
            seconds=0.0,
        )


def _on_surface(scan: Scan, points: Float[np.ndarray, "K 3"]) -> Float[np.ndarray, "K 3"]:
    """Landmarks near the surface moved onto it; the others, and unknown ones, as they are."""
    known = np.flatnonzero(np.isfinite(points).all(axis=1))
    found = scan.index.closest(points[known])
    near = (found.distance < SNAP_MM) & ~found.on_boundary
    moved = points.copy()
    moved[known[near]] = found.point[near]
    return moved


def _on_a_line(points: Float[np.ndarray, "K 3"]) -> bool:
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return bool(spread[1] < 0.02 * spread[0])


def _with_weaker_landmarks(schedule: Schedule, factor: float) -> Schedule:
    def weaker(stage: Stage) -> Stage:
        first, last = stage.landmark_mm2
        return replace(stage, landmark_mm2=(factor * first, factor * last))

    coarse = None if schedule.coarse is None else weaker(schedule.coarse)
    return replace(schedule, coarse=coarse, fine=weaker(schedule.fine))
