"""Which meshes are near which: exact, though most pairs are never compared.

The mean vertex distance is a norm, so the means over groups of vertices bound it from below
(Jensen): ``d(x, y) >= sum_g |g| / V * ||mean_g x - mean_g y||``. The bounds of all pairs cost a
twentieth of the distances and leave few pairs to compare.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int

from meshgan.errors import InputError, ShapeError
from meshgan.geometry.proximity import coherent_order, mean_vertex_distance

GROUPS = 256
TOGETHER = 16  # meshes compared at once: what a CPU's cache holds


@dataclass(frozen=True, eq=False)
class GroupedMeshes:
    """Meshes in memory with the means of their vertex groups.

    Args:
        vertices: (N, V, 3), float32, mm.
        means: of the groups, by axis (3, N, G).
        share: of the vertices that each group holds (G,).
        margin: by how much rounding may lift a bound, mm.
    """

    vertices: Float[np.ndarray, "N V 3"]
    means: Float[np.ndarray, "xyz N G"]
    share: Float[np.ndarray, " G"]
    margin: float

    @classmethod
    def of(
        cls,
        vertices: Float[np.ndarray, "N V 3"],
        order: Int[np.ndarray, " V"] | None = None,
        groups: int = GROUPS,
    ) -> "GroupedMeshes":
        """Take the means.

        Args:
            vertices: (N, V, 3), mm.
            order: in which neighbours on the surface are close; from the first mesh if None. Sets
                to be compared with each other need the same one (``vertex_order``).
            groups: how many; decides the speed, not the result.

        Raises:
            InputError: there is no mesh, or one is not finite.
        """
        vertices = np.ascontiguousarray(vertices, dtype=np.float32)
        if not len(vertices):
            raise InputError("neighbours: no meshes given, expected at least one")
        if bad := int((~np.isfinite(vertices).all(axis=(1, 2))).sum()):
            raise InputError(
                f"neighbours: {bad:,} of {len(vertices):,} meshes are not finite; "
                "the model may have diverged"
            )
        known = vertex_order(vertices, groups) if order is None else order
        count = min(groups, len(known))
        starts = np.arange(count + 1) * len(known) // count
        means = np.empty((3, len(vertices), len(starts) - 1), dtype=np.float32)
        for k, mesh in enumerate(vertices):
            means[:, k] = np.add.reduceat(mesh[known], starts[:-1], axis=0).T
        size = np.diff(starts)
        rounding = float(np.finfo(np.float32).eps) * (int(size.max()) + 64)
        margin = rounding * float(np.abs(vertices).max())
        share = (size / len(known)).astype(np.float32)
        return cls(vertices, means / size.astype(np.float32), share, margin)

    @property
    def count(self) -> int:
        """N."""
        return len(self.vertices)

    def bounds(self, others: "GroupedMeshes", k: int) -> Float[np.ndarray, " M"]:
        """Below the distance of mesh ``k`` to every mesh of ``others``, mm."""
        squared = np.float32(0)
        for own, theirs in zip(self.means, others.means, strict=True):
            difference = theirs - own[k]
            squared = squared + difference * difference
        return np.sqrt(squared) @ self.share

    def distances(
        self, others: "GroupedMeshes", k: int, ids: Int[np.ndarray, " b"]
    ) -> Float[np.ndarray, " b"]:
        """Distance of mesh ``k`` to some meshes of ``others``, mm."""
        found = np.empty(len(ids), dtype=np.float32)
        places = [*range(0, len(ids), TOGETHER), len(ids)]
        for start, end in pairwise(places):
            rows = others.vertices[ids[start:end]]
            found[start:end] = mean_vertex_distance(rows, self.vertices[k])
        return found


def vertex_order(
    vertices: Float[np.ndarray, "N V 3"], groups: int = GROUPS
) -> Int[np.ndarray, " V"]:
    """Order of the vertices that ``GroupedMeshes`` needs, from the first mesh."""
    return coherent_order(np.asarray(vertices[0]), groups)


def grouped_pair(
    first: Float[np.ndarray, "N V 3"], second: Float[np.ndarray, "M W 3"]
) -> tuple[GroupedMeshes, GroupedMeshes]:
    """Two sets of meshes that can be compared with each other.

    Raises:
        ShapeError: they have different numbers of vertices.
        InputError: one is empty or not finite.
    """
    if first.shape[1] != second.shape[1]:
        raise ShapeError(
            f"neighbours: meshes of {first.shape[1]:,} vertices against meshes of "
            f"{second.shape[1]:,}; give data of the model's template"
        )
    if not len(second):
        raise InputError("neighbours: no meshes given, expected at least one")
    order = vertex_order(second)
    return GroupedMeshes.of(first, order), GroupedMeshes.of(second, order)


def neighbour_radius(
    meshes: GroupedMeshes, neighbours: int, people: Int[np.ndarray, " N"] | None = None
) -> Float[np.ndarray, " N"]:
    """Distance (mm) of each mesh to its k-th nearest neighbour among the others.

    Args:
        meshes: N of them.
        neighbours: k, 1 or more.
        people: a number for each mesh; meshes of one person are not neighbours. All are if None.

    Raises:
        InputError: a mesh has fewer than k possible neighbours.
    """
    if neighbours < 1:
        raise InputError(f"neighbours: {neighbours}, expected 1 or more")
    whose = np.arange(meshes.count) if people is None else np.asarray(people)
    if len(whose) != meshes.count:
        raise ShapeError(f"neighbours: {len(whose):,} people for {meshes.count:,} meshes")
    radius = np.empty(meshes.count, dtype=np.float32)
    for k in range(meshes.count):
        possible = np.flatnonzero(whose != whose[k])
        if len(possible) < neighbours:
            raise InputError(
                f"neighbours: mesh {k:,} has {len(possible):,} possible neighbours, expected at "
                f"least {neighbours}; give more meshes"
            )
        bounds = meshes.bounds(meshes, k)[possible]
        radius[k] = _smallest(meshes, k, possible, bounds, neighbours)
    return radius


def _smallest(
    meshes: GroupedMeshes, k: int, possible: np.ndarray, bounds: np.ndarray, wanted: int
) -> np.float32:
    """The ``wanted``-th smallest distance of mesh ``k``: most promising first."""
    ascending = np.argsort(bounds, kind="stable")
    possible, bounds = possible[ascending], bounds[ascending]
    best = np.full(wanted, np.inf, dtype=np.float32)
    start = 0
    while start < len(possible) and bounds[start] - meshes.margin <= best[-1]:
        ids = possible[start : start + TOGETHER]
        best = np.sort(np.concatenate([best, meshes.distances(meshes, k, ids)]))[:wanted]
        start += TOGETHER
    return best[-1]


def inside_balls(
    queries: GroupedMeshes,
    query_radius: Float[np.ndarray, " Q"],
    centres: GroupedMeshes,
    centre_radius: Float[np.ndarray, " M"],
    k: int,
) -> tuple[Bool[np.ndarray, " M"], Bool[np.ndarray, " M"]]:
    """Which balls hold which centre, for query ``k`` and every centre.

    Returns:
        Whether the ball around each centre holds the query, and whether the query's ball holds
        each centre; a centre on the rim counts.
    """
    far = centres.margin + queries.margin
    reach = np.maximum(centre_radius, query_radius[k])
    ids = np.flatnonzero(queries.bounds(centres, k) - far <= reach)
    distance = queries.distances(centres, k, ids)
    in_theirs, in_own = np.zeros((2, centres.count), dtype=bool)
    in_theirs[ids] = distance <= centre_radius[ids]
    in_own[ids] = distance <= query_radius[k]
    return in_theirs, in_own
