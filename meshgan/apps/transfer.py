"""Transfer an expression, or any other factor, between faces in files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from meshgan.apps.animation import USUAL_FILM, Film, check_animation, write_animation
from meshgan.apps.face_inputs import FaceInput, FaceReader
from meshgan.apps.face_model import FaceModel
from meshgan.data.code_files import write_codes
from meshgan.data.mesh_io import FORMATS, write_mesh
from meshgan.editing.arithmetic import common_count, label_code
from meshgan.editing.motion import SkinMotion
from meshgan.editing.smoothing import smooth_codes, smooth_rows
from meshgan.editing.transfer import (
    FaceLike,
    Performer,
    Transfer,
    TransferSettings,
    transfer_faces,
    usual_fit,
)
from meshgan.errors import InputError
from meshgan.files import atomic_folder
from meshgan.geometry.mesh import TriMesh
from meshgan.models.base import PERSON
from meshgan.pictures.paint import paint_template
from meshgan.pictures.render import render_faces
from meshgan.pictures.sheet import contact_sheet, save_png

SHEET_COLUMNS = 8


@dataclass(frozen=True)
class Rows:
    """Which face of a file of several, from 0; None: all."""

    source: int | None = None
    target: int | None = None


USUAL, ALL_ROWS = TransferSettings(), Rows()


def transfer_files(
    run: Path | FaceModel | None,
    source: Path,
    target: Path,
    out: Path,
    settings: TransferSettings = USUAL,
    source_rest: Path | str | None = None,
    rows: Rows = ALL_ROWS,
    smooth_frames: float = 4.0,
    film: Film = USUAL_FILM,
    order: str = "ibug68",
    picture: Path | None = None,
) -> dict[str, Any]:
    """Put the source's expression on the target, and write the result.

    Each side is a mesh file, a ``.npz`` of codes, or a folder of meshes: frames in the order of
    their names. One face goes with many. Meshes of another topology are registered to the model's
    template, and the target's own vertices are moved with it.

    Args:
        run: RUN folder, or its model; None for the model that comes with the package.
        source: whose expression.
        target: whose face.
        out: a mesh file for one face; for several a folder, or .gif, .mp4, .glb, .pc2, .png.
        settings: what is transferred, and how.
        source_rest: the source person at rest: a file like ``source``, or a label of the factor
            ("neutral"); the change from there is transferred.
        rows: which of several faces in a file.
        smooth_frames: motions of a source of several frames that are quicker than this period are
            taken out; 0 for none.
        film: how an animation looks.
        order: of landmark files beside meshes that have to be registered.
        picture: PNG of source, target and result.

    Returns:
        ``files``, ``frames``, ``fit_rms_mm`` of source and target (None where codes were given).

    Raises:
        InputError: faces, factors or file names that do not go together.
        FileFormatError: a file cannot be read.
        JobError: a file cannot be written.
    """
    model = run if isinstance(run, FaceModel) else FaceModel.load(run)
    if picture is not None and picture.suffix.lower() != ".png":
        raise InputError(f"{picture}: expected a name that ends in .png")
    reader = FaceReader(model, order)
    giver, taker = reader.read(source, rows.source), reader.read(target, rows.target)
    calm = _at_rest(model, reader, source_rest, settings)
    count = common_count([len(giver), len(taker), *([] if calm is None else [len(calm)])])
    _check_out(out, count)
    found = transfer_inputs(model, giver, taker, settings, calm, smooth_frames)
    ways = taker.back if len(taker) == count else taker.back * count
    vertices = found.vertices.cpu().double().numpy()
    meshes = [back(face) for back, face in zip(ways, vertices, strict=True)]
    names = (giver if len(giver) == count else taker).names
    summary = _write(out, model, meshes, names, found, film)
    if picture is not None:
        save_png(_sheet(model, giver, taker, found), picture)
        summary["picture"] = str(picture)
    fits = {name: found.fit_rms_mm.get(name) for name in ("source", "target")}
    summary["fit_rms_mm"] = {
        name: None if rms is None else float(rms.mean()) for name, rms in fits.items()
    }
    return summary


def transfer_in_memory(
    model: FaceModel,
    source: FaceLike,
    target: FaceLike,
    settings: TransferSettings = USUAL,
    rest: FaceLike | None = None,
) -> list[TriMesh]:
    """Transfer between meshes or codes in memory; results are where their targets are.

    Args:
        model: to transfer with.
        source: a mesh or several (mm, any topology), or codes by name (B, d).
        target: the same; one face goes with many.
        settings: what is transferred, and how.
        rest: the source person at rest, where known.
    """
    reader = FaceReader(model)
    giver, taker = reader.of_anything(source), reader.of_anything(target)
    calm = None if rest is None else reader.of_anything(rest)
    found = transfer_inputs(model, giver, taker, settings, calm)
    vertices = found.vertices.cpu().double().numpy()
    ways = taker.back if len(taker) == len(vertices) else taker.back * len(vertices)
    return [back(face) for back, face in zip(ways, vertices, strict=True)]


def transfer_inputs(
    model: FaceModel,
    source: FaceInput,
    target: FaceInput,
    settings: TransferSettings = USUAL,
    rest: FaceInput | Performer | None = None,
    smooth_frames: float = 0.0,
) -> Transfer:
    """Fit, make the codes of a sequence smooth, and transfer."""
    fit = usual_fit(settings)
    giver, taker = source.performer(model, fit), target.performer(model, fit)
    calm = rest.performer(model, fit) if isinstance(rest, FaceInput) else rest
    if len(giver) > 1 and len(taker) == 1:
        giver = _steady(giver, smooth_frames, settings)
    skin = SkinMotion.of(model.model, model.template) if settings.keep_residual else None
    return transfer_faces(model.model, giver, taker, settings, calm, skin)


def _steady(frames: Performer, period: float, settings: TransferSettings) -> Performer:
    """A recording of one person: who it is does not change, what it does is smooth."""
    constant = () if PERSON in settings.factors else (PERSON,)
    vertices = None if frames.vertices is None else smooth_rows(frames.vertices, period)
    return replace(frames, codes=smooth_codes(frames.codes, period, constant), vertices=vertices)


def _at_rest(
    model: FaceModel, reader: FaceReader, rest: Path | str | None, settings: TransferSettings
) -> FaceInput | Performer | None:
    if rest is None:
        return None
    path = Path(rest)
    if path.exists() or path.suffix:
        return reader.read(path, 0)
    codes = {
        name: torch.zeros(1, size, device=model.device)
        for name, size in model.model.code_sizes.items()
    }
    return Performer(
        codes | {name: label_code(model.model, name, str(rest)) for name in settings.factors}
    )


def _check_out(out: Path, count: int) -> None:
    kind = out.suffix[1:].lower()
    if count == 1 and kind not in FORMATS:
        raise InputError(f"{out}: one face; expected a name that ends in {', '.join(FORMATS)}")
    if count > 1:
        check_animation(out)


def _write(
    out: Path,
    model: FaceModel,
    meshes: Sequence[TriMesh],
    names: Sequence[str],
    found: Transfer,
    film: Film,
) -> dict[str, Any]:
    if len(meshes) == 1:
        write_mesh(out, meshes[0])
        return {"files": [str(out)], "frames": 1}
    if len({mesh.topology_hash for mesh in meshes}) > 1 and out.suffix:
        raise InputError(f"{out}: the targets have several topologies; give a folder")
    own = meshes[0].topology_hash == model.template.topology_hash
    colours = paint_template(model.template) if own else None
    if out.suffix:
        vertices = np.stack([mesh.vertices for mesh in meshes]).astype(np.float32)
        return write_animation(out, meshes[0], vertices, film, colours)
    files = [f"{Path(name).name}.{film.mesh_format}" for name in names]
    if len(set(files)) < len(files):
        files = [f"face_{k:04d}.{film.mesh_format}" for k in range(len(meshes))]
    with atomic_folder(out) as folder:
        for file, mesh in zip(files, meshes, strict=True):
            write_mesh(folder / file, mesh)
        write_codes(folder / "codes.npz", found.codes)
    return {"files": [str(out / file) for file in files], "frames": len(meshes)}


def _sheet(model: FaceModel, source: FaceInput, target: FaceInput, found: Transfer) -> Image.Image:
    """Source, target and result, some columns of each."""
    count = len(found.vertices)
    columns = np.unique(np.linspace(0, count - 1, min(count, SHEET_COLUMNS)).round().astype(int))
    rows = []
    for side in (source, target):
        shown = _shown(model, side)
        rows.append(shown[columns] if len(shown) == count else shown[[0] * len(columns)])
    rows.append(found.vertices[columns].cpu())
    faces = torch.cat(rows)
    pictures = render_faces(
        faces, model.template.mesh.faces, 220, 14.0, paint_template(model.template)
    )
    grid = [list(part) for part in np.split(pictures, 3)]
    return contact_sheet(grid, row_labels=["source", "target", "result"])


def _shown(model: FaceModel, side: FaceInput) -> Float[Tensor, "B V 3"]:
    if side.vertices is not None:
        return side.vertices.cpu()
    assert side.codes is not None  # one of the two is always there
    return model.decode(side.codes).cpu()
