"""LinearModel: the sum it says it is, and people who depend on seed and number alone."""

import numpy as np
import pytest

from meshgan.data.importers.linear_model import LinearModel
from meshgan.errors import ShapeError

V, K, E = 7, 4, 3


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    return LinearModel(
        mean=rng.normal(size=(V, 3)),
        identity_modes=rng.normal(size=(K, V, 3)),
        identity_sigmas=np.array([4.0, 2.0, 1.0, 0.5]),
        expression_modes=rng.normal(size=(E, V, 3)),
        expression_sigmas=np.array([3.0, 1.0, 0.25]),
    )


@pytest.mark.parametrize("zeros", [0, 3])
def test_face_is_the_plain_sum(model, zeros):
    rng = np.random.default_rng(1)
    identity, expression = rng.normal(size=K), rng.normal(size=E)
    identity[:zeros] = 0
    expected = model.mean.copy()
    for k in range(K):
        expected += identity[k] * model.identity_sigmas[k] * model.identity_modes[k]
    np.testing.assert_allclose(model.face(identity), expected, rtol=1e-13)
    for k in range(E):
        expected += expression[k] * model.expression_sigmas[k] * model.expression_modes[k]
    np.testing.assert_allclose(model.face(identity, expression), expected, rtol=1e-13)


def test_nothing_added_is_the_mean(model):
    np.testing.assert_array_equal(model.face(np.zeros(K), np.zeros(E)), model.mean)


def test_named_shapes_have_weights(model):
    shapes = LinearModel(
        model.mean, model.identity_modes, model.identity_sigmas, model.expression_modes
    )
    found = shapes.face(np.zeros(K), np.array([0.0, 1.0, 0.0]))
    np.testing.assert_allclose(found, model.mean + model.expression_modes[1], rtol=1e-15)
    with pytest.raises(AssertionError, match="posed, not drawn"):
        shapes.draw_expression(0, 0)


def test_a_person_depends_on_seed_and_number_alone(model):
    alone = model.draw_identity(5, 17)
    for person in range(20):
        model.draw_identity(5, person)
    np.testing.assert_array_equal(model.draw_identity(5, 17), alone)
    assert not np.array_equal(model.draw_identity(6, 17), alone)
    assert not np.array_equal(model.draw_identity(5, 18), alone)
    assert not np.array_equal(model.draw_expression(5, 17), alone[:E])


def test_people_are_normal_and_never_monsters(model):
    drawn = np.stack([model.draw_identity(0, person) for person in range(3000)])
    assert np.abs(drawn).max() <= 3
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.06)
    np.testing.assert_allclose(drawn.std(axis=0), 1, atol=0.06)
    np.testing.assert_allclose(np.corrcoef(drawn.T), np.eye(K), atol=0.07)


def test_refuses_what_does_not_fit(model):
    with pytest.raises(ShapeError, match="3 identity coefficients, expected 4"):
        model.face(np.zeros(3))
    with pytest.raises(ShapeError, match="5 expression coefficients, expected 3"):
        model.face(np.zeros(K), np.zeros(5))
    with pytest.raises(ShapeError, match=r"expression modes have 6 vertices.*2 sigmas for 4"):
        LinearModel(
            model.mean,
            model.identity_modes,
            np.ones(2),
            model.expression_modes[:, :6],
        )
