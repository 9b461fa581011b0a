"""What is said when: phoneme alignments, and the viseme of every frame."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from meshgan.data.synthetic.recipes import VISEME_SOUNDS
from meshgan.errors import FileFormatError

SUFFIXES = (".textgrid", ".lab", ".csv")
SILENCE = "silence"
_HTK_TICK_S = 1e-7
_LARGEST_FILE = 2**24
_SILENT = {"", "sil", "sp", "ssil", "pau", "h#", "#h", "epi", "q", "silence", "#", "_"}
_UNKNOWN = {"spn", "nsn", "unk", "oov", "brth", "laugh", "noise"}
# TIMIT's finer sounds by those of the table (Lee and Hon 1989); closures by what they close for,
# because it shows on the lips.
_FOLDED = {
    "ix": "ih", "ux": "uw", "axr": "er", "ax-h": "ah", "em": "m", "eng": "ng",
    "nx": "n", "dx": "d", "hv": "hh",
    "bcl": "b", "dcl": "d", "gcl": "g", "pcl": "p", "tcl": "t", "kcl": "k",
}  # fmt: skip
_VISEMES = {sound: viseme for viseme, sounds in VISEME_SOUNDS.items() for sound in sounds}
_POSITION = re.compile(r"_[bies]\Z")
_TIER_NAMES = ("phones", "phonemes", "phone", "phoneme", "mau", "segments")
_TOKEN = re.compile(r'"(?:[^"]|"")*"|(?<!\S)[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?(?!\S)')


@dataclass(frozen=True, eq=False)
class Alignment:
    """Phonemes of one recording in order.

    Args:
        start_s: beginnings (P,), seconds from the start of the recording.
        end_s: ends (P,); each phoneme covers ``start_s <= t < end_s``.
        phonemes: P words, as the file spells them.
    """

    start_s: Float[np.ndarray, " P"]
    end_s: Float[np.ndarray, " P"]
    phonemes: tuple[str, ...]

    def visemes(self, frames: Sequence[int], frames_per_second: float) -> list[str | None]:
        """The viseme of each frame: of the phoneme that covers its middle.

        Args:
            frames: numbers t from 0; the middle of t lies at (t + 0.5) / frames_per_second.
            frames_per_second: of the recording.

        Returns:
            A name of ``VISEME_SOUNDS`` for each, or None where no phoneme is given, or a noise.
        """
        middles = (np.asarray(frames, dtype=np.float64) + 0.5) / frames_per_second
        rows = np.searchsorted(self.start_s, middles, side="right") - 1
        inside = (rows >= 0) & (middles < self.end_s[rows])
        return [
            viseme_of(self.phonemes[row]) if covered else None
            for row, covered in zip(rows.tolist(), inside.tolist(), strict=True)
        ]


def viseme_of(phoneme: str) -> str | None:
    """The viseme of an ARPAbet or TIMIT phoneme, in any case, with or without stress.

    Returns:
        A name of ``VISEME_SOUNDS``; None for a noise.

    Raises:
        KeyError: the phoneme is not known.
    """
    word = _POSITION.sub("", phoneme.strip().strip("<>()[]").lower())
    if word in _SILENT:
        return SILENCE
    if word in _UNKNOWN:
        return None
    word = word.rstrip("0123456789")
    return _VISEMES[_FOLDED.get(word, word)]


def find_alignment(folder: Path, subject: str, sequence: str) -> Path | None:
    """The alignment of a recording: ``SUBJECT/SEQUENCE.*`` or ``[SUBJECT/]SUBJECT_SEQUENCE.*``.

    The suffix is .TextGrid, .lab or .csv in any case; None if there is no such file.
    """
    for parent, stem in (
        (folder / subject, sequence),
        (folder / subject, f"{subject}_{sequence}"),
        (folder, f"{subject}_{sequence}"),
    ):
        if parent.is_dir():
            for path in sorted(parent.glob(f"{stem}.*")):
                if path.suffix.lower() in SUFFIXES:
                    return path
    return None


def read_alignment(path: Path) -> Alignment:
    """Read a Praat TextGrid (long or short), an HTK ``.lab`` or a CSV ``start,end,phoneme``.

    Times are seconds, but whole numbers in a ``.lab`` are HTK's units of 100 ns. Of several tiers
    of a TextGrid the one that is named phones, phonemes or alike is taken.

    Raises:
        FileFormatError: missing, damaged, times that run backwards, or unknown phonemes; all of
            them in one message.
    """
    text = _read_text(path)
    try:
        reader = {".textgrid": _text_grid, ".lab": _lab, ".csv": _table}[path.suffix.lower()]
        rows = reader(text)
    except KeyError as error:
        raise FileFormatError(f"{path}: expected one of {', '.join(SUFFIXES)}") from error
    except ValueError as error:
        raise FileFormatError(f"{path}: not a phoneme alignment ({error})") from error
    if not rows:
        raise FileFormatError(f"{path}: holds no phonemes")
    times = np.array([row[:2] for row in rows], dtype=np.float64)
    words = tuple(str(row[2]) for row in rows)
    bad = ~np.isfinite(times).all(axis=1) | (times[:, 1] < times[:, 0])
    bad[1:] |= times[1:, 0] < times[:-1, 1] - 1e-6
    if bad.any():
        first = int(np.argmax(bad))
        raise FileFormatError(
            f"{path}: entry {first + 1} ({times[first, 0]:g} to {times[first, 1]:g} s) ends before "
            "it begins, or begins before the one above it ends"
        )
    if unknown := sorted({word for word in words if not _is_known(word)}):
        raise FileFormatError(
            f"{path}: unknown phonemes {', '.join(unknown[:10])}; expected ARPAbet or TIMIT"
        )
    return Alignment(times[:, 0], times[:, 1], words)


def _is_known(word: str) -> bool:
    try:
        viseme_of(word)
    except KeyError:
        return False
    return True


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise FileFormatError(f"{path}: too large for a phoneme alignment")
        content = path.read_bytes()
        utf_16 = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        return content.decode("utf-16" if utf_16 else "utf-8-sig")
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path}: cannot be read ({error})") from error


def _text_grid(text: str) -> list[tuple[float, float, str]]:
    """Only numbers and quoted texts that stand free carry meaning in a TextGrid.

    Source: the Praat manual, "TextGrid file formats".
    """
    tokens = _Tokens(text)
    head = [tokens.take() for _ in range(5)]
    if head[:2] != ['"ooTextFile"', '"TextGrid"']:
        raise ValueError("does not begin as a Praat TextGrid")
    tiers = dict(_tier(tokens) for _ in range(int(head[4])))
    tiers = {name: rows for name, rows in tiers.items() if rows is not None}
    phone_tiers = [name for name in tiers if name.lower().split(" - ")[-1] in _TIER_NAMES]
    chosen = phone_tiers or list(tiers)
    if len(chosen) != 1:
        found = ", ".join(tiers) or "none"
        raise ValueError(f"interval tiers {found}; expected one that is named phones")
    return tiers[chosen[0]]


class _Tokens:
    def __init__(self, text: str) -> None:
        self._left = iter(_TOKEN.findall(text))

    def take(self) -> str:
        token = next(self._left, None)
        if token is None:
            raise ValueError("cut short")
        return token


def _tier(tokens: _Tokens) -> tuple[str, list[tuple[float, float, str]] | None]:
    kind, name = tokens.take(), tokens.take().strip('"')
    _start, _end, count = (float(tokens.take()) for _ in range(3))
    if kind == '"IntervalTier"':
        return name, [
            (float(tokens.take()), float(tokens.take()), _unquoted(tokens.take()))
            for _ in range(int(count))
        ]
    if kind != '"TextTier"':
        raise ValueError(f"a tier of kind {kind}")
    for _ in range(2 * int(count)):
        tokens.take()
    return name, None


def _unquoted(token: str) -> str:
    if not token.startswith('"'):
        raise ValueError(f"found {token} where a phoneme is expected")
    return token[1:-1].replace('""', '"')


def _lab(text: str) -> list[tuple[float, float, str]]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith(("#", '"')):
            continue
        if len(words) < 3:
            raise ValueError(f"line {number} is {line.strip()[:50]!r}, expected start end phoneme")
        start, end = (
            int(word) * _HTK_TICK_S if word.isdigit() else float(word) for word in words[:2]
        )
        rows.append((start, end, _centre(words[2])))
    return rows


def _centre(word: str) -> str:
    """The middle of a triphone ``a-b+c``."""
    triphone = re.fullmatch(r"[^-+]+-([^+]+)\+.+", word)
    return triphone[1] if triphone else word


def _table(text: str) -> list[tuple[float, float, str]]:
    table = csv.DictReader(text.splitlines())
    names = [name.strip().lower() for name in table.fieldnames or []]
    table.fieldnames = names
    if missing := {"start", "end", "phoneme"} - set(names):
        raise ValueError(f"has no column {', '.join(sorted(missing))}; found {', '.join(names)}")
    return [
        (float(row["start"] or ""), float(row["end"] or ""), row["phoneme"] or "") for row in table
    ]
