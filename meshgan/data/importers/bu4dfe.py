"""BU-4DFE: 101 subjects, each in six recordings, neutral to an emotion and back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from logging import getLogger
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float

from meshgan.data.importers.base import MeasuredLandmarks, SourceFace, SourceItem
from meshgan.data.importers.labels import common_expression
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
from meshgan.errors import ConfigError, FileFormatError
from meshgan.geometry.alignment import align_batch

logger = getLogger(__name__)

EMOTIONS = ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise")


@dataclass(frozen=True)
class BU4DFE:
    """BU-4DFE: ``F001/Angry/000.wrl``, ``001.wrl``, ...; 25 frames a second.

    Labels: ``expression`` is neutral in the first and the last frame of a recording and its
    emotion in the peak frame; all other frames are unlabelled. ``bu4dfe_expression``, the set's
    own word for the recording (Angry, ...), stands at every frame. The unit is mm.

    Source: Yin et al. 2008, A high-resolution 3D dynamic facial expression database; the labels
    are those of Fernández Abrevaya et al. 2019.
    """

    root: Path
    """Folder with the subjects F001, M001, ...; anything else in it is ignored."""
    peak: Literal["given", "middle", "landmarks"] = "middle"
    """How the peak frame is found: listed in ``peaks``, the middle of the recording, or where
    the landmarks, brought rigidly onto those of the first frame, have moved most on average."""
    peaks: Path | None = None
    """Text file for ``peak=given``, a line ``subject emotion frame`` for each known peak
    (F001 Angry 43); recordings that are not listed get no peak label."""
    landmarks: Path | None = None
    """Root of the tree of landmarks (F001/Angry/000.bnd), if they do not lie beside the meshes."""

    format: ClassVar[str] = "bu4dfe"
    unit: ClassVar[str | None] = "mm"
    axis_map: ClassVar[str] = "x y z"
    registered: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if (self.peak == "given") != (self.peaks is not None):
            raise ConfigError(
                f"peaks: found {self.peaks} with peak={self.peak}; "
                "a file of peaks and peak=given go together"
            )

    def template(self) -> Template | None:
        """None: each frame has its own topology."""
        return None

    def items(self) -> Sequence[SourceItem]:
        """The frames by subject, emotion and number; one without a number is refused on reading.

        With ``peak=landmarks`` all landmark files are read here.

        Raises:
            FileFormatError: no subject folder, none with a recording, or ``peaks`` is wrong.
        """
        recordings = list(self._recordings())
        if not recordings:
            raise FileFormatError(
                f"{self.root}: no subject folder holds frames like F001/Angry/000.wrl"
            )
        peaks = self._given_peaks(recordings) if self.peak == "given" else {}
        return [item for recording in recordings for item in self._items(recording, peaks)]

    def read(self, item: SourceItem) -> SourceFace:
        """Read a frame and, if they are there, its landmarks.

        Raises:
            FileFormatError: the name has no frame number, or a file is damaged.
        """
        path = self.root / item.where
        if frame_number(path) is None:
            raise FileFormatError(f"{path}: the name does not end in a frame number")
        mesh = read_mesh(path)
        return SourceFace(mesh.vertices, mesh.faces, self._landmarks(path))

    def _recordings(self) -> Iterator["_Recording"]:
        for subject in subject_folders(self.root, r"[FM]\d{3}", "F001"):
            for folder in folders_named(subject, "|".join(EMOTIONS)):
                if files := files_with_suffix(folder, {".wrl"}):
                    files.sort(key=lambda path: (frame_number(path) or 0, path.name))
                    yield _Recording(subject.name, folder.name.capitalize(), files)

    def _items(
        self, recording: "_Recording", peaks: Mapping[tuple[str, str], int]
    ) -> list[SourceItem]:
        numbers = list(recording.frames)
        match self.peak:
            case "given":
                peak = peaks.get(recording.key)
            case "middle":
                peak = numbers[len(numbers) // 2] if len(numbers) > 2 else None
            case "landmarks":
                peak = self._most_moved(recording)
        meanings: dict[int | None, str] = dict.fromkeys([*numbers[:1], *numbers[-1:]], "Neutral")
        if peak is not None:
            meanings[peak] = recording.emotion
        return [
            self._item(recording, path, meanings.get(frame_number(path)))
            for path in recording.files
        ]

    def _item(self, recording: "_Recording", path: Path, meaning: str | None) -> SourceItem:
        where, number = path.relative_to(self.root).as_posix(), frame_number(path)
        if number is None:
            return SourceItem(where, recording.subject)
        labels = {"bu4dfe_expression": recording.emotion}
        if meaning and (common := common_expression(self.format, meaning)):
            labels["expression"] = common
        return SourceItem(where, recording.subject, labels, recording.emotion, number)

    def _given_peaks(self, recordings: Sequence["_Recording"]) -> dict[tuple[str, str], int]:
        known = {recording.key: recording for recording in recordings}
        assert self.peaks is not None
        peaks, unknown = {}, []
        for subject, emotion, frame in listed_frames(self.peaks, "subject emotion frame"):
            key = (subject.upper(), emotion.capitalize())
            if key in known and frame in known[key].frames:
                peaks[key] = frame
            else:
                unknown.append(f"{subject} {emotion} {frame}")
        if unknown:
            raise FileFormatError(
                f"{self.peaks}: {len(unknown)} lines name no frame of this source: "
                + "; ".join(unknown[:5])
            )
        return peaks

    def _landmarks(self, path: Path) -> MeasuredLandmarks | None:
        folders = [path.parent]
        if self.landmarks is not None:
            folders.insert(0, self.landmarks / path.parent.relative_to(self.root))
        found = landmark_file(folders, [path.stem], [".bnd"])
        return read_bu83(found) if found.exists() else None

    def _most_moved(self, recording: "_Recording") -> int | None:
        numbers, points = [], []
        for number, path in recording.frames.items():
            try:
                landmarks = self._landmarks(path)
            except FileFormatError as error:
                logger.warning("%s; not searched for the peak", error)
                continue
            if landmarks is not None:
                numbers.append(number)
                points.append(landmarks.points)
        between = {*list(recording.frames)[1:-1]}
        inner = [row for row, number in enumerate(numbers) if number in between]
        if len(points) < 2 or not inner:
            where = recording.files[0].parent
            logger.warning("%s: too few frames with landmarks, so no peak is labelled", where)
            return None
        return numbers[inner[int(np.argmax(_displacement(np.stack(points))[inner]))]]


@dataclass(frozen=True)
class _Recording:
    subject: str
    emotion: str
    files: list[Path]

    @property
    def key(self) -> tuple[str, str]:
        return self.subject.upper(), self.emotion

    @cached_property
    def frames(self) -> dict[int, Path]:
        """Number -> file, in the order of the numbers; the first name wins if two agree."""
        numbered: dict[int, Path] = {}
        for path in self.files:
            if (number := frame_number(path)) is not None:
                numbered.setdefault(number, path)
        return numbered


def _displacement(points: Float[np.ndarray, "N L 3"]) -> Float[np.ndarray, " N"]:
    """Mean distance of the landmarks of N frames to those of the first, head motion removed."""
    aligned = align_batch(points, points[0])
    return np.linalg.norm(aligned - points[0], axis=2).mean(axis=1)
