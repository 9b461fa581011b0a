"""Registration of a sequence of raw scans: one identity, an expression that moves smoothly.

The first good frame is registered by itself and becomes the person's own template. All other
frames are found from their neighbour's pose and expression, but always as a displacement from
that template and never from the frame before, so that nothing drifts. In the end the motion of the
head, which stable parts of the face decide, is separated from the expression; both are made smooth
over time, and frames without a usable scan are bridged.

Source: Fernandez Abrevaya et al. 2018 (one identity and a smooth expression for a sequence).
Differs: frames are tracked one by one and smoothed together, without a bilinear model.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from meshgan.arrays import Vertices
from meshgan.data.importers.base import MeasuredLandmarks
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.geometry.alignment import Similarity
from meshgan.geometry.folds import folded_faces
from meshgan.registration.quality import NOTHING, Quality, measure
from meshgan.registration.register import Registrar, Registration
from meshgan.registration.sequence_motion import separate_head
from meshgan.registration.sequence_smoothing import Smoothing
from meshgan.registration.sequence_tracking import (
    Frame,
    FrameReader,
    FrameTrack,
    Tracker,
    TrackLimits,
)


@dataclass(frozen=True)
class SequenceSettings:
    """How sequences are registered."""

    reference: int | None = None
    """Frame that gives the person's template, best a neutral one; None: the first good one."""
    smoothing: Smoothing | None = field(default_factory=Smoothing)
    """Over time; None leaves every frame as it was found."""
    limits: TrackLimits = field(default_factory=TrackLimits)
    """When a track is lost."""


@dataclass(frozen=True)
class Smoothness:
    """Motion of the vertices without the motion of the head.

    Args:
        jitter_mm: mean length of second differences over time.
        jitter_before_mm: the same before smoothing.
        moved_mm: mean distance by which smoothing moved the vertices.
    """

    jitter_mm: float
    jitter_before_mm: float
    moved_mm: float


@dataclass(frozen=True, eq=False)
class SequenceRegistration:
    """A template bent onto all scans of a sequence.

    Args:
        frames: one per scan, in order, in the scan's frame. Beside those of ``register`` there is
            the status "bridged": the scan was of no use, the face is carried over from the
            neighbouring frames, and the message says why.
        identity: the person in the reference frame, without pose (V, 3), float32, mm.
        reference: number of that frame.
        smoothness: figures.
        notes: what happened on the way, a sentence each.
        seconds: for everything.
    """

    frames: list[Registration]
    identity: Vertices
    reference: int
    smoothness: Smoothness
    notes: tuple[str, ...]
    seconds: float

    @property
    def usable(self) -> bool:
        """True if at least one frame is "ok"."""
        return any(frame.usable for frame in self.frames)

    @property
    def bridged(self) -> list[int]:
        """Numbers of the frames that were carried over from others."""
        return [number for number, one in enumerate(self.frames) if one.status == "bridged"]

    def in_head_frame(self) -> Float[np.ndarray, "K V 3"]:
        """All frames without the motion of the head (K, V, 3), float32, mm."""
        return np.stack([frame.in_template_frame() for frame in self.frames])

    def summary(self) -> dict[str, Any]:
        """For JSON: counts of statuses, medians over the frames, smoothness, notes."""
        states = [frame.status for frame in self.frames]
        good = [frame.quality for frame in self.frames if frame.quality is not NOTHING]
        return {
            "frames": len(self.frames),
            "statuses": {one: states.count(one) for one in sorted(set(states))},
            "reference": self.reference,
            "rms_mm": round(float(np.median([one.rms_mm for one in good])), 4) if good else None,
            "coverage": round(float(np.median([one.coverage for one in good])), 4)
            if good
            else None,
            "jitter_mm": round(self.smoothness.jitter_mm, 4),
            "jitter_before_mm": round(self.smoothness.jitter_before_mm, 4),
            "seconds_per_frame": round(self.seconds / len(self.frames), 3),
            "notes": list(self.notes),
        }


def register_sequence(
    frames: Iterable[Frame],
    template: Template | Registrar,
    landmarks: Sequence[MeasuredLandmarks | None] | None = None,
    *,
    unit: str | None = None,
    settings: SequenceSettings | None = None,
) -> SequenceRegistration:
    """Bring a template onto all scans of a recording of one person.

    Args:
        frames: scans in the order of time. Give functions that load them if all together do not
            fit into memory: each is called when its turn comes, and let go.
        template: what to bend, or a registrar that is kept for many sequences.
        landmarks: measured ones of each frame, None where there are none; they help where they
            are, and the reference frame gains most.
        unit: of the scans; found from their size if None.
        settings: see ``SequenceSettings``.

    Returns:
        A result for each frame; one that is damaged, empty or lost is bridged.

    Raises:
        InputError: no frames, not one landmark entry per frame, or a reference beyond the end.
    """
    began = time.perf_counter()
    settings = settings or SequenceSettings()
    registrar = template if isinstance(template, Registrar) else Registrar(template)
    reader = FrameReader(frames, landmarks, unit)
    if settings.reference is not None and not 0 <= settings.reference < len(reader):
        raise InputError(
            f"sequence: reference frame {settings.reference}, expected 0 to {len(reader) - 1}"
        )
    tracker = Tracker(registrar, reader, settings.limits)
    tracks = tracker.run(settings.reference)
    if any(track.found is not None for track in tracks):
        result = _assembled(registrar, tracker, tracks, settings.smoothing)
    else:
        result = _nothing(registrar, tracks)
    return replace(result, seconds=time.perf_counter() - began)


