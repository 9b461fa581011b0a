"""Contact: the truth closes, the numbers are what slits say, models are measured beside it."""

import numpy as np
import pytest
import torch

from meshgan.apps.transfer_table import WAYS, transfer_table
from meshgan.data.slits import find_slits
from meshgan.data.synthetic.source import open_source
from meshgan.errors import InputError
from meshgan.evaluation.contact_gaps import CONTACTS, contact_cases, contact_gaps


@pytest.fixture(scope="module")
def source():
    return open_source("low")


@pytest.fixture(scope="module")
def slits(source):
    return find_slits(source.template)


@pytest.mark.parametrize("contact", list(CONTACTS))
def test_the_truth_meets_and_resting_faces_do_not(source, slits, contact):
    cases = contact_cases(source, contact, cases=6, persons=3)
    truth = contact_gaps(cases.truth, cases.truth, contact, slits)
    rest = contact_gaps(cases.target, cases.truth, contact, slits)
    assert truth.error.mean == 0
    assert truth.crossing.mean < 0.02
    assert truth.gap.mean < 0.85 * rest.gap.mean
    assert rest.error.mean > 0.2
    assert (cases.target - cases.rest).flatten(1).norm(dim=1).min() > 1  # two people


def test_gaps_are_measured_where_they_are_made(source, slits):
    cases = contact_cases(source, "blink", cases=3, persons=2)
    wider = cases.truth.clone()
    for name in ("left_lids", "right_lids"):
        upper = slits[name].upper
        wider[:, upper[1:-1], 1] += 2.0
    found = contact_gaps(wider, cases.truth, "blink", slits)
    truth = contact_gaps(cases.truth, cases.truth, "blink", slits)
    assert found.gap.mean - truth.gap.mean == pytest.approx(2.0, abs=0.02)
    assert found.error.mean == pytest.approx(2.0, abs=0.02)
    crossed = cases.truth.clone()
    crossed[:, slits["left_lids"].upper[1:-1], 1] -= 4.0
    assert contact_gaps(crossed, cases.truth, "blink", slits).crossing.mean > 1


def test_refuses_bad_input(source, slits):
    with pytest.raises(InputError, match="'kiss' with 30 persons; expected 1 or more of blink or"):
        contact_cases(source, "kiss")
    faces = torch.zeros(1, source.template.vertex_count, 3)
    with pytest.raises(InputError, match="no left_lids, right_lids"):
        contact_gaps(faces, faces, "blink", {"lips": slits["lips"]})


def test_the_table_has_every_way_of_every_model(tiny_run):
    found = transfer_table([tiny_run], cases=2, contacts=2)
    rows = {(row["model"], row["way"], row["what"]): row for row in found["rows"]}
    assert len(rows) == 3 * (2 + len(WAYS))
    assert rows["", "truth", "blink"]["error_mm"] == 0
    ours = rows[tiny_run.name, "from_rest", "blink"]
    assert ours["gap_error_mm"] < rows["", "additive", "blink"]["gap_error_mm"] + 0.3
    assert np.isfinite(ours["error_mm"])
    assert ours["error_mm"] < rows[tiny_run.name, "pair", "blink"]["error_mm"]
    with pytest.raises(InputError, match="0 different names"):
        transfer_table([])
