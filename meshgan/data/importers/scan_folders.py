"""Folders of scan sets: subjects, and recordings whose files are numbered frames."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from meshgan.errors import FileFormatError

_LAST_DIGITS = re.compile(r"\d{1,9}\Z", re.ASCII)
_FRAME = re.compile(r"\d{1,9}", re.ASCII)
_NAMES_SHOWN = 5


def subject_folders(root: Path, pattern: str, example: str) -> list[Path]:
    """The folders below ``root`` that are named like a subject, sorted; all others are ignored.

    Args:
        root: of the source.
        pattern: what a subject's whole name matches, in any case.
        example: such a name, for the message.

    Raises:
        FileFormatError: there is no such folder; says what is there instead.
    """
    folders = folders_named(root, pattern)
    if not folders:
        there = sorted(path.name for path in root.iterdir()) if root.is_dir() else []
        shown = ", ".join(there[:_NAMES_SHOWN]) + (", ..." if len(there) > _NAMES_SHOWN else "")
        raise FileFormatError(
            f"{root}: has no subject folder like {example} (found: {shown or 'nothing'}); "
            "give the folder that holds the subjects"
        )
    return folders


def folders_named(parent: Path, pattern: str) -> list[Path]:
    """The folders in ``parent`` whose whole name matches ``pattern`` in any case, sorted."""
    if not parent.is_dir():
        return []
    named = re.compile(pattern, re.IGNORECASE | re.ASCII)
    return sorted(path for path in parent.iterdir() if named.fullmatch(path.name) and path.is_dir())


def files_with_suffix(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Files in ``folder`` with one of the suffixes (in any case), sorted; no hidden files."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and not path.name.startswith(".")
    )


def frame_number(path: Path) -> int | None:
    """The digits at the end of a file's name, before the suffix; None if there are none."""
    digits = _LAST_DIGITS.search(path.stem)
    return int(digits.group()) if digits else None


def listed_frames(path: Path, what: str) -> list[tuple[str, str, int]]:
    """Lines of three words in a small text file, the last a frame number; ``#`` is a comment.

    Args:
        path: of the text file.
        what: the three words, for messages ("subject task frame").

    Raises:
        FileFormatError: the file cannot be read, or a line has another form.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(f'{path}: cannot be read as lines "{what}" ({error})') from error
    rows = []
    for number, line in enumerate(lines, 1):
        words = line.split("#")[0].replace(",", " ").split()
        if not words:
            continue
        if len(words) != 3 or not _FRAME.fullmatch(words[2]):
            raise FileFormatError(f'{path}: line {number} is "{line.strip()}", expected "{what}"')
        rows.append((words[0], words[1], int(words[2])))
    return rows


def landmark_file(folders: Sequence[Path], stems: Sequence[str], suffixes: Sequence[str]) -> Path:
    """The first file that exists of these folders, names and suffixes; else the first of all."""
    paths = [
        folder / f"{stem}{suffix}"
        for folder in folders
        for stem in stems
        for suffix in (*suffixes, *(suffix.upper() for suffix in suffixes))
    ]
    return next((path for path in paths if path.is_file()), paths[0])
