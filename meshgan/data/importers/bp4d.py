"""BP4D-Spontaneous: 41 subjects in eight tasks that provoke emotions, recorded in 3D."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from meshgan.data.importers.base import SourceFace, SourceItem
from meshgan.data.importers.landmark_files import read_bu83
from meshgan.data.importers.scan_folders import (
    files_with_suffix,
    folders_named,
    frame_number,
    landmark_file,
    listed_frames,
    subject_folders,
)
from meshgan.data.mesh_io import read_mesh
from meshgan.data.template import Template
from meshgan.errors import FileFormatError

_MESHES = (".obj", ".wrl")
_LANDMARKS = (".bnd", ".bndplus")


@dataclass(frozen=True)
class BP4D:
    """BP4D-Spontaneous: ``F001/T1/000.obj`` or ``.wrl``, any name that ends in the frame number.

    Where a frame is there in both formats, the ``.obj`` is read.

    Labels: only the set's own ``bp4d_task`` (T1 ... T8), for it says who is seen and in which
    task, not what a face expresses; ``neutral`` adds the neutral ``expression`` where a person
    has marked it. The unit is mm, 25 frames a second.

    Source: Zhang et al. 2014, BP4D-Spontaneous: a high-resolution spontaneous 3D dynamic facial
    expression database.
    """

    root: Path
    """Folder with the subjects F001 ..., M001 ...; anything else in it is ignored."""
    neutral: Path | None = None
    """Text file with lines ``subject task frame`` (F001 T1 12): these frames are neutral."""
    landmarks: Path | None = None
    """Root of the tree of landmarks (F001/T1/000.bnd, or all in one folder as
    F001_T1_000.bndplus), if they do not lie beside the meshes."""

    format: ClassVar[str] = "bp4d"
    unit: ClassVar[str | None] = "mm"
    axis_map: ClassVar[str] = "x y z"
    registered: ClassVar[bool] = False

    def template(self) -> Template | None:
        """None: each frame has its own topology."""
        return None

    def items(self) -> Sequence[SourceItem]:
        """The frames by subject, task and number; one without a number is refused on reading.

        Raises:
            FileFormatError: no subject folder, none with frames, or ``neutral`` is wrong.
        """
        items = [
            item
            for subject in subject_folders(self.root, r"[FM]\d{3}", "F001")
            for task in folders_named(subject, r"T\d+")
            for item in self._items_of(subject.name, task)
        ]
        if not items:
            raise FileFormatError(
                f"{self.root}: no subject folder holds frames like F001/T1/000.obj or .wrl"
            )
        return items if self.neutral is None else self._with_neutral(items, self.neutral)

    def read(self, item: SourceItem) -> SourceFace:
        """Read a frame and, if they are there, its landmarks.

        Raises:
            FileFormatError: the name has no frame number, or a file is damaged.
        """
        path = self.root / item.where
        if frame_number(path) is None:
            raise FileFormatError(f"{path}: the name does not end in a frame number")
        mesh = read_mesh(path)
        landmarks = self._landmark_file(path)
        return SourceFace(
            vertices=mesh.vertices,
            faces=mesh.faces,
            landmarks=read_bu83(landmarks) if landmarks.exists() else None,
        )

    def _items_of(self, subject: str, task: Path) -> list[SourceItem]:
        by_name = {path.stem: path for path in reversed(files_with_suffix(task, _MESHES))}
        items = [self._item(subject, task.name.upper(), path) for path in by_name.values()]
        return sorted(items, key=lambda item: (item.frame, item.where))

    def _item(self, subject: str, task: str, path: Path) -> SourceItem:
        where, number = path.relative_to(self.root).as_posix(), frame_number(path)
        if number is None:
            return SourceItem(where, subject)
        return SourceItem(where, subject, {"bp4d_task": task}, task, number)

    def _with_neutral(self, items: Sequence[SourceItem], neutral: Path) -> list[SourceItem]:
        listed = {
            (subject.upper(), task.upper(), frame)
            for subject, task, frame in listed_frames(neutral, "subject task frame")
        }
        places = {_place(item) for item in items if item.sequence}
        if unknown := sorted(listed - places):
            shown = "; ".join(f"{subject} {task} {frame}" for subject, task, frame in unknown[:5])
            raise FileFormatError(
                f"{neutral}: {len(unknown)} lines name no frame of this source: {shown}"
            )
        return [
            replace(item, labels={**item.labels, "expression": "neutral"})
            if item.sequence and _place(item) in listed
            else item
            for item in items
        ]

    def _landmark_file(self, path: Path) -> Path:
        task = path.parent
        folders = [task]
        if self.landmarks is not None:
            below = task.relative_to(self.root)
            folders = [self.landmarks / below, self.landmarks, task]
        stems = [path.stem, f"{task.parent.name}_{task.name}_{path.stem}"]
        return landmark_file(folders, stems, _LANDMARKS)


def _place(item: SourceItem) -> tuple[str, str, int]:
    return item.subject.upper(), item.sequence, item.frame
