"""``bench register``: our registration beside those of trimesh, same scans, same landmarks.

Speed without accuracy says nothing here, so both kinds of error stand beside the times: of the
vertices against where they belong, and of the surface against the surface that was scanned. The
second hides the first: a template that slid along the face lies on it perfectly.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from meshgan.arrays import Vertices
from meshgan.data.importers.base import MeasuredLandmarks
from meshgan.data.synthetic import FRESH_PEOPLE, FaceSource, open_source
from meshgan.data.synthetic.scanner import ScanSettings, SyntheticScan, scan_face
from meshgan.data.template import Template
from meshgan.errors import MissingExtraError
from meshgan.geometry.alignment import procrustes
from meshgan.geometry.closest_point import SurfaceIndex
from meshgan.registration.register import Registrar
from meshgan.seeding import generator

SEED = 11
ORDER = "ibug68"


def run(rounds: int = 5, small: bool = False) -> dict[str, Any]:
    """Register ``rounds`` scans of fresh default faces, neutral and with strong expressions."""
    source = open_source("low")
    methods = {"ours": _ours(source.template), **_plain_methods(source.template)}
    settings = ScanSettings(faces=4_000 if small else 30_000)
    measured: dict[str, list[list[float]]] = {name: [] for name in methods}
    if not small:  # warm
        _register_all(methods, _scan(source, rounds, settings, False), source.template, {})
    for number in range(rounds):
        scan = _scan(source, number, settings, expressive=number % 2 == 1)
        _register_all(methods, scan, source.template, measured)
    seconds = {name: np.array(rows)[:, 0] for name, rows in measured.items()}
    ratio = seconds["amberg"] / seconds["ours"]
    return {
        "what": f"{rounds} remeshed, noisy, holed scans of default faces (half of them with "
        f"expressions, {settings.faces:,} triangles before holes) to a template of "
        f"{source.template.vertex_count:,} vertices with 68 landmarks of 1 mm noise; plain: "
        "trimesh nricp_amberg",
        "ms": 1000 * float(np.median(seconds["ours"])),
        "plain_ms": 1000 * float(np.median(seconds["amberg"])),
        "ratio": float(np.median(ratio)),
        "ratio_low": float(np.quantile(ratio, 0.25)),
        "ratio_high": float(np.quantile(ratio, 0.75)),
        "rounds": rounds,
        "errors_mm": {name: _errors(rows) for name, rows in measured.items()},
    }


Method = Callable[[SyntheticScan], Vertices]


def _register_all(
    methods: dict[str, Method],
    scan: SyntheticScan,
    template: Template,
    measured: dict[str, list[list[float]]],
) -> None:
    """Time each method on one scan; nothing is kept where ``measured`` has no list (warming)."""
    surface = SurfaceIndex(scan.surface.vertices, scan.surface.faces)
    for name, method in methods.items():
        began = time.perf_counter()
        vertices = method(scan)
        seconds = time.perf_counter() - began
        off = np.linalg.norm(vertices - scan.vertices, axis=1)
        beside = surface.closest(vertices).distance
        if name in measured:
            row = [seconds, off.mean(), np.percentile(off, 95), beside.mean()]
            measured[name].append([*row, np.percentile(beside, 95)])


def _errors(rows: list[list[float]]) -> dict[str, float]:
    names = ("vertex_mean", "vertex_p95", "surface_mean", "surface_p95")
    means = np.array(rows)[:, 1:].mean(axis=0).round(3).tolist()
    return dict(zip(names, means, strict=True)) | {
        "seconds": round(float(np.median(np.array(rows)[:, 0])), 2)
    }


def _scan(
    source: FaceSource, number: int, settings: ScanSettings, expressive: bool
) -> SyntheticScan:
    rng = generator(SEED, "bench register", number)
    person = FRESH_PEOPLE + number
    vertices = source.neutral(SEED, person)
    if expressive:
        weights = np.zeros((1, len(source.action_names)))
        moved = rng.choice(len(source.action_names), 6, replace=False)
        weights[0, moved] = rng.uniform(0.3, 1.0, 6)
        vertices = source.express(SEED, person, weights)[0]
    ids = source.template.landmarks[ORDER]
    return scan_face(vertices.astype(np.float64), source.template.mesh.faces, rng, settings, ids)


def _ours(template: Template) -> Method:
    registrar = Registrar(template)

    def register(scan: SyntheticScan) -> Vertices:
        found = registrar.register(scan.mesh, MeasuredLandmarks(ORDER, scan.landmarks))
        return found.vertices.astype(np.float64)

    return register


def _plain_methods(template: Template) -> dict[str, Method]:
    try:
        import rtree  # noqa: F401 - trimesh looks for it when it searches closest points
        import trimesh
        from trimesh.registration import nricp_amberg, nricp_sumner
    except ImportError as error:
        raise MissingExtraError(
            "bench register compares with trimesh, which needs rtree; pip install meshgan[bench]"
        ) from error
    rest = template.mesh.vertices.astype(np.float64)
    ids = template.landmarks[ORDER]

    def method(function: Callable[..., Any]) -> Method:
        def register(scan: SyntheticScan) -> Vertices:
            start = procrustes(rest[ids], scan.landmarks, scale=True).apply(rest)
            source = trimesh.Trimesh(start, template.mesh.faces, process=False)
            target = trimesh.Trimesh(scan.mesh.vertices, scan.mesh.faces, process=False)
            return function(source, target, source_landmarks=ids, target_positions=scan.landmarks)

        return register

    return {"amberg": method(nricp_amberg), "sumner": method(nricp_sumner)}
