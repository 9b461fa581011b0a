"""Raw scans with known truth, made from the ICT faces beside the repository where they exist."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from meshgan.apps.benchmarks.registration_clutter import clutter_around, facing, random_rotation
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
        yaw = np.deg2rad(yaw_deg)
        view = scan.pose.rotation @ np.array([np.sin(yaw), 0.0, np.cos(yaw)])
        triangles = facing(points, triangles, view)
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
