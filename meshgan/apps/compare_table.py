"""The tables of a comparison: Markdown, CSV and HTML from the same cells."""

import csv
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PERCENT = 100.0


@dataclass(frozen=True)
class Column:
    """One number of every model.

    Args:
        key: its name in the results.
        title: above the column.
        scale: factor to what is shown.
        digits: after the point.
        best: "high", "low", or None where neither is better by itself.
    """

    key: str
    title: str
    scale: float = 1.0
    digits: int = 2
    best: str | None = None


@dataclass(frozen=True)
class Table:
    """Columns under a title.

    Args:
        name: of its files and anchor.
        title: heading.
        text: how to read it.
        columns: the numbers.
        data_rows: whether the data's own numbers stand above the models'.
    """

    name: str
    title: str
    text: str
    columns: tuple[Column, ...]
    data_rows: bool = True


TABLES = (
    Table(
        "table1",
        "Decoupling, diversity, specificity",
        "Dec: share of faces with one code in common that a network takes for the same; for fresh "
        "faces, real faces with one label; by chance: faces with nothing in common. Div: mean "
        "vertex distance of random pairs, and of pairs with one code in common: right is the "
        "training data's own value. Sp: distance to the nearest training face: right is that of "
        "fresh real faces. A model that draws one face only decouples perfectly: read a row as a "
        "whole.",
        (
            Column("decoupling_identity", "Dec-Id (%)", PERCENT, 1),
            Column("decoupling_expression", "Dec-Exp (%)", PERCENT, 1),
            Column("accepted_expression", "alike by chance, Exp (%)", PERCENT, 1),
            Column("diversity", "Div (mm)"),
            Column("diversity_identity", "Div-Id (mm)"),
            Column("diversity_expression", "Div-Exp (mm)"),
            Column("specificity", "Sp (mm)"),
        ),
    ),
    Table(
        "table2",
        "Reconstruction from sparse landmarks",
        "Surface error (RMSE, mm) of people whom no model saw, with expressions stronger than any "
        "in the training data, from their landmarks alone, for three weights of the codes' prior.",
        (
            Column("reconstruction_0", "lambda 0 (mm)", best="low"),
            Column("reconstruction_0.01", "lambda 0.01 (mm)", best="low"),
            Column("reconstruction_10", "lambda 10 (mm)", best="low"),
        ),
        data_rows=False,
    ),
    Table(
        "truth",
        "Against the known truth",
        "For data whose truth is known. Found again: share of faces whose person (expression) is "
        "recognised although all other codes changed. Leak: how far the person at rest moves when "
        "only the expression code changes, and the other way round, as a share of the distance of "
        "two random ones. Transfer: error (mm) of an expression brought to another person.",
        (
            Column("oracle_identity", "identity found (%)", PERCENT, 1, "high"),
            Column("oracle_expression", "expression found (%)", PERCENT, 1, "high"),
            Column("leak_share_identity_from_expression", "leak into identity (%)", PERCENT, 1),
            Column("leak_share_expression_from_identity", "leak into expression (%)", PERCENT, 1),
            Column("transfer_all", "transfer (mm)", best="low"),
        ),
    ),
    Table(
        "companions",
        "Companions",
        "Precision, recall, density, coverage: do samples lie among real faces, and real faces "
        "among samples? Generalisation: error (mm) of people whom no model saw, fitted as a whole. "
        "Modes: directions that hold 95 % of the variance. Near copies: samples nearer to a "
        "training face than 95 % of fresh faces are (5 % if as fresh faces). Path: length of a way "
        "between two codes over the straight one.",
        (
            Column("precision", "precision (%)", PERCENT, 1),
            Column("recall", "recall (%)", PERCENT, 1),
            Column("density", "density"),
            Column("coverage", "coverage (%)", PERCENT, 1),
            Column("generalisation", "generalisation (mm)", best="low"),
            Column("modes_95", "modes", digits=0),
            Column("near_copies", "near copies (%)", PERCENT, 1),
            Column("path_length", "path"),
            Column("laplacian_residual", "roughness (1/mm)", digits=4),
            Column("inverted_triangles", "inverted", digits=1),
        ),
    ),
)
CONTROLS = Table(
    "controls",
    "Controls",
    "Models whose decoupling is known beforehand: they test the metrics. Accepted: pairs that "
    "share nothing and are taken for the same all the same.",
    (
        Column("decoupling_identity", "Dec-Id (%)", PERCENT, 1),
        Column("decoupling_expression", "Dec-Exp (%)", PERCENT, 1),
        Column("accepted_identity", "accepted, Id (%)", PERCENT, 1),
        Column("accepted_expression", "accepted, Exp (%)", PERCENT, 1),
        Column("oracle_identity", "identity found (%)", PERCENT, 1),
        Column("oracle_expression", "expression found (%)", PERCENT, 1),
        Column("diversity", "Div (mm)"),
    ),
    data_rows=False,
)
PAPER_COLUMNS: tuple[str, ...] = (
    "decoupling_identity",
    "decoupling_expression",
    "diversity",
    "diversity_identity",
    "diversity_expression",
    "specificity",
)
PAPER = {
    "training data": (None, None, 4.89, 3.30, 5.04, None),
    "GAN": (98.6, 89.7, 4.74, 1.94, 4.22, 2.01),
    "without mesh regulariser": (99.6, 99.1, 1.41, 0.65, 1.25, 3.61),
    "without expression classifier": (100.0, 42.8, 4.81, 0.11, 4.87, 2.01),
    "without feature loss": (96.0, 80.3, 4.47, 1.75, 4.01, 2.00),
    "MAE": (99.5, 53.3, 3.89, 0.92, 3.76, 2.00),
    "COMA": (97.5, 65.5, 3.38, 1.71, 2.90, 2.47),
}
"""Fernández Abrevaya et al. 2019, Table 1, on their data, in the order of ``PAPER_COLUMNS``."""

