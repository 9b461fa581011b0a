"""Landmark sets without points of their own: on curves through the points of another set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.interpolate import CubicSpline
from scipy.spatial import KDTree

from meshgan.arrays import Vertices
from meshgan.errors import ConfigError

FINE = 200  # samples of a curve per point it goes through
Mixture = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Curve:
    """Some landmarks of a set: evenly spread along a smooth curve through points of another.

    Args:
        places: numbers of the landmarks, in the order of the curve.
        through: what the curve goes through, each a mixture of points: (number, weight), ....
            With as many places as mixtures, each place is its mixture.
    """

    places: tuple[int, ...]
    through: tuple[Mixture, ...]


def place_on_curves(
    curves: Sequence[Curve], base: Float[np.ndarray, "B 3"]
) -> Float[np.ndarray, "L 3"]:
    """Positions of all landmarks of a set.

    A landmark at which two curves meet is where the later one has it.

    Args:
        curves: which together have the places 0 to L - 1.
        base: the points that the curves go through.

    Raises:
        ConfigError: a place is missing, or a curve names a point that is not there.
    """
    found: dict[int, np.ndarray] = {}
    for curve in curves:
        names = [number for mixture in curve.through for number, _ in mixture]
        if max(names) >= len(base):
            raise ConfigError(f"a curve goes through point {max(names)}, but there are {len(base)}")
        points = np.stack(
            [sum(weight * base[number] for number, weight in mixture) for mixture in curve.through]
        )
        if len(points) != len(curve.places):
            points = _evenly(points, len(curve.places))
        found |= dict(zip(curve.places, points, strict=True))
    if missing := sorted(set(range(max(found, default=-1) + 1)) - set(found)):
        raise ConfigError(f"landmarks {missing} are on no curve")
    return np.stack([found[place] for place in range(len(found))])


def nearest_vertices(
    sets: Mapping[str, Sequence[Curve]], base: Int[np.ndarray, " B"], vertices: Vertices
) -> dict[str, Int[np.ndarray, " _"]]:
    """Vertex ids of sets of curves through the vertices ``base`` of a mesh.

    Raises:
        ConfigError: as ``place_on_curves``, or two landmarks of a set fall on one vertex.
    """
    tree = KDTree(vertices)
    ids = {}
    for name, curves in sets.items():
        try:
            points = place_on_curves(curves, vertices[base].astype(np.float64))
        except ConfigError as error:
            raise ConfigError(f"landmarks {name}: {error}") from error
        ids[name] = np.asarray(tree.query(points)[1], dtype=np.int64)
        shared = np.flatnonzero((ids[name][:, None] == ids[name]).sum(axis=1) > 1)
        if len(shared):
            raise ConfigError(f"landmarks {name}: {shared.tolist()} fall on the same vertices")
    return ids


def _evenly(points: np.ndarray, count: int) -> np.ndarray:
    """``count`` points at equal distances along a smooth curve, its two ends among them."""
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    at = np.concatenate([[0.0], np.cumsum(steps)])
    fine = CubicSpline(at, points, bc_type="natural")(np.linspace(0, at[-1], FINE * len(points)))
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1))])
    wanted = np.linspace(0, length[-1], count)
    return np.stack([np.interp(wanted, length, fine[:, axis]) for axis in range(3)], axis=1)
