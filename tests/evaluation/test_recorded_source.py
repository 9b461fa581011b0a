"""A source found again from what it recorded: the model itself, its people, clear refusals."""

from types import SimpleNamespace

import numpy as np
import pytest

from meshgan.data.synthetic.plan import plan_dataset
from meshgan.errors import InputError
from meshgan.evaluation.recorded_source import RecordedSource
from meshgan.evaluation.source_oracle import source_decoupling
from tests.fakes import AdditiveModel, ArrayFaces, LinearSource

PEOPLE, K, E, V = 60, 3, 4, 25


class Recorded(ArrayFaces):
    """Meshes with extras, as a store has them."""

    def __init__(self, vertices, extras):
        super().__init__(vertices.astype(np.float32), {}, {})
        self._extras = extras
        self.manifest = SimpleNamespace(extras=dict.fromkeys(extras))

    def extras(self, name):
        return self._extras[name]


@pytest.fixture(scope="module")
def truth():
    rng = np.random.default_rng(0)
    return {
        "mean": rng.normal(0, 50, (V, 3)),
        "person": rng.normal(0, 3, (K, V, 3)),
        "expression": rng.normal(0, 2, (E, V, 3)),
    }


def recorded(truth, bend=0.0, name="actions", people=PEOPLE):
    rng = np.random.default_rng(1)
    person = np.repeat(rng.normal(size=(people, K)) * [1.0, 2.0, 0.5], 4, axis=0)
    expression = rng.uniform(0, 1, (4 * people, E))
    expression[:, 3] = expression[:, 2]  # two weights that always go together
    meshes = truth["mean"] + np.tensordot(person, truth["person"], 1)
    meshes += np.tensordot(expression, truth["expression"], 1)
    meshes += bend * (person[:, :1, None] * expression[:, :1, None])
    return Recorded(meshes, {"identity_coefficients": person, name: expression})


@pytest.mark.parametrize("name", ["actions", "expression_coefficients"])
def test_finds_the_model_again(truth, name):
    source = RecordedSource.fit(recorded(truth, name=name))
    np.testing.assert_allclose(source.mean, truth["mean"], atol=1e-3)
    np.testing.assert_allclose(source.person_modes, truth["person"], atol=1e-3)
    together = truth["expression"][2] + truth["expression"][3]  # all that can be known of the two
    np.testing.assert_allclose(source.expression_modes[2:].sum(axis=0), together, atol=1e-3)
    assert source.unexplained_mm < 1e-3


def test_new_people_are_spread_like_the_recorded_ones(truth):
    faces = recorded(truth, people=400)
    source = RecordedSource.fit(faces)
    calm = np.stack([source.neutral(0, person) for person in range(400)]) - truth["mean"]
    modes = truth["person"].reshape(K, -1)
    drawn = np.linalg.lstsq(modes.T, calm.reshape(400, -1).T, rcond=None)[0]
    np.testing.assert_allclose(drawn.std(axis=1), [1.0, 2.0, 0.5], rtol=0.15)
    assert np.array_equal(source.neutral(0, 7), source.neutral(0, 7))
    assert not np.array_equal(source.neutral(0, 7), source.neutral(1, 7))


def test_a_person_with_an_expression_is_the_sum(truth):
    source = RecordedSource.fit(recorded(truth))
    weights = np.eye(E)[:2]
    faces = source.express(3, 5, weights) - source.neutral(3, 5)
    np.testing.assert_allclose(faces, truth["expression"][:2], atol=2e-3)


def test_streams_what_the_plan_asks_for(truth):
    source = RecordedSource.fit(recorded(truth))
    plan = plan_dataset(70, 5, first_subject=1000)
    batches = list(source.stream(plan, seed=2))
    assert sum(rows.count for rows in batches) == 70
    for rows in batches:
        again = source.express(2, 1000 + int(rows.subject[0]), rows.extras["actions"])
        np.testing.assert_allclose(rows.vertices, again, atol=1e-4)


def test_serves_the_oracle():
    """An additive model beside its own faces, of which only the coefficients are known."""
    model = AdditiveModel(side=8)
    teller, rng = LinearSource(model), np.random.default_rng(4)
    actions = rng.standard_normal((240, 4))
    meshes = np.concatenate(
        [teller.express(0, person, actions[4 * person : 4 * person + 4]) for person in range(60)]
    )
    calm = np.stack([teller.neutral(0, person) for person in range(60)])
    flat = (calm - calm.mean(axis=0)).reshape(60, -1)
    left, size, _ = np.linalg.svd(flat, full_matrices=False)
    person = np.repeat((left * size)[:, :6], 4, axis=0)
    source = RecordedSource.fit(
        Recorded(meshes, {"identity_coefficients": person, "actions": actions})
    )
    found = source_decoupling(model, source, persons=6, expressions=6, count=150)
    for shares in found.values():
        assert (shares["oracle_identity"], shares["oracle_expression"]) == (1.0, 1.0)


def test_refuses_what_it_cannot_know(truth):
    faces = recorded(truth)
    with pytest.raises(InputError, match="no identity_coefficients are recorded"):
        RecordedSource.fit(Recorded(faces.vertices(np.arange(9)), {}))
    with pytest.raises(InputError, match=r"not linear .* mm remain"):
        RecordedSource.fit(recorded(truth, bend=20.0))
    with pytest.raises(InputError, match="truth of 20 meshes is recorded, too few"):
        RecordedSource.fit(recorded(truth, people=5))
    unknown = recorded(truth)
    unknown.extras("actions")[:230] = np.nan
    with pytest.raises(InputError, match="truth of 10 meshes"):
        RecordedSource.fit(unknown)