CSV_HEAD = (
    *("model", "group", "number", "value", "standard_error", "low", "high"),
    *("training_seed", "training_command", "seed", "data", "command"),
)
Cells = list[list[str]]


def cells(table: Table, result: Mapping[str, Any]) -> Cells:
    """The table as text: a head, the data's rows, a row per model; rows and columns without a
    value go.

    Args:
        table: which.
        result: of ``apps.compare.compare``.
    """
    rows = result["controls"] if table is CONTROLS else result["rows"]
    columns = [one for one in table.columns if any(one.key in row for row in rows)]
    if not columns:
        return []
    head = ["", *(one.title for one in columns)]
    measured = [row for row in rows if any(one.key in row for one in columns)]
    body = [[row["title"], *_of_row(row, rows, columns)] for row in measured]
    data: Cells = []
    if table.data_rows:
        named = {"training data": "training", "fresh real faces": "fresh"}
        for title, part in named.items():
            values = result["data"][part]
            if any(one.key in values for one in columns):
                data.append([title, *(_number(one, values.get(one.key)) for one in columns)])
    return [head, *data, *body]


def _of_row(
    row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]
) -> list[str]:
    texts = []
    for one in columns:
        text = _number(one, row.get(one.key))
        interval = row.get("interval", {}).get(one.key)
        if interval is not None and one.key in row and interval[0] < interval[1]:
            half = (interval[1] - interval[0]) / 2 * one.scale
            text += f" ± {half:.{one.digits}f}"
        if one.best and one.key in row and row[one.key] == _best(one, rows):
            text = f"**{text}**"
        texts.append(text)
    return texts


def _best(column: Column, rows: Sequence[Mapping[str, Any]]) -> float:
    values = [row[column.key] for row in rows if column.key in row]
    return max(values) if column.best == "high" else min(values)


def _number(column: Column, value: float | None) -> str:
    return "–" if value is None else f"{value * column.scale:,.{column.digits}f}"


def as_markdown(table: Cells) -> str:
    """A Markdown table."""
    head, *body = table
    lines = [_line(head), _line(["---", *(["---:"] * (len(head) - 1))])]
    return "\n".join([*lines, *(_line(row) for row in body)])


def as_plain(table: Cells) -> str:
    """A table for a terminal: columns aligned, numbers to the right, the best with a star."""
    rows = [[text.replace("**", "*", 1).replace("**", "") for text in row] for row in table]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            text.rjust(width) if k else text.ljust(width)
            for k, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def _line(row: Sequence[str]) -> str:
    return "| " + " | ".join(row) + " |"


def as_html(table: Cells) -> str:
    """An HTML table; numbers to the right, the best in bold, intervals small."""
    head, *body = table
    heads = "".join(
        f'<th class="{"n" if k else ""}">{html.escape(text)}</th>' for k, text in enumerate(head)
    )
    rows = "\n".join(
        f"<tr><th>{html.escape(row[0])}</th>"
        + "".join(f'<td class="n">{_html_number(text)}</td>' for text in row[1:])
        + "</tr>"
        for row in body
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>\n{rows}\n</tbody></table>"


def _html_number(text: str) -> str:
    bold = text.startswith("**")
    value, sign, spread = text.strip("*").partition(" ± ")
    shown = html.escape(value) + (f" <small>± {html.escape(spread)}</small>" if sign else "")
    return f"<strong>{shown}</strong>" if bold else shown


def as_csv(result: Mapping[str, Any]) -> str:
    """Every number with its error, interval and origin: one line per number.

    Args:
        result: of ``apps.compare.compare``.
    """
    settings = result["settings"]
    measured = [settings["seed"], settings["content"], settings["command"]]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    data = [{"name": name, "group": "data", **row} for name, row in result["data"].items()]
    for row in (*result["rows"], *result["controls"], *data):
        made = [row.get("seed", ""), row.get("command", "")]
        for key, error in row.get("standard_error", {}).items():
            low, high = row["interval"][key]
            about = [row["name"], row["group"], key, row[key], error, low, high]
            writer.writerow([*about, *made, *measured])
    return out.getvalue()
