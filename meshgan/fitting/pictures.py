"""Faces from landmarks in pictures: pose, camera and codes in one solve."""

import logging
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.errors import InputError
from meshgan.fitting.cameras import Camera, Cameras, PicturePoints
from meshgan.fitting.checks import is_line
from meshgan.fitting.fit import Fit, summarise
from meshgan.fitting.landmarks import NOISE_MM2, START_WIDTH_MM, prepare
from meshgan.fitting.objective import LeastSquares
from meshgan.fitting.points import SurfacePoints
from meshgan.fitting.poses import SHIFT_MM, SIZE, PosedPoints, Poses
from meshgan.fitting.solvers import SolverName, solve
from meshgan.fitting.unknowns import check_determined
from meshgan.models.base import Codes, MeshModel

log = logging.getLogger(__name__)

USUAL_MM = 600.0  # from a camera to a face
DISTANCES_MM = (600.0, 300.0, 1500.0)  # tried where the focal length is unknown
ROUNDS = 6
FLAT = 0.05  # a direction in which points have less extent says nothing of a rotation
BEHIND, HEAD_DOWN = -0.2, -0.5


def fit_pictures(
    model: MeshModel,
    points: SurfacePoints,
    targets: Float[Tensor, "B L 2"],
    camera: Camera,
    regularisation: float | Mapping[str, float] = NOISE_MM2,
    weights: Float[Tensor, "... _"] | None = None,
    missing: bool = False,
    robust_mm: float | None = None,
    restarts: int = 1,
    solver: SolverName = "lm",
    iterations: int | None = None,
    rng: torch.Generator | None = None,
    start: Codes | None = None,
) -> Fit:
    """Minimise sum_i w_i rho(|P(R v_i(z) + t) - target_i|^2) + lambda |z|^2 over z, R, t and P.

    P is the projection of the camera. Distances in the picture are measured in mm at the face, so
    that lambda means what it means for points in space. One picture says little about depth:
    what it does not say, the model's average says. Landmarks along the jaw are where the outline
    of the face is seen, on another part of the cheek in each pose: give them a small weight
    unless the face looks straight into the camera.

    Args:
        model: decodes codes.
        points: which points of the surface.
        targets: where they were seen, pixels, x to the right and y down.
        camera: what is known of it.
        regularisation: as for ``fit_landmarks``.
        weights: as for ``fit_landmarks``.
        missing: take targets that are not finite for missing points.
        robust_mm: width of the Geman-McClure function rho, mm at the face.
        restarts: how many starts per face.
        solver: "lm", "adam" or "adam+lm".
        iterations: steps of the solver.
        rng: of the random starts.
        start: codes to start from instead.

    Returns:
        Poses take the model's frame to the camera's (``Fit.cameras``), mm; ``landmarks`` are the
        fitted points in pixels, ``landmark_rms_mm`` is at the distance of the face.

    Raises:
        InputError: too few points, all on one line, shares of the picture instead of pixels, or
            a face that would be seen from behind (left and right are exchanged).
        ShapeError: targets or weights do not fit the points.
    """
    setup = prepare(model, points, targets, regularisation, weights, missing, restarts, rng, start)
    mean, known, importance = setup.mean, setup.known, setup.importance
    _check_pixels(known, importance)
    centre = _centres(known, importance, camera)
    plane = (known - centre[:, None]) * known.new_tensor([1.0, -1.0])
    rotation, shift, pixels = _start(mean, plane, importance)
    notes = _judge(rotation, known, importance, mean)
    targets_mm = plane / pixels[:, None, None]
    middle = mean.mean(dim=0)
    weak = camera.kind == "weak"
    focal = not weak and camera.focal_px is None
    if weak or camera.focal_px is None:
        reach = torch.full_like(pixels, USUAL_MM)
    else:
        reach = camera.focal_px / pixels
    shift = torch.cat([shift / pixels[:, None], torch.zeros_like(shift[:, :1])], dim=1)
    if not weak:
        depth = (rotation @ middle)[:, 2] + reach  # the middle of the points at that distance
        shift = shift - torch.nn.functional.pad(depth[:, None], (2, 0))
    poses = Poses(rotation, shift, torch.ones_like(reach))
    posed = PosedPoints(setup.function, poses, middle, scale=weak)
    function = PicturePoints(posed, camera.kind, reach, focal)
    codes = setup.function.size
    free = setup.penalties.new_zeros(function.size - codes)
    if weak:
        free[5] = 1.0  # no picture says how far the face is: it stays where it begins
    penalties = torch.cat([setup.penalties, free])
    check_determined(importance, penalties, axes=2)
    first = torch.cat([setup.first, setup.first.new_zeros(len(setup.first), len(free))], dim=1)
    if focal:
        first = _several_distances(first, codes)
    problem = LeastSquares(function, targets_mm, importance, penalties, robust_mm)
    found = solve(problem, first, solver, iterations)
    if focal and not bool(found.converged.all()):
        notes.append(
            "landmarks: the picture does not tell the focal length; give it, or fit with weak "
            "perspective"
        )
    fit = replace(summarise(model, problem, found), notes=tuple(notes))
    assert fit.poses is not None
    scale = fit.poses.scale
    final = Poses(
        fit.poses.rotation, fit.poses.translation / scale[:, None], torch.ones_like(scale)
    )
    focal_px = pixels * (scale if weak else function.reaches(found.unknowns))
    cameras = Cameras(camera.kind, focal_px, centre)
    with torch.no_grad():
        shown = cameras.project(final.apply(setup.function(found.unknowns[:, :codes])))
    return replace(fit, poses=final, cameras=cameras, landmarks=shown)