def _assembled(
    registrar: Registrar, tracker: Tracker, tracks: list[FrameTrack], smoothing: Smoothing | None
) -> SequenceRegistration:
    """The frames as they were tracked, made smooth and judged."""
    person = tracker.person
    assert person is not None
    found = {number: track.found for number, track in enumerate(tracks) if track.found is not None}
    tracked = {number: one.vertices for number, one in found.items()}
    motion = separate_head(person.neutral, tracked, len(tracks))
    smooth = motion
    if smoothing is not None:
        weights = np.zeros(motion.displacements.shape[:2], dtype=np.float32)
        for number, one in found.items():
            weights[number] = one.weight
        smooth = motion.smoothed(person.faces, weights, smoothing)
    moved = [
        np.linalg.norm(smooth.vertices(number) - vertices, axis=1).mean()
        for number, vertices in tracked.items()
    ]
    folded = len(folded_faces(registrar.rest, person.faces))
    frames = [
        _registration(registrar, track, smooth.poses[number], smooth.vertices(number), folded)
        for number, track in enumerate(tracks)
    ]
    identity = person.neutral + smooth.displacements[tracker.reference]
    return SequenceRegistration(
        frames=frames,
        identity=identity.astype(np.float32),
        reference=tracker.reference,
        smoothness=Smoothness(smooth.jitter_mm(), motion.jitter_mm(), float(np.mean(moved))),
        notes=_notes(tracker, tracks),
        seconds=0.0,
    )


def _registration(
    registrar: Registrar, track: FrameTrack, pose: Similarity, vertices: Vertices, folded: int
) -> Registration:
    matched = np.zeros(len(vertices), dtype=bool)
    quality, status = NOTHING, "bridged"
    message = f"carried over from other frames; {track.message}"
    if track.found is not None:
        matched = track.found.weight > 0
        off = np.linalg.norm(vertices[track.landmark_vertices] - track.landmarks, axis=1)
        off = off[np.isfinite(off)]
        quality = measure(
            track.points.astype(np.float64),
            vertices,
            registrar.template.mesh.faces,
            matched,
            folded,
            off if len(off) else None,
        )
        status, message = _judged(registrar, quality, track.message)
    return Registration(
        status=status,
        message=message,
        vertices=vertices.astype(np.float32),
        matched=matched,
        pose=pose,
        landmarks=track.landmarks,
        landmark_vertices=track.landmark_vertices,
        predicted=not len(track.landmarks),
        quality=quality,
        notes=track.notes,
        seconds=track.seconds,
    )


def _judged(registrar: Registrar, quality: Quality, told: str) -> tuple[str, str]:
    limits = registrar.settings
    message = f"RMS {quality.rms_mm:.2f} mm, {quality.coverage:.0%} covered"
    good = quality.coverage >= limits.good_coverage and limits.is_near(quality)
    return "ok" if good else "poor", f"{message}; {told}" if told else message


def _notes(tracker: Tracker, tracks: list[FrameTrack]) -> tuple[str, ...]:
    notes = []
    start = tracker.start
    if start is not None and start.status != "ok":
        notes.append(
            f"no frame that was tried registers well; frame {tracker.reference} "
            f"({start.message}) gave the person's template"
        )
    bridged = [number for number, track in enumerate(tracks) if track.found is None]
    if bridged:
        notes.append(f"{len(bridged)} frames were bridged: {_listed(bridged)}")
    again = [number for number, track in enumerate(tracks) if track.status == "restarted"]
    if again:
        notes.append(f"the track was lost and found again in frames {_listed(again)}")
    return tuple(notes)


def _listed(numbers: list[int], most: int = 10) -> str:
    shown = ", ".join(str(number) for number in numbers[:most])
    return shown if len(numbers) <= most else f"{shown} and {len(numbers) - most} more"


def _nothing(registrar: Registrar, tracks: list[FrameTrack]) -> SequenceRegistration:
    rest, none = registrar.rest.astype(np.float32), float("nan")
    frames = [
        Registration(
            status=track.status,
            message=track.message,
            vertices=rest,
            matched=np.zeros(len(rest), dtype=bool),
            pose=Similarity(np.eye(3), np.zeros(3)),
            landmarks=np.zeros((0, 3)),
            landmark_vertices=np.zeros(0, dtype=np.int64),
            predicted=True,
            quality=NOTHING,
            notes=track.notes,
            seconds=track.seconds,
        )
        for track in tracks
    ]
    notes = ("no frame that was tried shows a face",)
    return SequenceRegistration(frames, rest, 0, Smoothness(none, none, none), notes, 0.0)
