"""What users name as a face: a mesh, codes, a folder of frames; what they get back."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.apps.face_model import FaceModel
from meshgan.apps.register_files import find_jobs
from meshgan.apps.register_jobs import FileJob
from meshgan.data.code_files import read_codes
from meshgan.data.importers.base import MeasuredLandmarks
from meshgan.data.mesh_io import read_mesh
from meshgan.data.npz import read_npz
from meshgan.editing.arithmetic import row_count
from meshgan.editing.transfer import FaceLike, FitFaces, Performer, fit_performer
from meshgan.errors import InputError
from meshgan.geometry.alignment import procrustes
from meshgan.geometry.mesh import TriMesh
from meshgan.models.base import Codes
from meshgan.registration.displacing import DisplacementCarrier
from meshgan.registration.register import Registrar
from meshgan.registration.scan import Scan, prepare_scan

USABLE = ("ok", "poor", "uncertain")
log = logging.getLogger(__name__)

Posed = Callable[[Float[np.ndarray, "V 3"]], TriMesh]
"""Puts a face (mm, in the model's pose) where and how its mesh was."""


@dataclass(frozen=True, eq=False)
class FaceInput:
    """Faces that take part in a transfer, and the way back to their files.

    Args:
        vertices: on the model's topology, in its pose (B, V, 3), mm; None for codes.
        codes: by name (B, d), where they were given.
        back: one per face: what brings a result to where and how the input was.
        names: of the faces.
    """

    vertices: Float[Tensor, "B V 3"] | None
    codes: Codes | None
    back: tuple[Posed, ...]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def performer(self, model: FaceModel, fit: FitFaces) -> Performer:
        """The faces with their codes: those given, or fitted ones."""
        if self.vertices is not None:
            return fit_performer(model.model, self.vertices, fit)
        assert self.codes is not None  # one of the two is always there
        return Performer(self.codes)


class FaceReader:
    """Reads faces for one model; meshes of other topologies are registered to its template.

    Args:
        model: whose topology is asked for.
        order: of landmark files beside meshes that have to be registered.
    """

    def __init__(self, model: FaceModel, order: str = "ibug68") -> None:
        self._model, self._order = model, order

    @cached_property
    def _registrar(self) -> Registrar:
        return Registrar(self._model.template)

    def read(self, path: Path, row: int | None = None) -> FaceInput:
        """A mesh file, a ``.npz`` of codes, or a folder of meshes in the order of their names.

        Args:
            path: see above.
            row: which face of codes or of a folder, from 0; all if None.

        Raises:
            InputError: nothing there, no such row, a mesh in which no face is found.
            FileFormatError: a file cannot be read.
        """
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
        if path.suffix.lower() == ".npz" and "vertices" not in read_npz(path):
            return self.of_codes(read_codes(path, self._model.model.code_sizes), path.stem, row)
        jobs = find_jobs([path], order=self._order)
        return self.of_jobs(_chosen(jobs, row, path))

    def of_codes(self, codes: Codes, name: str = "face", row: int | None = None) -> FaceInput:
        """Faces that are known by their codes."""
        rows = _chosen(list(range(row_count(codes))), row, name)
        picked = {key: code[rows].to(self._model.device) for key, code in codes.items()}
        names = tuple(name if len(rows) == 1 else f"{name}_{k:04d}" for k in rows)
        back = (self._model.template.mesh.with_vertices,) * len(rows)
        return FaceInput(None, picked, back, names)

    def of_anything(self, faces: FaceLike) -> FaceInput:
        """Codes by name, a mesh, or several."""
        if isinstance(faces, Mapping):
            return self.of_codes(dict(faces))
        return self.of_meshes([faces] if isinstance(faces, TriMesh) else list(faces))

    def of_jobs(self, jobs: Sequence[FileJob]) -> FaceInput:
        """Mesh files, each with the landmarks beside it."""
        faces, ways = [], []
        for job in jobs:
            mesh = read_mesh(job.path)
            if self._is_on_template(mesh):
                vertices, back = self._aligned(mesh)
            else:
                raw = job.load()
                scan = prepare_scan(raw.mesh, unit=raw.unit)
                own = mesh.with_vertices(raw.mesh.vertices)  # in its own unit
                vertices, back = self._registered(scan, own, raw.landmarks, str(job.path))
            faces.append(vertices)
            ways.append(back)
        stacked = torch.from_numpy(np.stack(faces)).to(self._model.model.template_vertices)
        return FaceInput(stacked, None, tuple(ways), tuple(job.name for job in jobs))

    def of_meshes(self, meshes: Sequence[TriMesh]) -> FaceInput:
        """Meshes in memory, in mm; those of another topology are registered without landmarks."""
        found = [
            self._aligned(mesh)
            if self._is_on_template(mesh)
            else self._registered(prepare_scan(mesh, unit="mm"), mesh, None, f"mesh {k}")
            for k, mesh in enumerate(meshes)
        ]
        stacked = np.stack([vertices for vertices, _ in found])
        return FaceInput(
            torch.from_numpy(stacked).to(self._model.model.template_vertices),
            None,
            tuple(back for _, back in found),
            tuple(f"face_{k:04d}" for k in range(len(found))),
        )

    def _aligned(self, mesh: TriMesh) -> tuple[Float[np.ndarray, "V 3"], Posed]:
        """A mesh of the model's topology in the model's pose, and the way back."""
        points = np.asarray(mesh.vertices, dtype=np.float64)
        pose = procrustes(points, self._model.template.mesh.vertices.astype(np.float64))
        undo = pose.inverse()

        def back(face: np.ndarray) -> TriMesh:
            return mesh.with_vertices(undo.apply(np.asarray(face, np.float64)).astype(np.float32))

        return pose.apply(points), back

    def _is_on_template(self, mesh: TriMesh) -> bool:
        return mesh.topology_hash == self._model.template.topology_hash

    def _registered(
        self, scan: Scan, mesh: TriMesh, landmarks: MeasuredLandmarks | None, name: str
    ) -> tuple[Float[np.ndarray, "V 3"], Posed]:
        """The template on a mesh of another topology, and what moves that mesh with it."""
        found = self._registrar.register(scan, landmarks)
        log.info("%s: registered to the model's template: %s", name, found.message)
        if found.status not in USABLE:
            raise InputError(
                f"{name}: has another topology than the model, and cannot be registered to its "
                f"template ({found.status}: {found.message}); give landmarks beside it "
                "(meshgan register says more)"
            )
        rest = found.in_template_frame()
        points = np.asarray(mesh.vertices, np.float64) * scan.mm_per_unit
        faces = self._model.template.mesh.faces
        carrier = DisplacementCarrier(found.vertices, faces, points, mesh.faces)

        def back(face: np.ndarray) -> TriMesh:
            moved = (np.asarray(face, np.float64) - rest) @ found.pose.rotation.T
            return mesh.with_vertices((points + carrier.carry(moved)).astype(np.float32))

        return rest, back


def _chosen(rows: Sequence, row: int | None, what: object) -> Sequence:
    if row is None:
        return rows
    if not 0 <= row < len(rows):
        raise InputError(f"{what}: face {row} asked for, it has 0 to {len(rows) - 1}")
    return rows[row : row + 1]
