"""Scan: a raw scan brought into a state in which it can be searched, or a word why it cannot."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import igl
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse.csgraph import connected_components

from meshgan.arrays import Faces, Vertices
from meshgan.data.mesh_formats.raw import RawMesh
from meshgan.errors import ShapeError
from meshgan.geometry.closest_point import SurfaceIndex
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.topology import half_edges, is_oriented, vertex_adjacency
from meshgan.registration.oriented_index import OrientedIndex
from meshgan.registration.point_cloud import mesh_points
from meshgan.registration.scan_cleaning import (
    drop_useless_faces,
    merge_duplicates,
    normals_and_areas,
)
from meshgan.registration.scan_units import UNITS_MM, find_unit

Status = Literal["ok", "empty", "too_small", "flat", "unit_unknown"]

FEWEST_POINTS = 200
SMALLEST_PIECE = 0.003  # share of the area; smaller pieces are dropped
WHOLE = 0.5  # pieces are dropped only beside one that has this share of the area
MM_PER_NORMAL = 10.0
INSIDE_OUT = (
    "its triangles faced inwards and were turned; a mirrored scan looks the same, only landmarks "
    "tell the two apart"
)
CLEARLY = 0.1  # how far from balanced the direction of the normals must be


@dataclass(frozen=True, eq=False)
class Scan:
    """A cleaned scan in millimetres.

    Axis letters: V vertices, F faces.

    Args:
        vertices: (V, 3), float64, mm; none if the status is not "ok".
        faces: (F, 3), int64, oriented outwards as far as can be told.
        normals: unit normals of the vertices (V, 3).
        areas: surface that belongs to each vertex (V,), mm^2.
        on_boundary: vertices at the rim of the surface (V,).
        source_ids: which raw vertex each one is (V,).
        unit: of the raw data; "mm", "cm", "m", "um".
        status: "ok"; "empty": no finite point; "too_small": fewer than 200; "flat": no extent in
            depth or no area; "unit_unknown": no unit makes it as large as a face.
        notes: what was found and changed, a sentence each.
    """

    vertices: Vertices
    faces: Faces
    normals: Float[np.ndarray, "V 3"]
    areas: Float[np.ndarray, " V"]
    on_boundary: Bool[np.ndarray, " V"]
    source_ids: Int[np.ndarray, " V"]
    unit: str
    status: Status = "ok"
    notes: tuple[str, ...] = field(default_factory=tuple)

    @cached_property
    def index(self) -> SurfaceIndex:
        """Finds closest points on the scan."""
        return SurfaceIndex(self.vertices, self.faces)

    @cached_property
    def oriented(self) -> OrientedIndex:
        """Finds vertices of the scan by place and direction."""
        return OrientedIndex(self.vertices, self.normals, self.on_boundary, MM_PER_NORMAL)

    @property
    def mesh(self) -> TriMesh:
        """Vertices and faces as a mesh."""
        return TriMesh(self.vertices, self.faces)

    @property
    def mm_per_unit(self) -> float:
        """Factor that took the raw coordinates to mm."""
        return UNITS_MM[self.unit]

    def turned_inside_out(self) -> "Scan":
        """The same scan with all triangles and normals reversed."""
        return Scan(
            self.vertices,
            np.ascontiguousarray(self.faces[:, ::-1]),
            -self.normals,
            self.areas,
            self.on_boundary,
            self.source_ids,
            self.unit,
            self.status,
            (*self.notes, INSIDE_OUT),
        )


def prepare_scan(
    scan: TriMesh | RawMesh | Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"] | None = None,
    unit: str | None = None,
) -> Scan:
    """Clean a raw scan; never refuses bad geometry with an exception, but with a status.

    Vertices that are not finite, triangles without area and tiny floating pieces are dropped,
    duplicates merged, the unit is checked against the size of a head, triangles are turned
    outwards. Points without triangles get a surface of their own. All of it is told in ``notes``.

    Args:
        scan: a mesh, what ``read_scan`` gives, or vertices (V, 3); they may hold NaN.
        faces: triangles (F, 3), with vertices only; none for a point cloud.
        unit: "mm", "cm", "m", "um" as stated by the source; None if unknown. A stated unit that
            makes no face of the scan gives way to one that does, and the notes say so.

    Raises:
        InputError: the unit is not known, or a face names a vertex that does not exist.
        ShapeError: triangles given twice.
    """
    if isinstance(scan, TriMesh | RawMesh):
        if faces is not None:
            raise ShapeError("prepare_scan: triangles beside a mesh, which has its own")
        scan, faces = scan.vertices, scan.faces
    notes: list[str] = []
    vertices = np.asarray(scan, dtype=np.float64)
    faces = np.zeros((0, 3), np.int64) if faces is None else np.asarray(faces, dtype=np.int64)
    was_mesh = len(faces) > 0
    vertices, faces, ids = merge_duplicates(vertices, faces, notes)
    if not len(ids):
        return _refused("empty", f"none of its {len(scan):,} vertices is finite", notes)
    if was_mesh:
        vertices, faces, ids = drop_useless_faces(vertices, faces, ids, notes)
    if len(vertices) < FEWEST_POINTS:
        what = "vertices with a surface" if was_mesh else "points"
        why = f"{len(vertices):,} {what}, expected at least {FEWEST_POINTS}"
        return _refused("too_small", why, notes)
    found = find_unit(vertices, unit, notes)
    if found is None:
        extent = float(np.linalg.norm(np.ptp(vertices, axis=0)))
        return _refused("unit_unknown", f"an extent of {extent:.4g} is no face in any unit", notes)
    vertices = vertices * UNITS_MM[found]
    if np.linalg.svd(vertices - vertices.mean(axis=0), compute_uv=False)[1] < 1e-6 * len(vertices):
        return _refused("flat", "all its points lie on a line", notes)
    if not was_mesh:
        vertices, faces, kept = mesh_points(vertices, notes)
        ids = ids[kept]
    vertices, faces, ids = _without_small_pieces(vertices, faces, ids, notes)
    if was_mesh:  # the fans of a point cloud have their directions from its normals
        faces = _facing_one_way(faces, notes)
    faces = _facing_outwards(vertices, faces, notes)
    normals, areas = normals_and_areas(vertices, faces)
    return Scan(
        vertices, faces, normals, areas, _rim(len(vertices), faces), ids, found, "ok", tuple(notes)
    )


def _refused(status: Status, why: str, notes: list[str]) -> Scan:
    none = np.zeros((0, 3))
    return Scan(
        vertices=none,
        faces=np.zeros((0, 3), np.int64),
        normals=none,
        areas=np.zeros(0),
        on_boundary=np.zeros(0, bool),
        source_ids=np.zeros(0, np.int64),
        unit="mm",
        status=status,
        notes=(*notes, why),
    )


def _without_small_pieces(
    vertices: Vertices, faces: Faces, ids: np.ndarray, notes: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    count, piece = connected_components(vertex_adjacency(len(vertices), faces), directed=False)
    if count < 2:
        return vertices, faces, ids
    _, areas = normals_and_areas(vertices, faces)
    share = np.bincount(piece, areas, count) / max(areas.sum(), 1e-12)
    if share.max() < WHOLE:
        notes.append(f"{count:,} pieces, none of them half of the surface; all are kept")
        return vertices, faces, ids
    small = share < SMALLEST_PIECE
    notes.append(
        f"{count:,} pieces, the largest with {share.max():.0%} of the surface; "
        f"{int(small.sum()):,} tiny ones dropped"
    )
    keep = ~small[piece]
    position = np.cumsum(keep) - 1
    return vertices[keep], position[faces[keep[faces[:, 0]]]], ids[keep]


def _facing_one_way(faces: Faces, notes: list[str]) -> Faces:
    """Triangles turned like their neighbours, each piece like most of it was."""
    if not is_oriented(faces):
        turned, patch = igl.bfs_orient(faces)
        turned = np.asarray(turned, dtype=np.int64)
        changed = (turned[:, [0, 1, 2]] != faces).any(axis=1)
        # A patch is left as it was where most of its triangles had to be turned.
        patch = np.asarray(patch).ravel()
        mostly = np.bincount(patch, changed) > 0.5 * np.bincount(patch)
        turned[mostly[patch]] = turned[mostly[patch]][:, ::-1]
        differing = int(((turned[:, [0, 1, 2]] != faces).any(axis=1)).sum())
        if differing:
            notes.append(f"{differing:,} triangles faced another way than their neighbours")
        return turned
    return faces


def _facing_outwards(vertices: Vertices, faces: Faces, notes: list[str]) -> Faces:
    """All triangles turned if the surface bulges the other way."""
    bulge = _bulge(vertices, faces)
    if bulge.sum() < -CLEARLY * np.abs(bulge).sum():
        notes.append(INSIDE_OUT)
        return np.ascontiguousarray(faces[:, ::-1])
    return faces


def _bulge(vertices: Vertices, faces: Faces) -> Float[np.ndarray, " F"]:
    """How far each triangle faces away from the middle of its piece: mm times area."""
    count, piece = connected_components(vertex_adjacency(len(vertices), faces), directed=False)
    corners = vertices[faces]
    vectors = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    weight, middle = np.linalg.norm(vectors, axis=1), corners.mean(axis=1)
    group = piece[faces[:, 0]]
    total = np.maximum(np.bincount(group, weight, count), 1e-12)
    centres = [np.bincount(group, weight * middle[:, axis], count) / total for axis in range(3)]
    return (vectors * (middle - np.stack(centres, axis=1)[group])).sum(axis=1)


def _rim(count: int, faces: Faces) -> Bool[np.ndarray, " V"]:
    sides = np.sort(half_edges(faces), axis=1)
    keys, times = np.unique(sides[:, 0] * count + sides[:, 1], return_counts=True)
    rim = np.zeros(count, dtype=bool)
    alone = keys[times == 1]
    rim[alone // count] = True
    rim[alone % count] = True
    return rim
