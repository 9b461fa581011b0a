"""The table of metrics: model, training data, ratio, fresh faces, and what the number should be."""

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# Fernández Abrevaya et al. 2019, Table 1, "the paper" over "training data"
PAPER_RATIOS = {
    "diversity": 0.97,
    "diversity_identity": 0.59,
    "diversity_expression": 0.84,
    "specificity": 0.41,
}


@dataclass(frozen=True)
class Row:
    """How a metric is named, scaled and read."""

    name: str
    meaning: str
    unit: str
    should_be: str
    scale: float = 1.0
    digits: int = 2


ROWS = {
    "diversity": Row(
        "Diversity",
        "mean distance of two random faces",
        "mm",
        "ratio near 1: as varied as the data",
    ),
    "specificity": Row(
        "Specificity",
        "mean distance to the nearest training face",
        "mm",
        "near that of fresh real faces; below it, the model copies",
    ),
    "oracle_identity": Row(
        "Identity found again",
        "same identity code, other expressions: still the same person?",
        "%",
        "as for true faces of the source",
        100.0,
        1,
    ),
    "oracle_expression": Row(
        "Expression found again",
        "same expression code, other persons: still the same expression?",
        "%",
        "as for true faces of the source",
        100.0,
        1,
    ),
    "laplacian_residual": Row(
        "Laplacian residual",
        "roughness of the change from the template",
        "1/mm",
        "ratio near 1: more is noise, less is ironed skin",
        1.0,
        4,
    ),
    "inverted_triangles": Row(
        "Inverted triangles",
        "turned by more than 90 degrees, per mesh",
        "",
        "no more than in the training data",
        1.0,
        1,
    ),
}


def metrics_table(metrics: Mapping[str, Any]) -> str:
    """The metrics that ``apps.evaluate.evaluate`` returned, as an HTML table.

    The oracle's shares (``oracle_FACTOR``, 0 to 1) stand beside those of the source's own faces
    (``fresh``) and the level of chance (``chance_FACTOR``).
    """
    heads = (
        "",
        "model",
        "training data",
        "ratio",
        "fresh real faces",
        "paper's ratio",
        "should be",
    )
    marked = "".join(
        f'<th class="{"n" if 0 < k < 6 else ""}">{h}</th>' for k, h in enumerate(heads)
    )
    body = "\n".join(_row(name, row, metrics) for name, row in _rows(metrics))
    return f"<table><thead><tr>{marked}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _rows(metrics: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    """Known metrics in their order; after the diversity, that of each factor."""
    for name, row in ROWS.items():
        if name in metrics:
            yield name, row
        if name != "diversity":
            continue
        for shared in metrics:
            factor = shared.removeprefix("diversity_")
            if factor != shared:
                meaning = f"two random faces with one {factor} code (training data: one label)"
                should_be = "ratio near 1, never more"
                yield shared, Row(f"Diversity, same {factor}", meaning, "mm", should_be)


def _row(name: str, row: Row, metrics: Mapping[str, Any]) -> str:
    def number(value: float | None) -> str:
        return "–" if value is None else f"{value * row.scale:,.{row.digits}f}"

    error = metrics.get("standard_error", {}).get(name)
    shown = number(metrics[name])
    if error:
        shown += f" <small>± {number(error)}</small>"
    ratio = metrics.get("ratios", {}).get(name)
    ratio_text = "–" if ratio is None else f"{ratio:.2f}"
    if ratio is not None and name == "specificity":
        ratio_text += " <small>of diversity</small>"
    paper = PAPER_RATIOS.get(name)
    chance = metrics.get(name.replace("oracle_", "chance_")) if "oracle" in name else None
    should_be = row.should_be if chance is None else f"{row.should_be}; chance {number(chance)} %"
    cells = [
        shown,
        number(metrics.get("training", {}).get(name)),
        ratio_text,
        number(metrics.get("fresh", {}).get(name)),
        "–" if paper is None else f"{paper:.2f}",
    ]
    unit = f", {row.unit}" if row.unit else ""
    return (
        f"<tr><th>{html.escape(row.name + unit)}<small>{html.escape(row.meaning)}</small></th>"
        + "".join(f'<td class="n">{cell}</td>' for cell in cells)
        + f'<td class="note">{html.escape(should_be)}</td></tr>'
    )
