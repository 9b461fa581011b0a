"""``bench register``: our registration beside those of trimesh, same scans, same landmarks.

Speed without accuracy says nothing here, so both kinds of error stand beside the times: of the
vertices against where they belong, and of the surface against the surface that was scanned. The
second hides the first: a template that slid along the face lies on it perfectly.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from meshgan.apps.benchmarks.register_faces import ORDER, FacesToScan, open_faces
from meshgan.arrays import Vertices
from meshgan.data.importers.base import MeasuredLandmarks
from meshgan.data.synthetic.scanner import ScanSettings, SyntheticScan
from meshgan.data.template import Template
from meshgan.errors import MissingExtraError
from meshgan.geometry.alignment import procrustes
from meshgan.geometry.closest_point import SurfaceIndex
from meshgan.geometry.folds import folded_faces
from meshgan.registration.register import Registrar

KINDS = {"neutral": False, "expressive": True}
COLUMNS = ("vertex_mean", "vertex_p95", "surface_mean", "surface_p95", "folded_elsewhere")
FEW_STEPS = {"amberg": [[0.01, 10, 0.5, 1]], "sumner": [[1, 0.001, 1.0, 1000, 0]]}

Method = Callable[[SyntheticScan], Vertices]


def run(rounds: int = 5, small: bool = False, faces: Path | None = None) -> dict[str, Any]:
    """Register ``rounds`` scans of neutral faces and as many of strong expressions.

    Args:
        rounds: scans of each kind.
        small: coarse scans of strong expressions and few steps of trimesh, to see that it runs.
        faces: ICT-FaceKit's folder or compact NPZ, whose faces are scanned; the default ones if
            None.
    """
    source = open_faces(faces)
    settings = ScanSettings(faces=4_000 if small else 30_000)
    ours = _our_methods(source.template)
    methods = {**ours, **_plain_methods(source.template, FEW_STEPS if small else {})}
    if not small:  # warm: what depends on the template alone is made once
        warming = source.scan(rounds, settings, False)
        for method in ours.values():
            method(warming)
    measured: dict[str, dict[str, list[list[float]]]] = {}
    kinds = {"expressive": True} if small else KINDS
    for kind, expressive in kinds.items():
        rows = measured[kind] = {name: [] for name in methods}
        for number in range(rounds):
            scan = source.scan(number, settings, expressive)
            for name, method in methods.items():
                rows[name].append(_measured(method, scan, source))
    times = {
        name: np.array([row[-1] for rows in measured.values() for row in rows[name]])
        for name in ("ours", "amberg")
    }
    ratio = times["amberg"] / times["ours"]
    return {
        "what": f"remeshed, noisy, holed scans of {source.name} faces, {rounds} each of "
        f"{' and '.join(kinds)} ones ({settings.faces:,} triangles before holes), to a template "
        f"of {source.template.vertex_count:,} vertices with {len(source.landmarks)} landmarks of "
        "1 mm noise; plain: trimesh nricp_amberg. Without landmarks we get the scan alone, "
        "trimesh the pose",
        "ms": 1000 * float(np.median(times["ours"])),
        "plain_ms": 1000 * float(np.median(times["amberg"])),
        "ratio": float(np.median(ratio)),
        "ratio_low": float(np.quantile(ratio, 0.25)),
        "ratio_high": float(np.quantile(ratio, 0.75)),
        "rounds": rounds,
        "errors_mm": {
            kind: {name: _means(found) for name, found in rows.items()}
            for kind, rows in measured.items()
        },
    }


def _measured(method: Method, scan: SyntheticScan, source: FacesToScan) -> list[float]:
    """Errors in mm (see ``COLUMNS``) and the seconds that one registration took."""
    began = time.perf_counter()
    vertices = method(scan)
    seconds = time.perf_counter() - began
    off = np.linalg.norm(vertices - scan.vertices[: len(vertices)], axis=1)
    beside = SurfaceIndex(scan.surface.vertices, scan.surface.faces).closest(vertices).distance
    folded = folded_faces(vertices, source.template.mesh.faces)
    errors = [off.mean(), np.percentile(off, 95), beside.mean(), np.percentile(beside, 95)]
    return [*map(float, errors), float((~source.at_rims[folded]).sum()), seconds]


def _means(rows: list[list[float]]) -> dict[str, float]:
    """Means over the scans, and the median of the seconds."""
    means = np.array(rows)[:, :-1].mean(axis=0).round(3).tolist()
    seconds = float(np.median(np.array(rows)[:, -1]))
    return dict(zip(COLUMNS, means, strict=True)) | {"seconds": round(seconds, 2)}


def _our_methods(template: Template) -> dict[str, Method]:
    registrar = Registrar(template)

    def register(scan: SyntheticScan, marked: bool) -> Vertices:
        landmarks = MeasuredLandmarks(ORDER, scan.landmarks) if marked else None
        return registrar.register(scan.mesh, landmarks).vertices.astype(np.float64)

    return {
        "ours": partial(register, marked=True),
        "ours_without_landmarks": partial(register, marked=False),
    }


def _plain_methods(template: Template, steps: Mapping[str, Any]) -> dict[str, Method]:
    """Those of trimesh, with its own default steps if ``steps`` has no others by name."""
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

    def register(name: str, scan: SyntheticScan, marked: bool = True) -> Vertices:
        places = scan.landmarks if marked else scan.vertices[ids]
        start = procrustes(rest[ids], places, scale=True).apply(rest)
        source = trimesh.Trimesh(start, template.mesh.faces, process=False)
        target = trimesh.Trimesh(scan.mesh.vertices, scan.mesh.faces, process=False)
        bend = {"amberg": nricp_amberg, "sumner": nricp_sumner}[name]
        if not marked:
            return bend(source, target, steps=steps.get(name))
        return bend(source, target, ids, scan.landmarks, steps=steps.get(name))

    return {
        "amberg": partial(register, "amberg"),
        "sumner": partial(register, "sumner"),
        "amberg_without_landmarks": partial(register, "amberg", marked=False),
    }
