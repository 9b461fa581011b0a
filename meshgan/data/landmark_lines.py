"""Lines of landmarks that run the other way, start elsewhere, or stand on the wrong side."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from jaxtyping import Float, Int

MUCH_BETTER = 0.5  # misfit of another reading against the given one
LEAST_MISFIT_MM = 4.0  # below it a line is right


@dataclass(frozen=True, eq=False)
class Line:
    """A chain of landmarks and where an average face has them.

    Args:
        name: in words.
        rows: which rows of the points it has, in order.
        numbers: what messages call them.
        closed: the last is a neighbour of the first.
        expected: places on the average face (n, 3), mm.
    """

    name: str
    rows: tuple[int, ...]
    numbers: tuple[int, ...]
    closed: bool
    expected: Float[np.ndarray, "n 3"]

    def steps(self) -> Iterator[tuple[int, int]]:
        """Pairs of neighbours, as positions in the line."""
        places = range(len(self.rows))
        yield from pairwise((*places, 0) if self.closed else places)

    def readings(self) -> Int[np.ndarray, "R n"]:
        """All ways to read the line: as it is, then reversed, and if closed from any start."""
        forward = np.arange(len(self.rows))
        turns = range(len(self.rows)) if self.closed else (0,)
        return np.stack([np.roll(way, -turn) for way in (forward, forward[::-1]) for turn in turns])

    def exchanges(self) -> Int[np.ndarray, "R n"]:
        """The line with two of its points exchanged, for all pairs."""
        found = []
        for first, second in combinations(range(len(self.rows)), 2):
            reading = np.arange(len(self.rows))
            reading[[first, second]] = second, first
            found.append(reading)
        return np.stack(found)


def line_problems(
    aligned: Float[np.ndarray, "P 3"], lines: tuple[Line, ...]
) -> tuple[list[str], Float[np.ndarray, "P 3"]]:
    """What is wrong with whole lines, and the points with that put right.

    Args:
        aligned: points on the average face, mm; NaN where missing.
        lines: of these points.
    """
    problems, points = [], aligned.copy()
    for right in lines:
        left = next((line for line in lines if line.name == _other_side(right.name)), None)
        if left is not None and right.name.startswith("right ") and _exchanged(points, right, left):
            problems.append(f"{right.name} and {left.name} are exchanged")
            rows = [*right.rows, *left.rows]
            points[rows] = points[[*left.rows, *right.rows]]
    for line in lines:
        given = _misfits(points, line, line.readings()[:1])[0]
        if given <= LEAST_MISFIT_MM:
            continue
        for readings, say in ((line.readings(), _say_way), (line.exchanges(), _say_exchange)):
            misfits = _misfits(points, line, readings)
            best = int(misfits.argmin())
            if misfits[best] < MUCH_BETTER * given:
                problems.append(say(line, readings[best].tolist()))
                points[list(line.rows)] = points[[line.rows[k] for k in readings[best]]]
                break
    return problems, points


def _say_way(line: Line, reading: list[int]) -> str:
    if reading == list(range(len(reading)))[::-1]:
        return f"{line.name} runs the other way (points {line.numbers[0]} to {line.numbers[-1]})"
    start = line.numbers[reading[0]]
    backwards = (reading[1] - reading[0]) % len(reading) != 1
    way = "the other way and starts" if backwards else "round from another point: it starts"
    return f"{line.name} runs {way} at what is given as point {start}"


def _say_exchange(line: Line, reading: list[int]) -> str:
    first, second = (line.numbers[k] for k, place in enumerate(reading) if k != place)
    return f"points {first} and {second} of the {line.name} are exchanged"


def _misfits(
    points: np.ndarray, line: Line, readings: np.ndarray, centred: bool = True
) -> np.ndarray:
    """Root mean square distances (mm) of a line, read in these ways, from the average face's.

    Where fewer than three points are present nothing can be said: 0 for the first reading.
    """
    found = points[np.array(line.rows)[readings]]
    present = np.isfinite(found).all(axis=2, keepdims=True)
    gaps = np.where(present, found - line.expected, 0.0)
    count = present.sum(axis=(1, 2))
    if centred:
        middle = gaps.sum(axis=1) / np.maximum(count, 1)[:, None]
        gaps = np.where(present, gaps - middle[:, None], 0.0)
    misfits = np.sqrt((gaps**2).sum(axis=(1, 2)) / np.maximum(count, 1))
    return np.where(count < 3, 0.0, misfits)


def _exchanged(points: np.ndarray, right: Line, left: Line) -> bool:
    """Whether each of two lines lies where the other should, read in any way."""
    given = [
        float(_misfits(points, line, line.readings()[:1], centred=False)[0])
        for line in (right, left)
    ]
    if min(given) <= LEAST_MISFIT_MM:
        return False
    crossed = []
    for line, other in ((right, left), (left, right)):
        there = Line(line.name, other.rows, other.numbers, line.closed, line.expected)
        crossed.append(float(_misfits(points, there, line.readings(), centred=False).min()))
    return max(crossed) < MUCH_BETTER * min(given)


def _other_side(name: str) -> str:
    if name.startswith("right "):
        return "left " + name.removeprefix("right ")
    return "right " + name.removeprefix("left ")
