"""BU-3DFE: 100 subjects, the seven expressions at four intensities, as single scans."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from meshgan.data.importers.base import SourceFace, SourceItem
from meshgan.data.importers.labels import common_expression
from meshgan.data.importers.landmark_files import read_bu83
from meshgan.data.importers.scan_folders import files_with_suffix, landmark_file, subject_folders
from meshgan.data.mesh_io import read_mesh
from meshgan.data.template import Template
from meshgan.errors import ConfigError, FileFormatError

_NAME = re.compile(
    r"(?P<subject>[FM]\d+)_(?P<word>[A-Z]{2})(?P<level>\d\d)[A-Z]{2}_(?:F3D|RAW)", re.IGNORECASE
)
_LEVELS = (1, 2, 3, 4)
_NEUTRAL_LEVEL = 0


@dataclass(frozen=True)
class BU3DFE:
    """BU-3DFE: ``F0001/F0001_AN01WH_F3D.wrl`` with its 83 landmarks in ``..._F3D.bnd``.

    Labels: the common ``expression``, the set's own ``bu3dfe_expression`` (AN DI FE HA NE SA SU)
    and ``bu3dfe_intensity`` (00 for neutral, 01 to 04). The unit is mm.

    Source: Yin et al. 2006, A 3D facial expression database for facial behavior research.
    """

    root: Path
    """Folder with the subjects F0001 ... M0044; anything else in it is ignored."""
    kind: Literal["F3D", "RAW"] = "F3D"
    """Which scans: F3D is the cropped face, RAW all that was scanned."""
    levels: tuple[int, ...] = _LEVELS
    """Intensities that count as labelled; scans of the others are kept without an expression."""

    format: ClassVar[str] = "bu3dfe"
    unit: ClassVar[str | None] = "mm"
    axis_map: ClassVar[str] = "x y z"
    registered: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if unknown := sorted({*self.levels} - {*_LEVELS}):
            raise ConfigError(f"levels: found {unknown}, expected some of {list(_LEVELS)}")

    def template(self) -> Template | None:
        """None: each scan has its own topology."""
        return None

    def items(self) -> Sequence[SourceItem]:
        """The scans of this kind, sorted by name; one with a wrong name is refused on reading.

        Raises:
            FileFormatError: no subject folder, or none with a scan of this kind.
        """
        folders = subject_folders(self.root, r"[FM]\d{4}", "F0001")
        ending = f"_{self.kind}.wrl".lower()
        items = [
            self._item(folder.name, path)
            for folder in folders
            for path in files_with_suffix(folder, {".wrl"})
            if path.name.lower().endswith(ending)
        ]
        if not items:
            raise FileFormatError(
                f"{self.root}: none of the {len(folders)} subject folders holds a scan like "
                f"{folders[0].name}_AN01WH_{self.kind}.wrl"
            )
        return items

    def read(self, item: SourceItem) -> SourceFace:
        """Read a scan and, if they are there, its landmarks.

        Raises:
            FileFormatError: the name is not one of this set, or a file is damaged.
        """
        path = self.root / item.where
        _word_and_level(path)
        mesh = read_mesh(path)
        landmarks = landmark_file([path.parent], [path.stem], [".bnd"])
        return SourceFace(
            vertices=mesh.vertices,
            faces=mesh.faces,
            landmarks=read_bu83(landmarks) if landmarks.exists() else None,
        )

    def _item(self, subject: str, path: Path) -> SourceItem:
        try:
            word, level = _word_and_level(path)
        except FileFormatError:
            return SourceItem(self._where(path), subject)
        labels = {"bu3dfe_intensity": f"{level:02d}"}
        if level == _NEUTRAL_LEVEL or level in self.levels:
            labels["bu3dfe_expression"] = word
            if common := common_expression(self.format, word):
                labels["expression"] = common
        return SourceItem(self._where(path), subject, labels)

    def _where(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def _word_and_level(path: Path) -> tuple[str, int]:
    """Expression and intensity that a file's name tells.

    Raises:
        FileFormatError: the name has another form, or contradicts its folder or itself.
    """
    name = _NAME.fullmatch(path.stem)
    if name is None:
        raise FileFormatError(f"{path}: the name is not like F0001_AN01WH_F3D.wrl")
    word, level = name["word"].upper(), int(name["level"])
    if name["subject"].lower() != path.parent.name.lower():
        raise FileFormatError(
            f"{path}: named for {name['subject']}, but in the folder of {path.parent.name}"
        )
    if common_expression("bu3dfe", word) is None:
        raise FileFormatError(f"{path}: {word} is none of AN DI FE HA NE SA SU")
    expected = (_NEUTRAL_LEVEL,) if word == "NE" else _LEVELS
    if level not in expected:
        raise FileFormatError(
            f"{path}: {word} has intensity {level:02d}, expected "
            + ", ".join(f"{known:02d}" for known in expected)
        )
    return word, level
