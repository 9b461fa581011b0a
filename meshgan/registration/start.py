"""Automatic start: pose, a first face and its landmarks in a scan that nobody marked."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float

from meshgan.arrays import Vertices
from meshgan.geometry.alignment import Similarity
from meshgan.geometry.rigid_icp import Matches, rigid_icp
from meshgan.registration.landmark_pose import TRUST, pose_from_landmarks
from meshgan.registration.model_fit import ModelFit, PointTargets, fit_model
from meshgan.registration.pose_search import PatchModel, PoseCandidate, learn_patches, search_pose
from meshgan.registration.prior import FacePrior
from meshgan.registration.scan import Scan
from meshgan.registration.scan_cleaning import normals_and_areas

StartStatus = Literal["ok", "uncertain", "no_face", "unusable"]

CANDIDATES = 8
REFINED = 3  # candidates that get a model fit
RIGID_SCALES_MM = (20.0, 16.0, 12.0, 10.0, 8.0, 6.0, 5.0)
JUDGE_MM = 4.0  # how near the mean face should come
FIRST_SCHEDULE_MM = tuple(np.geomspace(12.0, 4.0, 8).tolist())
LAST_SCHEDULE_MM = tuple(np.geomspace(8.0, 2.5, 8).tolist()) + (2.5,) * 4
JAW_STARTS = (0.0, 1.5, 3.0)  # of the first expression mode, in standard deviations
CORE_MM = 12.0  # the core of a face: what lies this near to a landmark of eyes, nose or mouth
SURE, POSSIBLE = 0.75, 0.6  # share of the core that must lie on the scan
APART_MM = 90.0  # two faces are at least so far from each other


@dataclass(frozen=True, eq=False)
class Start:
    """Where the face is, as a registration needs it.

    Args:
        status: "ok"; "uncertain": a face is likely, but much of it does not fit; "no_face";
            "unusable": the scan itself is (its notes say why).
        message: what was found, in a sentence.
        pose: takes the prior's (template's) frame to the scan's.
        coefficients: of the prior (K,).
        vertices: the fitted face in the scan's frame (V, 3), float64, mm.
        landmarks: its 68 iBUG landmarks (68, 3), mm.
        score: share of eyes, nose and mouth that lies on the scan, 0 to 1.
        matched: share of the whole face that does.
        others: poses of further faces in the scan, the best first.
        scan: the scan that was searched, triangles turned if that was needed.
    """

    status: StartStatus
    message: str
    pose: Similarity
    coefficients: Float[np.ndarray, " K"]
    vertices: Vertices
    landmarks: Float[np.ndarray, "68 3"]
    score: float
    matched: float
    scan: Scan
    others: tuple[Similarity, ...] = field(default_factory=tuple)


@lru_cache(maxsize=4)
def _patches(prior: FacePrior) -> PatchModel:
    return learn_patches(prior)


def find_start(
    scan: Scan,
    prior: FacePrior,
    landmarks: Float[np.ndarray, "68 3"] | None = None,
    scale: bool = False,
) -> Start:
    """Find a face in a scan and lay the prior's face over it.

    Args:
        scan: from ``prepare_scan``.
        prior: faces of the template's topology.
        landmarks: measured iBUG landmarks in the scan's frame and mm, rows of NaN where missing;
            then nothing is searched. Fewer than four count as none.
        scale: let the size change beyond what the prior knows of people.

    Returns:
        A start whatever the scan; ``status`` says if it is worth anything.

    Source: Salazar et al. 2014, Secs. 3.1-3.2 (landmark prediction, model fit, template fit).
    Differs: landmarks come from the fitted model, the pose from voting height maps.
    """
    search = _Search(scan, prior, scale)
    if scan.status != "ok":
        return search.nothing("unusable", f"scan {scan.status}: {scan.notes[-1]}")
    if landmarks is not None and int(np.isfinite(landmarks).all(axis=1).sum()) >= 4:
        return search.from_landmarks(landmarks)
    return search.automatic()


class _Search:
    def __init__(self, scan: Scan, prior: FacePrior, scale: bool) -> None:
        self.scan, self.prior, self.scale = scan, prior, scale
        self.coarse = prior.coarse_prior()
        self.mean = self.coarse.mean.astype(np.float64)
        self.normals, self.areas = normals_and_areas(self.mean, self.coarse.faces)
        self.core = _near_core(self.coarse)
        self.jaw = prior.identity_count  # the first expression mode moves the chin most
        chin = prior.landmarks[8]
        self.opens = float(-np.sign(prior.modes[self.jaw, chin, 1])) or 1.0

    def automatic(self) -> Start:
        candidates = search_pose(self.scan, _patches(self.prior), CANDIDATES)
        refined = sorted((self._refine(one) for one in candidates), key=lambda one: -one[1])
        distinct: list[Similarity] = []
        for pose, _ in refined:
            if all(self._apart(pose, other) > 10 for other in distinct):
                distinct.append(pose)
        fits = [
            fit_model(self.coarse, self.scan.index, pose, FIRST_SCHEDULE_MM, scale=self.scale)
            for pose in distinct[:REFINED]
        ]
        fits = sorted(fits, key=lambda fit: -self._score(fit))
        if not fits or self._score(fits[0]) < 0.3:
            return self.nothing("no_face", "nothing in the scan looks like a face")
        best = self._expressive(fits[0], None)
        others = tuple(
            fit.pose
            for fit in fits[1:]
            if self._apart(fit.pose, best.pose) > APART_MM and self._score(fit) > POSSIBLE
        )
        return self._start(best, others)

    def from_landmarks(self, landmarks: np.ndarray) -> Start:
        given = np.flatnonzero(np.isfinite(landmarks).all(axis=1))
        ids = self.coarse.landmarks[given]
        pose = pose_from_landmarks(self.mean[ids], landmarks[given], given, self.scale)
        targets = PointTargets(ids, landmarks[given], TRUST[given])
        fit = fit_model(
            self.coarse,
            self.scan.index,
            pose,
            FIRST_SCHEDULE_MM,
            targets=targets,
            scale=self.scale,
        )
        return self._start(self._expressive(fit, targets), ())

    def nothing(self, status: StartStatus, message: str) -> Start:
        vertices = self.prior.mean.astype(np.float64)
        return Start(
            status=status,
            message=message,
            pose=Similarity(np.eye(3), np.zeros(3)),
            coefficients=np.zeros(self.prior.mode_count),
            vertices=vertices,
            landmarks=vertices[self.prior.landmarks],
            score=0.0,
            matched=0.0,
            scan=self.scan,
        )

    def _match(self, points: np.ndarray) -> Matches:
        found = self.scan.index.closest(points)
        return Matches(found.point, found.normal, (~found.on_boundary).astype(np.float64))

    def _refine(self, candidate: PoseCandidate) -> tuple[Similarity, float]:
        some = slice(None, None, 2)
        fit = rigid_icp(
            self.mean[some],
            self.normals[some],
            self._match,
            candidate.pose,
            RIGID_SCALES_MM,
            weights=self.areas[some],
        )
        found = self.scan.index.closest(fit.pose.apply(self.mean))
        cosine = ((self.normals @ fit.pose.rotation.T) * found.normal).sum(axis=1)
        near = np.exp(-0.5 * (found.distance / JUDGE_MM) ** 2) * np.clip(cosine, 0, 1) ** 2
        share = self.areas * (1 + 2 * self.core) * ~found.on_boundary
        judged = float(share @ near / (self.areas @ (1 + 2 * self.core)))
        return fit.pose, judged * candidate.votes**0.25

    def _apart(self, one: Similarity, other: Similarity) -> float:
        """Mean distance of the mean face under two poses, mm."""
        return float(np.linalg.norm(one.apply(self.mean) - other.apply(self.mean), axis=1).mean())

    def _score(self, fit: ModelFit) -> float:
        share = self.areas * self.core
        return float(share @ (fit.distance < 2.5) / share.sum())

    def _expressive(self, fit: ModelFit, targets: PointTargets | None) -> ModelFit:
        """Fits from a closed, open and wide open mouth; the best of them."""
        fits = []
        for jaw in JAW_STARTS:
            c = fit.coefficients.copy()
            c[self.jaw] = self.opens * max(self.opens * c[self.jaw], jaw)
            fits.append(
                fit_model(
                    self.coarse,
                    self.scan.index,
                    fit.pose,
                    LAST_SCHEDULE_MM,
                    coefficients=c,
                    targets=targets,
                    scale=self.scale,
                )
            )
        return max(fits, key=lambda one: self._score(one) + one.matched)

    def _start(self, fit: ModelFit, others: tuple[Similarity, ...]) -> Start:
        score = self._score(fit)
        status: StartStatus = (
            "ok" if score >= SURE else "uncertain" if score >= POSSIBLE else "no_face"
        )
        vertices = fit.vertices(self.prior)
        return Start(
            status=status,
            message=f"{score:.0%} of eyes, nose and mouth lie on the scan",
            pose=fit.pose,
            coefficients=fit.coefficients,
            vertices=vertices,
            landmarks=vertices[self.prior.landmarks],
            score=score,
            matched=fit.matched,
            scan=self.scan,
            others=others,
        )


def _near_core(prior: FacePrior) -> np.ndarray:
    """Vertices near a landmark of eyes, nose or mouth."""
    marks = prior.mean[prior.landmarks[27:]].astype(np.float64)
    distance = np.linalg.norm(prior.mean[:, None] - marks, axis=2).min(axis=1)
    return distance < CORE_MM
