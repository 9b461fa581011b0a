"""Paths from face to face, as meshes or as an animation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from meshgan.apps.animation import USUAL_FILM, Film, check_animation, write_animation
from meshgan.apps.face_keys import face_codes
from meshgan.apps.face_model import FaceModel
from meshgan.data.code_files import write_codes
from meshgan.editing.paths import Easing, PathKind, code_path
from meshgan.errors import InputError
from meshgan.pictures.paint import paint_template


def interpolate_faces(
    run: Path | FaceModel | None,
    faces: Sequence[str],
    out: Path,
    frames: int = 50,
    kind: PathKind = "spherical",
    easing: Easing = "smooth",
    back: bool = False,
    film: Film = USUAL_FILM,
    codes: Path | None = None,
) -> dict[str, Any]:
    """Write the faces on the way through some faces.

    Args:
        run: RUN folder, or its model; None for the model that comes with the package.
        faces: two or more, in words (``face_keys.face_codes``).
        out: a new folder for meshes, or .gif, .mp4, .glb, .pc2, .png.
        frames: number of faces, the ends among them.
        kind: "spherical" or "linear".
        easing: "smooth" (slow at each face) or "linear".
        back: return to the first face at the end, so that the animation can be repeated.
        film: how an animation looks.
        codes: ``.npz`` for the codes of all frames.

    Returns:
        ``files``, ``frames`` and, for a GLB, ``morph_targets``.

    Raises:
        InputError: fewer than two faces or frames, or a word that names no face.
        JobError: a file cannot be written.
    """
    check_animation(out)
    if len(faces) < 2:
        raise InputError(
            f"interpolate: {len(faces)} faces given, expected two or more, such as mean "
            "expression=happiness"
        )
    model = run if isinstance(run, FaceModel) else FaceModel.load(run)
    keys = face_codes(model, faces)
    path = code_path([*keys, keys[0]] if back else keys, frames, kind, easing)
    vertices = model.decode(path).cpu().numpy()
    colours = paint_template(model.template)
    summary = write_animation(out, model.template.mesh, vertices, film, colours)
    if codes is not None:
        write_codes(codes, path)
        summary["codes"] = str(codes)
    return summary
