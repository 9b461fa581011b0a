"""Bosphorus: 105 subjects with expressions, action units, head rotations and occlusions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from meshgan.data.importers.base import SourceFace, SourceItem
from meshgan.data.importers.bnt import LONGEST_EDGE, grid_mesh, read_bnt
from meshgan.data.importers.labels import common_expression
from meshgan.data.importers.landmark_files import read_lm3
from meshgan.data.importers.scan_folders import files_with_suffix, landmark_file, subject_folders
from meshgan.data.template import Template
from meshgan.errors import ConfigError, FileFormatError

_NAME = re.compile(
    r"(?P<subject>bs\d+)_(?P<type>[A-Z]+)(?:_(?P<code>\w+?))?_(?P<take>\d+)", re.IGNORECASE
)
_EXPRESSIVE = ("N", "E", "LFAU", "UFAU", "CAU")
_OTHER = ("YR", "PR", "CR", "O", "IGN")


@dataclass(frozen=True)
class Bosphorus:
    """Bosphorus: ``bs000/bs000_E_HAPPY_0.bnt`` with up to 24 landmarks in ``..._0.lm3``.

    Labels: the common ``expression`` for the neutral and the emotions, and the set's own
    ``bosphorus_expression`` (N_N, E_HAPPY, LFAU_12, ...) for these and the action units. The
    unit is mm.

    Source: Savran et al. 2008, Bosphorus database for 3D face analysis.
    """

    root: Path
    """Folder with the subjects bs000 ... bs104; anything else in it is ignored."""
    types: tuple[str, ...] = _EXPRESSIVE
    """Which scans: N neutral, E emotions, LFAU UFAU CAU lower, upper and combined action units;
    also YR PR CR rotated heads, O occlusions and IGN, which have no label and are not for
    training."""
    left: Literal["viewer", "subject"] = "viewer"
    """Whose left the names of its landmarks mean; if it is the other, all faces are refused as
    mirrored."""
    longest_edge: float = LONGEST_EDGE
    """Neighbours further apart than this many median distances are not joined."""

    format: ClassVar[str] = "bosphorus"
    unit: ClassVar[str | None] = "mm"
    axis_map: ClassVar[str] = "x y z"
    registered: ClassVar[bool] = False

    def __post_init__(self) -> None:
        known = (*_EXPRESSIVE, *_OTHER)
        if unknown := sorted({*self.types} - {*known}):
            raise ConfigError(f"types: found {', '.join(unknown)}, expected some of {known}")
        if not self.longest_edge > 0:
            raise ConfigError(f"longest_edge: found {self.longest_edge}, expected more than 0")

    def template(self) -> Template | None:
        """None: each scan has its own topology."""
        return None

    def items(self) -> Sequence[SourceItem]:
        """The scans of these types, sorted by name; one with a wrong name is refused on reading.

        Raises:
            FileFormatError: no subject folder, or none with a scan of these types.
        """
        folders = subject_folders(self.root, r"bs\d{3}", "bs000")
        found = [
            self._item(folder.name, path)
            for folder in folders
            for path in files_with_suffix(folder, {".bnt"})
        ]
        items = [item for item in found if item is not None]
        if not items:
            raise FileFormatError(
                f"{self.root}: none of the {len(folders)} subject folders holds a scan of the "
                f"types {', '.join(self.types)}, like bs000/bs000_N_N_0.bnt"
            )
        return items

    def read(self, item: SourceItem) -> SourceFace:
        """Read a scan as a mesh and, if they are there, its landmarks.

        Raises:
            FileFormatError: the name is not one of this set, a file is damaged, or the grid holds
                no surface.
        """
        path = self.root / item.where
        _type_and_code(path)
        vertices, faces = grid_mesh(read_bnt(path), self.longest_edge)
        if not len(faces):
            raise FileFormatError(f"{path}: no neighbouring points, all is background")
        landmarks = landmark_file([path.parent], [path.stem], [".lm3"])
        return SourceFace(
            vertices=vertices,
            faces=faces,
            landmarks=read_lm3(landmarks, self.left) if landmarks.exists() else None,
        )

    def _item(self, subject: str, path: Path) -> SourceItem | None:
        where = path.relative_to(self.root).as_posix()
        try:
            kind, code = _type_and_code(path)
        except FileFormatError:
            return SourceItem(where, subject)
        if kind not in self.types:
            return None
        if kind not in _EXPRESSIVE:
            return SourceItem(where, subject)
        labels = {"bosphorus_expression": f"{kind}_{code}"}
        if common := common_expression(self.format, f"{kind}_{code}"):
            labels["expression"] = common
        return SourceItem(where, subject, labels)


def _type_and_code(path: Path) -> tuple[str, str]:
    """Type and code that a file's name tells, in capitals.

    Raises:
        FileFormatError: the name has another form, an unknown type or emotion, or contradicts
            its folder.
    """
    name = _NAME.fullmatch(path.stem)
    if name is None:
        raise FileFormatError(f"{path}: the name is not like bs000_E_HAPPY_0.bnt")
    kind, code = name["type"].upper(), (name["code"] or "").upper()
    if name["subject"].lower() != path.parent.name.lower():
        raise FileFormatError(
            f"{path}: named for {name['subject']}, but in the folder of {path.parent.name}"
        )
    if kind not in (*_EXPRESSIVE, *_OTHER):
        raise FileFormatError(f"{path}: {kind} is none of {' '.join((*_EXPRESSIVE, *_OTHER))}")
    if kind in ("N", "E") and common_expression("bosphorus", f"{kind}_{code}") is None:
        raise FileFormatError(f"{path}: {kind}_{code} is neither N_N nor one of the six emotions")
    return kind, code
