"""Fewer vertices by half-edge collapse: what stays is a subset of what was, hence corresponds."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from meshgan.arrays import Faces, Vertices
from meshgan.errors import InputError
from meshgan.geometry.topology import boundary_loops

MIDLINE_MM = 1e-6


@dataclass(frozen=True)
class Subset:
    """A coarser mesh on some of the vertices of a finer one.

    ``kept``: ids in the finer mesh, ascending. ``faces``: triangles over positions in ``kept``.
    """

    kept: Int[np.ndarray, " W"]
    faces: Faces


@dataclass(frozen=True)
class MirroredSubset:
    """A coarser, exactly symmetric mesh: one half of the finer mesh and its reflection.

    Its vertices are ``half`` (ids in the finer mesh with x >= 0), then the reflections of
    ``half[doubled]``, those that are not on the midline.

    ``faces``: triangles over all of them. ``mirror``: for each vertex the id of its reflection.
    """

    half: Int[np.ndarray, " H"]
    doubled: Int[np.ndarray, " D"]
    faces: Faces
    mirror: Int[np.ndarray, " W"]


def collapse_edges(
    vertices: Vertices,
    faces: Faces,
    target: int,
    *,
    size: Float[np.ndarray, " V"] | None = None,
    count_as: Float[np.ndarray, " V"] | None = None,
    protected: Sequence[int] | Int[np.ndarray, " P"] = (),
) -> Subset:
    """Remove vertices, shortest edges first, until ``target`` are left.

    A vertex moves onto a neighbour only if the surface keeps its topology, no triangle turns by
    more than about 75 degrees, and none becomes a sliver. Boundary vertices slide along the
    boundary. The result depends on the input alone.

    Args:
        vertices: positions (V, 3), mm.
        faces: triangles (F, 3) of an oriented manifold with boundary.
        target: vertices that should be left, at least; more are left if no collapse is allowed.
        size: wanted edge length at each vertex, relative; all the same if None.
        count_as: how many vertices each stands for; one if None.
        protected: ids that must stay.
    """
    mesh = _Collapsing(vertices, faces, np.asarray(protected, dtype=np.int64))
    size = np.ones(len(vertices)) if size is None else size
    count_as = np.ones(len(vertices)) if count_as is None else count_as
    queue = mesh.queue(size)
    left = float(count_as.sum())
    while left > target and queue:
        _, first, second = heapq.heappop(queue)
        if not mesh.is_edge(first, second):
            continue
        crowded_last = sorted((first, second), key=lambda vertex: len(mesh.near[vertex]))
        for gone, stays in (crowded_last, crowded_last[::-1]):
            if mesh.allows(gone, stays):
                for entry in mesh.collapse(gone, stays, size):
                    heapq.heappush(queue, entry)
                left -= count_as[gone]
                break
    return mesh.result()


def simplify_mirrored(
    vertices: Vertices,
    faces: Faces,
    target: int,
    *,
    size: Float[np.ndarray, " V"] | None = None,
    protected: Sequence[int] | Int[np.ndarray, " P"] = (),
) -> MirroredSubset:
    """Simplify the half x >= 0 of a symmetric mesh and reflect it.

    The plane x = 0 must run along edges. Its vertices stay on it, and the two ends of the midline
    stay where they are.

    Args:
        vertices: positions (V, 3), mm, symmetric about x = 0.
        faces: triangles (F, 3).
        target: vertices of the whole result; met to within one where collapses allow.
        size: wanted relative edge length at each vertex, read on the half x >= 0.
        protected: ids with x >= 0 that must stay.

    Raises:
        InputError: a triangle crosses the midline.
    """
    on_midline = np.abs(vertices[:, 0]) < MIDLINE_MM
    side = np.where(on_midline, 0, np.sign(vertices[:, 0]))
    if bad := int(((side[faces].max(axis=1) > 0) & (side[faces].min(axis=1) < 0)).sum()):
        raise InputError(f"simplify: {bad:,} triangles cross the plane x = 0, expected none")
    half_faces = faces[side[faces].max(axis=1) > 0]
    ids, local = np.unique(half_faces, return_inverse=True)
    local = local.reshape(-1, 3)
    position = np.full(len(vertices), -1)
    position[ids] = np.arange(len(ids))
    wanted = position[np.asarray(protected, dtype=np.int64)]
    subset = collapse_edges(
        np.where(on_midline[ids, None], [0.0, 1.0, 1.0], 1.0) * vertices[ids],
        local,
        target,
        size=None if size is None else size[ids],
        count_as=np.where(on_midline[ids], 1.0, 2.0),
        protected=np.concatenate([wanted, _midline_ends(local, on_midline[ids])]),
    )
    return _reflected(ids[subset.kept], subset.faces, on_midline)


def _midline_ends(faces: Faces, on_midline: np.ndarray) -> np.ndarray:
    """Corners of the half mesh: where its boundary leaves the midline."""
    ends = []
    for loop in boundary_loops(faces):
        inside = on_midline[loop]
        ends.append(loop[inside & ~(np.roll(inside, 1) & np.roll(inside, -1))])
    return np.concatenate(ends)


def _reflected(half: np.ndarray, half_faces: Faces, on_midline: np.ndarray) -> MirroredSubset:
    doubled = np.flatnonzero(~on_midline[half])
    across = np.arange(len(half))
    across[doubled] = len(half) + np.arange(len(doubled))
    faces = np.concatenate([half_faces, across[half_faces][:, [0, 2, 1]]])
    return MirroredSubset(half, doubled, faces, np.concatenate([across, doubled]))


class _Collapsing:
    """A mesh that loses vertices: neighbours and faces of each vertex, boundary edges."""

    def __init__(self, vertices: Vertices, faces: Faces, protected: np.ndarray) -> None:
        count = len(vertices)
        self.points = vertices.tolist()
        self.faces: list[list[int]] = faces.tolist()
        self.dropped: set[int] = set()
        self.near: list[set[int]] = [set() for _ in range(count)]
        self.around: list[set[int]] = [set() for _ in range(count)]
        for index, (a, b, c) in enumerate(faces.tolist()):
            for vertex, others in ((a, (b, c)), (b, (c, a)), (c, (a, b))):
                self.near[vertex].update(others)
                self.around[vertex].add(index)
        self.gone = [False] * count
        self.border: set[tuple[int, int]] = set()
        self.on_border = [False] * count
        self.fixed = [False] * count
        for loop in boundary_loops(faces):
            self._add_border(loop.tolist())
        for vertex in protected.tolist():
            self.fixed[vertex] = True

    def _add_border(self, loop: list[int]) -> None:
        for vertex, after in zip(loop, loop[1:] + loop[:1], strict=True):
            self.border.add(_key(vertex, after))
            self.on_border[vertex] = True

    def queue(self, size: np.ndarray) -> list[tuple[float, int, int]]:
        entries = [
            self._entry(a, b, size) for a, near in enumerate(self.near) for b in near if a < b
        ]
        heapq.heapify(entries)
        return entries

    def _entry(self, a: int, b: int, size: np.ndarray) -> tuple[float, int, int]:
        a, b = _key(a, b)
        length = _length2(self.points[a], self.points[b]) ** 0.5
        return (length / float(size[a] + size[b]), a, b)

    def is_edge(self, a: int, b: int) -> bool:
        return not self.gone[a] and not self.gone[b] and b in self.near[a]

    def allows(self, gone: int, stays: int) -> bool:
        along_border = _key(gone, stays) in self.border
        if self.fixed[gone] or (self.on_border[gone] and not along_border):
            return False
        if len(self.near[gone] & self.near[stays]) != (1 if along_border else 2):
            return False  # link condition: anything else would pinch the surface
        return all(
            stays in self.faces[index] or self._stays_good(self.faces[index], gone, stays)
            for index in self.around[gone]
        )

    def _stays_good(self, face: list[int], gone: int, stays: int) -> bool:
        before = [self.points[v] for v in face]
        after = [self.points[stays if v == gone else v] for v in face]
        normal_before, normal_after = _area_vector(before), _area_vector(after)
        area_before, area_after = _norm(normal_before), _norm(normal_after)
        turn = sum(p * q for p, q in zip(normal_before, normal_after, strict=True))
        if area_after < 1e-9 or turn < 0.25 * area_before * area_after:
            return False
        shape_after = area_after / _longest2(after)
        return shape_after >= 0.22 or shape_after >= area_before / _longest2(before)

    def collapse(self, gone: int, stays: int, size: np.ndarray) -> list[tuple[float, int, int]]:
        """Move ``gone`` onto ``stays``; returns the new edges for the queue."""
        for index in list(self.around[gone]):
            face = self.faces[index]
            if stays in face:
                for vertex in face:
                    self.around[vertex].discard(index)
                self.dropped.add(index)
            else:
                self.faces[index] = [stays if v == gone else v for v in face]
                self.around[stays].add(index)
        entries = []
        for other in sorted(self.near[gone] - {stays}):
            if _key(gone, other) in self.border:
                self.border.discard(_key(gone, other))
                self.border.add(_key(stays, other))
            self.near[other].discard(gone)
            self.near[other].add(stays)
            self.near[stays].add(other)
            entries.append(self._entry(stays, other, size))
        self.border.discard(_key(gone, stays))
        self.near[stays].discard(gone)
        self.near[gone].clear()
        self.around[gone].clear()
        self.gone[gone] = True
        return entries

    def result(self) -> Subset:
        kept = np.flatnonzero(~np.array(self.gone))
        position = np.full(len(self.gone), -1)
        position[kept] = np.arange(len(kept))
        left = [face for k, face in enumerate(self.faces) if k not in self.dropped]
        faces = np.array(left, dtype=np.int64)
        return Subset(kept, position[faces.reshape(-1, 3)])


def _key(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a < b else (b, a)


def _length2(p: list[float], q: list[float]) -> float:
    return (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2 + (p[2] - q[2]) ** 2


def _longest2(corners: list[list[float]]) -> float:
    p, q, r = corners
    return max(_length2(p, q), _length2(q, r), _length2(r, p))


def _area_vector(corners: list[list[float]]) -> tuple[float, float, float]:
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = corners
    ux, uy, uz, wx, wy, wz = bx - ax, by - ay, bz - az, cx - ax, cy - ay, cz - az
    return (uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx)


def _norm(vector: tuple[float, float, float]) -> float:
    return (vector[0] ** 2 + vector[1] ** 2 + vector[2] ** 2) ** 0.5
