"""Can these landmarks be those of a face? Units, exchanged sides, points that fix nothing."""

import numpy as np
from jaxtyping import Float

from meshgan.data.mesh_io import MILLIMETRES, unit_of_length
from meshgan.errors import InputError
from meshgan.geometry.alignment import robust_procrustes

SIZES = (0.6, 1.67)  # of a face against the mean one, before another unit is suspected
FACE_MM = 100.0  # a face's size, for naming the unit
LINE = 0.02  # second against first extent of points that lie on one line
WIDTH_MM = 8.0  # landmarks that are farther off count less in the comparison with the mean face
MUCH_BETTER, LEAST_MISFIT_MM = 0.5, 4.0
NO_FACE_MM = 25.0
FEW_POINTS = 6
SMALL_SHARE = 0.35  # extent of the landmarks against that of the face
MOVED_MM = 30.0


def is_line(points: Float[np.ndarray, "P C"]) -> bool:
    """Whether points lie on one line, or on one spot, so that they fix no rotation."""
    if len(points) < 3:
        return True
    extents = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return bool(extents[1] <= LINE * max(extents[0], 1e-12))


def judge_landmarks(
    mean: Float[np.ndarray, "L 3"],
    targets: Float[np.ndarray, "L 3"],
    face_mm: float,
    pose: bool,
    where: str = "landmarks",
) -> list[str]:
    """What a user should know of the landmarks of one face before they are fitted.

    Args:
        mean: the points on the model's mean face, mm.
        targets: measured; a row that is not finite is missing.
        face_mm: extent of the whole face.
        pose: whether a pose is solved for.
        where: begins the messages.

    Returns:
        Warnings, a sentence each.

    Raises:
        InputError: the landmarks are of another unit than mm, left and right are exchanged, they
            are no face, or lie on one line while a pose is solved for.
    """
    known = np.isfinite(targets).all(axis=1)
    mean, targets = mean[known], targets[known]
    if is_line(targets) or is_line(mean):
        if pose:
            raise InputError(
                f"{where}: the {len(targets)} points lie on one line and fix no pose; add one off "
                "the line, or fit without a pose"
            )
        return [f"{where}: the points lie on one line; most of the face is a guess"]
    notes = _coverage_notes(mean, face_mm, where)
    _check_unit(_radius(targets) / max(_radius(mean), 1e-12), where)
    misfit = _misfit(targets, mean)
    if misfit > LEAST_MISFIT_MM:
        if _misfit(targets * [-1.0, 1.0, 1.0], mean) < MUCH_BETTER * misfit:
            raise InputError(
                f"{where}: left and right are exchanged, or the scan is mirrored; the points fit "
                "a mirror image of the face far better"
            )
        if misfit > NO_FACE_MM:
            raise InputError(
                f"{where}: half of the points are more than {misfit:.0f} mm from where the mean "
                "face has them, in the best pose; is it another order, or no face?"
            )
    away = float(np.median(np.linalg.norm(targets - mean, axis=1)))
    if not pose and away > MOVED_MM + misfit:
        notes.append(
            f"{where}: half of the points are more than {away:.0f} mm from the mean face, which a "
            "pose would explain; fit with a pose"
        )
    return notes


def _check_unit(size: float, where: str) -> None:
    if SIZES[0] <= size <= SIZES[1]:
        return
    unit = unit_of_length(FACE_MM * size, FACE_MM)
    found = f"{where}: the face is {size:.3g} times the size of the model's mean face"
    if MILLIMETRES[unit] == 1:
        raise InputError(f"{found}; lengths are mm")
    raise InputError(f'{found}: are these {unit}? give the unit (unit="{unit}", --unit {unit})')


def _radius(points: Float[np.ndarray, "P C"]) -> float:
    """Median distance from the middle: a size that a few mistakes do not change."""
    middle = np.median(points, axis=0)
    return float(np.median(np.linalg.norm(points - middle, axis=1)))


def _coverage_notes(mean: np.ndarray, face_mm: float, where: str) -> list[str]:
    notes = []
    if len(mean) < FEW_POINTS:
        notes.append(
            f"{where}: {len(mean)} points say little; most of the face is the model's average"
        )
    extent = float(np.linalg.norm(np.ptp(mean, axis=0)))
    if extent < SMALL_SHARE * face_mm:
        notes.append(
            f"{where}: all points lie within {extent:.0f} mm on a face of {face_mm:.0f} mm; the "
            "rest of the face is a guess"
        )
    return notes


def _misfit(targets: np.ndarray, mean: np.ndarray) -> float:
    """Median distance in the best similarity, mm."""
    moved = robust_procrustes(targets, mean, WIDTH_MM, scale=True).apply(targets)
    return float(np.median(np.linalg.norm(moved - mean, axis=1)))
