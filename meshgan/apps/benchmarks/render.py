"""``bench render``: normal maps by the Warp kernels beside the exact z-buffer in plain torch."""

import time
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from meshgan import seeding
from meshgan.apps.benchmarks.disk import delaunay_disk
from meshgan.apps.benchmarks.timing import alternate
from meshgan.apps.open3d_probe import import_problem
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.visibility_backend import warp_visibility
from meshgan.pictures.normal_maps import NormalMaps

DIFFERENT = 1e-2  # in a component of the unit normal


def run(rounds: int = 7, small: bool = False) -> dict[str, Any]:
    """Time pictures of 224 x 224 pixels of changing surfaces of 9,000 vertices, unless ``small``.

    On a CUDA device where torch has one. If Open3D is installed, Embree's time for the same
    normals is given too: building its tree, casting the rays, interpolating.
    """
    vertex_count, size_px, batch = (300, 32, 2) if small else (9_000, 224, 32)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    mesh = delaunay_disk(vertex_count)
    faces, template = torch.from_numpy(mesh.faces), torch.from_numpy(mesh.vertices)
    vertices = _bent(mesh, batch).to(device)
    ours = NormalMaps(template, faces, size_px)
    plain = NormalMaps(template, faces, size_px, backend="torch")
    timing = alternate(
        lambda: _finish(ours.maps(vertices)), lambda: _finish(plain.maps(vertices)), rounds=rounds
    )
    difference = (ours.maps(vertices) - plain.maps(vertices)).abs().amax(dim=1)
    return {
        "what": f"normal maps of {size_px} x {size_px} pixels, {batch} surfaces of "
        f"{vertex_count:,} vertices, beside the plain z-buffer",
        "backend": "warp" if warp_visibility(device) else "torch",
        "device": device,
        "threads": torch.get_num_threads(),
        "ms_per_image": timing.ms / batch,
        "plain_ms_per_image": timing.plain_ms / batch,
        "embree_ms_per_image": _embree_ms(ours, vertices.cpu()),
        "pixels_that_differ": float((difference > DIFFERENT).double().mean()),
        **timing.as_dict(),
    }


def _bent(mesh: TriMesh, count: int) -> Float[Tensor, "B V 3"]:
    """The surface under ``count`` smooth displacements of some millimetres."""
    rng = seeding.generator(0, "bench render")
    assert mesh.uv is not None
    waves = np.cos(mesh.uv @ rng.normal(0, 8, (2, 12)) + rng.uniform(0, 6.3, 12))
    moves = np.einsum("vm,nmc->nvc", waves, rng.normal(size=(count, 12, 3)))
    return torch.from_numpy((mesh.vertices + moves).astype(np.float32))


def _finish(images: Tensor) -> None:
    if images.is_cuda:
        torch.cuda.synchronize()


def _embree_ms(maps: NormalMaps, vertices: Float[Tensor, "B V 3"]) -> float | None:
    if import_problem():
        return None
    from open3d import core
    from open3d.t.geometry import RaycastingScene, TriangleMesh

    faces = maps.faces.cpu().numpy()
    rays = core.Tensor.from_numpy(_rays(maps))
    seconds = []
    for positions in vertices.numpy():
        started = time.perf_counter()
        scene = RaycastingScene(nthreads=torch.get_num_threads())
        scene.add_triangles(positions, faces.astype(np.uint32))
        hit = scene.cast_rays(rays, nthreads=torch.get_num_threads())
        mesh = TriangleMesh(core.Tensor.from_numpy(positions), core.Tensor.from_numpy(faces))
        normals = mesh.compute_vertex_normals().vertex["normals"].numpy()
        found = hit["primitive_ids"].numpy()
        covered = found != RaycastingScene.INVALID_ID
        second, third = hit["primitive_uvs"].numpy()[covered].T[..., None]
        corners = normals[faces[found[covered].astype(np.int64)]]
        image = np.zeros((*found.shape, 3), dtype=np.float32)
        image[covered] = (
            (1 - second - third) * corners[:, 0] + second * corners[:, 1] + third * corners[:, 2]
        )
        seconds.append(time.perf_counter() - started)
    return 1000 * float(np.median(seconds))


def _rays(maps: NormalMaps) -> Float[np.ndarray, "S S 6"]:
    """Origin and direction of the ray through each pixel centre."""
    frame = maps.frame
    offset = ((np.arange(maps.size_px) + 0.5) / maps.size_px * 2 - 1) * frame.half_mm
    x, y = np.meshgrid(
        frame.pivot_mm[0] + frame.centre_mm[0] + offset,
        frame.pivot_mm[1] + frame.centre_mm[1] - offset,
    )
    far = np.full_like(x, frame.pivot_mm[2] + 1000)
    still = np.zeros_like(x)
    return np.stack([x, y, far, still, still, still - 1], axis=-1).astype(np.float32)
