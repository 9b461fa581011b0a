"""What there is to register: scan files with their landmarks, or the raw scans of a source."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from meshgan.data.importers.base import MeasuredLandmarks, SourceItem
from meshgan.data.importers.landmark_files import read_bu83, read_lm3
from meshgan.data.importers.reading import BadFace, SourceReader
from meshgan.data.landmark_orders import landmark_order
from meshgan.data.mesh_io import read_mesh
from meshgan.data.point_lists import read_points
from meshgan.errors import InputError
from meshgan.geometry.mesh import TriMesh

OWN_ORDERS = {".bnd": "bu83", ".lm3": "bosphorus24"}
"""Landmark files whose format says in which order they are."""
_METRES = (".gltf", ".glb")


@dataclass(frozen=True, eq=False)
class RawScan:
    """A scan as its source has it.

    Args:
        mesh: in its own unit.
        landmarks: in the same unit, if it has any.
        unit: "mm", "cm", "m", "um", or None if it is to be found from the size.
    """

    mesh: TriMesh
    landmarks: MeasuredLandmarks | None = None
    unit: str | None = None


@runtime_checkable
class RegisterJob(Protocol):
    """A scan to be read and registered, wherever it comes from; picklable.

    Attributes:
        name: unique in a batch; may have folders ("anna/smile").
    """

    @property
    def name(self) -> str: ...

    def fingerprint(self) -> dict[str, Any]:
        """Plain values that differ when the scan's files do."""
        ...

    def load(self) -> RawScan:
        """Read it.

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

    def fingerprint(self) -> dict[str, Any]:
        """Sizes and times of the files, and what they are taken for."""
        return {
            "scan": file_state(self.path),
            "landmarks": None if self.landmarks is None else file_state(self.landmarks),
            "order": None if self.landmarks is None else self.order,
            "unit": self.unit,
        }

    def load(self) -> RawScan:
        """Read both files."""
        unit = "m" if self.unit is None and self.path.suffix.lower() in _METRES else self.unit
        mesh = read_mesh(self.path, unit="mm")  # as it is: the registration converts it
        found = None if self.landmarks is None else read_measured(self.landmarks, self.order)
        return RawScan(mesh, found, unit)


@dataclass(frozen=True, eq=False)
class ItemJob:
    """A raw scan that an importer lists.

    Args:
        reader: reads, converts to mm and checks.
        item: the scan.
    """

    reader: SourceReader
    item: SourceItem

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.item.where

    def fingerprint(self) -> dict[str, Any]:
        """Size and time of the item's file, and how it is converted."""
        root = Path(getattr(self.reader.importer, "root", ""))
        file = root / self.item.where.partition("#")[0]
        return {
            "format": self.reader.importer.format,
            "scan": file_state(file if file.is_file() else root),
            "conversion": self.reader.conversion.record(),
        }

    def load(self) -> RawScan:
        """Read it with its landmarks, in mm and our axes."""
        try:
            face = self.reader.read(self.item)
        except BadFace as error:
            raise InputError(str(error)) from error
        if face.faces is None:
            raise InputError("holds no triangles; a point cloud is not a mesh")
        return RawScan(TriMesh(face.vertices, face.faces), face.landmarks, "mm")


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
