"""People: adults within range, each a stream of their own, mostly symmetric, as diverse as told."""

import numpy as np
import pytest

from meshgan.data.synthetic.people import PeopleSettings, Population
from meshgan.data.synthetic.phenotype import macro_weights
from meshgan.data.synthetic.recipe import read_recipe


def test_a_person_depends_on_seed_and_index_alone(population):
    first = population.person(3, 11).vector()
    for index in range(5):
        population.person(3, index)
    np.testing.assert_array_equal(population.person(3, 11).vector(), first)
    assert not np.array_equal(population.person(4, 11).vector(), first)
    assert not np.array_equal(population.person(3, 12).vector(), first)


def test_everyone_is_an_adult_within_range(population):
    people = [population.person(0, index) for index in range(300)]
    ages = np.array([person.phenotype.age for person in people])
    genders = np.array([person.phenotype.gender for person in people])
    assert ages.min() >= 2 / 3
    assert ages.max() <= 1
    assert 0.35 < np.mean(genders < 0.5) < 0.65
    for person in people:
        assert sum(person.phenotype.race) == pytest.approx(1)
        assert np.abs(person.local).max() <= 0.85
        assert np.abs(person.asymmetry).max() <= 0.4
        assert (person.head_type > 0).sum() == 1
        np.testing.assert_allclose(person.styles.sum(axis=1), 1)
        assert 0.1 <= person.tissue <= 1.2


def test_left_and_right_change_together(population, bases):
    people = np.array([population.person(0, index).local for index in range(400)])
    pairs: dict[str, list[int]] = {}
    for k, change in enumerate(bases.local_changes):
        pairs.setdefault(change.pair, []).append(k)
    two = [ids for ids in pairs.values() if len(ids) == 2]
    together = [np.corrcoef(people[:, left], people[:, right])[0, 1] for left, right in two]
    assert len(two) >= 20
    assert min(together) > 0.95
    assert max(together) < 0.9999


def test_spread_scales_the_differences(bases):
    outline = read_recipe("low").outline
    calm = Population(bases, outline, PeopleSettings(spread=0.0, asymmetry=0.0))
    person = calm.person(0, 0)
    assert not person.local.any()
    assert not person.head_type.any()


def test_neutral_is_what_the_targets_say(population, bases):
    """The weighted sum of the targets, up to a rigid motion."""
    person = population.person(5, 2)
    neutral = population.neutral(person).astype(np.float64)
    blocks = bases.blocks()
    expected = bases.base.astype(np.float64)
    parts = {
        "macro": macro_weights(person.phenotype),
        "more": person.local.clip(min=0),
        "less": (-person.local).clip(min=0),
        "left": person.asymmetry.clip(min=0),
        "right": (-person.asymmetry).clip(min=0),
        "head": person.head_type,
    }
    for name, weights in parts.items():
        for weight, target in zip(weights, bases.shape[blocks[name]], strict=True):
            expected += weight * target
    chosen = np.random.default_rng(0).integers(0, len(expected), (2, 300))
    lengths = [np.linalg.norm(x[chosen[0]] - x[chosen[1]], axis=1) for x in (neutral, expected)]
    np.testing.assert_allclose(lengths[0], lengths[1], atol=5e-3)
