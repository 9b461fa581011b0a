"""Following a person from scan to scan, and noticing where the track is lost."""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from meshgan.arrays import VertexIds, Vertices
from meshgan.data.importers.base import MeasuredLandmarks
from meshgan.data.landmark_orders import match_sets
from meshgan.data.mesh_formats.raw import RawMesh
from meshgan.errors import InputError, MeshGANError
from meshgan.geometry.alignment import Similarity, procrustes
from meshgan.geometry.mesh import TriMesh
from meshgan.registration.prior import default_prior
from meshgan.registration.register import Registrar, Registration
from meshgan.registration.scan import Scan, prepare_scan
from meshgan.registration.sequence_person import Person, Tracked, expression_modes
from meshgan.reporting import progress

log = logging.getLogger(__name__)

Frame = TriMesh | RawMesh | Scan | Callable[[], TriMesh | RawMesh | Scan]

SAMPLED_POINTS = 10_000  # scan points kept of each frame, to judge the final mesh by
CLEAR_MOTION_MM = 3.0  # a head that moves less from frame to frame is expected where it was


@dataclass(frozen=True)
class TrackLimits:
    """When a track counts as lost, and how long a lost one is searched.

    Args:
        coverage: share of the reference frame's coverage that must be reached.
        rms_mm: vertices on the scan may be this far from it, and
        rms_factor: so many times farther than in the frames before.
        first_tries: frames that are tried as the reference if the first ones show no face.
    """

    coverage: float = 0.75
    rms_mm: float = 0.8
    rms_factor: float = 3.0
    first_tries: int = 6


@dataclass(frozen=True, eq=False)
class FrameTrack:
    """What tracking found in one frame.

    Args:
        found: the person in the scan; None if the frame cannot be used.
        status: "tracked"; "restarted": found again by a start of its own; or why not: a status of
            ``Scan`` or ``Registration``, "unreadable", "lost".
        message: the reason in a sentence.
        points: some points of the scan (P, 3), float32, mm.
        landmarks: measured (K, 3), mm, rows of NaN if unknown, and their vertices (K,).
        notes: on the scan.
        seconds: it took.
    """

    found: Tracked | None
    status: str
    message: str
    points: Vertices
    landmark_vertices: VertexIds
    landmarks: Float[np.ndarray, "K 3"]
    notes: tuple[str, ...]
    seconds: float


class FrameReader:
    """Scans and landmarks of a sequence by frame; a frame that cannot be read breaks nothing."""

    def __init__(
        self,
        frames: Iterable[Frame],
        landmarks: Sequence[MeasuredLandmarks | None] | None,
        unit: str | None,
    ) -> None:
        self._frames = list(frames)
        self._unit = unit
        if not self._frames:
            raise InputError("sequence: no frames, expected at least one scan")
        self._landmarks = [None] * len(self._frames) if landmarks is None else list(landmarks)
        if len(self._landmarks) != len(self._frames):
            raise InputError(
                f"sequence: landmarks for {len(self._landmarks):,} frames, but there are "
                f"{len(self._frames):,}; use None where a frame has none"
            )

    def __len__(self) -> int:
        return len(self._frames)

    def landmarks(self, frame: int) -> MeasuredLandmarks | None:
        """As measured."""
        return self._landmarks[frame]

    def scan(self, frame: int) -> Scan | str:
        """The cleaned scan, whatever its status; or why it cannot be read."""
        given = self._frames[frame]
        try:
            loaded = given() if callable(given) else given
        except (MeshGANError, OSError, ValueError) as error:
            return f"cannot be read: {error}"
        return loaded if isinstance(loaded, Scan) else prepare_scan(loaded, unit=self._unit)


