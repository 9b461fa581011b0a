"""Macro weights: products of factors that always share out one whole."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.data.synthetic.phenotype import Phenotype, macro_targets, macro_weights

unit = st.floats(0, 1)


def _weights(phenotype: Phenotype) -> dict[str, float]:
    return dict(zip(macro_targets(), macro_weights(phenotype).tolist(), strict=True))


def test_corners_pick_single_targets():
    old_man = Phenotype(0.0, 1.0, 1.0, 0.0, 1.0, 0.0, (0.0, 1.0, 0.0))
    chosen = {name for name, weight in _weights(old_man).items() if weight}
    build = "male-old-maxmuscle-minweight"
    assert chosen == {
        f"macrodetails/universal-{build}",
        f"macrodetails/height/{build}-maxheight",
        f"macrodetails/proportions/{build}-idealproportions",
        "macrodetails/asian-male-old",
    }


def test_middle_by_hand():
    weights = _weights(Phenotype(gender=0.25, age=0.75, muscle=0.75))
    np.testing.assert_allclose(weights["macrodetails/caucasian-female-old"], 0.25 * 0.25 / 3)
    build = "female-old-maxmuscle-averageweight"
    np.testing.assert_allclose(weights[f"macrodetails/universal-{build}"], 0.25 * 0.25 * 0.5)


@settings(max_examples=20, deadline=None)
@given(unit, st.floats(2 / 3, 1), unit, unit, unit, unit)
def test_each_kind_of_target_sums_to_one(gender, age, muscle, weight, height, proportions):
    weights = _weights(Phenotype(gender, age, muscle, weight, height, proportions))
    kinds = {"universal": 0.0, "height": 0.0, "proportions/": 0.0, "race": 0.0}
    for name, value in weights.items():
        assert value >= 0
        kinds[next((kind for kind in kinds if kind in name), "race")] += value
    np.testing.assert_allclose(list(kinds.values()), 1)
    assert len(weights) == 192
