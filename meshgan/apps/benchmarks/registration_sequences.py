"""A person who talks, scanned frame by frame: whether the registration drifts or jitters."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
from jaxtyping import Float

from meshgan.arrays import Vertices
from meshgan.data.importers.base import MeasuredLandmarks
from meshgan.data.synthetic import FRESH_PEOPLE, open_source, plan_dataset
from meshgan.data.synthetic.scanner import ScanSettings, SyntheticScan, scan_face
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.rigid_icp import rotation_from_vector
from meshgan.registration.sequence import register_sequence
from meshgan.seeding import generator

SEED, PERSON = 23, 31
ENDS = 24  # frames at the beginning and at the end that are compared
STILL = ScanSettings(rotation_deg=0.0, shift_mm=0.0)
NOD_DEG, SHAKE_DEG = 5.0, 15.0  # the head turns meanwhile
SWAY_MM, RISE_MM = 20.0, 6.0


@dataclass(frozen=True)
class TalkingPerson:
    """A default person says something in a mood, and moves the head; scans of every frame.

    Args:
        frames: how many.
        settings: of the scans.
    """

    frames: int
    settings: ScanSettings = STILL
    _truth: dict[int, Vertices] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def acted(self) -> Float[np.ndarray, "K V 3"]:
        """The face without the motion of the head, mm."""
        plan = plan_dataset(
            self.frames,
            1,
            ("identity", "expression", "viseme"),
            frames=self.frames,
            first_subject=FRESH_PEOPLE + PERSON,
        )
        rows = list(open_source("low").stream(plan, SEED))
        return np.concatenate([part.vertices for part in rows]).astype(np.float64)

    def face(self, frame: int) -> Vertices:
        """With the motion of the head (V, 3), mm."""
        nod, shake = NOD_DEG * np.sin(frame / 6), SHAKE_DEG * np.sin(frame / 11)
        turn = rotation_from_vector(np.deg2rad([nod, shake, 0.0]))
        place = np.array([SWAY_MM * np.sin(frame / 9), RISE_MM * np.cos(frame / 6), 0.0])
        return self.acted[frame] @ turn.T + place

    def scan(self, frame: int) -> SyntheticScan:
        """It depends on the frame's number alone."""
        template = open_source("low").template
        rng = generator(SEED, "registration sequence", frame)
        ids = template.landmarks["ibug68"]
        return scan_face(self.face(frame), template.mesh.faces, rng, self.settings, ids)

    def mesh(self, frame: int) -> TriMesh:
        """What the registration gets."""
        scan = self.scan(frame)
        self._truth[frame] = scan.vertices
        return scan.mesh

    def truth(self, frame: int) -> Vertices:
        """Where the vertices are on the scan (V, 3), mm."""
        if frame not in self._truth:
            self.mesh(frame)
        return self._truth[frame]


def measure_sequence(person: TalkingPerson, marked: bool = True) -> dict[str, Any]:
    """Register all frames; the first one with landmarks if ``marked``, else none.

    Returns:
        Mean vertex error (mm) over the first and the last ``ENDS`` frames, its slope per 100
        frames, the worst frame; jitter of result and truth; statuses and notes.
    """
    landmarks: list[MeasuredLandmarks | None] = [None] * person.frames
    if marked:
        landmarks[0] = MeasuredLandmarks("ibug68", person.scan(0).landmarks)
    frames = [partial(person.mesh, frame) for frame in range(person.frames)]
    found = register_sequence(frames, open_source("low").template, landmarks)
    errors = compare_sequence([one.vertices for one in found.frames], person)
    return {**found.summary(), "bridged": found.bridged, **errors}


def compare_sequence(found: Sequence[Vertices], person: TalkingPerson) -> dict[str, Any]:
    """The errors among the figures of ``measure_sequence``, from the vertices of each frame."""
    error = np.array(
        [
            np.linalg.norm(vertices - person.truth(frame), axis=1).mean()
            for frame, vertices in enumerate(found)
        ]
    )
    ends = min(ENDS, person.frames)
    slope = np.polyfit(np.arange(len(error)), error, 1)[0]
    bends = np.linalg.norm(np.diff(person.acted, 2, axis=0), axis=2).mean()
    return {
        "error_mm": round(float(error.mean()), 3),
        "error_first_mm": round(float(error[:ends].mean()), 3),
        "error_last_mm": round(float(error[-ends:].mean()), 3),
        "slope_mm_per_100_frames": round(100 * float(slope), 3),
        "worst_mm": round(float(error.max()), 3),
        "worst_frame": int(error.argmax()),
        "jitter_of_truth_mm": round(float(bends), 4),
        "error_by_frame_mm": error.round(2).tolist(),
    }