class Tracker:
    """Tracks one sequence: a cold start in the reference frame, warm ones in all others.

    Args:
        registrar: for cold starts.
        reader: of the frames.
        limits: see ``TrackLimits``.
    """

    def __init__(self, registrar: Registrar, reader: FrameReader, limits: TrackLimits) -> None:
        self._registrar, self._reader, self._limits = registrar, reader, limits
        self._tracks: dict[int, FrameTrack] = {}
        self.person: Person | None = None
        self.reference = 0
        self.start: Registration | None = None

    def run(self, reference: int | None) -> list[FrameTrack]:
        """Track all frames, from the reference to the end, then from it to the beginning."""
        self._begin(reference)
        if self.person is not None:
            after = range(self.reference, len(self._reader))
            order = [*after, *range(self.reference - 1, -1, -1)]
            for frame in progress(order, "tracking frames", unit="frame"):
                step = 1 if frame >= self.reference else -1
                self._tracks[frame] = self._track(frame, step)
        return [self._tracks[frame] for frame in range(len(self._reader))]

    def _begin(self, reference: int | None) -> None:
        """Register the reference frame: the first good one, or the best if none is good."""
        best: tuple[int, Registration] | None = None
        wanted = self._candidates() if reference is None else [reference]
        for frame in wanted:
            cold = self._cold(frame)
            if cold is None:
                continue
            if best is None or _rank(cold) > _rank(best[1]):
                best = frame, cold
            if cold.status == "ok":
                break
        if best is None or _rank(best[1]) == 0:
            for frame in range(len(self._reader)):
                self._tracks.setdefault(
                    frame, _failed("no_face", "no frame that was tried shows a face")
                )
            return
        self.reference, self.start = best
        self._tracks.clear()
        template = self._registrar.template
        vertices = self.start.vertices.astype(np.float64)
        pose = procrustes(self._registrar.rest, vertices)
        neutral = pose.inverse().apply(vertices)
        size = procrustes(self._registrar.rest, neutral, scale=True).scale
        modes = size * expression_modes(default_prior(), template)
        self.person = Person(neutral, template.mesh.faces, modes)
        self._first_pose = pose

    def _candidates(self) -> list[int]:
        """The first frames, then some that are spread over the sequence."""
        count, tries = len(self._reader), self._limits.first_tries
        spread = np.linspace(0, count - 1, tries).round().astype(int).tolist()
        return list(dict.fromkeys([*range(min(count, tries)), *spread]))

    def _cold(self, frame: int) -> Registration | None:
        scan = self._reader.scan(frame)
        if isinstance(scan, str):
            self._tracks[frame] = _failed("unreadable", scan)
            return None
        try:
            cold = self._registrar.register(scan, self._reader.landmarks(frame))
        except InputError as error:
            self._tracks[frame] = _failed("bad_landmarks", str(error))
            return None
        self._tracks[frame] = _failed(cold.status, cold.message, cold.notes)
        return cold

    def _track(self, frame: int, step: int) -> FrameTrack:
        began = time.perf_counter()
        scan = self._reader.scan(frame)
        if isinstance(scan, str):
            return _failed("unreadable", scan)
        if scan.status != "ok":
            return _failed(scan.status, scan.notes[-1], scan.notes)
        ids, points = self._measured(frame, scan)
        status, message = "tracked", ""
        pose, coefficients = self._predicted(frame, step)
        found = self._found(scan, pose, coefficients, ids, points)
        if message := self._lost(found, frame, step):
            again = self._again(scan, frame, step, ids, points)
            if again is None:
                return _failed("lost", message, scan.notes)
            found, status = again, "restarted"
            message = f"the track was lost ({message}) and found again"
        stride = max(1, -(-len(scan.vertices) // SAMPLED_POINTS))
        return FrameTrack(
            found=found,
            status=status,
            message=message,
            points=scan.vertices[::stride].astype(np.float32),
            landmark_vertices=ids,
            landmarks=points,
            notes=scan.notes,
            seconds=time.perf_counter() - began,
        )

    def _found(self, scan, pose, coefficients, ids, points) -> Tracked:
        assert self.person is not None
        marks = (ids, points) if len(ids) else None
        return self.person.find(scan, pose, coefficients, marks)

    def _measured(self, frame: int, scan: Scan) -> tuple[VertexIds, Float[np.ndarray, "K 3"]]:
        """Vertices of the template and where they were measured; none if that is no use."""
        landmarks = self._reader.landmarks(frame)
        nothing = np.zeros(0, dtype=np.int64), np.zeros((0, 3))
        if landmarks is None:
            return nothing
        numbers, ids = match_sets(landmarks.order, self._registrar.template.landmarks)
        if not len(numbers) or numbers.max() >= len(landmarks.points):
            return nothing
        return ids, landmarks.points[numbers].astype(np.float64) * scan.mm_per_unit

    def _predicted(self, frame: int, step: int) -> tuple[Similarity, np.ndarray | None]:
        """Pose as if the head moved on as it did, expression as it was."""
        last = self._last(frame, step)
        if last is None:
            return self._first_pose, None
        found = self._tracks[last].found
        assert found is not None
        before = self._tracks.get(last - step)
        if last != frame - step or before is None or before.found is None:
            return found.pose, found.coefficients
        if self._tracks[last].status == "restarted":
            return found.pose, found.coefficients
        turn = found.pose.rotation @ before.found.pose.rotation.T
        centre = found.vertices.mean(axis=0)
        shift = centre - before.found.vertices.mean(axis=0)
        # To go on with small motions would feed the errors of two frames into the next one.
        moved = np.linalg.norm(found.vertices - before.found.vertices, axis=1)
        if np.median(moved) < CLEAR_MOTION_MM:
            return found.pose, found.coefficients
        translation = turn @ (found.pose.translation - centre) + centre + shift
        return Similarity(turn @ found.pose.rotation, translation), found.coefficients

    def _last(self, frame: int, step: int) -> int | None:
        """The frame before this one, in the direction of ``step``, in which the person was found.

        Backwards, that may be the reference frame and none beyond it.
        """
        frame -= step
        while frame in self._tracks:
            if self._tracks[frame].found is not None:
                return frame
            frame -= step
        return None

    def _lost(self, found: Tracked, frame: int, step: int) -> str:
        """Why this is not the person, or nothing."""
        last = self._last(frame, step)
        if last is None:
            return ""
        known = [track.found for track in self._tracks.values() if track.found is not None]
        covered = float(np.median([one.coverage for one in known]))
        usual = float(np.median([one.rms_mm for one in known]))
        limit = max(self._limits.rms_mm, self._limits.rms_factor * usual)
        if found.coverage < self._limits.coverage * covered:
            return f"{found.coverage:.0%} of the face lie on the scan, {covered:.0%} did before"
        if found.rms_mm > limit:
            return f"{found.rms_mm:.2f} mm from the scan, expected less than {limit:.2f} mm"
        return ""

    def _again(self, scan: Scan, frame: int, step: int, ids, points) -> Tracked | None:
        """Start anew; the longer nothing was found, the more rarely, as this takes long."""
        failures, before = 0, frame - step
        while before in self._tracks and self._tracks[before].status == "lost":
            failures, before = failures + 1, before - step
        if failures & (failures + 1):
            return None
        assert self.person is not None
        try:
            cold = self._registrar.register(scan, self._reader.landmarks(frame))
        except InputError:
            return None
        if cold.status not in ("ok", "poor", "uncertain"):
            return None
        log.info("frame %d: the track was lost, cold start: %s", frame, cold.message)
        pose = procrustes(self.person.neutral, cold.vertices.astype(np.float64))
        found = self._found(scan, pose, None, ids, points)
        return None if self._lost(found, frame, step) else found


def _rank(cold: Registration) -> float:
    order = {"ok": 3.0, "poor": 1.0, "uncertain": 1.0}
    return order[cold.status] + cold.quality.coverage if cold.status in order else 0.0


def _failed(status: str, message: str, notes: tuple[str, ...] = ()) -> FrameTrack:
    return FrameTrack(
        found=None,
        status=status,
        message=message,
        points=np.zeros((0, 3), dtype=np.float32),
        landmark_vertices=np.zeros(0, dtype=np.int64),
        landmarks=np.zeros((0, 3)),
        notes=notes,
        seconds=0.0,
    )
