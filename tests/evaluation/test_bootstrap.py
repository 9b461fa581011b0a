"""Bootstrap intervals: of a mean as theory says, whole units, repeatable."""

import numpy as np
import pytest

from meshgan.errors import InputError
from meshgan.evaluation.bootstrap import bootstrap
from meshgan.seeding import generator


def test_interval_of_a_mean_is_two_standard_errors_wide():
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    low, high = bootstrap(values, np.mean, generator(0, "bootstrap"), draws=4000)
    error = values.std() / 20
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_rows_stay_together():
    """Ten copies of each number tell no more than the number itself."""
    values = np.random.default_rng(1).normal(size=30)
    copied = np.repeat(values[:, None], 10, axis=1)
    alone = bootstrap(values, np.mean, generator(2, "bootstrap"))
    assert bootstrap(copied, np.mean, generator(2, "bootstrap")) == pytest.approx(alone)
    groups = [np.full(10, value) for value in values]
    assert bootstrap(groups, np.mean, generator(2, "bootstrap")) == pytest.approx(alone)


def test_groups_of_any_length_are_joined():
    groups = [np.zeros(1), np.ones(3)]
    # one group twice, or both: the means 0, 1 and 3/4 and no others
    seen = set()
    bootstrap(groups, lambda all_: seen.add(float(all_.mean())) or 0.0, generator(0, "b"), 60)
    assert seen == {0.0, 0.75, 1.0}


def test_seed_decides():
    values = np.arange(9.0)
    first, again, other = (bootstrap(values, np.mean, generator(k, "b")) for k in (0, 0, 1))
    assert first == again != other


def test_refuses_nothing():
    with pytest.raises(InputError, match="0 units and 1000 draws"):
        bootstrap(np.empty(0), np.mean, generator(0, "b"))
    with pytest.raises(InputError, match="0 draws"):
        bootstrap(np.ones(3), np.mean, generator(0, "b"), draws=0)
