"""One web page about a model: pictures first, then the numbers, then how it was made.

The page holds its pictures and styles itself, so it opens anywhere, also without a network.
"""

import base64
import html
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from meshgan.apps.faces_sheets import FaceSheets
from meshgan.apps.report_table import metrics_table
from meshgan.errors import InputError
from meshgan.evaluation.estimate import FaceCollection
from meshgan.files import write_json, write_text
from meshgan.models.base import MeshModel
from meshgan.pictures.plots import Curve, training_curves
from meshgan.pictures.sheet import Sheet, save_png

REPORT_FILE, METRICS_FILE = "report.html", "metrics.json"
JPEG_QUALITY = 88
NUMBERS_TEXT = (
    "Each number stands beside the training data's own. What carries over to other data is the "
    "ratio: pairs that share a code should vary as much as training pairs that share the label."
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
    page = Template(resources.files("meshgan.apps").joinpath("report_template.html").read_text())
    entries = [(section.name, section.title) for section in sections]
    entries += [("numbers", "Numbers"), ("made", "How it was made")]
    write_text(
        out / REPORT_FILE,
        page.substitute(
            title=html.escape(title),
            summary=html.escape(summary),
            figures=_figures(figures or {}),
            contents="\n".join(f'<a href="#{n}">{html.escape(t)}</a>' for n, t in entries),
            sections="\n".join(_section(section) for section in sections),
            numbers_text=html.escape(NUMBERS_TEXT),
            table=metrics_table(metrics),
            made="\n".join(_facts(provenance)),
        ),
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

    Args:
        model: with the factors ``identity`` and ``expression``.
        store: its training data, for the nearest real faces.
        seed: of every draw.
        curves: losses over the iterations (``pictures.plots.training_curves``); left out if None.
        colour: sRGB of each vertex (``pictures.paint.paint_template``); plain skin if None.
    """
    sheets = FaceSheets(model, seed, colour=colour)
    sections = [
        Section.of_sheet("random_faces", sheets.random_faces()),
        Section.of_sheet("identity_in_all_expressions", sheets.one_identity_all_expressions()),
        Section.of_sheet("expression_on_many_identities", sheets.one_expression_many_identities()),
        Section.of_sheet("identity_expression_grid", sheets.identity_expression_grid()),
        Section.of_sheet("transfer", sheets.transfer()),
        Section.of_sheet("interpolation", sheets.interpolation()),
        Section.of_sheet("nearest_training_faces", sheets.nearest_training_faces(store)),
    ]
    if curves:
        chart = training_curves(curves, title="")
        text = "Each loss over the iterations: faint as measured, strong as a running mean."
        sections.append(Section("training_curves", "Training curves", text, chart))
    return sections


def _section(section: Section) -> str:
    title, text = html.escape(section.title), html.escape(section.text)
    picture = section.picture
    return (
        f'<section id="{html.escape(section.name)}">\n  <h2>{title}</h2>\n  <p>{text}</p>\n'
        f'  <figure><a href="{html.escape(section.name)}.png"><img alt="{title}. {text}" '
        f'width="{picture.width}" height="{picture.height}" src="{_inline(picture)}"></a></figure>'
        "\n</section>"
    )


def _inline(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.convert("RGB").save(
        buffer, format="JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True
    )
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _figures(figures: Mapping[str, str]) -> str:
    if not figures:
        return ""
    parts = [
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
        for name, value in figures.items()
    ]
    return f'<dl class="figures">{"".join(parts)}</dl>'


def _facts(provenance: Mapping[str, Any]) -> Iterator[str]:
    for name, value in provenance.items():
        shown = html.escape(_as_line(value))
        if name == "command":
            shown = f"<code>{shown}</code>"
        yield f"<dt>{html.escape(name.replace('_', ' '))}</dt><dd>{shown}</dd>"


def _as_line(value: Any) -> str:
    if isinstance(value, Mapping):
        return " · ".join(f"{name.replace('_', ' ')} {_as_line(v)}" for name, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_as_line(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)
