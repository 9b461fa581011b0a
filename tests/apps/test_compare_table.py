"""Tables of a comparison: units, intervals, the best in bold, the data's rows above the models'."""

import csv
import io

import pytest

from meshgan.apps.compare_page import comparison_as_text
from meshgan.apps.compare_table import (
    CONTROLS,
    TABLES,
    as_csv,
    as_html,
    as_markdown,
    as_plain,
    cells,
)

TABLE1, TABLE2 = TABLES[0], TABLES[1]


@pytest.fixture
def result():
    def row(name, **numbers):
        return {
            "name": name,
            "title": name.upper(),
            "group": "model",
            "seed": 3,
            "command": "meshgan train",
            "interval": {key: [value - 0.01, value + 0.01] for key, value in numbers.items()},
            "standard_error": dict.fromkeys(numbers, 0.005),
            **numbers,
        }

    return {
        "rows": [
            row("gan", decoupling_identity=0.986, diversity=4.74, reconstruction_0=2.62),
            row("mae", decoupling_identity=0.995, diversity=3.89, reconstruction_0=4.46),
        ],
        "controls": [row("chance", decoupling_identity=0.04)],
        "data": {
            "training": {"diversity": 4.89},
            "fresh": {"decoupling_identity": 0.97, "diversity": 4.9},
        },
    }


def test_shares_are_percent_and_half_intervals_stand_beside(result):
    found = cells(TABLE1, result)
    assert found[0] == ["", "Dec-Id (%)", "Div (mm)"]  # columns that nobody has are left out
    assert found[1] == ["training data", "–", "4.89"]
    assert found[2] == ["fresh real faces", "97.0", "4.90"]
    assert found[3] == ["GAN", "98.6 ± 1.0", "4.74 ± 0.01"]


def test_the_best_is_bold_where_low_is_better(result):
    found = cells(TABLE2, result)
    assert found[0] == ["", "lambda 0 (mm)"]
    assert found[1:] == [["GAN", "**2.62 ± 0.01**"], ["MAE", "4.46 ± 0.01"]]


def test_a_terminal_shows_the_papers_tables_and_where_the_rest_is(result):
    assert as_plain(cells(TABLE2, result)).splitlines() == [
        "     lambda 0 (mm)",
        "GAN   *2.62 ± 0.01",
        "MAE    4.46 ± 0.01",
    ]
    missing = {"oracle": "oracle: the source is not known"}
    text = comparison_as_text(
        {**result, "not_available": missing, "table": "a/compare.md", "page": "a/compare.html"}
    )
    assert text.startswith(f"{TABLE1.title}\n")
    assert TABLE2.title in text
    assert text.endswith(
        "not available: oracle: the source is not known\ntable  a/compare.md\npage  a/compare.html"
    )


def test_models_that_were_not_asked_have_no_row(result):
    del result["rows"][0]["reconstruction_0"]
    assert [row[0] for row in cells(TABLE2, result)] == ["", "MAE"]


def test_controls_are_their_own_rows(result):
    assert cells(CONTROLS, result)[1:] == [["CHANCE", "4.0 ± 1.0"]]


def test_no_table_without_numbers(result):
    for row in result["rows"]:
        del row["reconstruction_0"]
    assert cells(TABLE2, result) == []


def test_markdown_and_html_hold_the_same_cells(result):
    found = cells(TABLE2, result)
    assert as_markdown(found).splitlines() == [
        "|  | lambda 0 (mm) |",
        "| --- | ---: |",
        "| GAN | **2.62 ± 0.01** |",
        "| MAE | 4.46 ± 0.01 |",
    ]
    page = as_html(found)
    assert "<strong>2.62 <small>± 0.01</small></strong>" in page
    assert '<td class="n">4.46 <small>± 0.01</small></td>' in page


def test_titles_are_escaped(result):
    result["rows"][0]["title"] = "<script>"
    assert "<script>" not in as_html(cells(TABLE1, result))


def test_csv_has_every_number_with_where_it_comes_from(result):
    result["settings"] = {"seed": 4, "content": "d4ta", "command": "meshgan compare"}
    rows = list(csv.DictReader(io.StringIO(as_csv(result))))
    assert len(rows) == 7
    assert rows[-1]["model"] == "chance"
    assert rows[0] == {
        "model": "gan",
        "group": "model",
        "number": "decoupling_identity",
        "value": "0.986",
        "standard_error": "0.005",
        "low": "0.976",
        "high": "0.996",
        "training_seed": "3",
        "training_command": "meshgan train",
        "seed": "4",
        "data": "d4ta",
        "command": "meshgan compare",
    }
