"""A crude scanner: any face mesh as a raw scan with holes, spikes and fragments, truth known."""

from dataclasses import dataclass
from typing import cast

import igl
import numpy as np
from jaxtyping import Float, Int

from meshgan.arrays import Faces, VertexIds, Vertices
from meshgan.errors import InputError
from meshgan.geometry.alignment import Similarity
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.operators import face_areas
from meshgan.geometry.rigid_icp import rotation_from_vector
from meshgan.geometry.subdivision import loop_matrix
from meshgan.geometry.topology import half_edges, vertex_adjacency

RESAMPLED_EDGES = 0.3  # how far a vertex wanders on the surface, in its edge lengths
FINER = 1.5  # the surface that is scanned has at least this many times the scan's triangles
FRAGMENT_RINGS = 3
FRAGMENT_MM = (8.0, 40.0)  # how far fragments float from where they were


@dataclass(frozen=True)
class ScanSettings:
    """How bad a scan is.

    Args:
        faces: triangles before anything is removed; near two for each vertex.
        noise_mm: standard deviation along the normal.
        holes: how many; each removes all within ``hole_radius_mm`` (a range) of a random vertex.
        hole_radius_mm: see ``holes``.
        spikes: share of the vertices that stand out by ``spike_mm`` (a range), either way.
        spike_mm: see ``spikes``.
        fragments: small pieces of surface that float in space.
        rotation_deg: largest angle of the random rotation; its axis has any direction.
        shift_mm: largest coordinate of the random translation.
        landmark_noise_mm: standard deviation of measured landmarks along each axis.
    """

    faces: int = 30_000
    noise_mm: float = 0.2
    holes: int = 5
    hole_radius_mm: tuple[float, float] = (5.0, 10.0)
    spikes: float = 0.005
    spike_mm: tuple[float, float] = (3.0, 15.0)
    fragments: int = 10
    rotation_deg: float = 8.0
    shift_mm: float = 15.0
    landmark_noise_mm: float = 1.0


@dataclass(frozen=True, eq=False)
class SyntheticScan:
    """A scan and the truth about it; all positions in the scan's frame, mm, float64.

    Args:
        mesh: the scan; shares no vertex with the face it was made from.
        vertices: true positions (V, 3) of the face's vertices on ``surface``.
        surface: what the scanner saw, before noise: the face subdivided (Loop), which smooths a
            little: its vertices are about 0.2 mm from ``pose.apply`` of those given.
        landmarks: noisy measured landmarks (L, 3) in the order of the ids given.
        pose: takes the face given to the scan's frame.
    """

    mesh: TriMesh
    vertices: Vertices
    surface: TriMesh
    landmarks: Float[np.ndarray, "L 3"]
    pose: Similarity


def scan_face(
    vertices: Vertices,
    faces: Faces,
    rng: np.random.Generator,
    settings: ScanSettings | None = None,
    landmarks: VertexIds | None = None,
) -> SyntheticScan:
    """Scan a face: subdivide, remesh, add noise, holes, spikes and fragments, and move it.

    Args:
        vertices: the face (V, 3), mm.
        faces: its triangles (F, 3), an oriented manifold.
        rng: where the chance comes from.
        settings: how bad the scan is.
        landmarks: vertex ids to be measured, (L,); none if None.

    Raises:
        InputError: the face has no triangles, or the settings leave none.
    """
    settings = settings or ScanSettings()
    if not len(faces) or settings.faces < 4:
        raise InputError(
            f"scan_face: {len(faces):,} triangles to scan and {settings.faces:,} wanted; "
            "expected some of both"
        )
    pose = random_pose(rng, settings.rotation_deg, settings.shift_mm)
    truth = pose.apply(np.asarray(vertices, dtype=np.float64))
    smooth, smooth_faces = _subdivided(truth, faces, settings.faces)
    points, triangles = _remeshed(smooth, smooth_faces, settings.faces, rng)
    normals = _normals(points, triangles)
    points = points + normals * rng.normal(0, settings.noise_mm, (len(points), 1))
    _add_spikes(points, normals, settings, rng)
    floating = _fragments(points, triangles, normals, settings.fragments, rng)
    triangles = _with_holes(points, triangles, settings, rng)
    points, triangles = join_meshes([(points, triangles), *floating])
    used, triangles = np.unique(triangles, return_inverse=True)
    ids = np.zeros(0, dtype=np.int64) if landmarks is None else landmarks
    truth = smooth[: len(truth)]  # Loop keeps the old vertices first
    measured = truth[ids] + rng.normal(0, settings.landmark_noise_mm, (len(ids), 3))
    return SyntheticScan(
        mesh=TriMesh(points[used], triangles.reshape(-1, 3).astype(np.int64)),
        vertices=truth,
        surface=TriMesh(smooth, smooth_faces),
        landmarks=measured,
        pose=pose,
    )


