"""Draw faces from a model and write them."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from meshgan.apps.face_model import FaceModel
from meshgan.data.code_files import write_codes
from meshgan.data.mesh_io import write_mesh
from meshgan.errors import InputError
from meshgan.files import atomic_folder
from meshgan.pictures.paint import paint_template
from meshgan.pictures.render import render_faces
from meshgan.pictures.sheet import contact_sheet, save_png

FORMATS = ("ply", "obj", "stl", "off", "glb", "npz")
SHEET_FACES = 32


def sample_faces(
    run: Path | None,
    out: Path,
    count: int = 16,
    seed: int = 0,
    file_format: str = "ply",
    fix: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Write ``count`` random faces, their codes and one contact sheet to a new folder ``out``.

    ``run``: a RUN; None for the model that comes with the package.

    Raises:
        InputError: unknown format, factor or label, or ``out`` exists and is not empty.
    """
    if file_format not in FORMATS:
        raise InputError(f"--format {file_format}: expected one of {', '.join(FORMATS)}")
    model = FaceModel.load(run)
    template = model.template
    started = time.perf_counter()
    codes = model.codes(count, seed, fix, labels)
    vertices = model.decode(codes).cpu().numpy()
    seconds = time.perf_counter() - started
    digits = max(4, len(str(count - 1)))
    with atomic_folder(out) as folder:
        names = [f"face_{k:0{digits}d}.{file_format}" for k in range(count)]
        for name, face in zip(names, vertices, strict=True):
            write_mesh(folder / name, template.mesh.with_vertices(face))
        write_codes(folder / "codes.npz", codes)
        shown = render_faces(
            vertices[:SHEET_FACES], template.mesh.faces, 200, colour=paint_template(template)
        )
        columns = min(8, len(shown))
        rows = [list(shown[k : k + columns]) for k in range(0, len(shown), columns)]
        rows[-1] += [np.full_like(shown[0], 255)] * (columns - len(rows[-1]))
        save_png(contact_sheet(rows, title=f"{count} faces, seed {seed}"), folder / "sheet.png")
    return {
        "folder": str(out),
        "files": [str(out / name) for name in names],
        "sheet": str(out / "sheet.png"),
        "meshes_per_second": count / seconds,
    }
