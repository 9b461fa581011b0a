"""Frames of the BIWI corpus where they lie: binary vertex lists inside tar files."""

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from meshgan.errors import FileFormatError

_COUNT_BYTES = 4
_KINDS = {12: "<f4", 24: "<f8"}  # bytes per vertex
_SENTENCE = re.compile(r"(e?)(\d{2})(?!\d)")
_LAST_DIGITS = re.compile(r"(\d{1,9})\Z", re.ASCII)
_LARGEST_FRAME = 2**26


@dataclass(frozen=True)
class Place:
    """Where the bytes of a frame are.

    ``offset`` and ``size`` count inside ``path``; ``size`` -1 stands for the whole file.
    """

    path: Path
    offset: int = 0
    size: int = -1

    def read(self) -> bytes:
        """The bytes; raises OSError."""
        size = self.path.stat().st_size if self.size < 0 else self.size
        if size > _LARGEST_FRAME:
            raise OSError(f"{size:,} bytes are too many for a frame")
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(size)


@dataclass(frozen=True)
class Frame:
    """One ``.vl`` frame. ``where``: below the root; ``number``: from its name, or None."""

    where: str
    number: int | None
    place: Place


def parse_vl(content: bytes, where: str) -> Float[np.ndarray, "V 3"]:
    """Vertices of a ``.vl`` frame: int32 count, then x y z per vertex, float32 or float64.

    Raises:
        FileFormatError: the length does not fit the count.
    """
    if len(content) < _COUNT_BYTES:
        raise FileFormatError(f"{where}: {len(content)} bytes, too short for a .vl frame")
    count = int(np.frombuffer(content, "<i4", count=1)[0])
    rest = len(content) - _COUNT_BYTES
    kind = _KINDS.get(rest // count) if count > 0 and rest % count == 0 else None
    if kind is None:
        raise FileFormatError(
            f"{where}: announces {count:,} vertices, but {rest:,} bytes follow; expected 12 each "
            "(or 24, as float64)"
        )
    return np.frombuffer(content, kind, offset=_COUNT_BYTES).reshape(-1, 3).astype(np.float64)


def frames_in_tar(path: Path, root: Path) -> list[Frame]:
    """The ``.vl`` frames of a tar file, by number; nothing is unpacked.

    Only plain files count, and of their names only the last part: a path that leads out of the
    archive, a link or a device leads nowhere.

    Raises:
        FileFormatError: not a tar file, cut short, compressed, or without frames.
    """
    name = path.relative_to(root).as_posix()
    frames, size = [], path.stat().st_size
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                base = member.name.rsplit("/", 1)[-1]
                plain = member.isreg() and not member.issparse()
                if not plain or not base.lower().endswith(".vl") or base.startswith("."):
                    continue
                if member.offset_data + member.size > size:
                    raise FileFormatError(f"{path}: cut short inside {base}")
                place = Place(path, member.offset_data, member.size)
                frames.append(Frame(f"{name}#{base}", _number(base), place))
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{path}: not a readable, uncompressed tar file ({error})") from error
    if not frames:
        raise FileFormatError(f"{path}: holds no .vl frames")
    return sorted(frames, key=_order)


def frames_in_folder(folder: Path, root: Path) -> list[Frame]:
    """The ``.vl`` frames of a folder (an unpacked tar file), by number."""
    return sorted(
        (
            Frame(path.relative_to(root).as_posix(), _number(path.name), Place(path))
            for path in folder.iterdir()
            if path.suffix.lower() == ".vl" and not path.name.startswith(".")
        ),
        key=_order,
    )


def recordings(subject: Path) -> Iterator[Path]:
    """Tar files and unpacked folders of a subject that are named like a sentence, sorted."""
    for path in sorted(subject.iterdir()):
        named = is_sentence(path.stem) and not path.name.startswith(".")
        if named and (path.is_dir() or path.suffix.lower() == ".tar"):
            yield path


def is_sentence(name: str) -> bool:
    """A name like 01, e01 or e40_take2."""
    return _SENTENCE.match(name) is not None


def is_expressive(name: str) -> bool:
    """The sentence was said with emotion: its name begins with e."""
    match = _SENTENCE.match(name)
    return match is not None and match[1] == "e"


def _number(base: str) -> int | None:
    digits = _LAST_DIGITS.search(base[: -len(".vl")])
    return int(digits[1]) if digits else None


def _order(frame: Frame) -> tuple[int, str]:
    return (-1 if frame.number is None else frame.number), frame.where
