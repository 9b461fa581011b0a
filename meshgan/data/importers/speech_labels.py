"""Viseme labels of recordings from a folder of phoneme alignments."""

from collections.abc import Sequence
from logging import getLogger
from pathlib import Path

from meshgan.data.importers.base import SourceItem
from meshgan.data.importers.phonemes import find_alignment, read_alignment
from meshgan.errors import FileFormatError

logger = getLogger(__name__)


class SpeechLabels:
    """Labels frames with visemes; remembers which alignments are damaged.

    A recording without an alignment is unlabelled. One whose alignment is damaged is listed
    unlabelled and refused when its frames are read, so that the report names the reason.

    Args:
        folder: of the alignments; None labels nothing.
        frames_per_second: of the recordings.
    """

    def __init__(self, folder: Path | None, frames_per_second: float) -> None:
        if folder is not None and not folder.is_dir():
            raise FileFormatError(f"{folder}: no such folder of phoneme alignments")
        self._folder, self._rate = folder, frames_per_second
        self._refused: dict[tuple[str, str], FileFormatError] = {}

    def of(self, subject: str, sequence: str, frames: Sequence[int]) -> list[dict[str, str]]:
        """The labels of each frame of a recording: ``viseme``, or nothing."""
        if self._folder is None:
            return [{} for _ in frames]
        path = find_alignment(self._folder, subject, sequence)
        if path is None:
            logger.warning("%s: no alignment of %s %s", self._folder, subject, sequence)
            return [{} for _ in frames]
        try:
            visemes = read_alignment(path).visemes(frames, self._rate)
        except FileFormatError as error:
            self._refused[subject, sequence] = error
            return [{} for _ in frames]
        return [{} if viseme is None else {"viseme": viseme} for viseme in visemes]

    def check(self, item: SourceItem) -> None:
        """Refuse a frame whose recording has a damaged alignment.

        Raises:
            FileFormatError: names the alignment and what is wrong with it.
        """
        refused = self._refused.get((item.subject, item.sequence))
        if refused is not None and item.sequence:
            raise refused
