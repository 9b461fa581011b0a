"""``bench view``: what the viewer computes when a slider moves, beside the same written plainly."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from meshgan import seeding
from meshgan.apps.benchmarks.disk import delaunay_disk
from meshgan.apps.benchmarks.timing import alternate
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.normals import vertex_normals
from meshgan.models.generator import DecoupledGenerator
from meshgan.pictures.shading import STUDIO, light_surface, to_linear, to_srgb
from meshgan.pictures.vertex_colours import VertexPainter

FRONT = np.eye(3, dtype=np.float32)
CODES = {"identity": 65, "expression": 15, "noise": 5}
FRAME_MS = 50.0  # 20 updates a second


def run(rounds: int = 7, small: bool = False) -> dict[str, Any]:
    """Time one update of a face of 22,000 vertices, unless ``small``: decode, normals, light.

    The plain way decodes the same face, adds normals up triangle by triangle
    (``geometry.normals.vertex_normals``) and lights the same colours.
    """
    count = 300 if small else 22_000
    mesh = delaunay_disk(count)
    model = _generator(mesh, hidden=16 if small else 512)
    paint = np.full((count, 3), 0.6, dtype=np.float32)
    painter = VertexPainter(mesh.faces, count, paint)
    faces, albedo = torch.from_numpy(mesh.faces), to_linear(torch.from_numpy(paint))
    codes = model.sample_codes(1, seeding.torch_generator(0, "bench view"))

    def decode() -> torch.Tensor:
        with torch.inference_mode():
            return model.decode(codes)

    def ours() -> np.ndarray:
        vertices = decode()[0].numpy()
        return painter.skin(vertices, painter.normals(vertices), FRONT)

    def plain() -> np.ndarray:
        normals = vertex_normals(decode(), faces)[0]
        return to_srgb(light_surface(normals, albedo, STUDIO)).numpy()

    timing = alternate(ours, plain, rounds)
    decoded = decode()
    vertices = decoded[0].numpy()
    normals = painter.normals(vertices)
    return {
        "what": f"one update of a face of {count:,} vertices: decode, normals, light",
        "threads": torch.get_num_threads(),
        "updates_per_second": 1000 / timing.ms,
        "fast_enough": timing.ms <= FRAME_MS,
        "parts_ms": {
            "decode": _ms(decode, rounds),
            "normals": _ms(lambda: painter.normals(vertices), rounds),
            "light": _ms(lambda: painter.skin(vertices, normals, FRONT), rounds),
        },
        "plain_normals_ms": _ms(lambda: vertex_normals(decoded, faces), rounds),
        **timing.as_dict(),
    }


def _generator(mesh: TriMesh, hidden: int) -> DecoupledGenerator:
    factors = {name: ("one", "two") for name in CODES if name != "noise"}
    vertices = torch.from_numpy(mesh.vertices).float()
    model = DecoupledGenerator(
        vertices, torch.from_numpy(mesh.faces), factors, CODES, hidden=hidden
    )
    return model.eval().requires_grad_(False)


def _ms(job: Callable[[], object], rounds: int) -> float:
    return alternate(job, job, rounds).ms
