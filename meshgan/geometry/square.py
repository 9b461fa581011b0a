"""The outline of a face on the border of the unit square."""

import logging
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int

from meshgan.arrays import UV, VertexIds, Vertices
from meshgan.errors import InputError

log = logging.getLogger(__name__)


def square_corners(
    vertices: Vertices, loop: VertexIds, mirror: Int[np.ndarray, " V"] | None = None
) -> Int[np.ndarray, "4"]:
    """Four outline vertices for the corners (0, 0), (1, 0), (1, 1), (0, 1) of the square.

    The vertices furthest along the diagonals of the frontal view (+x right, +y up); with a mirror
    map they come in mirror pairs. An outline that does not pass them in this order is cut into
    four equal lengths instead.
    """
    places = np.asarray(vertices, dtype=np.float64)[loop, :2]
    places = (places - places.mean(axis=0)) / np.maximum(np.ptp(places, axis=0), 1e-300)
    right_down, right_up = places @ (1.0, -1.0), places @ (1.0, 1.0)
    if mirror is None:
        ends = [right_up.argmin(), right_down.argmax(), right_up.argmax(), right_down.argmin()]
        corners = loop[ends]
    else:
        position = {int(vertex): k for k, vertex in enumerate(loop)}
        partner = np.array([position[int(vertex)] for vertex in mirror[loop]])
        bottom = loop[(right_down - right_up[partner]).argmax()]
        top = loop[(right_up - right_down[partner]).argmax()]
        corners = np.array([mirror[bottom], bottom, top, mirror[top]])
    if _in_order(loop, corners):
        return corners.astype(np.int64)
    log.warning("uv: the outline does not run around the frontal view; it is cut in four lengths")
    return _quarters(vertices, loop, int(right_up.argmin()))


def square_boundary(
    vertices: Vertices, loop: VertexIds, corners: Int[np.ndarray, " C"]
) -> tuple[Int[np.ndarray, " L"], Float[np.ndarray, "L 2"]]:
    """Lay an outline on the unit square's border, by arc length between the corners.

    Args:
        vertices: positions (V, 3), mm.
        loop: outline (L,) in the direction of the faces, as from ``boundary_loops``.
        corners: four vertex ids of it, for (0, 0), (1, 0), (1, 1), (0, 1).

    Returns:
        The outline from the first corner on (L,), and its UVs (L, 2).

    Raises:
        InputError: the corners are not four vertices of the outline in this order.
    """
    if len(corners) != 4 or not _in_order(loop, corners):
        raise InputError(
            f"uv: corners {[int(c) for c in corners]} are not four vertices of the outline "
            f"({len(loop):,} vertices) in the direction of the faces; choose others"
        )
    loop = np.roll(loop, -int(np.flatnonzero(loop == corners[0])[0]))
    stops = [int(np.flatnonzero(loop == corner)[0]) for corner in corners] + [len(loop)]
    closed = np.asarray(vertices, dtype=np.float64)[np.append(loop, loop[0])]
    length = np.linalg.norm(np.diff(closed, axis=0), axis=1)
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]], dtype=np.float64)
    uv = np.empty((len(loop), 2))
    for side in range(4):
        part = slice(stops[side], stops[side + 1])
        fraction = np.concatenate([[0], np.cumsum(length[part])[:-1]]) / length[part].sum()
        uv[part] = square[side] + fraction[:, None] * (square[side + 1] - square[side])
    return loop, uv


def reflect(uv: UV, mirror: Int[np.ndarray, " V"]) -> UV:
    """Where each vertex would lie if its mirror vertex decided: (1 - u, v) of the partner."""
    partner = uv[mirror]
    return np.stack([1 - partner[:, 0], partner[:, 1]], axis=1)


def symmetric_outline(
    outline: VertexIds, uv: Float[np.ndarray, "L 2"], mirror: Int[np.ndarray, " V"]
) -> Float[np.ndarray, "L 2"]:
    """Mean of an outline's UVs (L, 2) and their reflection: stays on the square's border.

    The corners must be mirror pairs, as from ``square_corners`` with the same mirror map.
    """
    spread = np.zeros((len(mirror), 2))
    spread[outline] = uv
    return (0.5 * (spread + reflect(spread, mirror)))[outline]


def _in_order(loop: VertexIds, corners: Int[np.ndarray, " C"]) -> bool:
    places = [np.flatnonzero(loop == corner) for corner in corners]
    if any(len(place) != 1 for place in places):
        return False
    steps = [(int(place[0]) - int(places[0][0])) % len(loop) for place in places]
    return all(a < b for a, b in pairwise(steps))


def _quarters(vertices: Vertices, loop: VertexIds, start: int) -> np.ndarray:
    loop = np.roll(loop, -start)
    points = np.asarray(vertices, dtype=np.float64)[np.append(loop, loop[0])]
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    return loop[[int(np.abs(length[:-1] - k / 4 * length[-1]).argmin()) for k in range(4)]]
