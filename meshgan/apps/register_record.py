"""What became of one scan, as plain values that can be written, read and sorted."""

import base64
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool

from meshgan.apps.import_job import WITH_MESH
from meshgan.geometry.alignment import Similarity
from meshgan.registration.register import Registration

FAILED = "failed"
_PRIVATE = ("key", "pose", "matched")


@dataclass(frozen=True)
class ScanRecord:
    """What became of one scan.

    Args:
        name: of the scan.
        status: as ``Registration.status``; "failed" if it could not be read or registered.
        message: why, with numbers.
        rms_mm, p95_mm, coverage, folded, landmark_mm: see ``registration.quality.Quality``; None
            where there is none.
        landmarks: "measured" or "predicted"; empty without a mesh.
        seconds: it took.
        notes: what was found and changed on the way.
        file: the mesh, below the folder of results; None without a mesh.
        key: names the scan's files and how it was registered.
        pose: rotation (9 values by rows), translation (3), scale: template's frame to scan's.
        matched: which vertices lie on the scan, packed bits as base64.
    """

    name: str
    status: str
    message: str
    rms_mm: float | None = None
    p95_mm: float | None = None
    coverage: float = 0.0
    folded: int = 0
    landmark_mm: float | None = None
    landmarks: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    file: str | None = None
    key: str = ""
    pose: tuple[float, ...] = ()
    matched: str = ""

    @property
    def has_mesh(self) -> bool:
        """The template was bent onto the scan, well or not."""
        return self.status in WITH_MESH

    def shown(self) -> dict[str, Any]:
        """For reports and JSON: what a reader wants to know."""
        values = {name: value for name, value in asdict(self).items() if name not in _PRIVATE}
        return {"scan": values.pop("name"), **values, "notes": list(self.notes)}

    def rigid_pose(self) -> Similarity:
        """Template's frame to scan's, without scale."""
        values = np.array(self.pose)
        return Similarity(values[:9].reshape(3, 3), values[9:12])

    def matched_vertices(self, count: int) -> Bool[np.ndarray, " V"]:
        """Which of the ``count`` vertices lie on the scan (V,)."""
        packed = np.frombuffer(base64.b64decode(self.matched), np.uint8)
        return np.unpackbits(packed, count=count).astype(bool)


def record_of(name: str, key: str, found: Registration) -> ScanRecord:
    """The record of a registration that came to an end."""
    quality = found.quality.as_dict()
    pose = found.pose
    rough = ScanRecord(
        name=name,
        status=found.status,
        message=found.message,
        seconds=round(found.seconds, 3),
        notes=found.notes,
        key=key,
    )
    if not rough.has_mesh:
        return rough
    return replace(
        rough,
        **quality,
        landmarks="predicted" if found.predicted else "measured",
        pose=(*pose.rotation.ravel().tolist(), *pose.translation.tolist(), float(pose.scale)),
        matched=base64.b64encode(np.packbits(found.matched).tobytes()).decode(),
    )


def worst_first(records: Sequence[ScanRecord]) -> list[ScanRecord]:
    """Scans without a mesh, then poor, uncertain, bridged and good ones; larger errors first."""

    def rank(record: ScanRecord) -> tuple[int, float, str]:
        place = WITH_MESH[::-1].index(record.status) + 1 if record.has_mesh else 0
        rms = math.inf if record.rms_mm is None else record.rms_mm
        return place, -rms, record.name

    return sorted(records, key=rank)
