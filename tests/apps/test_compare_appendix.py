"""The appendix of a comparison: ratios beside the paper's, origins, times."""

import pytest

from meshgan.apps.compare_appendix import ablation_cells, origin_cells, time_cells

FOUND = ["identity found (%)", "expression found (%)"]


def row(name, **numbers):
    return {
        "name": name,
        "title": name.upper(),
        "seed": 3,
        "weights": "0123456789abcdef",
        "command": "meshgan train --preset " + name,
        "training_seconds": 120.0,
        "seconds": {"diversity": 30.0, "decoupling": 60.0},
        **numbers,
    }


@pytest.fixture
def result():
    return {
        "rows": [
            row("gan", diversity=5.0),
            row(
                "without_feature_loss",
                decoupling_identity=0.5,
                diversity=2.5,
                specificity=1.0,
                oracle_identity=0.75,
                ratios={"laplacian_residual": 1.25},
            ),
        ],
        "controls": [row("chance") | {"seconds": {"diversity": 6.0}}],
        "data": {"training": {"diversity": 5.0}},
        "times": {"judges": {"identity": 180.0}, "data": {"companions": 12.0}},
    }


def test_ablations_stand_above_the_papers_as_ratios(result):
    head, ours, paper = ablation_cells(result)
    assert head == ["", "Dec-Id (%)", "Div", "Sp", "roughness", *FOUND]
    assert ours == ["WITHOUT_FEATURE_LOSS", "50.0", "0.50", "0.20", "1.25", "75.0", "–"]
    # Table 1 of the paper: 96.0; 4.47 of 4.89; 2.00 of 4.89
    assert paper == ["(the paper)", "96.0", "0.91", "0.41", "–", "–", "–"]


def test_no_ablation_no_table(result):
    del result["rows"][1]
    assert ablation_cells(result) == []


def test_every_row_names_its_command_seed_and_weights(result):
    origins = origin_cells(result)
    assert origins[1] == ["GAN", "3", "0123456789ab", "meshgan train --preset gan"]
    assert len(origins) == 3


def test_minutes_add_up(result):
    times = time_cells(result)
    assert times[0][:4] == ["", "training (min)", "scoring (min)", "decoupling"]
    assert times[1] == ["GAN", "2.0", "1.5", "1.0", "–", "–", "–"]
    assert times[3] == ["CHANCE", "–", "0.1", "–", "–", "–", "–"]
    assert times[-1] == ["all", "7.0", "3.3", "2.0", "0.2", "0.0", "0.0"]
