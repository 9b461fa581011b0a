"""Scans in any orientation and any bad state, to see whether a face is found without landmarks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from meshgan.apps.benchmarks.register_faces import ORDER, FacesToScan
from meshgan.apps.benchmarks.registration_clutter import (
    clutter_around,
    ellipsoid,
    facing,
    random_rotation,
)
from meshgan.arrays import Faces, Vertices
from meshgan.data.importers.base import MeasuredLandmarks
from meshgan.data.synthetic.scanner import ScanSettings, SyntheticScan, join_meshes
from meshgan.geometry.alignment import Similarity
from meshgan.geometry.mesh import TriMesh
from meshgan.seeding import generator

SEED = 17
FIRST_PERSON = 100  # those before are scanned by ``bench register``
EXPRESSIVE = 0.5  # share of the cases
SHIFT_MM = 400.0
FEW_FACES, FAR_MM = 3_000, (350.0, 700.0)
BEYOND_MIDDLE_MM = (-5.0, 15.0)  # where a scan of half a face ends
SIDE_DEG = (35.0, 55.0)

CASES: dict[str, ScanSettings] = {
    "clean": ScanSettings(noise_mm=0.0, holes=0, spikes=0.0, fragments=0),
    "noise": ScanSettings(noise_mm=0.8),
    "holes": ScanSettings(holes=25, hole_radius_mm=(8.0, 18.0)),
    "clutter": ScanSettings(),  # hair, ears, neck, shoulders, walls
    "fragments": ScanSettings(fragments=60),
    "spikes": ScanSettings(spikes=0.05),
    "decimated": ScanSettings(faces=FEW_FACES),
    "far part": ScanSettings(),  # a thing as large as a head, somewhere else
    "half": ScanSettings(),  # nothing beyond the middle of the face
    "side": ScanSettings(),  # seen from one side only
}
KINDS = tuple(CASES)


@dataclass(frozen=True, eq=False)
class Case:
    """A scan with the true places of its landmarks.

    Args:
        kind: one of ``KINDS``.
        source: whose faces they are.
        scan: mm.
        landmarks: where the 68 are (68, 3), mm, also those on parts that the scan lacks.
        vertices: where the template's vertices belong (V, 3), mm.
    """

    kind: str
    source: FacesToScan
    scan: TriMesh
    landmarks: MeasuredLandmarks
    vertices: Vertices


def make_case(number: int, sources: Sequence[FacesToScan], faces: int | None = None) -> Case:
    """Case ``number``: the kinds take turns, after each round of kinds the sources do.

    Args:
        number: from 0; decides all that is random.
        sources: faces.
        faces: triangles of the scan, other than its kind has them (tests).
    """
    rng = generator(SEED, "registration cases", number)
    kind = KINDS[number % len(KINDS)]
    source = sources[number // len(KINDS) % len(sources)]
    settings = replace(CASES[kind], landmark_noise_mm=0.0)
    if faces is not None:
        settings = replace(settings, faces=faces)
    expressive = bool(rng.random() < EXPRESSIVE)
    made = source.scan(FIRST_PERSON + number, settings, expressive)
    points, triangles = _changed(kind, made, rng)
    pose = Similarity(random_rotation(rng), rng.uniform(-SHIFT_MM, SHIFT_MM, 3))
    landmarks = MeasuredLandmarks(ORDER, pose.apply(made.landmarks))
    vertices = pose.apply(made.vertices[: source.template.vertex_count])
    return Case(kind, source, TriMesh(pose.apply(points), triangles), landmarks, vertices)


def _changed(kind: str, made: SyntheticScan, rng: np.random.Generator) -> tuple[Vertices, Faces]:
    points, triangles = made.mesh.vertices, made.mesh.faces
    if kind == "clutter":
        around = clutter_around(made.pose.inverse().apply(made.vertices), rng)
        parts = [(made.pose.apply(part), ids) for part, ids in around]
        return join_meshes([(points, triangles), *parts])
    if kind == "far part":
        away = rng.normal(size=3)
        away *= rng.uniform(*FAR_MM) / np.linalg.norm(away)
        radii = rng.uniform(50, 120, 3).tolist()
        thing = ellipsoid(points.mean(axis=0), away.tolist(), radii, rng, 1.5)
        return join_meshes([(points, triangles), thing])
    side = rng.choice([-1.0, 1.0])
    if kind == "half":
        at = made.pose.inverse().apply(points)[:, 0]
        middle = made.pose.inverse().apply(made.landmarks)[27:31, 0].mean()  # bridge of the nose
        kept = side * (at - middle) < rng.uniform(*BEYOND_MIDDLE_MM)
        return points, triangles[kept[triangles].all(axis=1)]
    if kind == "side":
        yaw = side * np.deg2rad(rng.uniform(*SIDE_DEG))
        view = made.pose.rotation @ np.array([np.sin(yaw), 0.0, np.cos(yaw)])
        return points, facing(points, triangles, view)
    return points, triangles
