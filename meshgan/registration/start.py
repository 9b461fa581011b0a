"""Automatic start: pose, a first face and its landmarks in a scan that nobody marked."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float

from meshgan.arrays import Vertices
from meshgan.geometry.alignment import Similarity
from meshgan.geometry.rigid_icp import Matches, rigid_icp
from meshgan.registration.landmark_pose import TRUST, pose_from_landmarks
from meshgan.registration.model_fit import ModelFit, PointTargets, fit_model
from meshgan.registration.pose_search import open_patches, search_pose
from meshgan.registration.prior import FacePrior
from meshgan.registration.scan import Scan
from meshgan.registration.scan_cleaning import normals_and_areas

StartStatus = Literal["ok", "uncertain", "no_face", "unusable"]

CANDIDATES = 4
RIGID_SCALES_MM = (20.0, 16.0, 12.0, 10.0, 8.0, 6.0, 5.0)
FIRST_SCHEDULE_MM = tuple(np.geomspace(12.0, 4.0, 8).tolist())
MIDDLE_SCHEDULE_MM = tuple(np.geomspace(8.0, 4.0, 6).tolist())
LAST_SCHEDULE_MM = tuple(np.geomspace(6.0, 2.5, 6).tolist()) + (2.5,) * 4
KEPT = 0.3  # of the identity found first, which may have made up for a wrong expression
SURE_VOTES, POSSIBLE_VOTES = 25.0, 13.5  # things that are no faces got up to 20
GOOD_SCORE, LEAST_SCORE = 0.7, 0.25  # share of the core that must lie on the scan
CLEAR_LEAD = 1.6  # of the votes over those of a pose elsewhere
RIVAL = 0.6  # share of the most votes with which a pose is still tried
ELSEWHERE_MM = 40.0  # two poses are different opinions
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
        explained: how good the fit is, 0 to 1, see ``ModelFit``.
        votes: how many opinions agree about the pose, see ``pose_search``; infinite where
            landmarks gave it.
        others: poses of further faces in the scan, the best first.
        scan: the scan that was searched, triangles turned if that was needed.
    """

    status: StartStatus
    message: str
    pose: Similarity
    coefficients: Float[np.ndarray, " K"]
    vertices: Vertices
    landmarks: Float[np.ndarray, "L 3"]
    score: float
    matched: float
    explained: float
    votes: float
    scan: Scan
    others: tuple[Similarity, ...] = field(default_factory=tuple)


