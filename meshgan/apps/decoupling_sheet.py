"""The pairs that a decoupling metric judged different, side by side: is it right?"""

import numpy as np
import torch
from jaxtyping import Float

from meshgan.evaluation.decoupling import Decoupling, companion_codes, face_codes
from meshgan.models.base import MeshModel
from meshgan.pictures.camera import frame_faces
from meshgan.pictures.render import render_faces
from meshgan.pictures.sheet import Sheet


def decoupling_sheet(
    model: MeshModel,
    found: Decoupling,
    pairs: int = 9,
    size_px: int = 190,
    yaw_deg: float = 14.0,
    colour: Float[np.ndarray, "V 3"] | None = None,
) -> Sheet:
    """Faces above, the companion of each that is farthest from it below; the worst pair first.

    Both have the same code of the factor and no other in common, so they ought to look alike in
    it. One pair for each face, so that a single odd face does not fill the sheet.

    Args:
        model: the model that was judged.
        found: what ``decoupling`` gave for it.
        pairs: how many, at most.
        size_px: side of one picture.
        yaw_deg: turn of the heads.
        colour: sRGB of each vertex (V, 3).
    """
    farthest = found.farthest(pairs)
    different = [pair for pair in farthest if pair[2] >= found.threshold]
    shown = different or farthest
    codes = face_codes(model, len(found.distances), found.seed)
    with torch.no_grad():
        chosen = [face for face, _, _ in shown]
        above = model.decode({name: code[chosen] for name, code in codes.items()})
        below = torch.cat([_companion(model, found, codes, *pair[:2]) for pair in shown])
    faces = torch.cat([above, below]).cpu()
    pictures = render_faces(
        faces,
        model.faces.cpu(),
        size_px,
        colour=colour,
        box=frame_faces(faces, yaw_deg),
    )
    judged = int((found.distances >= found.threshold).sum())
    title = (
        f"Same {found.factor} code, judged different"
        if different
        else f"Same {found.factor} code: none judged different, the farthest apart"
    )
    return Sheet(
        [list(pictures[: len(shown)]), list(pictures[len(shown) :])],
        title,
        row_labels=["face", "companion"],
        column_labels=[f"{distance:.2f}" for _, _, distance in shown],
        subtitle=(
            f"{judged:,} of {found.distances.size:,} pairs are farther apart than "
            f"{found.threshold:.2f}; the worst pair of each face, with its distance. A pair shares "
            f"the {found.factor} code and nothing else."
        ),
    )


def _companion(model: MeshModel, found: Decoupling, codes, face: int, companion: int):
    others = companion_codes(model, codes, found.factor, face, found.distances.shape[1], found.seed)
    one = slice(companion, companion + 1)
    return model.decode({name: code[one] for name, code in others.items()})
