"""Orders of landmarks: which point of a list is which, in each of the mark-ups in use.

The one place that says which points of two orders are the same point of the face. Each order is
a small text file in ``data/templates/landmarks``; all are tied to ``fit85``, the largest set.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from meshgan.errors import FileFormatError, InputError
from meshgan.files import read_json

HUB = "fit85"
EXPECTED = "expected.json"  # written by tools/make_landmark_expectations.py
Pairs = tuple[Int[np.ndarray, " K"], Int[np.ndarray, " K"]]
_KEYS = {"count", "begins", "labels", "same_as_fit85", "slack_mm", "chains", "loops"}


@dataclass(frozen=True)
class Chain:
    """A line of neighbouring landmarks, in order: the jaw, a brow, an eye.

    Args:
        name: what messages call it; "right_..." and "left_..." belong together.
        places: numbers of the landmarks.
        closed: the last one is a neighbour of the first.
        slack_mm: how much mark-ups differ in where they place it.
    """

    name: str
    places: tuple[int, ...]
    closed: bool
    slack_mm: float = 0.0

    @property
    def title(self) -> str:
        """The name in words."""
        return self.name.replace("_", " ")


@dataclass(frozen=True, eq=False)
class LandmarkOrder:
    """A mark-up of L points.

    Args:
        name: "ibug68", "fit85", "bu83", "bosphorus24", "mediapipe478", ...
        count: L.
        labels: a name per point, or empty.
        chains: its lines.
        same_as_fit85: pairs (K, 2): number here, number in fit85.
        expected: where the points lie on an average face (L, 3), mm, in our axes; None if unknown.
        spread: root mean square deviation of random faces from there (L,), mm; None if unknown.
    """

    name: str
    count: int
    labels: tuple[str, ...]
    chains: tuple[Chain, ...]
    same_as_fit85: Int[np.ndarray, "K 2"]
    expected: Float[np.ndarray, "L 3"] | None
    spread: Float[np.ndarray, " L"] | None

    def title(self, place: int) -> str:
        """How messages call a point: its number, and its label if it has one."""
        return f'{place} ("{self.labels[place]}")' if self.labels else str(place)

    @property
    def mirror(self) -> Int[np.ndarray, " L"]:
        """For every point its left-right partner, itself on the midline.

        ``points[order.mirror]`` is a list with the names of left and right exchanged.

        Raises:
            InputError: it is not known where the points of this order lie.
        """
        if self.expected is None:
            raise InputError(f"landmarks {self.name}: the left-right partners are not known")
        gaps = self.expected[:, None] * [-1.0, 1.0, 1.0] - self.expected[None]
        return np.linalg.norm(gaps, axis=2).argmin(axis=1).astype(np.int64)


def order_names() -> tuple[str, ...]:
    """Names of all known orders."""
    return tuple(sorted(path.stem for path in _folder().glob("*.toml")))


@cache
def landmark_order(name: str) -> LandmarkOrder:
    """The order of a name.

    Raises:
        InputError: there is no such order.
        FileFormatError: its file is damaged.
    """
    if name not in order_names():
        known = ", ".join(order_names())
        raise InputError(f"landmarks {name!r}: there is no such order; known: {known}")
    path = _folder() / f"{name}.toml"
    table = _read(path)
    try:
        count = int(table["count"])
        if "begins" in table:
            return _beginning(name, count, landmark_order(table["begins"]))
        chains = [(key, places, False) for key, places in table.get("chains", {}).items()]
        chains += [(key, places, True) for key, places in table.get("loops", {}).items()]
        slack = table.get("slack_mm", {})
        points, spread = _expected(name)
        pairs = table.get("same_as_fit85", [[k, k] for k in range(count)])
        return LandmarkOrder(
            name,
            count,
            tuple(table.get("labels", ())),
            tuple(
                Chain(key, tuple(places), closed, float(slack.get(key, 0.0)))
                for key, places, closed in chains
            ),
            np.array(pairs, dtype=np.int64).reshape(-1, 2),
            points,
            spread,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FileFormatError(f"{path}: not an order of landmarks ({error!r})") from error


def common_points(first: str, second: str) -> Pairs:
    """Which points of two orders are the same point of the face.

    Args:
        first: name of an order.
        second: name of another, or the same.

    Returns:
        Numbers in the first order (K,), ascending, and in the second (K,), int64; K may be 0.

    Raises:
        InputError: there is no such order.
    """
    a, b = landmark_order(first), landmark_order(second)
    if _family(first) == _family(second):
        same = np.arange(min(a.count, b.count))
        return same, same.copy()
    by_hub = dict(b.same_as_fit85[:, ::-1].tolist())
    pairs = [(here, by_hub[hub]) for here, hub in a.same_as_fit85.tolist() if hub in by_hub]
    found = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def match_sets(order: str, sets: Mapping[str, Int[np.ndarray, " _"]]) -> Pairs:
    """The points of an order that a template knows, by the set that knows most of them.

    Args:
        order: of the measured landmarks.
        sets: vertex ids by name of set: ``Template.landmarks``. Names that are no order count
            only if they equal ``order``.

    Returns:
        Numbers of measured landmarks (K,), and the template's vertices for them (K,).

    Raises:
        InputError: no set shares a point with the order.
    """
    if order in sets:
        ids = np.asarray(sets[order], dtype=np.int64)
        return np.arange(len(ids)), ids
    best: Pairs | None = None
    for name in sorted(set(sets) & set(order_names())):
        here, there = common_points(order, name)
        if len(here) and (best is None or len(here) > len(best[0])):
            best = here, np.asarray(sets[name], dtype=np.int64)[there]
    if best is None:
        raise InputError(
            f"landmarks {order}: none of them is in the template's sets "
            f"({', '.join(sets) or 'it has none'})"
        )
    return best


def _folder() -> Path:
    """Where the orders are: in the installed package, or beside it in a source checkout."""
    package = Path(str(files("meshgan")))
    for data in (package / "data", package.parent / "data"):
        if (data / "templates" / "landmarks").is_dir():
            return data / "templates" / "landmarks"
    raise FileFormatError(f"{package}: holds no data/templates/landmarks; reinstall meshgan")


def _read(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FileFormatError(f"{path}: not a readable TOML file ({error})") from error
    if unknown := sorted(set(table) - _KEYS):
        raise FileFormatError(f"{path}: {', '.join(unknown)} is not known")
    return table


@cache
def _family(name: str) -> str:
    """The order that this one is the beginning of, or itself."""
    return _read(_folder() / f"{name}.toml").get("begins", name)


def _beginning(name: str, count: int, whole: LandmarkOrder) -> LandmarkOrder:
    return LandmarkOrder(
        name,
        count,
        whole.labels[:count],
        tuple(chain for chain in whole.chains if max(chain.places) < count),
        whole.same_as_fit85[whole.same_as_fit85[:, 0] < count],
        None if whole.expected is None else whole.expected[:count],
        None if whole.spread is None else whole.spread[:count],
    )


def _expected(name: str) -> tuple[np.ndarray | None, np.ndarray | None]:
    known = read_json(_folder() / EXPECTED).get(name)
    if known is None:
        return None, None
    return np.array(known["points_mm"]), np.array(known["spread_mm"])
