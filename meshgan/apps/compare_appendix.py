"""Tables of a comparison beside its numbers: what each loss does, where rows and time come from."""

from collections.abc import Mapping
from typing import Any

from meshgan.apps.compare_table import PAPER, PAPER_COLUMNS, PERCENT, TABLES, Cells, Table

MINUTE = 60.0
ABLATIONS = Table(
    "ablations",
    "What each loss does",
    "Models that start from faces of the data whose codes are all turned into one another, so that "
    "none means anything: all losses, then one of them left out. Roughness and Div over the "
    "training data's own, Sp over the data's Div, as ratios carry over to other data; found: by "
    "the known truth; below each row, the paper's on its data. Compare them with the first of "
    "them, not with the best model.",
    (),
)
ORIGINS = Table(
    "origins",
    "Where the rows come from",
    "Seed, weights (checksum) and command of every training. Seed and command of the scores, and "
    "the checksum of the data, stand at the end; all of it beside every number in the CSV.",
    (),
)
TIMES = Table(
    "times",
    "Where the time goes",
    "Minutes on the machine that made the table. Training: of the last piece, where it was "
    "interrupted. Metrics that are not named take the rest.",
    (),
)
DEAR = ("decoupling", "companions", "reconstruction", "transfer")
FOUND = {
    "oracle_identity": "identity found (%)",
    "oracle_expression": "expression found (%)",
}
OF_PAPER = {
    "mixed_start": "GAN",
    "without_regulariser": "without mesh regulariser",
    "without_expression_classifier": "without expression classifier",
    "without_feature_loss": "without feature loss",
}


def ablation_cells(result: Mapping[str, Any]) -> Cells:
    """Each ablation as ratios, above the paper's own; nothing if there is none."""
    training = result["data"]["training"]
    rows = [row for row in result["rows"] if row["name"] in OF_PAPER]
    titles = {column.key: column.title for column in TABLES[0].columns}
    paper_data = dict(zip(PAPER_COLUMNS, PAPER["training data"], strict=True))
    shown = [key for key in PAPER_COLUMNS if any(key in row for row in rows)]
    if not shown:
        return []
    head = ["", *(titles[k] if _is_share(k) else titles[k].replace(" (mm)", "") for k in shown)]
    body = []
    for row in rows:
        paper = dict(zip(PAPER_COLUMNS, PAPER[OF_PAPER[row["name"]]], strict=True))
        ours = [_relative(key, row.get(key), training, PERCENT) for key in shown]
        theirs = [_relative(key, paper[key], paper_data, 1.0) for key in shown]
        rough = row.get("ratios", {}).get("laplacian_residual")
        ours.append("–" if rough is None else f"{rough:.2f}")
        truth = [f"{PERCENT * row[key]:.1f}" if key in row else "–" for key in FOUND]
        body.append([row["title"], *ours, *truth])
        body.append(["(the paper)", *theirs, "–", *("–" for _ in FOUND)])
    return [[*head, "roughness", *FOUND.values()], *body]


def _is_share(key: str) -> bool:
    return key.startswith("decoupling")


def _relative(
    key: str, value: float | None, data: Mapping[str, float | None], percent: float
) -> str:
    """A share as it is; a distance over the data's own, specificity over its diversity."""
    if value is None:
        return "–"
    if _is_share(key):
        return f"{percent * value:.1f}"
    own = data.get("diversity" if key == "specificity" else key)
    return f"{value / own:.2f}" if own else "–"


def origin_cells(result: Mapping[str, Any]) -> Cells:
    """Seed, weights and command of each row."""
    head = ["", "seed", "weights", "command"]
    return [
        head,
        *(
            [row["title"], str(row["seed"]), str(row["weights"])[:12], str(row["command"])]
            for row in result["rows"]
        ),
    ]


def time_cells(result: Mapping[str, Any]) -> Cells:
    """Minutes of each model, of the judges and of the data's own numbers."""
    rows = [(row["title"], row.get("training_seconds"), row["seconds"]) for row in result["rows"]]
    rows += [(row["title"], None, row["seconds"]) for row in result["controls"]]
    times = result["times"]
    rows += [(f"judge of {name}", spent, {}) for name, spent in times["judges"].items()]
    rows.append(("the data's own numbers", None, times["data"]))
    body = [
        [
            title,
            _minutes(training),
            _minutes(sum(spent.values(), 0.0) if spent else None),
            *(_minutes(spent.get(name)) for name in DEAR),
        ]
        for title, training, spent in rows
    ]
    trained = sum((training or 0.0 for _, training, _ in rows), 0.0)
    scored = sum((sum(spent.values()) for _, _, spent in rows), 0.0)
    total = ["all", _minutes(trained), _minutes(scored)]
    total += [_minutes(sum((spent.get(name, 0.0) for _, _, spent in rows), 0.0)) for name in DEAR]
    return [["", "training (min)", "scoring (min)", *DEAR], *body, total]


def _minutes(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds / MINUTE:.1f}"
