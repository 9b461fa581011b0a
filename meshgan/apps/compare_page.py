"""What a comparison leaves behind: compare.md, .csv, .json and .html, and its pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from meshgan.apps.compare_appendix import (
    ABLATIONS,
    ORIGINS,
    TIMES,
    ablation_cells,
    origin_cells,
    time_cells,
)
from meshgan.apps.compare_pictures import charts, labelled_expressions, random_faces, transfer_map
from meshgan.apps.compare_table import (
    CONTROLS,
    PAPER,
    PAPER_COLUMNS,
    TABLES,
    Cells,
    Table,
    as_csv,
    as_html,
    as_markdown,
    as_plain,
    cells,
)
from meshgan.apps.contenders import Contender
from meshgan.apps.face_model import FaceModel
from meshgan.apps.report_page import Part, inline_picture, write_page
from meshgan.apps.yardstick import Yardstick
from meshgan.files import write_json, write_text
from meshgan.pictures.paint import paint_template
from meshgan.pictures.sheet import Sheet, save_png

FOOTER = (
    "Every number with its error, interval, seed and command: <code>compare.csv</code>; with all "
    "curves: <code>compare.json</code>. ± is half the width of the 95 % interval."
)
PAPERS_OWN = Table(
    "paper",
    "The paper's own table",
    "On the data of the paper, which differ from these: compare ratios, not values.",
    (),
)
SUMMARY = (
    "{count} models, trained on {meshes:,} faces and scored by the same commands. Numbers stand "
    "beside those of the training data and of real faces that no model saw."
)


def write_comparison(
    out: Path, result: Mapping[str, Any], contenders: Sequence[Contender], yardstick: Yardstick
) -> dict[str, str]:
    """Write the tables, the page and the pictures.

    Args:
        out: folder; made if missing.
        result: of ``apps.compare.compare``.
        contenders: whose faces are drawn.
        yardstick: for pictures that need the data.

    Returns:
        ``table`` and ``page``: paths.
    """
    tables = {table: cells(table, result) for table in TABLES} | {ABLATIONS: ablation_cells(result)}
    appendix = {
        CONTROLS: cells(CONTROLS, result),
        ORIGINS: origin_cells(result),
        TIMES: time_cells(result),
        PAPERS_OWN: _paper_table(),
    }
    pictures = _sheets(contenders, result)
    pictures.update(
        {name: (title, "", picture, picture) for name, (title, picture) in charts(result).items()}
    )
    sections = _parts(tables)
    for name, (title, text, shown, saved) in pictures.items():
        save_png(saved, out / "pictures" / f"{name}.png")
        content = f'<img alt="{title}" width="{shown.width}" src="{inline_picture(shown)}">'
        sections.append(Part(name, title, content, text))
    sections += _parts(appendix)
    settings = result["settings"]
    made = {**settings, "seconds": result["seconds"], "not available": result["not_available"]}
    summary = SUMMARY.format(count=len(result["rows"]), meshes=settings["meshes"])
    write_json(out / "compare.json", result)
    write_text(out / "compare.csv", as_csv(result))
    write_text(out / "compare.md", _markdown({**tables, **appendix}, result, summary))
    title = "How good are these models?"
    write_page(out / "compare.html", sections, made, title, summary, _figures(result), FOOTER)
    return {"table": str(out / "compare.md"), "page": str(out / "compare.html")}


def comparison_as_text(result: Mapping[str, Any]) -> str:
    """The paper's tables, for a terminal; whatever else was measured is in the files.

    Args:
        result: of ``apps.compare.compare``.
    """
    tables = {table: cells(table, result) for table in TABLES[:2]}
    tables[ABLATIONS] = ablation_cells(result)
    shown = [f"{table.title}\n{as_plain(found)}" for table, found in tables.items() if found]
    reasons = [f"not available: {reason}" for reason in result["not_available"].values()]
    files = [f"{name}  {result[name]}" for name in ("table", "page")]
    return "\n\n".join([*shown, "\n".join([*reasons, *files])])


def _parts(tables: Mapping[Table, Cells]) -> list[Part]:
    return [
        Part(table.name, table.title, f'<div class="scroll">{as_html(found)}</div>', table.text)
        for table, found in tables.items()
        if found
    ]


def _sheets(
    contenders: Sequence[Contender], result: Mapping[str, Any]
) -> dict[str, tuple[str, str, Any, Any]]:
    """Pictures by name: title, text, as shown on the page, as saved."""
    faces = {one.title: FaceModel.load(one.run) for one in contenders}
    if not faces:
        return {}
    paint = paint_template(next(iter(faces.values())).template)
    models = {title: face.model for title, face in faces.items()}
    sheets: dict[str, Sheet | None] = {
        "random_faces": random_faces(models, paint),
        "expressions": labelled_expressions(models, paint),
        "transfer_map": transfer_map(result, next(iter(faces.values())).template.mesh),
    }
    return {
        name: (sheet.title, sheet.subtitle, sheet.draw(heading=False), sheet.draw())
        for name, sheet in sheets.items()
        if sheet is not None
    }


def _figures(result: Mapping[str, Any]) -> dict[str, str]:
    first = result["rows"][0]
    shown = {
        "Dec-Id": ("decoupling_identity", 100.0, "%"),
        "Dec-Exp": ("decoupling_expression", 100.0, "%"),
        "Specificity": ("specificity", 1.0, "mm"),
    }
    return {
        f"{name}, {first['title']}": f"{first[key] * scale:.4g} {unit}"
        for name, (key, scale, unit) in shown.items()
        if key in first
    }


def _markdown(tables: Mapping[Table, Cells], result: Mapping[str, Any], summary: str) -> str:
    settings = result["settings"]
    parts = ["# How good are these models?", summary]
    for table, found in tables.items():
        if found:
            parts += [f"## {table.title}", table.text, as_markdown(found)]
    parts.append(
        f"Command: `{settings['command']}`; seed {settings['seed']}; data {settings['content']}; "
        f"{settings['pairs']:,} pairs, {settings['samples']:,} samples; meshgan "
        f"{settings['version']}."
    )
    return "\n\n".join(parts) + "\n"


def _paper_table() -> Cells:
    titles = {column.key: column.title for column in TABLES[0].columns}
    head = ["", *(titles[key] for key in PAPER_COLUMNS)]
    rows = [
        [name, *("–" if value is None else f"{value:g}" for value in values)]
        for name, values in PAPER.items()
    ]
    return [head, *rows]
