"""What ``meshgan fit`` writes: meshes, codes, poses, numbers and sheets of fitted faces."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from meshgan.apps.face_model import FaceModel
from meshgan.apps.fit_pictures import Shown, fit_sheet
from meshgan.apps.fit_uncertainty import uncertainty_numbers, uncertainty_sheet, write_uncertainty
from meshgan.data.code_files import write_codes
from meshgan.data.mesh_io import write_mesh
from meshgan.data.template import Template
from meshgan.files import atomic_folder, write_json
from meshgan.fitting.fit import Fit
from meshgan.fitting.points import SurfacePoints
from meshgan.fitting.uncertainty import Calibration, Uncertainty
from meshgan.geometry.closest_point import SurfaceIndex
from meshgan.geometry.mesh import TriMesh
from meshgan.pictures.sheet import save_png

SHEET_FACES = 12


@dataclass(frozen=True, eq=False)
class Fitted:
    """All faces of one call.

    Args:
        fit: of B faces.
        names: of their results.
        shown: what their pictures show beside the fit.
        numbers: further numbers of each face, for the summary.
        points: the landmarks' places on the surface, if landmarks were fitted.
        sure: how sure the fit is of each vertex, where that was asked.
        calibration: of that, where there is one.
    """

    fit: Fit
    names: tuple[str, ...]
    shown: list[Shown]
    numbers: list[dict[str, Any]]
    points: SurfacePoints | None = None
    sure: Uncertainty | None = None
    calibration: Calibration | None = None


def write_fit(
    model: FaceModel,
    out: Path,
    paths: Sequence[Path],
    found: Fitted,
    truth: Sequence[TriMesh],
    suffix: str,
    scale: bool,
) -> dict[str, Any]:
    """Write the files of a call to a new folder, and say what is in them.

    Args:
        model: that was fitted.
        out: the folder.
        paths: what was fitted, one file per face.
        found: the faces.
        truth: true meshes, one per face, or none.
        suffix: of the meshes.
        scale: whether sizes were solved for.
    """
    fit, vertices = found.fit, found.fit.vertices(model.model).cpu().numpy()
    numbers = found.numbers
    if found.sure is not None:
        further = uncertainty_numbers(found.sure, vertices, truth)
        numbers = [row | more for row, more in zip(numbers, further, strict=True)]
    rows = []
    for k, (path, name) in enumerate(zip(paths, found.names, strict=True)):
        row: dict[str, Any] = {"input": str(path), "mesh": str(out / f"{name}.{suffix}")}
        if "scan_rms_mm" not in numbers[k]:
            row["landmark_rms_mm"] = float(fit.landmark_rms_mm[k])
        if truth:
            row["surface_rms_mm"], row["surface"] = surface_rms(
                vertices[k], truth[k], model.template
            )
        row |= {"converged": bool(fit.converged[k])} | numbers[k]
        if scale and fit.poses is not None:
            row["scale"] = float(fit.poses.scale[k])
        rows.append(row)
    summary: dict[str, Any] = {"folder": str(out), "inputs": rows}
    means = ("landmark_rms_mm", "scan_rms_mm", "surface_rms_mm", "expected_rms_mm", "inside_90")
    for name in means:
        if all(name in row for row in rows):
            summary[name] = float(np.mean([row[name] for row in rows]))
    summary |= {"codes": str(out / "codes.npz"), "sheet": str(out / "sheet.png")}
    summary["notes"] = list(fit.notes)
    with atomic_folder(out) as folder:
        for name, face in zip(found.names, vertices, strict=True):
            write_mesh(folder / f"{name}.{suffix}", model.template.mesh.with_vertices(face))
        write_codes(folder / "codes.npz", fit.codes)
        write_json(folder / "poses.json", _poses(fit, found.names))
        write_json(folder / "fit.json", summary)
        some = slice(SHEET_FACES)
        sheet = fit_sheet(model.template, fit, vertices, found.names, found.shown, truth, some)
        save_png(sheet.draw(), folder / "sheet.png")
        if found.sure is not None:
            write_uncertainty(folder / "uncertainty.npz", found.sure, found.calibration)
            drawn = uncertainty_sheet(model, fit, found.sure, found.names, some).draw()
            save_png(drawn, folder / "uncertainty.png")
    return summary


def surface_rms(
    vertices: Float[np.ndarray, "V 3"], truth: TriMesh, template: Template
) -> tuple[float, str]:
    """Root mean square distance (mm) of a fitted face to the true one, and how it was taken.

    "vertices": from every vertex to the same one of a true mesh of the template's topology;
    "surface": to the closest point of a true mesh of another topology.
    """
    if truth.topology_hash == template.topology_hash:
        squared = ((vertices - truth.vertices) ** 2).sum(axis=1)
        return float(np.sqrt(squared.mean())), "vertices"
    found = SurfaceIndex(truth.vertices, truth.faces).closest(vertices.astype(np.float64))
    return float(np.sqrt((found.distance[~found.on_boundary] ** 2).mean())), "surface"


def _poses(fit: Fit, names: Sequence[str]) -> dict[str, Any]:
    """Motions from the model's frame, as plain numbers by name."""
    table: dict[str, Any] = {}
    for k, name in enumerate(names):
        if fit.poses is None:
            row = {"rotation": torch.eye(3).tolist(), "translation_mm": [0.0] * 3, "scale": 1.0}
        else:
            row = {
                "rotation": fit.poses.rotation[k].tolist(),
                "translation_mm": fit.poses.translation[k].tolist(),
                "scale": float(fit.poses.scale[k]),
            }
        if fit.cameras is not None:
            row |= {
                "camera": fit.cameras.kind,
                "focal_px": float(fit.cameras.focal_px[k]),
                "centre_px": fit.cameras.centre_px[k].tolist(),
            }
        table[name] = row
    return table
