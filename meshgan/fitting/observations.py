"""What users observe, as a fit needs it: arrays, meshes, units and names become tensors in mm."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.data.landmark_check import check_landmark_order
from meshgan.data.mesh_io import MILLIMETRES
from meshgan.data.template import Template
from meshgan.errors import InputError, ShapeError
from meshgan.fitting.named_points import PointsLike, find_points
from meshgan.fitting.points import SurfacePoints
from meshgan.geometry.mesh import TriMesh

log = logging.getLogger(__name__)

Array = np.ndarray | Tensor
MeshesLike = TriMesh | Sequence[TriMesh] | Float[Array, "V 3"] | Float[Array, "B V 3"]
FATAL = ("left and right are exchanged, or", "is it another order", "; are these")


@dataclass(frozen=True, eq=False)
class Observed:
    """Landmarks of B faces with their places on the surface.

    Args:
        points: L of them.
        targets: (B, L, C), mm or pixels.
        weights: (B, L), or (L,), or None.
    """

    points: SurfacePoints
    targets: Float[Tensor, "B L C"]
    weights: Tensor | None

    def check_camera(self, given: bool) -> None:
        """Refuse points in a picture without a camera, and a camera for points in space.

        Raises:
            InputError: one is given without the other.
        """
        flat = self.targets.shape[-1] == 2
        if flat and not given:
            raise InputError(
                "landmarks: two numbers per point are places in a picture; give a camera "
                "(camera=Camera(...), --camera weak)"
            )
        if given and not flat:
            raise InputError(
                "landmarks: a camera was given, but the points have three numbers; give pixels"
            )


def observe_landmarks(
    points: PointsLike,
    targets: Float[Array, "*B L C"],
    template: Template,
    weights: Float[Array, "... _"] | None = None,
    unit: str = "mm",
) -> Observed:
    """Bring measured landmarks and the names of their places into the form of a fit.

    Lists in a known order are compared with it.

    Args:
        points: see ``named_points.find_points``.
        targets: (L, C) of one face, or (B, L, C), in ``unit``; C = 2 for points in a picture.
        template: of the model.
        weights: (L,) or (B, L), of all measured points.
        unit: of points in space.

    Raises:
        InputError: no such name or unit; points in a known order whose left and right are
            exchanged, or that are of another unit or order.
        ShapeError: another number of targets than points.
    """
    if unit not in MILLIMETRES:
        raise InputError(f"unit {unit!r} is unknown; use {', '.join(MILLIMETRES)}")
    found = find_points(points, template)
    measured = _tensor(targets)
    measured = measured[None] if measured.ndim == 2 else measured
    if measured.ndim != 3 or measured.shape[1] != found.measured or measured.shape[2] not in (2, 3):
        raise ShapeError(
            f"landmarks: targets {tuple(measured.shape)}, expected ({found.measured}, 3) or "
            f"(faces, {found.measured}, 3){_hint(found.order)}"
        )
    if measured.shape[2] == 3:
        measured = measured * MILLIMETRES[unit]
        if found.order is not None:
            _check_order(measured, found.order)
    shares = None if weights is None else _tensor(weights)
    if shares is not None and shares.shape[-1] != found.measured:
        raise ShapeError(
            f"landmarks: {shares.shape[-1]} weights for {found.measured} points; one each"
        )
    rows = torch.from_numpy(found.rows)
    return Observed(found.points, measured[:, rows], None if shares is None else shares[..., rows])


def observe_meshes(meshes: MeshesLike, template: Template) -> Float[Tensor, "B V 3"]:
    """Registered meshes side by side.

    Raises:
        ShapeError: a mesh has another topology than the template.
        InputError: there is none.
    """
    if isinstance(meshes, TriMesh):
        meshes = [meshes]
    if isinstance(meshes, np.ndarray | Tensor):
        found = _tensor(meshes)
        return found[None] if found.ndim == 2 else found
    if not meshes:
        raise InputError("fit: no mesh given")
    for number, mesh in enumerate(meshes):
        same = mesh.vertex_count == template.vertex_count
        if not same or mesh.topology_hash != template.topology_hash:
            raise ShapeError(
                f"fit: mesh {number} has {mesh.vertex_count:,} vertices and {len(mesh.faces):,} "
                f"triangles{' in another connectivity' if same else ''}, the model's template "
                f"{template.name} {template.vertex_count:,} and {len(template.mesh.faces):,}; fit "
                "it as a scan (fit_scan, --scan), or register it first (meshgan register)"
            )
    return torch.from_numpy(np.stack([mesh.vertices for mesh in meshes]).astype(np.float32))


def _tensor(values: Array) -> Tensor:
    if isinstance(values, Tensor):
        return values.float()
    return torch.from_numpy(np.array(values, dtype=np.float32))


def _check_order(targets: Float[Tensor, "B L 3"], order: str) -> None:
    """Refuse lists that are certainly wrong, warn of what looks odd."""
    for number, face in enumerate(targets.cpu().double().numpy()):
        known = np.isfinite(face).all(axis=1)
        if int(known.sum()) < 4:
            continue
        problems = check_landmark_order(np.where(known[:, None], face, np.nan), order)
        where = f"landmarks of face {number}" if len(targets) > 1 else "landmarks"
        if fatal := [one for one in problems if any(sign in one for sign in FATAL)]:
            raise InputError(f"{where} ({order}): {fatal[0]}")
        for problem in problems[:3]:
            log.warning("fit: %s (%s): %s", where, order, problem)


def _hint(order: str | None) -> str:
    return "" if order is None else f": {order} has this many points, in its order"
