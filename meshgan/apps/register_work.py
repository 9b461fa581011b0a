"""What a process of a batch does with one scan: register it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from meshgan.apps.register_jobs import RegisterJob
from meshgan.data.template import Template
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
class RegisterSetup:
    """Makes the registrar once in each process.

    Args:
        template: what is bent onto the scans.
        settings: of all registrations.
    """

    template: Template
    settings: RegisterSettings

    def __call__(self) -> Callable[[RegisterJob], RegisteredScan]:
        """The function that registers one scan."""
        registrar = Registrar(self.template, self.settings)

        def register_one(job: RegisterJob) -> RegisteredScan:
            scan = job.load()
            found = registrar.register(scan.mesh, scan.landmarks, unit=scan.unit)
            return RegisteredScan(found, None if scan.landmarks is None else scan.landmarks.points)

        return register_one
