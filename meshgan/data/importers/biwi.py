"""BIWI 3D audiovisual corpus, B3D(AC)2: 14 people say 40 sentences, neutral and with emotion."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from meshgan import config
from meshgan.data.importers.base import SourceFace, SourceItem
from meshgan.data.importers.biwi_corpus import (
    ConvertedCorpus,
    OriginalCorpus,
    Recording,
    open_corpus,
)
from meshgan.data.importers.biwi_frames import is_expressive
from meshgan.data.importers.biwi_ratings import read_ratings
from meshgan.data.importers.labels import common_expression
from meshgan.data.importers.speech_labels import SpeechLabels
from meshgan.data.template import Template

_NEUTRAL, _EXPRESSIVE = "neutral", "expressive"


@dataclass(frozen=True)
class BIWI:
    """B3D(AC)2, as published or converted to arrays; 25 frames a second.

    As published: ``rigid_scans/F1.obj`` (personal templates, mm) and ``faces/F1/01.tar`` with a
    ``.vl`` frame per file; frames are read where they lie, nothing is unpacked (folders of
    unpacked frames will do too). Its y axis points down and its z axis into the face.
    Converted: ``vertices_npy/F1_01.npy`` and ``templates.pkl``, y up, in a unit of its own.

    Labels: ``viseme`` where a phoneme alignment is given. ``expression`` is neutral for the
    sentences 01 to 40 and the personal templates; for e01 to e40 it is the emotion of the ratings
    if that is one of the seven. ``biwi_expression`` has the ratings' own word, or "expressive"
    if there are no ratings at all.

    Source: Fanelli et al. 2010, A 3-D audio-visual corpus of affective communication.
    """

    root: Path
    """Folder that holds faces and rigid_scans, or vertices_npy and templates.pkl."""
    alignments: Path | None = None
    """Folder of phoneme alignments: F1/01.TextGrid, .lab (HTK) or .csv (start,end,phoneme in s)."""
    ratings: Path | None = None
    """CSV subject,sequence,expression and optionally rating: the emotions of e01 to e40."""
    mesh: Path | None = None
    """A mesh file of the topology, for the triangles; by default one of the source."""
    millimetres: float | None = None
    """Millimetres of 1 in the converted form, if it was divided by something."""
    frames_per_second: float = 25.0
    """Of the recordings; places a frame in its alignment."""

    format: ClassVar[str] = "biwi"
    registered: ClassVar[bool] = True

    def __post_init__(self) -> None:
        config.require(
            self,
            millimetres=self.millimetres is None or self.millimetres > 0,
            frames_per_second=self.frames_per_second > 0,
        )

    @property
    def unit(self) -> str | None:
        """Millimetres as published; of arrays what the height of a face tells."""
        return self._corpus.unit

    @property
    def axis_map(self) -> str:
        """Published frames are upside down, turned about x; conversions have turned them."""
        return self._corpus.axis_map

    def template(self) -> Template:
        """The first personal template."""
        return self._corpus.topology.template("biwi", self.unit, self.axis_map)

    def items(self) -> Sequence[SourceItem]:
        """Personal templates first, then the frames by subject, sentence and number.

        Raises:
            FileFormatError: neither form is found, or the ratings cannot be read.
        """
        neutral = {"expression": _NEUTRAL, "biwi_expression": _NEUTRAL}
        stills = [SourceItem(where, subject, neutral) for where, subject in self._corpus.neutrals()]
        spoken = [
            item for recording in self._corpus.recordings() for item in self._items(recording)
        ]
        return [*stills, *spoken]

    def read(self, item: SourceItem) -> SourceFace:
        """Read one frame or template.

        Raises:
            FileFormatError: missing, damaged, of another topology; or its alignment is damaged.
        """
        self._speech.check(item)
        return SourceFace(self._corpus.vertices(item.where))

    @cached_property
    def _corpus(self) -> OriginalCorpus | ConvertedCorpus:
        return open_corpus(self.root, self.mesh, self.millimetres)

    @cached_property
    def _speech(self) -> SpeechLabels:
        return SpeechLabels(self.alignments, self.frames_per_second)

    @cached_property
    def _emotions(self) -> Mapping[tuple[str, str], str]:
        return {} if self.ratings is None else read_ratings(self.ratings)

    def _items(self, recording: Recording) -> Iterator[SourceItem]:
        numbers = [number for _, number in recording.frames if number is not None]
        first = min(numbers, default=0)
        frames = [
            place if number is None else number - first
            for place, (_, number) in enumerate(recording.frames)
        ]
        said = self._expression(recording)
        visemes = self._speech.of(recording.subject, recording.sequence, frames)
        for (where, _), frame, viseme in zip(recording.frames, frames, visemes, strict=True):
            labels = {**said, **viseme}
            yield SourceItem(where, recording.subject, labels, recording.sequence, frame)

    def _expression(self, recording: Recording) -> dict[str, str]:
        if not is_expressive(recording.sequence):
            return {"expression": _NEUTRAL, "biwi_expression": _NEUTRAL}
        word = self._emotions.get((recording.subject, recording.sequence))
        if word is None:
            return {} if self._emotions else {"biwi_expression": _EXPRESSIVE}
        common = common_expression(self.format, word)
        return {"biwi_expression": word} | ({} if common is None else {"expression": common})
