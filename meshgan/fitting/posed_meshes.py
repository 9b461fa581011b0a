"""Codes of whole registered meshes that stand anywhere."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.errors import ShapeError
from meshgan.fitting.fit import Fit
from meshgan.fitting.meshes import fit_meshes
from meshgan.fitting.poses import Poses
from meshgan.geometry.alignment import procrustes
from meshgan.models.base import Codes, MeshModel

ROUNDS = 12
STILL_MM = 0.005  # mean motion of the vertices by a new pose after which nothing changes
POSE_VERTICES = 2_000


def fit_posed_meshes(
    model: MeshModel,
    vertices: Float[Tensor, "B W 3"],
    regularisation: float | Mapping[str, float] = 1.0,
    scale: bool = False,
    restarts: int = 1,
    rng: torch.Generator | None = None,
    start: Codes | None = None,
) -> Fit:
    """Minimise sum_v |s R v(z) + t - target_v|^2 + lambda |z|^2 over z, R, t and, if asked, s.

    Codes and poses are found in turn: a pose is solved in closed form, and the codes of aligned
    faces say next to nothing about rigid motions, so that few turns are needed.

    Args:
        model: decodes codes.
        vertices: registered meshes, mm, in any pose.
        regularisation: lambda, mm^2 (sum over all vertices) per squared unit of code.
        scale: solve for a size of each face too.
        restarts: starts per mesh; the first is the mean face, the others are random.
        rng: of the random starts and of the part of the vertices; seed 0 if None.
        start: codes to start from instead.

    Raises:
        ShapeError: the meshes are not on the model's topology.
        InputError: a vertex is not finite, or lambda is negative.

    Source: Fernández Abrevaya et al. 2019, Eq. 13, with every vertex a landmark.
    """
    count = len(model.template_vertices)
    if vertices.ndim != 3 or vertices.shape[1:] != (count, 3):
        raise ShapeError(
            f"fit: meshes {tuple(vertices.shape)}, expected (B, {count:,}, 3): the model's "
            "topology; fit meshes of another one as scans (fit_scan, --scan), or register them"
        )
    poses = Poses.identity(len(vertices), model.template_vertices)
    if bool(vertices.isfinite().all()):
        mean = model.template_vertices[None].expand(len(vertices), -1, -1)
        poses = _poses(mean, vertices, scale)
    fit = None
    for _ in range(ROUNDS):
        local = poses.remove(vertices)
        fit = fit_meshes(model, local, regularisation, restarts, rng, start)
        restarts, start = 1, fit.codes
        new = _poses(fit.landmarks, vertices, scale)
        moved = (new.apply(fit.landmarks) - poses.apply(fit.landmarks)).norm(dim=2).mean(dim=1)
        poses = new
        if bool((moved < STILL_MM).all()):
            break
    assert fit is not None
    shown = poses.apply(fit.landmarks)
    rms = (shown - vertices.to(shown)).square().sum(dim=2).mean(dim=1).sqrt()
    return replace(fit, landmarks=shown, landmark_rms_mm=rms, poses=poses, solved=None)


def _poses(faces: Tensor, meshes: Tensor, scale: bool) -> Poses:
    """Best motions of faces onto meshes of the same topology."""
    some = slice(None, None, max(1, faces.shape[1] // POSE_VERTICES))
    pairs = zip(faces[:, some].cpu().double(), meshes[:, some].cpu().double(), strict=True)
    motions = [procrustes(one.numpy(), other.numpy(), scale=scale) for one, other in pairs]
    return Poses.of(motions, like=faces)
