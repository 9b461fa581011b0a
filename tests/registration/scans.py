"""Raw scans with known truth, made from the ICT faces beside the repository where they exist."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from meshgan.data.synthetic.scanner import ScanSettings, join_meshes, scan_face
from meshgan.geometry.mesh import TriMesh

SHARED = Path(__file__).parents[2] / "../shared/data"
SETTINGS = ScanSettings()


@dataclass(frozen=True, eq=False)
class Truth:
    """True vertices of the ICT face (9409, 3) and noisy landmarks (68, 3), in the scan's frame."""

    vertices: np.ndarray
    landmarks: np.ndarray
    faces: np.ndarray
    surface: TriMesh


@lru_cache(maxsize=1)
def ict_faces() -> dict[str, np.ndarray]:
    path = SHARED / "ict_face_subset.npz"
    if not path.exists():
        pytest.skip("the ICT faces are not beside the repository")
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def make_scan(
    seed: int,
    expression: bool = False,
    clutter: bool = False,
    any_rotation: bool = False,
    yaw_deg: float | None = None,
    settings: ScanSettings = SETTINGS,
) -> tuple[TriMesh, Truth]:
    """A scan of a random ICT face.

    ``expression``: up to four expression shapes at once. ``clutter``: head, neck, shoulders and a
    wall around the face. ``any_rotation``: all orientations are equally likely. ``yaw_deg``: seen
    from that side only.
    """
    ict = ict_faces()
    rng = np.random.default_rng([seed, 3])
    vertices = ict["neutral"].astype(np.float64)
    vertices = vertices + np.tensordot(rng.normal(size=30), ict["identity_modes"], axes=1)
    if expression:
        vertices = vertices + np.tensordot(_expression(rng), ict["expression_modes"], axes=1)
    faces = ict["faces"].astype(np.int64)
    landmark_ids = ict["landmarks68"].astype(np.int64)
    scan = scan_face(vertices, faces, rng, settings, landmark_ids)
    points, triangles = scan.mesh.vertices, scan.mesh.faces
    around = clutter_around(vertices, rng) if clutter else []
    moved = [(scan.pose.apply(part), ids) for part, ids in around]
    points, triangles = join_meshes([(points, triangles), *moved])
    if yaw_deg is not None:
        points, triangles = seen_from(points, triangles, scan.pose.rotation, yaw_deg)
    turn = random_rotation(rng) if any_rotation else np.eye(3)
    shift = rng.uniform(-400, 400, 3) if any_rotation else np.zeros(3)
    surface = TriMesh(scan.surface.vertices @ turn.T + shift, scan.surface.faces)
    truth = Truth(scan.vertices @ turn.T + shift, scan.landmarks @ turn.T + shift, faces, surface)
    return TriMesh(points @ turn.T + shift, triangles), truth


def _expression(rng: np.random.Generator) -> np.ndarray:
    weights = np.zeros(53)
    shown = rng.choice(53, size=4, replace=False)
    weights[shown] = rng.uniform(0.2, 1.0, 4)
    return weights


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    """Uniform over all rotations."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else q * [1, 1, -1]


def seen_from(
    points: np.ndarray, triangles: np.ndarray, rotation: np.ndarray, yaw_deg: float
) -> tuple[np.ndarray, np.ndarray]:
    """Only triangles that face a viewer who stands ``yaw_deg`` beside the front."""
    yaw = np.deg2rad(yaw_deg)
    view = rotation @ [np.sin(yaw), 0.0, np.cos(yaw)]
    corners = points[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    seen = normals @ view > 0.15 * np.linalg.norm(normals, axis=1)
    return points, triangles[seen]


def ellipsoid(
    middle, offset, radii, rng=None, bumps_mm=0.0, rows=40
) -> tuple[np.ndarray, np.ndarray]:
    """A closed ellipsoid, bumpy like hair if wanted."""
    latitude = np.linspace(0, np.pi, rows + 2)[1:-1]
    longitude = np.linspace(0, 2 * np.pi, 2 * rows, endpoint=False)
    a, b = np.meshgrid(latitude, longitude, indexing="ij")
    unit = np.stack([np.sin(a) * np.sin(b), np.cos(a), np.sin(a) * np.cos(b)], axis=-1)
    unit = unit.reshape(-1, 3)
    points = unit * radii
    if rng is not None:
        points = points + unit * bumps_mm * rng.normal(size=(len(unit), 1))
    columns = 2 * rows
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij")
    here, right = row * columns + column, row * columns + (column + 1) % columns
    quads = np.stack([here, here + columns, right + columns, right], axis=-1).reshape(-1, 4)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return points + middle + np.asarray(offset), faces.astype(np.int64)


def wall(middle, offset, size, rows=40) -> tuple[np.ndarray, np.ndarray]:
    """A flat square that faces +z."""
    line = np.linspace(-size / 2, size / 2, rows)
    x, y = np.meshgrid(line, line)
    points = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1) + middle + np.asarray(offset)
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(rows - 1), indexing="ij")
    here = row * rows + column
    quads = np.stack([here, here + 1, here + rows + 1, here + rows], axis=-1).reshape(-1, 4)
    return points, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int64)


def clutter_around(
    face: np.ndarray, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Back of the head with hair, ears, neck, shoulders, and at times a wall or a ball."""
    middle = (face.min(axis=0) + face.max(axis=0)) / 2
    solid = [
        ellipsoid(middle, [0, 45, -70], [85, 118, 98], rng, rng.uniform(0, 3)),
        ellipsoid(middle, [0, -150, -75], [55, 90, 55]),
        ellipsoid(middle, [0, -270, -85], [rng.uniform(180, 240), 75, 90], rng, 1.0),
        ellipsoid(middle, [92, 10, -75], [8, 30, 18]),
        ellipsoid(middle, [-92, 10, -75], [8, 30, 18]),
    ]
    parts = [_outside(part, face) for part in solid]
    if rng.random() < 0.5:
        parts.append(wall(middle, [0, 0, -220], 600))
    if rng.random() < 0.3:
        parts.append(ellipsoid(middle + 40 * rng.normal(size=3), [220, 0, 0], [60, 60, 60]))
    return parts


def _outside(part: tuple[np.ndarray, np.ndarray], face: np.ndarray):
    """What a scanner would see of it: nothing in or right behind the face."""
    points, faces = part
    distance, _ = cKDTree(face).query(points)
    low, high = face.min(axis=0), face.max(axis=0)
    inside = ((points > low + 10) & (points < high))[:, :2].all(axis=1) & (points[:, 2] < high[2])
    inside &= (points[:, 2] > low[2] - 60) | (distance < 30)
    keep = ~(inside & (points[:, 2] > low[2] - 100))
    return points, faces[keep[faces].all(axis=1)]
