"""CoMA: 12 people, 12 extreme expressions each, registered sequences in FLAME's topology."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from meshgan import config
from meshgan.data.importers.base import SourceFace, SourceItem
from meshgan.data.importers.flame_topology import read_embedding
from meshgan.data.importers.registered import Topology, first_topology
from meshgan.data.importers.scan_folders import files_with_suffix, frame_number, subject_folders
from meshgan.data.template import Template
from meshgan.errors import FileFormatError

EXPRESSIONS = (
    "bareteeth",
    "cheeks_in",
    "eyebrow",
    "high_smile",
    "lips_back",
    "lips_up",
    "mouth_down",
    "mouth_extreme",
    "mouth_middle",
    "mouth_open",
    "mouth_side",
    "mouth_up",
)
_NEUTRAL = "neutral"


@dataclass(frozen=True)
class CoMA:
    """CoMA: ``FaceTalk_170725_00137_TA/bareteeth/bareteeth.000001.ply``, ...; metres.

    Each sequence goes from neutral to an extreme and back. Labels: ``coma_expression``, the name
    of the sequence; its first frames (``neutral_frames``) are "neutral" there and in
    ``expression``. Frames come in the order of their sorted paths, so that splits by position
    ("index % 100 < 10 is test") can be repeated.

    Source: Ranjan et al. 2018, Generating 3D faces using convolutional mesh autoencoders.
    """

    root: Path
    """Folder with the subjects FaceTalk_..._TA; anything else in it is ignored."""
    frames: Literal["all", "middle", "extreme"] = "all"
    """Which frames of a sequence are imported: all, the middle one, or the one whose vertices
    have moved most on average since the first frame (reads every mesh once to find it)."""
    neutral_frames: int = 1
    """So many frames at the beginning of a sequence are labelled neutral."""
    landmarks: Path | None = None
    """FLAME landmark embedding (flame_static_embedding.pkl), to have landmarks in the template."""

    format: ClassVar[str] = "coma"
    unit: ClassVar[str | None] = "m"
    axis_map: ClassVar[str] = "x y z"
    registered: ClassVar[bool] = True

    def __post_init__(self) -> None:
        config.require(self, neutral_frames=self.neutral_frames >= 0)

    def template(self) -> Template:
        """The first mesh that can be read, with landmarks if an embedding is given."""
        topology = self._topology
        landmarks = {}
        if self.landmarks is not None:
            found = read_embedding(self.landmarks, topology.faces)
            landmarks[found.name] = found.vertex_ids
        return topology.template("coma", self.unit, landmarks=landmarks)

    def items(self) -> Sequence[SourceItem]:
        """Frames by subject, expression and name.

        Raises:
            FileFormatError: no subject folder, or none with a sequence.
        """
        items = [item for files in self._sequences for item in self._items(files)]
        if not items:
            raise FileFormatError(
                f"{self.root}: no subject folder holds meshes like bareteeth/bareteeth.000001.ply"
            )
        return items

    def read(self, item: SourceItem) -> SourceFace:
        """Read one mesh.

        Raises:
            FileFormatError: missing, damaged or of another topology; or the name has no number.
        """
        path = self.root / item.where
        if frame_number(path) is None:
            raise FileFormatError(f"{path}: the name does not end in a frame number")
        return SourceFace(self._topology.read(path))

    @cached_property
    def _topology(self) -> Topology:
        paths = (path for files in self._sequences for path in files)
        return first_topology(paths, self.root, "mesh like bareteeth/bareteeth.000001.ply")

    @cached_property
    def _sequences(self) -> list[list[Path]]:
        return list(self._found())

    def _found(self) -> Iterator[list[Path]]:
        example = "FaceTalk_170725_00137_TA"
        for subject in subject_folders(self.root, r"FaceTalk_\w+", example):
            for folder in sorted(subject.iterdir()):
                if folder.name in EXPRESSIONS and folder.is_dir():
                    if files := files_with_suffix(folder, {".ply"}):
                        yield files

    def _items(self, files: list[Path]) -> Iterator[SourceItem]:
        match self.frames:
            case "all":
                chosen = range(len(files))
            case "middle":
                chosen = [len(files) // 2]
            case "extreme":
                chosen = [self._extreme(files)]
        for place in chosen:
            yield self._item(files[place], place)

    def _item(self, path: Path, place: int) -> SourceItem:
        number = frame_number(path)
        labels = {"coma_expression": path.parent.name}
        if place < self.neutral_frames and self.frames == "all":
            labels = {"coma_expression": _NEUTRAL, "expression": _NEUTRAL}
        return SourceItem(
            where=path.relative_to(self.root).as_posix(),
            subject=path.parent.parent.name,
            labels={} if number is None else labels,
            sequence=path.parent.name,
            frame=number or 0,
        )

    def _extreme(self, files: list[Path]) -> int:
        """Place of the frame farthest from the first one that can be read."""
        first, best, largest = None, len(files) // 2, 0.0
        for place, path in enumerate(files):
            try:
                vertices = self._topology.read(path)
            except FileFormatError:
                continue  # named when it is its turn to be read, if ever
            first = vertices if first is None else first
            moved = float(np.linalg.norm(vertices - first, axis=1).mean())
            if moved > largest:
                best, largest = place, moved
        return best
