"""A web page that holds its pictures and styles itself, so it opens anywhere without a network."""

import base64
import html
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from PIL import Image

from meshgan.files import write_text

JPEG_QUALITY = 88


@dataclass(frozen=True)
class Part:
    """A part of the page.

    Args:
        name: anchor.
        title: heading, plain text.
        content: HTML.
        text: what to look at, plain text; may be empty.
    """

    name: str
    title: str
    content: str
    text: str = ""


def write_page(
    path: Path,
    parts: Sequence[Part],
    provenance: Mapping[str, Any],
    title: str,
    summary: str,
    figures: Mapping[str, str],
    footer: str,
) -> None:
    """Write the page, whole or not at all.

    Args:
        path: HTML file.
        parts: in their order.
        provenance: how it was made: command, seed, versions, seconds; nested mappings and lists
            are shown as one line each.
        title: of the page.
        summary: one or two sentences under the title.
        figures: a few key numbers for the head of the page, name to text.
        footer: HTML of the last lines.

    Raises:
        JobError: the file cannot be written.
    """
    page = Template(resources.files("meshgan.apps").joinpath("report_template.html").read_text())
    entries = [(part.name, part.title) for part in parts] + [("made", "How it was made")]
    content = page.substitute(
        title=html.escape(title),
        summary=html.escape(summary),
        figures=_figures(figures),
        contents="\n".join(f'<a href="#{n}">{html.escape(t)}</a>' for n, t in entries),
        sections="\n".join(_section(part) for part in parts),
        made="\n".join(_facts(provenance)),
        footer=footer,
    )
    write_text(path, content)


def inline_picture(picture: Image.Image, quality: int = JPEG_QUALITY) -> str:
    """A picture as an address that contains it."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(
        buffer, format="JPEG", quality=quality, subsampling=0, optimize=True
    )
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _section(part: Part) -> str:
    return (
        f'<section id="{html.escape(part.name)}">\n  <h2>{html.escape(part.title)}</h2>\n'
        f"  <p>{html.escape(part.text)}</p>\n  {part.content}\n</section>"
    )


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
