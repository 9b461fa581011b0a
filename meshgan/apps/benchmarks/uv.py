"""``bench uv``: the pixel lookup beside matplotlib's triangle finder."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from meshgan.apps.benchmarks.disk import delaunay_disk
from meshgan.apps.benchmarks.timing import alternate
from meshgan.arrays import UV, Faces
from meshgan.geometry.barycentric import barycentric_coordinates
from meshgan.geometry.rasterize import pixel_centres, rasterize_uv


def run(rounds: int = 7, small: bool = False) -> dict[str, Any]:
    """Time the lookup of an image from a UV map; the paper's sizes unless ``small``."""
    vertices, size_px = (300, 16) if small else (22_129, 64)
    mesh = delaunay_disk(vertices)
    uv, faces = mesh.uv, mesh.faces
    assert uv is not None
    timing = alternate(
        lambda: rasterize_uv(uv, faces, size_px),
        lambda: plain_lookup(uv, faces, size_px),
        rounds=rounds,
    )
    return {
        "what": f"UV lookup of {size_px} x {size_px} pixels on {mesh.face_count:,} triangles, "
        "beside matplotlib's triangle finder",
        **timing.as_dict(),
    }


def plain_lookup(
    uv: UV, faces: Faces, size_px: int
) -> tuple[Int[np.ndarray, "n n"], Float[np.ndarray, "n n 3"]]:
    """Face ids (-1: none found) and weights by a trapezoid map of the triangulation."""
    from matplotlib.tri import Triangulation

    centres = pixel_centres(size_px).reshape(-1, 2)
    finder = Triangulation(uv[:, 0], uv[:, 1], faces).get_trifinder()
    face_ids = np.asarray(finder(*centres.T))
    weights = barycentric_coordinates(centres, uv[faces[face_ids]])
    shape = (size_px, size_px)
    return face_ids.astype(np.int64).reshape(shape), weights.reshape(*shape, 3)
