"""Sheets to look at while a model of faces is trained."""

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

from meshgan.models.base import FaceDecoder
from meshgan.pictures.render import render_faces
from meshgan.pictures.sheet import contact_sheet

PEOPLE, COLUMNS, SIZE_PX = 4, 8, 160


def people_by_label(
    model: FaceDecoder, rng: torch.Generator, paint: Float[np.ndarray, "V 3"] | None = None
) -> Image.Image:
    """Random people in rows; the labels of the second factor, or the only one, in columns.

    Args:
        model: with its label codes.
        rng: of the people.
        paint: colour of each vertex (V, 3), 0 to 1.
    """
    columns = list(model.factors)[:2][-1]
    table = model.label_codes(columns)[:COLUMNS]
    drawn = model.sample_codes(PEOPLE, rng)
    rows = []
    for person in range(PEOPLE):
        codes = {
            name: code[person : person + 1].expand(len(table), -1) for name, code in drawn.items()
        }
        codes[columns] = table
        faces = model.decode(codes).cpu()
        rows.append(list(render_faces(faces, model.faces.cpu(), SIZE_PX, colour=paint)))
    return contact_sheet(
        rows,
        title=f"{PEOPLE} random people, every {columns}",
        row_labels=[f"person {k + 1}" for k in range(PEOPLE)],
        column_labels=list(model.factors[columns][: len(table)]),
    )