def random_pose(rng: np.random.Generator, rotation_deg: float, shift_mm: float) -> Similarity:
    """A rotation about a random axis by up to an angle, and a shift by up to a length per axis."""
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    rotation = rotation_from_vector(axis * np.deg2rad(rng.uniform(0, rotation_deg)))
    return Similarity(rotation, rng.uniform(-shift_mm, shift_mm, 3))


def join_meshes(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Several meshes as one, in order, not connected."""
    counts = np.cumsum([0] + [len(points) for points, _ in parts])
    return (
        np.concatenate([points for points, _ in parts]),
        np.concatenate(
            [triangles + first for (_, triangles), first in zip(parts, counts, strict=False)]
        ).astype(np.int64),
    )


def _subdivided(vertices: Vertices, faces: Faces, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """Loop steps, one at least, until there are clearly more triangles than the scan gets."""
    while True:
        matrix, faces = loop_matrix(len(vertices), faces)
        vertices = matrix @ vertices
        if len(faces) >= FINER * wanted:
            return vertices, faces


def _remeshed(
    vertices: Vertices, faces: Faces, wanted: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Other triangles on the same surface; inner vertices then wander along it."""
    points, triangles, _, _ = igl.qslim(vertices, faces, wanted)
    points, triangles = np.asarray(points), np.asarray(triangles, dtype=np.int64)
    sides = half_edges(triangles)
    lengths = np.linalg.norm(points[sides[:, 0]] - points[sides[:, 1]], axis=1)
    count = np.bincount(sides[:, 0], minlength=len(points))
    near = np.bincount(sides[:, 0], lengths, len(points)) / np.maximum(count, 1)
    step = rng.normal(size=points.shape) * (RESAMPLED_EDGES / np.sqrt(3)) * near[:, None]
    edges, counts = np.unique(np.sort(sides, axis=1), axis=0, return_counts=True)
    step[edges[counts == 1].ravel()] = 0  # the outline stays
    _, _, moved = igl.point_mesh_squared_distance(points + step, vertices, faces)
    moved = np.asarray(moved)
    turned = (_face_normals(moved, triangles) * _face_normals(points, triangles)).sum(axis=1) < 0
    back = np.unique(triangles[turned])
    moved[back] = points[back]
    keep = face_areas(moved, triangles) > 0
    return moved, triangles[keep]


def _face_normals(vertices: Vertices, faces: Faces) -> Float[np.ndarray, "F 3"]:
    first, second, third = (vertices[faces[:, corner]] for corner in range(3))
    return np.cross(second - first, third - first)


def _normals(vertices: Vertices, faces: Faces) -> Vertices:
    normals = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(normals, faces[:, corner], _face_normals(vertices, faces))
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)


def _add_spikes(
    points: Vertices, normals: Vertices, settings: ScanSettings, rng: np.random.Generator
) -> None:
    spiky = np.flatnonzero(rng.random(len(points)) < settings.spikes)
    heights = rng.uniform(*settings.spike_mm, len(spiky)) * rng.choice([-1.0, 1.0], len(spiky))
    points[spiky] += heights[:, None] * normals[spiky]


def _with_holes(
    points: Vertices, faces: Faces, settings: ScanSettings, rng: np.random.Generator
) -> np.ndarray:
    gone = np.zeros(len(points), dtype=bool)
    for _ in range(settings.holes):
        centre = points[rng.integers(len(points))]
        radius = rng.uniform(*settings.hole_radius_mm)
        gone |= np.linalg.norm(points - centre, axis=1) < radius
    kept = faces[~gone[faces].any(axis=1)]
    if not len(kept):
        raise InputError(f"scan_face: {settings.holes} holes leave nothing of the face")
    return kept


def _fragments(
    points: Vertices,
    faces: Faces,
    normals: Vertices,
    count: int,
    rng: np.random.Generator,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Copies of small patches, off the surface and turned."""
    adjacency = vertex_adjacency(len(points), faces)
    return [_fragment(points, faces, normals, adjacency, rng) for _ in range(count)]


def _fragment(points, faces, normals, adjacency, rng) -> tuple[np.ndarray, np.ndarray]:
    seed = int(rng.choice(faces.ravel()))
    inside = _rings(adjacency, seed, len(points))
    patch = faces[inside[faces].all(axis=1)]
    used, local = np.unique(patch, return_inverse=True)
    axis = rng.normal(size=3)
    turn = rotation_from_vector(axis / np.linalg.norm(axis) * rng.uniform(0, np.pi / 2))
    away = normals[seed] + 0.5 * rng.normal(size=3)
    shift = rng.uniform(*FRAGMENT_MM) * away / np.linalg.norm(away)
    centre = points[used].mean(axis=0)
    moved = (points[used] - centre) @ turn.T + centre + shift
    return moved, cast(Int[np.ndarray, "F 3"], local.reshape(-1, 3).astype(np.int64))


def _rings(adjacency, seed: int, count: int) -> np.ndarray:
    inside = np.zeros(count)
    inside[seed] = 1
    for _ in range(FRAGMENT_RINGS):
        inside += adjacency @ inside
    return inside > 0
