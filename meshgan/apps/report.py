"""One web page about a model: pictures first, then the numbers, then how it was made.

The page holds its pictures and styles itself, so it opens anywhere, also without a network.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from meshgan.apps.faces_sheets import FaceSheets
from meshgan.apps.report_page import Part, inline_picture, write_page
from meshgan.apps.report_table import metrics_table
from meshgan.errors import InputError
from meshgan.evaluation.estimate import FaceCollection
from meshgan.files import write_json
from meshgan.models.base import MeshModel
from meshgan.pictures.plots import Curve, training_curves
from meshgan.pictures.sheet import Sheet, save_png

REPORT_FILE, METRICS_FILE = "report.html", "metrics.json"
NUMBERS_TEXT = (
    "Each number stands beside the training data's own. What carries over to other data is the "
    "ratio: pairs that share a code should vary as much as training pairs that share the label."
)
FOOTER = (
    "Lengths are millimetres. Every picture also lies beside this page as a PNG file; the numbers "
    "in <code>metrics.json</code>."
)


@dataclass(frozen=True)
class Section:
    """A part of the page: a title, a sentence, a picture.

    Args:
        name: file name of the picture without suffix, and anchor on the page.
        title: heading.
        text: what to look at.
        picture: as it stands on the page.
        file_picture: as it is saved beside the page, if another one.
    """

    name: str
    title: str
    text: str
    picture: Image.Image
    file_picture: Image.Image | None = None

    @classmethod
    def of_sheet(cls, name: str, sheet: Sheet, text: str = "") -> "Section":
        """A contact sheet: its words become the heading on the page."""
        told = text or sheet.subtitle
        return cls(name, sheet.title, told, sheet.draw(heading=False), sheet.draw())


def write_report(
    out: Path | str,
    sections: Sequence[Section],
    metrics: Mapping[str, Any],
    provenance: Mapping[str, Any],
    title: str = "Faces from a decoupled model",
    summary: str = "",
    figures: Mapping[str, str] | None = None,
) -> Path:
    """Write ``report.html`` and, beside it, each picture as PNG and the numbers as JSON.

    Args:
        out: folder; made if missing.
        sections: pictures in the order of the page.
        metrics: what ``apps.evaluate.evaluate`` returns.
        provenance: how it was made: command, seed, versions, seconds; nested mappings and lists
            are shown as one line each.
        title: of the page.
        summary: one or two sentences under the title.
        figures: a few key numbers for the head of the page, name to text.

    Returns:
        Path of the page.

    Raises:
        InputError: two sections share a name.
        JobError: a file cannot be written.
    """
    out = Path(out)
    names = [section.name for section in sections]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(f"report: two sections named {', '.join(sorted(twice))}; name each once")
    for section in sections:
        save_png(section.file_picture or section.picture, out / f"{section.name}.png")
    write_json(out / METRICS_FILE, metrics)
    parts = [_part(section) for section in sections]
    table = f'<div class="scroll">{metrics_table(metrics)}</div>'
    parts.append(Part("numbers", "Numbers", table, NUMBERS_TEXT))
    write_page(
        out / REPORT_FILE, parts, provenance, title, summary, figures=figures or {}, footer=FOOTER
    )
    return out / REPORT_FILE


def model_sections(
    model: MeshModel,
    store: FaceCollection,
    seed: int = 0,
    curves: Mapping[str, Curve] | None = None,
    colour: Float[np.ndarray, "V 3"] | None = None,
) -> list[Section]:
    """The sections of the standard report.

    Rows and columns are the factors ``identity`` and ``expression`` where the model has them, or
    else its first two; a model of one factor has no sheets of two.

    Args:
        model: draws and decodes faces.
        store: its training data, for the nearest real faces.
        seed: of every draw.
        curves: losses over the iterations (``pictures.plots.training_curves``); left out if None.
        colour: sRGB of each vertex (``pictures.paint.paint_template``); plain skin if None.
    """
    first, second = _two_factors(list(model.factors))
    sheets = FaceSheets(model, seed, identity=first, expression=second, colour=colour)
    drawn = {"random_faces": sheets.random_faces()}
    if first != second:
        drawn |= {
            "identity_in_all_expressions": sheets.one_identity_all_expressions(),
            "expression_on_many_identities": sheets.one_expression_many_identities(),
            "identity_expression_grid": sheets.identity_expression_grid(),
            "transfer": sheets.transfer(),
            "interpolation": sheets.interpolation(),
        }
    drawn["nearest_training_faces"] = sheets.nearest_training_faces(store)
    sections = [Section.of_sheet(name, sheet) for name, sheet in drawn.items()]
    if curves:
        chart = training_curves(curves, title="")
        text = "Each loss over the iterations: faint as measured, strong as a running mean."
        sections.append(Section("training_curves", "Training curves", text, chart))
    return sections


def _two_factors(names: Sequence[str]) -> tuple[str, str]:
    """Who it is and what the face does; the same one twice if there is only one."""
    first = "identity" if "identity" in names else names[0]
    others = [name for name in names if name != first] or [first]
    return first, "expression" if "expression" in others else others[0]


def _part(section: Section) -> Part:
    name, picture = html.escape(section.name), section.picture
    told = html.escape(f"{section.title}. {section.text}")
    return Part(
        section.name,
        section.title,
        f'<figure><a href="{name}.png"><img alt="{told}" width="{picture.width}" '
        f'height="{picture.height}" src="{inline_picture(picture)}"></a></figure>',
        section.text,
    )