def _several_distances(first: Float[Tensor, "n p"], codes: int) -> Float[Tensor, "m p"]:
    """Each start at several distances, with the focal length that shows the face as large."""
    copies = first.repeat_interleave(len(DISTANCES_MM), dim=0)
    distance = first.new_tensor(DISTANCES_MM).repeat(len(first))
    copies[:, codes + 5] = -(distance - USUAL_MM) / SHIFT_MM
    copies[:, -1] = (distance / USUAL_MM).log() / SIZE
    return copies


def _check_pixels(targets: Float[Tensor, "B L 2"], weights: Float[Tensor, "B L"]) -> None:
    if float((targets.abs().amax(dim=2) * (weights > 0)).max()) <= 2.0:
        raise InputError(
            "landmarks: all lie within 2 pixels; if they are shares of the picture, as MediaPipe "
            "gives them, multiply x by its width and y by its height (--image-size does)"
        )


def _centres(
    targets: Float[Tensor, "B L 2"], weights: Float[Tensor, "B L"], camera: Camera
) -> Float[Tensor, "B 2"]:
    if camera.middle is not None:
        return targets.new_tensor(camera.middle).expand(len(targets), 2)
    share = (weights / weights.sum(dim=1, keepdim=True))[..., None]
    return (share * targets).sum(dim=1)  # weak perspective is the same everywhere


def _start(
    mean: Float[Tensor, "L 3"], plane: Float[Tensor, "B L 2"], weights: Float[Tensor, "B L"]
) -> tuple[Float[Tensor, "B 3 3"], Float[Tensor, "B 2"], Float[Tensor, " B"]]:
    """Rotation, shift and pixels per mm of the mean face under weak perspective."""
    found = [
        _scaled_orthographic(
            mean.detach().cpu().double().numpy(),
            face.detach().cpu().double().numpy(),
            share.detach().cpu().double().numpy(),
        )
        for face, share in zip(plane, weights, strict=True)
    ]
    parts = (np.stack([one[k] for one in found]) for k in range(3))
    rotation, shift, pixels = (torch.from_numpy(part).to(plane) for part in parts)
    return rotation, shift, pixels


def _scaled_orthographic(
    mean: Float[np.ndarray, "L 3"],
    plane: Float[np.ndarray, "L 2"],
    weights: Float[np.ndarray, " L"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Minimise sum_i w_i |s R_12 x_i + t - p_i|^2, robustly: the affine solution made rigid."""
    share = weights
    for _ in range(ROUNDS):
        total = share.sum()
        x0, p0 = share @ mean / total, share @ plane / total
        root = np.sqrt(share)[:, None]
        left, extents, right = np.linalg.svd(root * (mean - x0), full_matrices=False)
        told = extents > FLAT * extents[0]
        affine = right[told].T @ (left[:, told].T @ (root * (plane - p0)) / extents[told, None])
        u, sizes, v = np.linalg.svd(affine.T, full_matrices=False)
        rows, pixels = u @ v, float(sizes.mean())
        shift = p0 - pixels * rows @ x0
        off = np.linalg.norm(pixels * mean @ rows.T + shift - plane, axis=1) / pixels
        share = weights / (1 + (off / START_WIDTH_MM) ** 2) ** 2 + 1e-6 * weights
    rotation = np.stack([rows[0], rows[1], np.cross(rows[0], rows[1])])
    return rotation, shift, np.array(pixels)


def _judge(
    rotation: Float[Tensor, "B 3 3"],
    targets: Float[Tensor, "B L 2"],
    weights: Float[Tensor, "B L"],
    mean: Float[Tensor, "L 3"],
) -> list[str]:
    notes = []
    for face in range(len(targets)):
        where = f"landmarks of face {face}" if len(targets) > 1 else "landmarks"
        known = (weights[face] > 0).cpu().numpy()
        seen = targets[face].detach().cpu().double().numpy()[known]
        if is_line(seen) or is_line(mean.detach().cpu().double().numpy()[known]):
            raise InputError(
                f"{where}: the {len(seen)} points lie on one line and fix no pose; add one off it"
            )
        if float(rotation[face, 2, 2]) < BEHIND:
            raise InputError(
                f"{where}: left and right are exchanged, or the picture is mirrored; the face "
                "would be seen from behind"
            )
        if float(rotation[face, 1, 1]) < HEAD_DOWN:
            notes.append(f"{where}: the face hangs upside down; y grows downwards in a picture")
    for note in notes:
        log.warning("fit: %s", note)
    return notes
