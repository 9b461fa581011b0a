"""Is a list of landmarks in the order it claims? Swaps, reversed lines, strays, wrong units."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Int

from meshgan.data.landmark_lines import Line, line_problems
from meshgan.data.landmark_orders import HUB, LandmarkOrder, landmark_order
from meshgan.data.mesh_io import MILLIMETRES, unit_of_length
from meshgan.errors import FileFormatError
from meshgan.geometry.alignment import Similarity, procrustes

SIZES = (0.6, 1.67)  # of a face against the average one, before another unit is suspected
FAR_MM, FAR_SPREADS = 25.0, 6.0  # a point farther than both from its place is a stray
LONG_STEP, LONG_STEP_MM = 2.0, 9.0  # neighbours farther apart than this are suspect
LOST = 1 / 3  # share of strays from which it is another order altogether
MUCH_BETTER = 0.5
LEAST_MEDIAN = 2.0  # of swapped names, in spreads: below it all is well
FACE_MM = 100.0  # a face's size, for naming the unit
ROUNDS = 8


@dataclass(frozen=True, eq=False)
class _Known:
    """The points of an order whose place on a face is known: P of them."""

    numbers: Int[np.ndarray, " P"]
    expected: Float[np.ndarray, "P 3"]
    spread: Float[np.ndarray, " P"]
    reach: Float[np.ndarray, " P"]  # mm from the expected place; beyond it a point is a stray
    lines: tuple[Line, ...]
    mirror: Int[np.ndarray, " P"]


def check_landmark_order(points: Float[np.ndarray, "L 3"], order: str) -> list[str]:
    """What is wrong with a list of landmarks; nothing if the list is empty.

    The points may be anywhere and turned anyhow; they are brought onto an average face by a
    robust similarity and compared with it. Expressions and people of all kinds pass.

    Problems: another number of points; another unit than mm; left and right exchanged, in all or
    in one pair of lines; a line that runs the other way or starts elsewhere; two points exchanged;
    a point far from its place; neighbours too far apart or on one spot.

    Args:
        points: (L, 3); a row of NaN is a missing landmark.
        order: name of the order they should have.

    Raises:
        InputError: there is no such order.
    """
    rules = landmark_order(order)
    if len(points) != rules.count:
        return [f"{len(points)} points, but {order} has {rules.count}"]
    known = _known_points(order)
    places = np.asarray(points, dtype=np.float64)[known.numbers]
    present = np.isfinite(places).all(axis=1)
    if int(present.sum()) < 4 or _is_line(places[present]):
        return [
            f"{int(present.sum())} points of {order} that can be judged, not on one line; "
            "at least 4 are needed"
        ]
    problems = []
    motion, misfit = _fit(places, known)
    if misfit > LEAST_MEDIAN:
        swapped = places[known.mirror]
        other_motion, other_misfit = _fit(swapped, known)
        if other_misfit < MUCH_BETTER * misfit:
            problems.append("left and right are exchanged, or the scan is mirrored")
            places, motion = swapped, other_motion
    problems += _unit_problem(motion)
    wrong_lines, aligned = line_problems(motion.apply(places), known.lines)
    away = np.linalg.norm(aligned - known.expected, axis=1)
    strays = np.flatnonzero(away > known.reach)  # missing points compare as False
    if len(strays) > LOST * present.sum():
        return [
            f"{len(strays)} of {int(present.sum())} points are far from where {order} has them; "
            "is it another order, or not a face?"
        ]
    problems += wrong_lines
    problems += _stray_problems(aligned, away, strays, known, rules)
    return [*problems, *_step_problems(aligned, known, set(strays.tolist()))]


@cache
def _known_points(order: str) -> _Known:
    """Of an order without places of its own, the points that are in fit85."""
    rules = landmark_order(order)
    source, numbers, inside = rules, np.arange(rules.count), np.arange(rules.count)
    if rules.expected is None:
        source = landmark_order(HUB)
        numbers, inside = rules.same_as_fit85.T
    if source.expected is None or source.spread is None:
        raise FileFormatError(f"landmarks {source.name}: its expected places are missing")
    row = {int(place): k for k, place in enumerate(inside)}
    expected, spread = source.expected[inside], source.spread[inside]
    lines = tuple(
        Line(
            chain.title,
            tuple(row[place] for place in chain.places),
            tuple(int(numbers[row[place]]) for place in chain.places),
            chain.closed,
            expected[[row[place] for place in chain.places]],
        )
        for chain in source.chains
        if set(chain.places) <= set(row)
    )
    reach = np.maximum(FAR_MM, FAR_SPREADS * spread)
    for chain in source.chains:
        reach[[row[place] for place in chain.places if place in row]] += chain.slack_mm
    mirror = np.array([row.get(int(k), row[int(place)]) for place, k in _partners(source, inside)])
    return _Known(numbers, expected, spread, reach, lines, mirror)


def _partners(source: LandmarkOrder, inside: np.ndarray) -> Iterator[tuple[int, int]]:
    return zip(inside.tolist(), source.mirror[inside].tolist(), strict=True)


def _fit(places: np.ndarray, known: _Known) -> tuple[Similarity, float]:
    """Robust similarity onto the average face, and the median misfit in spreads."""
    present = np.isfinite(places).all(axis=1)
    source, target = places[present], known.expected[present]
    spread = known.spread[present]
    usual = 1 / spread**2
    weights, relative = usual, np.ones(len(source))
    motion = procrustes(source, target, weights, scale=True)
    for _ in range(ROUNDS):
        relative = np.linalg.norm(motion.apply(source) - target, axis=1) / spread
        limit = 3 * max(1.0, float(np.median(relative)))
        weights = usual / (1 + (relative / limit) ** 2) ** 2
        motion = procrustes(source, target, weights, scale=True)
    return motion, float(np.median(relative))


def _is_line(points: np.ndarray) -> bool:
    sizes = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return bool(sizes[1] <= 1e-6 * sizes[0])


def _unit_problem(motion: Similarity) -> Iterator[str]:
    if SIZES[0] <= motion.scale <= SIZES[1]:
        return
    unit = unit_of_length(FACE_MM / motion.scale, FACE_MM)
    size = f"the face is {1 / motion.scale:.3g} times the size of an average one in mm"
    yield f"{size}; are these {unit}?" if MILLIMETRES[unit] != 1 else size


def _stray_problems(
    aligned: np.ndarray, away: np.ndarray, strays: np.ndarray, known: _Known, rules: LandmarkOrder
) -> Iterator[str]:
    settled = set()
    for place in strays.tolist():
        if place in settled:
            continue
        to_others = np.linalg.norm(aligned[place] - known.expected, axis=1)
        from_others = np.linalg.norm(aligned - known.expected[place], axis=1)
        fits = (to_others < known.reach) & (from_others < known.reach[place])
        partners = [int(k) for k in strays if fits[k]]
        name = rules.title(int(known.numbers[place]))
        if partners:
            other = min(partners, key=lambda k: to_others[k] + from_others[k])
            settled |= {place, other}
            yield f"points {name} and {rules.title(int(known.numbers[other]))} are exchanged"
        else:
            yield f"point {name} lies {away[place]:.0f} mm from its expected place"


def _step_problems(aligned: np.ndarray, known: _Known, strays: set[int]) -> Iterator[str]:
    """Neighbours too far apart, or on one spot; steps at strays are no news."""
    for line in known.lines:
        for first, second in line.steps():
            a, b = line.rows[first], line.rows[second]
            if {a, b} & strays:
                continue
            found = float(np.linalg.norm(aligned[b] - aligned[a]))
            usual = float(np.linalg.norm(line.expected[second] - line.expected[first]))
            names = f"points {line.numbers[first]} and {line.numbers[second]} of the {line.name}"
            if found < 1e-3 * usual:
                yield f"{names} are on one spot"
            elif found > LONG_STEP * usual + LONG_STEP_MM:
                yield f"{names} are {found:.0f} mm apart, usually {usual:.0f} mm"
