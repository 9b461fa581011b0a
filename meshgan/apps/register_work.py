"""What a process of a batch does with one scan: register it, later draw it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from meshgan.apps.register_jobs import PictureTask, RegisterJob, SequenceJob
from meshgan.data.importers.base import MeasuredLandmarks
from meshgan.data.importers.reading import SourceReader
from meshgan.data.template import Template
from meshgan.errors import MeshGANError
from meshgan.registration.register import RegisterSettings, Registrar, Registration
from meshgan.registration.scan import Scan, prepare_scan
from meshgan.registration.sequence import register_sequence


@dataclass(frozen=True, eq=False)
class RegisteredScan:
    """What comes back from the process.

    Args:
        registration: the template on the scan.
        measured: all landmarks that came with the scan (L, 3), as they came; None without any.
    """

    registration: Registration
    measured: Float[np.ndarray, "L 3"] | None = None


@dataclass(frozen=True, eq=False)
class RegisteredFrames:
    """What comes back of a sequence: its frames in order, and figures of all of it."""

    frames: tuple[RegisteredScan, ...]
    summary: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class ScanSetup:
    """Prepares a process for scans of one template; what it needs is made on first use.

    Args:
        template: what is bent onto the scans.
        settings: of all registrations.
        source: that the scans are read from, if they belong to one.
    """

    template: Template
    settings: RegisterSettings
    source: SourceReader | None = None

    def __call__(self) -> "ScanWorker":
        """The function that does a task."""
        return ScanWorker(self.template, self.settings, self.source)


class ScanWorker:
    """Registers scans and sequences, and draws them; see ``ScanSetup``."""

    def __init__(
        self, template: Template, settings: RegisterSettings, source: SourceReader | None
    ) -> None:
        self._template, self._source = template, source
        self._registrar = Registrar(template, settings)

    def __call__(
        self, task: RegisterJob | SequenceJob | PictureTask
    ) -> RegisteredScan | RegisteredFrames | UInt8[np.ndarray, "H W 3"] | None:
        """Do a task; None if there is nothing to be drawn."""
        if isinstance(task, PictureTask):
            from meshgan.apps.register_pictures import draw_task  # registration needs no torch

            return draw_task(task, self._template, self._colour, self._source)
        if isinstance(task, SequenceJob):
            return self._sequence(task)
        scan = task.load(self._source)
        found = self._registrar.register(scan.mesh, scan.landmarks, unit=scan.unit)
        return RegisteredScan(found, _points(scan.landmarks))

    def _sequence(self, task: SequenceJob) -> RegisteredFrames:
        landmarks = [self._landmarks(job) for job in task.frames]
        frames = [partial(self._prepared, job) for job in task.frames]
        found = register_sequence(frames, self._registrar, landmarks)
        pairs = zip(found.frames, landmarks, strict=True)
        scans = tuple(RegisteredScan(frame, _points(own)) for frame, own in pairs)
        return RegisteredFrames(scans, found.summary())

    def _landmarks(self, job: RegisterJob) -> MeasuredLandmarks | None:
        try:
            return job.load(self._source).landmarks
        except (MeshGANError, OSError, ValueError):
            return None  # the frame is reported when its turn comes

    def _prepared(self, job: RegisterJob) -> Scan:
        scan = job.load(self._source)
        return prepare_scan(scan.mesh, unit=scan.unit)

    @cached_property
    def _colour(self) -> Float[np.ndarray, "V 3"] | None:
        from meshgan.pictures.paint import paint_template

        return paint_template(self._template)


def _points(landmarks: MeasuredLandmarks | None) -> Float[np.ndarray, "L 3"] | None:
    return None if landmarks is None else landmarks.points
