"""Cut a mesh along a level line: triangles on the line are split, so that the cut is clean."""

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from meshgan.arrays import Faces
from meshgan.errors import InputError, ShapeError
from meshgan.geometry.topology import unique_edges


def clip_mesh(
    faces: Faces, values: Float[np.ndarray, " V"], snap: float = 0.12
) -> tuple[sparse.csr_matrix, Int[np.ndarray, "G 3"]]:
    """Keep the part of a mesh where ``values`` (linear on each triangle) is below zero.

    Vertices closer to the cut than ``snap`` of an edge are taken to lie on it, which leaves no
    slivers. Kept vertices stay in their order, the new ones of the cut follow.

    Args:
        faces: triangles (F, 3).
        values: one number per vertex; the cut is where it is zero.
        snap: share of an edge, in [0, 0.5).

    Returns:
        Matrix (kept vertices, V) that carries any per-vertex quantity over, rows sum to 1, at
        most two entries each; the new faces.

    Raises:
        ShapeError: a face names a vertex that has no value.
        InputError: nothing is below zero, or ``snap`` is out of range.
    """
    if not 0 <= snap < 0.5:
        raise InputError(f"clip: snap is {snap}, expected 0 to below 0.5")
    if len(faces) and faces.max() >= len(values):
        raise ShapeError(
            f"clip: a face names vertex {int(faces.max()):,}, but there are {len(values):,} values"
        )
    edges = unique_edges(faces)
    values = _snapped(values, edges, snap)
    crossing = edges[values[edges[:, 0]] * values[edges[:, 1]] < 0]
    kept = _cut_faces(faces, values, _CutVertices(len(values), crossing))
    if len(kept) == 0:
        raise InputError("clip: no triangle lies on the kept side of the cut")
    share = values[crossing[:, 0]] / (values[crossing[:, 0]] - values[crossing[:, 1]])
    everything = sparse.vstack(
        [sparse.identity(len(values)), _between(crossing, share, len(values))]
    )
    used, renumbered = np.unique(kept, return_inverse=True)
    return everything.tocsr()[used], renumbered.reshape(-1, 3).astype(np.int64)


class _CutVertices:
    """The id of the new vertex on each crossing edge, either end first."""

    def __init__(self, first_id: int, crossing: np.ndarray) -> None:
        ids = range(first_id, first_id + len(crossing))
        self._ids = dict(zip(map(tuple, crossing.tolist()), ids, strict=True))

    def on(self, a: int, b: int) -> int:
        return self._ids[(a, b) if a < b else (b, a)]


def _snapped(values: np.ndarray, edges: np.ndarray, snap: float) -> np.ndarray:
    values = values.astype(np.float64)
    crossing = edges[values[edges[:, 0]] * values[edges[:, 1]] < 0]
    first, second = values[crossing[:, 0]], values[crossing[:, 1]]
    share = first / (first - second)
    values[crossing[share < snap, 0]] = 0.0
    values[crossing[share > 1 - snap, 1]] = 0.0
    return values


def _between(crossing: np.ndarray, share: np.ndarray, vertex_count: int) -> sparse.csr_matrix:
    rows = np.repeat(np.arange(len(crossing)), 2)
    weights = np.stack([1 - share, share], axis=1).ravel()
    shape = (len(crossing), vertex_count)
    return sparse.csr_matrix((weights, (rows, crossing.ravel())), shape=shape)


def _cut_faces(faces: Faces, values: np.ndarray, cut: _CutVertices) -> np.ndarray:
    corners = values[faces]
    whole = (corners <= 0).all(axis=1) & (corners < 0).any(axis=1)
    split = (corners < 0).any(axis=1) & (corners > 0).any(axis=1)
    pieces = [piece for face in faces[split].tolist() for piece in _split(face, values, cut)]
    return np.concatenate([faces[whole], np.array(pieces, dtype=np.int64).reshape(-1, 3)])


def _split(face: list[int], values: np.ndarray, cut: _CutVertices) -> list[list[int]]:
    """The one or two triangles of ``face`` on the kept side, oriented like it."""
    polygon = []
    for start, end in zip(face, face[1:] + face[:1], strict=True):
        if values[start] <= 0:
            polygon.append(start)
        if values[start] * values[end] < 0:
            polygon.append(cut.on(start, end))
    return [[polygon[0], *polygon[k : k + 2]] for k in range(1, len(polygon) - 1)]
