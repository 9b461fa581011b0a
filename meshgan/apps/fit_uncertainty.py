"""The uncertainty of fits: calibrated on a data set's test people, written, drawn."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from meshgan.apps.face_model import FaceModel
from meshgan.data.dataset import MeshDataset
from meshgan.data.npz import write_npz
from meshgan.data.store import Store
from meshgan.errors import InputError, ShapeError
from meshgan.fitting.fit import Fit
from meshgan.fitting.points import SurfacePoints
from meshgan.fitting.poses import Poses
from meshgan.fitting.uncertainty import Calibration, Uncertainty
from meshgan.geometry.mesh import TriMesh
from meshgan.pictures.camera import frame_faces
from meshgan.pictures.render import render_faces, viridis
from meshgan.pictures.sheet import Sheet, colour_legend

CALIBRATION_FACES = 40
SIZE_PX = 220
YAW_DEG = 35.0


def calibration_from(
    model: FaceModel, data: Path, points: SurfacePoints, noise_mm: float, seed: int = 0
) -> Calibration:
    """Calibrate a model's intervals on faces of test people of a data set.

    Raises:
        InputError: the data set has too few faces of test people.
        ShapeError: it has another topology than the model.
    """
    store = Store(data)
    if store.template.topology_hash != model.template.topology_hash:
        raise ShapeError(
            f"{data}: its template {store.template.name} is not the model's {model.template.name}"
        )
    held_out = MeshDataset(store, split="test")
    count = min(CALIBRATION_FACES, held_out.count)
    if count < 10:
        raise InputError(
            f"{data}: {held_out.count} faces of test people, expected 10 or more; "
            "split it again (meshgan data split)"
        )
    rows = np.linspace(0, held_out.count - 1, count).round().astype(np.int64)
    return model.calibrate(held_out.vertices(rows), points, noise_mm, seed)


def uncertainty_numbers(
    found: Uncertainty,
    vertices: Float[np.ndarray, "B V 3"],
    truth: Sequence[TriMesh],
) -> list[dict[str, Any]]:
    """Per face the expected root mean square error, mm, and what the truth says of it."""
    expected = found.vertex_mm.square().mean(dim=1).sqrt().tolist()
    rows: list[dict[str, Any]] = [{"expected_rms_mm": value} for value in expected]
    if truth and all(mesh.vertex_count == vertices.shape[1] for mesh in truth):
        true = torch.from_numpy(np.stack([mesh.vertices for mesh in truth])).float()
        inside = found.covers(torch.from_numpy(vertices), true).float().mean(dim=(1, 2))
        for row, share in zip(rows, inside.tolist(), strict=True):
            row["inside_90"] = share
    return rows


def write_uncertainty(path: Path, found: Uncertainty, calibration: Calibration | None) -> None:
    """Deviations of all vertices (B, V, 3), noise (B,), and the calibration, as NPZ."""
    arrays = {
        "deviation_mm": found.deviation_mm.cpu().float().numpy(),
        "noise_mm": found.noise_mm.cpu().float().numpy(),
    }
    if calibration is not None:
        arrays |= {
            "misfit_mm": calibration.misfit_mm.cpu().float().numpy(),
            "scale": np.array(calibration.scale),
        }
    write_npz(path, arrays)


def uncertainty_sheet(
    model: FaceModel, fit: Fit, found: Uncertainty, names: Sequence[str], some: slice
) -> Sheet:
    """Fitted faces from two sides, coloured by how far each vertex is expected to be off."""
    with torch.no_grad():
        shown = model.decode(fit.codes)
    if fit.poses is not None:
        sizes = Poses.identity(len(fit), shown)
        shown = Poses(sizes.rotation, sizes.translation, fit.poses.scale).apply(shown)
    off = found.vertex_mm.cpu()
    largest = max(1.0, float(np.ceil(np.quantile(off.numpy(), 0.98))))
    rows = []
    for k in range(len(names))[some]:
        colour = viridis(off[k].numpy() / largest)
        face = shown[k : k + 1].cpu()
        boxes = [frame_faces(face, yaw, margin=0.12) for yaw in (0.0, YAW_DEG)]
        rows.append(
            [
                render_faces(face, model.template.mesh.faces, SIZE_PX, colour=colour, box=box)[0]
                for box in boxes
            ]
        )
    labels = [
        f"{names[k]}\n{float(off[k].square().mean().sqrt()):.2f} mm"
        for k in range(len(names))[some]
    ]
    kind = "calibrated on held-out faces" if found.calibrated else "not calibrated"
    return Sheet(
        rows,
        "How sure the fit is",
        labels,
        subtitle=f"Standard deviation of each vertex, {kind}. Left: root mean square of a face.",
        legend=colour_legend(largest, "standard deviation"),
    )
