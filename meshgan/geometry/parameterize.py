"""Flatten a face to the unit square: fixed outline, harmonic or low-distortion inside."""

import logging
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Int

from meshgan.arrays import UV, Faces
from meshgan.errors import InputError
from meshgan.geometry.distortion import UVReport, flipped_triangles, report_uv
from meshgan.geometry.flattening import WEIGHTS, slim_map
from meshgan.geometry.holes import close_holes, outlines
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.operators import face_areas
from meshgan.geometry.square import (
    reflect,
    square_boundary,
    square_corners,
    symmetric_outline,
)
from meshgan.geometry.topology import Topology, describe, piece_sizes

log = logging.getLogger(__name__)

Method = Literal["harmonic", "slim", "mean_value", "uniform"]
TRIED: dict[str, tuple[str, ...]] = {  # weights in order of preference, until nothing flips
    "harmonic": ("cotangent", "intrinsic_delaunay", "mean_value", "uniform"),
    "slim": ("intrinsic_delaunay", "mean_value", "uniform"),
    "mean_value": ("mean_value", "uniform"),
    "uniform": ("uniform",),
}
NO_ANGLE = (
    1e-7  # double area over squared longest edge that float64 edge lengths cannot tell from 0
)


@dataclass(frozen=True, eq=False)
class UVMap:
    """A bijective map of a mesh to the unit square, with its report.

    Args:
        uv: texture coordinates (V, 2), float64, v up.
        method: the method asked for; ``report.weights`` says what it came to.
        report: flips, distortion, coverage, round trip.
    """

    uv: UV
    method: str
    report: UVReport


def parameterize(
    mesh: TriMesh,
    method: Method = "harmonic",
    mirror: Int[np.ndarray, " V"] | None = None,
    *,
    corners: Int[np.ndarray, " C"] | None = None,
    size_px: int = 64,
) -> UVMap:
    """Map a face to the unit square.

    The longest outline goes to the square's sides by arc length between four corner vertices.
    Other outlines (eyes, mouth) are holes: they are closed for the solution, each with a fan about
    a vertex at its centre, and stay holes in the map. Inside, ``harmonic`` minimises the Dirichlet
    energy with cotangent weights. These can flip triangles; then intrinsic Delaunay, mean-value
    and uniform weights are tried in turn, with a warning. ``slim`` goes on from there, outline
    pinned, to a map that squeezes no region.

    Args:
        mesh: one piece with an outline and no handle; mm.
        method: "harmonic", "slim", "mean_value" or "uniform".
        mirror: (V,) left-right partner of each vertex; makes the map symmetric, u to 1 - u, as
            far as the outlines are and no triangle flips.
        corners: vertex ids for (0, 0), (1, 0), (1, 1), (0, 1); by default the outline's vertices
            furthest along the diagonals of the frontal view.
        size_px: image size for the report's coverage and round trip.

    Raises:
        InputError: the mesh without its holes is no disk, the corners or the mirror map do not
            fit it, or every map flips triangles (as when a triangle has all corners on one side of
            the square).

    Source: Fernández Abrevaya et al. 2019, Sec. 5.1 (harmonic, square); Rabinovich et al. 2017
        (SLIM).
    Differs: arc length and corners are not given in the paper, nor what becomes of holes.
    """
    if method not in get_args(Method):
        raise InputError(f'uv: method is "{method}", expected one of {", ".join(get_args(Method))}')
    _check_surface(mesh)
    loops = outlines(mesh.vertices, mesh.faces)
    if mirror is not None:
        _check_mirror(mirror, mesh.vertex_count, corners)
    partner = mirror if mirror is not None and _outlines_agree(mirror, loops) else None
    corners = square_corners(mesh.vertices, loops[0], partner) if corners is None else corners
    outline, outline_uv = square_boundary(mesh.vertices, loops[0], corners)
    if partner is not None:
        outline_uv = symmetric_outline(outline, outline_uv, partner)
    closed = close_holes(mesh, partner)
    weights, uv, flipped_under = _first_bijective(closed.mesh, method, outline, outline_uv)
    if method == "slim":
        weights, uv = slim_map(closed.mesh, uv, outline, outline_uv, weights)
    if closed.mirror is not None:
        uv = _symmetrise(uv, closed.mesh.faces, closed.mirror)
    uv = uv[: mesh.vertex_count]
    report = report_uv(
        mesh.vertices,
        uv,
        mesh.faces,
        weights=weights,
        size_px=size_px,
        asymmetry=None if mirror is None else float(np.abs(uv - reflect(uv, mirror)).max()),
        flipped_under=flipped_under,
    )
    return UVMap(uv=uv, method=method, report=report)


def _check_surface(mesh: TriMesh) -> None:
    topology = describe(mesh.vertex_count, mesh.faces)
    manifold = topology.edge_manifold and topology.vertex_manifold and topology.oriented
    if (topology.components, topology.handles) == (1, 0) and manifold and topology.boundary_loops:
        return
    what_to_do = "close the handles or cut the mesh first"
    if topology.components > 1:
        sizes = piece_sizes(mesh.vertex_count, mesh.faces)
        shown = ", ".join(f"{size:,}" for size in sizes[:5]) + (", ..." if len(sizes) > 5 else "")
        what_to_do = (
            f"the pieces have {shown} vertices; keep one of them with --area largest_piece, or the "
            "front of a head with --area face (meshgan data import, meshgan template build)"
        )
    elif not topology.boundary_loops:
        what_to_do = "cut the front of a head out with --area face, or cut the mesh first"
    raise InputError(
        f"uv: the mesh is no disk, holes apart: {_found(topology)}; expected one oriented manifold "
        f"piece with an outline and no handle; {what_to_do}"
    )