def find_start(
    scan: Scan,
    prior: FacePrior,
    landmarks: Float[np.ndarray, "L 3"] | None = None,
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
    found = search.automatic()
    if found.status == "no_face":
        turned = _Search(scan.turned_inside_out(), prior, scale).automatic()
        return turned if turned.status == "ok" else found
    return found


class _Search:
    def __init__(self, scan: Scan, prior: FacePrior, scale: bool) -> None:
        self.scan, self.prior, self.scale = scan, prior, scale
        self.coarse = prior.coarse_prior()
        self.mean = self.coarse.mean.astype(np.float64)
        self.normals, areas = normals_and_areas(self.mean, self.coarse.faces)
        self.areas = areas * self.coarse.trusted
        self.core = self.coarse.core & self.coarse.trusted

    def automatic(self) -> Start:
        candidates = search_pose(self.scan, open_patches(self.prior), CANDIDATES)
        if not candidates or candidates[0].votes < POSSIBLE_VOTES:
            return self.nothing("no_face", "nothing in the scan looks like a face")
        fits: list[tuple[float, ModelFit]] = []
        for one in candidates:
            if one.votes < RIVAL * candidates[0].votes:
                break
            begun = (one.pose, self._refine(one.pose))
            tried = [self._fit(pose, FIRST_SCHEDULE_MM) for pose in begun]
            fits.append((one.votes, max(tried, key=lambda fit: fit.explained)))
        votes, best = max(fits, key=lambda pair: pair[1].explained)
        best = self._expressive(best, None)
        others = tuple(
            fit.pose
            for other_votes, fit in fits
            if self._apart(fit.pose, best.pose) > APART_MM and other_votes > SURE_VOTES
        )
        elsewhere = [
            one.votes for one in candidates if self._apart(one.pose, best.pose) > ELSEWHERE_MM
        ]
        lead = votes / max([*elsewhere, 1.0])
        return self._start(best, votes, lead, others)

    def from_landmarks(self, landmarks: np.ndarray) -> Start:
        given = np.flatnonzero(np.isfinite(landmarks).all(axis=1))
        ids = self.coarse.landmarks[given]
        pose = pose_from_landmarks(self.mean[ids], landmarks[given], given, self.scale)
        targets = PointTargets(ids, landmarks[given], TRUST[given])
        fit = self._fit(pose, FIRST_SCHEDULE_MM, targets)
        return self._start(self._expressive(fit, targets), np.inf, np.inf, ())

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
            explained=0.0,
            votes=0.0,
            scan=self.scan,
        )

    def _match(self, points: np.ndarray) -> Matches:
        found = self.scan.index.closest(points)
        return Matches(found.point, found.normal, (~found.on_boundary).astype(np.float64))

    def _refine(self, pose: Similarity) -> Similarity:
        some = slice(None, None, 2)
        fit = rigid_icp(
            self.mean[some],
            self.normals[some],
            self._match,
            pose,
            RIGID_SCALES_MM,
            weights=self.areas[some],
        )
        return fit.pose

    def _apart(self, one: Similarity, other: Similarity) -> float:
        """Mean distance of the mean face under two poses, mm."""
        return float(np.linalg.norm(one.apply(self.mean) - other.apply(self.mean), axis=1).mean())

    def _score(self, fit: ModelFit) -> float:
        share = self.areas * self.core
        return float(share @ (fit.distance < 2.5) / share.sum())

    def _expressive(self, fit: ModelFit, targets: PointTargets | None) -> ModelFit:
        """Fits that begin at several expressions, and at the one found; the best of them."""
        begun = [fit.coefficients]
        identity = np.arange(self.prior.mode_count) < self.prior.identity_count
        for start in self.prior.expression_starts:
            begun.append(np.where(identity, KEPT * fit.coefficients, start))
        tried = [self._fit(fit.pose, MIDDLE_SCHEDULE_MM, targets, c) for c in begun]
        best = max(tried, key=lambda one: one.explained)
        return self._fit(best.pose, LAST_SCHEDULE_MM, targets, best.coefficients)

    def _fit(
        self,
        pose: Similarity,
        schedule_mm: tuple[float, ...],
        targets: PointTargets | None = None,
        coefficients: np.ndarray | None = None,
    ) -> ModelFit:
        return fit_model(
            self.coarse, self.scan, pose, schedule_mm, coefficients, targets, self.scale
        )

    def _start(
        self, fit: ModelFit, votes: float, lead: float, others: tuple[Similarity, ...]
    ) -> Start:
        score = self._score(fit)
        status: StartStatus = "no_face"
        if (score >= LEAST_SCORE and votes >= SURE_VOTES) or score >= GOOD_SCORE:
            status = "ok"
        elif score >= LEAST_SCORE and lead >= CLEAR_LEAD:
            status = "uncertain"
        message = f"{score:.0%} of eyes, nose and mouth lie on the scan"
        if others:
            message += f"; {len(others)} more face{'s' * (len(others) > 1)} in the scan"
        vertices = fit.vertices(self.prior)
        return Start(
            status=status,
            message=message,
            pose=fit.pose,
            coefficients=fit.coefficients,
            vertices=vertices,
            landmarks=vertices[self.prior.landmarks],
            score=score,
            matched=fit.matched,
            explained=fit.explained,
            votes=votes,
            scan=self.scan,
            others=others,
        )
