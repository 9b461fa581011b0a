"""What a process of a batch does with one scan: register it, later draw it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, UInt8

from meshgan.apps.register_jobs import RegisterJob
from meshgan.apps.register_pictures import PictureTask, draw_task
from meshgan.data.template import Template
from meshgan.pictures.paint import paint_template
from meshgan.registration.register import RegisterSettings, Registrar, Registration


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
class ScanSetup:
    """Prepares a process for scans of one template; what it needs is made on first use.

    Args:
        template: what is bent onto the scans.
        settings: of all registrations.
    """

    template: Template
    settings: RegisterSettings

    def __call__(self) -> "ScanWorker":
        """The function that does a task."""
        return ScanWorker(self.template, self.settings)


class ScanWorker:
    """Registers scans (for a job), and draws them (for a ``PictureTask``)."""

    def __init__(self, template: Template, settings: RegisterSettings) -> None:
        self._template = template
        self._registrar = Registrar(template, settings)

    def __call__(
        self, task: RegisterJob | PictureTask
    ) -> RegisteredScan | UInt8[np.ndarray, "H W 3"] | None:
        """Do a task; None if there is nothing to be drawn."""
        if isinstance(task, PictureTask):
            return draw_task(task, self._template, self._colour)
        scan = task.load()
        found = self._registrar.register(scan.mesh, scan.landmarks, unit=scan.unit)
        return RegisteredScan(found, None if scan.landmarks is None else scan.landmarks.points)

    @cached_property
    def _colour(self) -> Float[np.ndarray, "V 3"] | None:
        return paint_template(self._template)
