"""Weights of facial actions over time on disk: CSV as Live Link Face records it, and JSON."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from meshgan.errors import FileFormatError, InputError
from meshgan.files import read_json, write_json, write_text

ARKIT_NAMES = (
    "eyeBlinkLeft",
    "eyeLookDownLeft",
    "eyeLookInLeft",
    "eyeLookOutLeft",
    "eyeLookUpLeft",
    "eyeSquintLeft",
    "eyeWideLeft",
    "eyeBlinkRight",
    "eyeLookDownRight",
    "eyeLookInRight",
    "eyeLookOutRight",
    "eyeLookUpRight",
    "eyeSquintRight",
    "eyeWideRight",
    "jawForward",
    "jawRight",
    "jawLeft",
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthRight",
    "mouthLeft",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)
"""The 52 actions in the order of Live Link Face's columns, spelled as Apple does."""

_FORMAT = "meshgan-arkit-weights"
SLOW, FAST = 30.0, 60.0  # frames per second that phones record
_TIMECODE = re.compile(r"(\d+):(\d+):(\d+):(\d+(?:\.\d+)?)")
_SECONDS_PER = (3600, 60, 1)


@dataclass(frozen=True, eq=False)
class WeightTrack:
    """Weights of the 52 actions over time.

    Args:
        weights: (T, 52), in the order of ``ARKIT_NAMES``.
        fps: frames per second.
    """

    weights: Float[np.ndarray, "T 52"]
    fps: float = 30.0

    @property
    def times_s(self) -> Float[np.ndarray, " T"]:
        """Seconds from the first frame."""
        return np.arange(len(self.weights)) / self.fps


def write_weights(path: Path | str, track: WeightTrack) -> None:
    """Write weights as ``.csv`` (Timecode, BlendShapeCount, one column per action) or ``.json``.

    Raises:
        InputError: another suffix.
        JobError: the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        content = {"format": _FORMAT, "fps": track.fps, "names": list(ARKIT_NAMES)}
        write_json(path, {**content, "weights": np.round(track.weights, 6).tolist()})
    elif path.suffix.lower() == ".csv":
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["Timecode", "BlendShapeCount", *map(_capital, ARKIT_NAMES)])
        for frame, row in enumerate(track.weights):
            code = _timecode(frame, track.fps)
            table.writerow([code, len(ARKIT_NAMES), *(f"{weight:.6f}" for weight in row)])
        write_text(path, text.getvalue())
    else:
        raise InputError(f"{path}: weights are written as .csv or .json")


def read_weights(path: Path | str, fps: float | None = None) -> WeightTrack:
    """Read weights of ARKit's actions.

    Args:
        path: a ``.csv`` with a column per action (any capitals; others, such as the head's and
            the eyes' angles, are passed over) or a ``.json`` of ``write_weights``. An action that
            the file does not name is zero.
        fps: frames per second; by default what the file says. The time codes of a CSV say it
            where they pass a full second; else 30, or 60 if frames are counted beyond.

    Raises:
        FileFormatError: unreadable, no action in it, or a weight that is no number.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        names, rows, said = _read_json(path)
    elif path.suffix.lower() == ".csv":
        names, rows, said = _read_csv(path)
    else:
        raise FileFormatError(f"{path}: expected weights as .csv or .json")
    position = {name.lower(): k for k, name in enumerate(ARKIT_NAMES)}
    known = [(column, position[name.lower()]) for column, name in enumerate(names)
             if name.lower() in position]  # fmt: skip
    if not known or len(rows) == 0:
        raise FileFormatError(f"{path}: no weights of ARKit's actions (jawOpen, ...)")
    weights = np.zeros((len(rows), len(ARKIT_NAMES)))
    for column, action in known:
        weights[:, action] = rows[:, column]
    if not np.isfinite(weights).all():
        frame, action = np.argwhere(~np.isfinite(weights))[0]
        raise FileFormatError(f"{path}: {ARKIT_NAMES[action]} of frame {frame} is not finite")
    rate = said if fps is None else fps
    if not rate > 0:
        raise FileFormatError(f"{path}: {rate} frames per second, expected more than 0")
    return WeightTrack(weights, rate)


def _read_json(path: Path) -> tuple[list[str], np.ndarray, float]:
    content = read_json(path)
    if not isinstance(content, dict) or not {"names", "weights"} <= content.keys():
        raise FileFormatError(f'{path}: expected {{"fps", "names", "weights"}}')
    try:
        rows = np.array(content["weights"], dtype=np.float64)
        names, fps = [str(name) for name in content["names"]], float(content.get("fps", SLOW))
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"{path}: a weight is not a number ({error})") from error
    if rows.ndim != 2 or rows.shape[1] != len(names):
        raise FileFormatError(f"{path}: weights {rows.shape}, expected (T, {len(names)})")
    return names, rows, fps


def _read_csv(path: Path) -> tuple[list[str], np.ndarray, float]:
    try:
        table = list(csv.reader(io.StringIO(path.read_text("utf-8-sig"))))
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileFormatError(f"{path}: not a readable CSV file ({error})") from error
    table = [row for row in table if any(cell.strip() for cell in row)]
    if len(table) < 2:
        raise FileFormatError(f"{path}: expected a line of names and a line per frame")
    names = [cell.strip() for cell in table[0]]
    known = {name.lower() for name in ARKIT_NAMES}
    rows = np.zeros((len(table) - 1, len(names)))
    for frame, row in enumerate(table[1:]):
        if len(row) != len(names):
            raise FileFormatError(f"{path}: frame {frame} has {len(row)} cells, not {len(names)}")
        for column, name in enumerate(names):
            if name.lower() in known:
                try:
                    rows[frame, column] = float(row[column])
                except ValueError:
                    found = row[column]
                    raise FileFormatError(
                        f"{path}: {name} of frame {frame} is {found!r}, expected a number"
                    ) from None
    lower = [name.lower() for name in names]
    codes = [row[lower.index("timecode")] for row in table[1:]] if "timecode" in lower else []
    return names, rows, _rate_of(codes)


def _rate_of(codes: list[str]) -> float:
    """Frames per second of time codes: how far they count until the second changes."""
    matches = [_TIMECODE.fullmatch(code.strip()) for code in codes]
    if not codes or not all(matches):
        return SLOW
    frames = [float(match[4]) for match in matches if match]
    seconds = [
        sum(int(match[k + 1]) * unit for k, unit in enumerate(_SECONDS_PER))
        for match in matches
        if match
    ]
    turns = [
        frames[k] + 1 - frames[k + 1]
        for k in range(len(codes) - 1)
        if seconds[k + 1] == seconds[k] + 1
    ]
    if turns and np.median(turns) >= 1:
        return float(round(np.median(turns)))
    return FAST if max(frames) >= SLOW else SLOW


def _timecode(frame: int, fps: float) -> str:
    second, within = divmod(frame / fps + 1e-9, 1)
    minutes, seconds = divmod(int(second), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}:{within * fps:06.3f}"


def _capital(name: str) -> str:
    return name[0].upper() + name[1:]
