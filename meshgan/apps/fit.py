"""``meshgan fit``: codes, pose and mesh of faces of which landmarks, a mesh or a scan are given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from meshgan.apps.face_model import FaceModel
from meshgan.apps.fit_inputs import (
    read_landmark_files,
    read_photograph,
    read_registered,
    result_names,
)
from meshgan.apps.fit_pictures import Shown
from meshgan.apps.fit_results import Fitted, write_fit
from meshgan.apps.fit_uncertainty import calibration_from
from meshgan.apps.register_files import find_jobs
from meshgan.data.mesh_io import Unit, read_mesh
from meshgan.errors import InputError
from meshgan.fitting.cameras import Camera
from meshgan.fitting.fit import join_fits
from meshgan.fitting.named_points import find_points
from meshgan.fitting.scans import ScanFit, fit_scan
from meshgan.fitting.solvers import SolverName
from meshgan.fitting.uncertainty import fit_uncertainty

DEFAULT_NOISE_MM = 1.0


@dataclass(frozen=True)
class FitSettings:
    """How faces are fitted; see ``FaceModel.fit_landmarks``, ``fit_mesh`` and ``fit_scan``.

    Args:
        regularisation: lambda for all codes, or by code.
        restarts: starts per face.
        solver: of landmarks.
        robust_mm: width of the robust loss of landmarks.
        pose: solve for poses.
        scale: solve for sizes.
        missing: take landmarks that are not finite for missing ones.
        unit: of the files; that of the format, or found from its size, if None.
        order: of landmark files.
        places: file with the vertex ids or places of the landmarks.
        jaw_weight: of the landmarks along the jaw in pictures.
        camera: of pictures.
        photographs: the pictures themselves, one per face, to draw on; or none.
        seed: of random starts.
        file_format: of the meshes that are written.
        uncertainty: how sure the fit is of each vertex, too; of landmarks.
        noise_mm: deviation of the measurement along each axis; told by the residuals if None.
        calibrate: DATA folder whose test people calibrate the uncertainty.
    """

    regularisation: float | Mapping[str, float] = 1.0
    restarts: int = 1
    solver: SolverName = "lm"
    robust_mm: float | None = None
    pose: bool = True
    scale: bool = False
    missing: bool = False
    unit: Unit | None = None
    order: str | None = None
    places: Path | None = None
    jaw_weight: float = 0.1
    camera: Camera | None = None
    photographs: tuple[Path, ...] = ()
    seed: int = 0
    file_format: str = "ply"
    uncertainty: bool = False
    noise_mm: float | None = None
    calibrate: Path | None = None


def fit_files(
    run: Path | str | None,
    out: Path,
    landmarks: Sequence[Path] = (),
    meshes: Sequence[Path] = (),
    scans: Sequence[Path] = (),
    truth: Sequence[Path] = (),
    settings: FitSettings | None = None,
) -> dict[str, Any]:
    """Fit a model to files, all of one kind, and write what was found to a new folder.

    Args:
        run: RUN folder; None for the model that comes with the package.
        out: gets per face a mesh; ``codes.npz``, ``poses.json``, ``fit.json``, ``sheet.png``; and
            with an uncertainty ``uncertainty.npz`` and ``uncertainty.png``.
        landmarks: files of measured points; together with ``scans``, one per scan.
        meshes: registered meshes of the model's topology.
        scans: raw scans of any topology.
        truth: true meshes, one per face, to compare with.
        settings: how to fit.

    Returns:
        ``inputs``: per face its file, ``landmark_rms_mm`` or ``scan_rms_mm``, ``surface_rms_mm``
        where a truth is given; their means; the files.

    Raises:
        InputError: nothing or several kinds of things to fit, another number of true meshes; or
            what cannot be fitted, with the name of the file.
    """
    how = settings or FitSettings()
    paths = _one_kind(landmarks, meshes, scans)
    if how.photographs and (how.camera is None or len(how.photographs) != len(paths)):
        raise InputError(
            f"--photo: {len(how.photographs)} pictures for {len(paths)} faces; one each, and "
            "--camera weak or pinhole"
        )
    if truth and len(truth) != len(paths):
        raise InputError(f"--truth: {len(truth)} meshes for {len(paths)} faces; one each")
    model = FaceModel.load(run)
    if scans:
        found = _fit_scans(model, scans, landmarks, how)
    elif meshes:
        found = _fit_meshes(model, meshes, how)
    else:
        found = _fit_landmarks(model, landmarks, how)
    true = [read_mesh(path, how.unit) for path in truth]
    if how.uncertainty:
        found = _with_uncertainty(model, found, how)
    return write_fit(model, out, paths, found, true, how.file_format, how.scale)


def _one_kind(
    landmarks: Sequence[Path], meshes: Sequence[Path], scans: Sequence[Path]
) -> Sequence[Path]:
    if meshes and (landmarks or scans):
        raise InputError("--mesh: give it alone; fit landmarks or scans in another call")
    paths = scans or meshes or landmarks
    if not paths:
        raise InputError("nothing to fit: give --landmarks, --mesh or --scan with one file or more")
    return paths


def _fit_landmarks(model: FaceModel, paths: Sequence[Path], how: FitSettings) -> Fitted:
    camera = how.camera
    files = read_landmark_files(
        paths,
        model.template,
        how.order,
        how.places,
        2 if camera is not None else 3,
        how.missing,
        None if camera is None else camera.size_px,
    )
    fit = model.fit_landmarks(
        files.points,
        files.targets,
        how.regularisation,
        None if camera is None else files.jaw_weights(how.jaw_weight),
        how.pose,
        how.scale,
        files.missing or how.missing,
        how.robust_mm,
        how.restarts,
        how.solver,
        seed=how.seed,
        unit=how.unit or "mm",
        camera=camera,
    )
    named = find_points(files.points, model.template)
    shown = [Shown(landmarks=points) for points in files.in_space(how.unit)]
    if camera is not None:
        photographs = [read_photograph(path) for path in how.photographs] or [None] * len(paths)
        shown = [
            Shown(pixels=seen, photograph=photograph)
            for seen, photograph in zip(files.targets[:, named.rows], photographs, strict=True)
        ]
    numbers: list[dict[str, Any]] = [{} for _ in paths]
    if fit.cameras is not None:
        for row, focal in zip(numbers, fit.cameras.focal_px.tolist(), strict=True):
            row["pixels_per_mm" if fit.cameras.kind == "weak" else "focal_px"] = focal
    return Fitted(fit, files.names, shown, numbers, named.points)


def _fit_meshes(model: FaceModel, paths: Sequence[Path], how: FitSettings) -> Fitted:
    meshes = read_registered(paths, model.template, how.unit)
    fit = model.fit_mesh(meshes, how.regularisation, how.pose, how.scale, how.restarts, how.seed)
    return Fitted(
        fit, result_names(paths), [Shown(surface=mesh) for mesh in meshes], [{} for _ in paths]
    )


def _fit_scans(
    model: FaceModel, paths: Sequence[Path], landmarks: Sequence[Path], how: FitSettings
) -> Fitted:
    if len(landmarks) not in (0, len(paths)):
        raise InputError(
            f"--landmarks: {len(landmarks)} files for {len(paths)} scans; one each, or none: then "
            "those that lie beside a scan are taken, and else the face is searched"
        )
    found: list[ScanFit] = []
    for k, path in enumerate(paths):
        marks = landmarks[k] if landmarks else None
        (job,) = find_jobs([path], marks, how.order or "ibug68", how.unit)
        raw = job.load()
        try:
            found.append(
                fit_scan(
                    model.model,
                    model.template,
                    raw.mesh,
                    raw.landmarks,
                    how.regularisation,
                    how.scale,
                    raw.unit,
                )
            )
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
    return Fitted(
        join_fits([one.fit for one in found]),
        result_names(paths),
        [Shown(surface=one.scan.mesh, scan=True) for one in found],
        [{"scan_rms_mm": one.scan_rms_mm, "matched": one.matched} for one in found],
    )


def _with_uncertainty(model: FaceModel, found: Fitted, how: FitSettings) -> Fitted:
    calibration = None
    if found.points is None:
        raise InputError(
            "--uncertainty: of fits of landmarks only; give --landmarks without --scan"
        )
    if how.calibrate is not None:
        noise = DEFAULT_NOISE_MM if how.noise_mm is None else how.noise_mm
        calibration = calibration_from(model, how.calibrate, found.points, noise, how.seed)
    sure = fit_uncertainty(model.model, found.fit, how.noise_mm, calibration)
    return replace(found, sure=sure, calibration=calibration)
