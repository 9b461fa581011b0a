"""``meshgan fit``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from meshgan.cli.command import Command, Summary
from meshgan.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Fit(Command):
    """Find the face of a model behind landmarks, a registered mesh or a raw scan; many at once.

    Writes a mesh per face, codes.npz, poses.json, fit.json and sheet.png.

    Example: meshgan fit runs/demo --landmarks anna.pts --lambda 4 --out fitted
    """

    run: tyro.conf.Positional[Path | None] = None
    """RUN folder of a trained model; none: the model that comes with the package."""
    out: Path
    """New folder for the results."""
    landmarks: tuple[Path, ...] = ()
    """Measured points: pts, lm3, bnd, csv, json, pp, npy, npz; a file per face. With --scan: where
    the search begins, a file per scan."""
    mesh: tuple[Path, ...] = ()
    """Registered meshes of the model's topology."""
    scan: tuple[Path, ...] = ()
    """Raw scans of any topology; landmarks beside them (NAME_landmarks.json, NAME.pts) are used."""
    truth: tuple[Path, ...] = ()
    """True meshes, one per face: their distance is reported."""
    regularisation: Annotated[tuple[str, ...], tyro.conf.arg(name="lambda")] = ("1",)
    """Weight of the average face: the variance (mm^2) of the noise of what was measured. Or by
    code: identity=1 expression=4."""
    restarts: int = 1
    """Starts per face; the best one is kept."""
    robust: float | None = None
    """Landmarks much farther off than this (mm) are taken for mistakes."""
    scale: bool = False
    """Solve for the size of each face too."""
    no_pose: bool = False
    """The faces are in the model's frame: solve for no rotation and translation."""
    missing: bool = False
    """Take landmarks that are NaN for missing ones."""
    unit: Literal["mm", "cm", "m", "um"] | None = None
    """Of the files; mm by default, and found from the size of a scan."""
    order: str | None = None
    """Order of the landmarks: ibug68, fit85, bu83, bosphorus22, mediapipe478, ...; told by their
    number if it can be."""
    places: Path | None = None
    """Where the landmarks are on the model instead of an order: vertex ids (npy, txt), or a TOML
    file with one set of places in triangles."""
    camera: Literal["weak", "pinhole"] | None = None
    """The landmarks are pixels of a picture: seen from afar (weak), or near (pinhole)."""
    focal: float | None = None
    """Focal length of a pinhole camera in pixels; solved for by default."""
    image_size: tuple[int, int] | None = None
    """Width and height of the picture."""
    photo: tuple[Path, ...] = ()
    """The pictures themselves, one per face, as a ground for sheet.png."""
    jaw_weight: float = 0.1
    """Weight of the landmarks along the jaw in pictures: they mark the outline, not a place."""
    solver: Literal["lm", "adam", "adam+lm"] = "lm"
    """Levenberg-Marquardt, the paper's Adam, or both in turn; for landmarks."""
    format: str = "ply"
    """Of the meshes: ply, obj, stl, off, glb or npz."""
    uncertainty: bool = False
    """Also how sure the fit of landmarks is of each vertex: uncertainty.npz and uncertainty.png."""
    noise: float | None = None
    """Deviation (mm) of the landmarks along each axis; told by the residuals by default."""
    calibrate: Path | None = None
    """DATA folder: its test people make the intervals of --uncertainty right."""
    seed: int = 0
    """Of the random starts."""

    def __call__(self) -> Summary:
        from meshgan.apps.fit import FitSettings, fit_files
        from meshgan.fitting.cameras import Camera

        camera = None
        if self.camera is not None:
            camera = Camera(self.camera, self.focal, size_px=self.image_size)
        elif self.focal is not None or self.image_size is not None:
            raise InputError("--focal, --image-size: of a picture; give --camera weak or pinhole")
        settings = FitSettings(
            _penalties(self.regularisation),
            self.restarts,
            self.solver,
            self.robust,
            not self.no_pose,
            self.scale,
            self.missing,
            self.unit,
            self.order,
            self.places,
            self.jaw_weight,
            camera,
            self.photo,
            self.seed,
            self.format,
            self.uncertainty or self.calibrate is not None,
            self.noise,
            self.calibrate,
        )
        return fit_files(
            self.run, self.out, self.landmarks, self.mesh, self.scan, self.truth, settings
        )


def _penalties(texts: tuple[str, ...]) -> float | dict[str, float]:
    parts = [text.rpartition("=") for text in texts]
    try:
        if len(parts) == 1 and not parts[0][0]:
            return float(parts[0][2])
        if all(name for name, _, _ in parts):
            return {name: float(value) for name, _, value in parts}
    except ValueError:
        pass
    raise InputError(
        f"--lambda {' '.join(texts)}: expected a number, or numbers by code, for example "
        "identity=1 expression=4"
    )
