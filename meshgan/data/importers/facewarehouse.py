"""FaceWarehouse: 150 people, as blendshapes, as scanned poses, or as one tensor."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from meshgan.data.importers.base import SourceFace, SourceItem
from meshgan.data.importers.facewarehouse_files import FaceTensor, read_blendshapes, read_tensor
from meshgan.data.importers.plausibility import FaceSize
from meshgan.data.importers.registered import Topology, first_topology, only_file, read_topology
from meshgan.data.template import Template
from meshgan.errors import FileFormatError

_TESTER = re.compile(r"Tester_(\d+)")
_POSE = re.compile(r"pose_(\d+)\.obj", re.IGNORECASE)
_SHAPES = "Blendshape/shape.bs"
_NEUTRAL = "neutral"


@dataclass(frozen=True)
class FaceWarehouse:
    """FaceWarehouse in one of three forms (``kind``); its unit is found from the size of a face.

    blendshapes: ``Tester_1/Blendshape/shape.bs``, the neutral face and 46 shapes of each person,
    with the quads of ``shape_0.obj``. poses: ``Tester_1/TrainingPose/pose_0.obj`` to ``pose_19``.
    bilinear: a ``.bin`` tensor of all people and shapes.

    Labels: ``facewarehouse_expression`` is "neutral", "shape01" to "shape46", or "pose01" to
    "pose19"; the neutral faces are neutral in ``expression`` too.

    Source: Cao et al. 2014, FaceWarehouse: a 3D facial expression database.
    """

    root: Path
    """Folder with Tester_1, Tester_2, ..., or the file of the tensor."""
    kind: Literal["auto", "blendshapes", "poses", "bilinear"] = "auto"
    """Which form; by default the first of these that is found."""
    mesh: Path | None = None
    """A mesh file of the topology, for the triangles; by default the source's shape_0.obj."""

    format: ClassVar[str] = "facewarehouse"
    axis_map: ClassVar[str] = "x y z"
    registered: ClassVar[bool] = True

    @property
    def unit(self) -> str | None:
        """What brings the height of a face nearest to that of a real one; decimetres, mostly."""
        return FaceSize(float(np.ptp(self._topology.vertices[:, 1])), by_eyes=False).unit()

    def template(self) -> Template:
        """A neutral face of the source."""
        return self._topology.template("facewarehouse", self.unit)

    def items(self) -> Sequence[SourceItem]:
        """Faces by person and expression.

        Raises:
            FileFormatError: none of the three forms is found.
        """
        listed = {
            "blendshapes": self._blendshape_items,
            "poses": self._pose_items,
            "bilinear": self._tensor_items,
        }
        return list(listed[self._kind]())

    def read(self, item: SourceItem) -> SourceFace:
        """Read one face.

        Raises:
            FileFormatError: missing, damaged or of another topology.
        """
        name, _, key = item.where.partition("#")
        match self._kind:
            case "blendshapes":
                shapes = read_blendshapes(self.root / name)
                vertices = np.array(shapes[int(key or 0)], dtype=np.float64)
                self._topology.check_count(len(vertices), str(self.root / name))
            case "poses":
                vertices = self._topology.read(self.root / name)
            case _:
                identity, _, expression = key.partition("/")
                vertices = self._tensor.face(int(identity), int(expression))
        return SourceFace(vertices)

    @cached_property
    def _kind(self) -> str:
        if self.kind != "auto":
            return self.kind
        if self.root.is_file():
            return "bilinear"
        for kind, folder in (("blendshapes", "Blendshape"), ("poses", "TrainingPose")):
            if any((tester / folder).is_dir() for tester in self._testers):
                return kind
        if any(self.root.glob("*.bin")):
            return "bilinear"
        raise FileFormatError(
            f"{self.root}: found neither Tester_1/{_SHAPES} nor Tester_1/TrainingPose/pose_0.obj "
            "nor a .bin tensor"
        )

    @cached_property
    def _testers(self) -> list[Path]:
        if not self.root.is_dir():
            return []
        found = [
            path for path in self.root.iterdir() if _TESTER.fullmatch(path.name) and path.is_dir()
        ]
        return sorted(found, key=lambda path: int(path.name.removeprefix("Tester_")))

    @cached_property
    def _topology(self) -> Topology:
        if self._kind == "bilinear":
            return replace(self._triangles, vertices=self._tensor.face(0, 0))
        return self._triangles

    @cached_property
    def _triangles(self) -> Topology:
        """The topology as a mesh file has it."""
        if self.mesh is not None:
            return read_topology(self.mesh)
        if self._kind == "poses":
            poses = (self.root / item.where for item in self._pose_items())
            return first_topology(poses, self.root, "pose like Tester_1/TrainingPose/pose_0.obj")
        meshes = [tester / "Blendshape" / "shape_0.obj" for tester in self._testers]
        if self._kind == "bilinear":
            folder = self.root if self.root.is_dir() else self.root.parent
            meshes = sorted(folder.glob("*.obj"))
        found = [path for path in meshes if path.exists()]
        if not found:
            raise FileFormatError(
                f"{self.root}: holds no triangles; give --set mesh=FILE, the shape_0.obj of any "
                "Tester_k/Blendshape"
            )
        return first_topology(found, self.root, "mesh like Tester_1/Blendshape/shape_0.obj")

    @cached_property
    def _tensor(self) -> FaceTensor:
        return read_tensor(self._tensor_file, self._triangles)

    @cached_property
    def _tensor_file(self) -> Path:
        return only_file(self.root, (".bin",), "a bilinear tensor")

    def _blendshape_items(self) -> Iterator[SourceItem]:
        for tester in self._testers:
            where = f"{tester.name}/{_SHAPES}"
            try:
                count = len(read_blendshapes(self.root / where))
            except FileFormatError:  # told when it is read
                yield SourceItem(where, tester.name)
                continue
            for number in range(count):
                yield _item(f"{where}#{number}", tester.name, "shape", number)

    def _pose_items(self) -> Iterator[SourceItem]:
        found = False
        for tester in self._testers:
            folder = tester / "TrainingPose"
            files = folder.iterdir() if folder.is_dir() else ()
            named = {int(match[1]): path for path in files if (match := _POSE.fullmatch(path.name))}
            for number in sorted(named):
                found = True
                where = named[number].relative_to(self.root).as_posix()
                yield _item(where, tester.name, "pose", number)
        if not found:
            raise FileFormatError(f"{self.root}: no Tester_1/TrainingPose/pose_0.obj")

    def _tensor_items(self) -> Iterator[SourceItem]:
        for identity in range(self._tensor.identity_count):
            for number in range(self._tensor.expression_count):
                where = f"{self._tensor_file.name}#{identity}/{number}"
                yield _item(where, f"Tester_{identity + 1}", "shape", number)


def _item(where: str, subject: str, kind: str, number: int) -> SourceItem:
    if number:
        return SourceItem(where, subject, {"facewarehouse_expression": f"{kind}{number:02d}"})
    return SourceItem(
        where, subject, {"facewarehouse_expression": _NEUTRAL, "expression": _NEUTRAL}
    )