def _found(topology: Topology) -> str:
    parts = [
        f"{topology.components} piece" + "s" * (topology.components != 1),
        f"{topology.boundary_loops} boundary loop" + "s" * (topology.boundary_loops != 1),
    ]
    if topology.handles is not None:
        parts.append(f"{topology.handles} handle" + "s" * (topology.handles != 1))
    if not topology.edge_manifold:
        parts.append("edges with more than two faces")
    elif not topology.vertex_manifold:
        parts.append("vertices where separate fans of faces touch")
    if not topology.oriented:
        parts.append("neighbouring faces with opposite orientation")
    return ", ".join(parts)


def _check_mirror(mirror: np.ndarray, vertex_count: int, corners: np.ndarray | None) -> None:
    ids = np.arange(vertex_count)
    if len(mirror) != vertex_count or mirror.min() < 0 or mirror.max() >= vertex_count:
        raise InputError(
            f"uv: the mirror map has {len(mirror):,} entries up to {mirror.max():,}, expected one "
            f"per vertex ({vertex_count:,})"
        )
    if wrong := int((mirror[mirror] != ids).sum()):
        raise InputError(f"uv: the mirror map does not return {wrong:,} vertices to themselves")
    if corners is not None and (mirror[corners] != np.asarray(corners)[[1, 0, 3, 2]]).any():
        raise InputError(
            f"uv: corners {[int(c) for c in corners]} are not mirror pairs; give left and right "
            "partners, or no mirror map"
        )


def _outlines_agree(mirror: np.ndarray, loops: list[np.ndarray]) -> bool:
    """Whether the reflection takes the outline to itself and holes to holes.

    It need not where quads that are cut one way on both sides end at an outline.
    """
    known = {frozenset(loop.tolist()) for loop in loops[1:]}
    astray = len(np.setdiff1d(mirror[loops[0]], loops[0]))
    lost = sum(frozenset(mirror[loop].tolist()) not in known for loop in loops[1:])
    if not astray and not lost:
        return True
    log.warning(
        "uv: the mirror map takes %d of %d outline vertices off the outline and %d of %d holes to "
        "where there is none; the map is not made symmetric",
        *(astray, len(loops[0]), lost, len(loops) - 1),
    )
    return False


def _symmetrise(uv: np.ndarray, faces: Faces, mirror: np.ndarray) -> np.ndarray:
    symmetric = 0.5 * (uv + reflect(uv, mirror))
    if flipped := int(flipped_triangles(symmetric, faces).sum()):
        log.warning(
            "uv: %d of %d triangles would flip in an exactly symmetric map; it is left off by %.2g",
            flipped,
            len(faces),
            np.abs(uv - symmetric).max(),
        )
        return uv
    return symmetric


def _first_bijective(
    mesh: TriMesh, method: str, outline: np.ndarray, outline_uv: np.ndarray
) -> tuple[str, np.ndarray, dict[str, int]]:
    flipped_under: dict[str, int] = {}
    for weights in _defined(mesh, TRIED[method]):
        uv = WEIGHTS[weights](mesh.vertices, mesh.faces, outline, outline_uv)
        flipped = flipped_triangles(uv, mesh.faces)
        if not flipped.any():
            for name, count in flipped_under.items():
                log.warning(
                    "uv: %d of %d triangles flip under %s weights; %s weights used",
                    *(count, mesh.face_count, name.replace("_", " "), weights.replace("_", " ")),
                )
            return weights, uv, flipped_under
        flipped_under[weights] = int(flipped.sum())
    counts = ", ".join(f"{count:,} under {name}" for name, count in flipped_under.items())
    on_side = _flat_ears(mesh.faces, outline, outline_uv)
    raise InputError(
        f"uv: {counts} weights of {mesh.face_count:,} triangles flip or collapse, expected none; "
        f"{len(on_side)} faces have all corners on one side of the square "
        f"(first: {on_side[:5].tolist()}); remove these faces or choose other corners"
    )


def _defined(mesh: TriMesh, names: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out weights that need angles if some triangles have none.

    libigl's Delaunay flips do not end on such triangles.
    """
    points = np.asarray(mesh.vertices, dtype=np.float64)[mesh.faces]
    longest = ((np.roll(points, -1, axis=1) - points) ** 2).sum(axis=2).max(axis=1)
    collapsed = int((2 * face_areas(mesh.vertices, mesh.faces) <= NO_ANGLE * longest).sum())
    kept = tuple(name for name in names if name not in ("cotangent", "intrinsic_delaunay"))
    if not collapsed or kept == names:
        return names
    log.warning(
        "uv: %d of %d triangles have no area and so no cotangents; %s weights used",
        *(collapsed, mesh.face_count, kept[0].replace("_", " ")),
    )
    return kept


def _flat_ears(faces: Faces, outline: np.ndarray, outline_uv: np.ndarray) -> np.ndarray:
    """Faces whose three corners lie on the same side of the square."""
    sides = np.zeros((int(faces.max()) + 1, 4), dtype=bool)
    near = 1e-12
    sides[outline] = np.hstack([outline_uv < near, outline_uv > 1 - near])
    shared = sides[faces].sum(axis=1) == 3
    return np.flatnonzero(shared.sum(axis=1))
