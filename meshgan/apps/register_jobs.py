"""What there is to register: scan files with their landmarks, or the raw scans of a source."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float

from meshgan.data.importers.base import MeasuredLandmarks, SourceItem
from meshgan.data.importers.landmark_files import read_bu83, read_lm3
from meshgan.data.importers.reading import BadFace, SourceReader
from meshgan.data.landmark_orders import landmark_order
from meshgan.data.mesh_formats.raw import RawMesh
from meshgan.data.mesh_io import read_scan
from meshgan.data.point_lists import read_points
from meshgan.errors import InputError
from meshgan.geometry.alignment import Similarity
from meshgan.geometry.mesh import TriMesh

OWN_ORDERS = {".bnd": "bu83", ".lm3": "bosphorus24"}
"""Landmark files whose format says in which order they are."""
_METRES = (".gltf", ".glb")


@dataclass(frozen=True, eq=False)
class RawScan:
    """A scan as its source has it.

    Args:
        mesh: in its own unit, perhaps without triangles or with values that are not finite.
        landmarks: in the same unit, if it has any.
        unit: "mm", "cm", "m", "um", or None if it is to be found from the size.
    """

    mesh: TriMesh | RawMesh
    landmarks: MeasuredLandmarks | None = None
    unit: str | None = None


@runtime_checkable
class RegisterJob(Protocol):
    """A scan to be read and registered, wherever it comes from; small, and picklable.

    Attributes:
        name: unique in a batch; may have folders ("anna/smile").
        recording: scans with the same one are frames of one person, in the order of the batch;
            empty for a still.
    """

    @property
    def name(self) -> str: ...

    @property
    def recording(self) -> str: ...

    def fingerprint(self) -> dict[str, Any]:
        """Plain values that differ when the scan's files do."""
        ...

    def load(self, source: SourceReader | None = None) -> RawScan:
        """Read it, from a source if it belongs to one.

        Raises:
            InputError: it cannot be read.
        """
        ...


@dataclass(frozen=True)
class FileJob:
    """A mesh file, perhaps with a landmark file.

    Args:
        name: what it is called in the results.
        path: the scan.
        landmarks: measured on it, in its unit.
        order: of the landmarks.
        unit: of both; None if it is to be found.
    """

    name: str
    path: Path
    landmarks: Path | None = None
    order: str = "ibug68"
    unit: str | None = None

    @property
    def recording(self) -> str:
        """The folder that it is in."""
        return self.name.rpartition("/")[0] or "."

    def fingerprint(self) -> dict[str, Any]:
        """Sizes and times of the files, and what they are taken for."""
        return {
            "scan": file_state(self.path),
            "landmarks": None if self.landmarks is None else file_state(self.landmarks),
            "order": None if self.landmarks is None else self.order,
            "unit": self.unit,
        }

    def load(self, source: SourceReader | None = None) -> RawScan:
        """Read both files."""
        unit = "m" if self.unit is None and self.path.suffix.lower() in _METRES else self.unit
        mesh = read_scan(self.path)
        found = None if self.landmarks is None else read_measured(self.landmarks, self.order)
        return RawScan(mesh, found, unit)


@dataclass(frozen=True)
class ItemJob:
    """A raw scan that an importer lists.

    Args:
        item: the scan.
        root: of the source.
        conversion: of its unit and axes, as plain text.
    """

    item: SourceItem
    root: Path
    conversion: str

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.item.where

    @property
    def recording(self) -> str:
        """The recording of the subject that it is a frame of."""
        return f"{self.item.subject}/{self.item.sequence}" if self.item.sequence else ""

    def fingerprint(self) -> dict[str, Any]:
        """Size and time of the item's file, and how it is converted."""
        file = self.root / self.item.where.partition("#")[0]
        state = file_state(file if file.is_file() else self.root)
        return {"scan": state, "conversion": self.conversion}

    def load(self, source: SourceReader | None = None) -> RawScan:
        """Read it with its landmarks, in mm and our axes."""
        assert source is not None
        try:
            face = source.read(self.item)
        except BadFace as error:
            raise InputError(str(error)) from error
        if face.faces is None:
            raise InputError("holds no triangles; a point cloud is not a mesh")
        return RawScan(TriMesh(face.vertices, face.faces), face.landmarks, "mm")


@dataclass(frozen=True)
class SequenceJob:
    """Frames of one person, to be registered together.

    Args:
        frames: in the order of time.
    """

    frames: tuple[RegisterJob, ...]

    @property
    def together(self) -> bool:
        """There is more than one."""
        return len(self.frames) > 1


@dataclass(frozen=True, eq=False)
class PictureTask:
    """What is needed to draw a registration; without a mesh, the scan alone is drawn.

    Args:
        job: reads the scan.
        vertices: of the registered mesh (V, 3), in the template's frame.
        matched: which of them lie on the scan (V,).
        pose: takes the template's frame to the scan's, without scale.
    """

    job: RegisterJob
    vertices: Float[np.ndarray, "V 3"] | None = None
    matched: Bool[np.ndarray, " V"] | None = None
    pose: Similarity | None = None


def recordings(jobs: Sequence[RegisterJob]) -> list[SequenceJob]:
    """The jobs of each recording together, in their order; a still is alone."""
    groups: dict[str, list[RegisterJob]] = {}
    for job in jobs:
        groups.setdefault(job.recording or f"/{job.name}", []).append(job)
    return [SequenceJob(tuple(frames)) for frames in groups.values()]


def file_state(path: Path) -> list[Any]:
    """Name, size and time of change of a file; name alone if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return [str(path)]
    return [str(path), found.st_size, found.st_mtime_ns]


def job_key(job: RegisterJob, how: Mapping[str, Any]) -> str:
    """16 hexadecimal digits that name a scan and how it is registered; others if either changes."""
    text = json.dumps([job.name, job.fingerprint(), dict(how)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_measured(path: Path, order: str) -> MeasuredLandmarks:
    """The landmarks of a file; .bnd and .lm3 know their own order.

    Raises:
        InputError: the file cannot be read, or has another number of points than the order.
    """
    kind = path.suffix.lower()
    if kind == ".bnd":
        return read_bu83(path)
    if kind == ".lm3":
        return read_lm3(path)
    count = landmark_order(order).count
    points = read_points(path)
    if len(points) != count:
        raise InputError(
            f"{path}: {len(points)} landmarks, but {order} has {count}; --order names another"
        )
    return MeasuredLandmarks(order, points)
