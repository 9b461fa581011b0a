"""Principal subspace: what a singular value decomposition gives, in bounded memory."""

import numpy as np
import pytest

from meshgan.errors import InputError
from meshgan.models.baselines.subspace import principal_subspace


def chunks_of(values, size=7):
    def start():
        for begin in range(0, len(values), size):
            rows = np.arange(begin, min(begin + size, len(values)))
            yield rows, values[rows].astype(np.float32)

    return start


@pytest.fixture(scope="module")
def values():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 90)) * np.geomspace(9, 0.5, 90) + 4


def test_directions_are_the_singular_vectors(values):
    found = principal_subspace(chunks_of(values), 40, np.random.default_rng(0), size=5)
    _, singular, vectors = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(found.mean, values.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(np.abs((found.directions * vectors[:5]).sum(axis=1)), 1, atol=1e-5)
    assert found.share == pytest.approx((singular[:5] ** 2).sum() / (singular**2).sum(), rel=1e-5)
    expected = (values - values.mean(axis=0)) @ found.directions.T
    np.testing.assert_allclose(found.coefficients, expected, atol=1e-4)


def test_enough_directions_give_the_meshes_back(values):
    found = principal_subspace(chunks_of(values), 40, np.random.default_rng(0))
    assert found.directions.shape == (39, 90)  # 40 meshes less their mean
    np.testing.assert_allclose(
        found.directions @ found.directions.T, np.eye(39), atol=2e-5
    )  # the weak ones too
    shown = found.mean + found.coefficients @ found.directions
    np.testing.assert_allclose(shown, values, atol=1e-4)
    assert found.share == pytest.approx(1.0, abs=1e-6)


def test_some_rows_are_enough_where_the_rank_is_low(values):
    low = values[:, :4] @ np.random.default_rng(1).normal(size=(4, 90))
    found = principal_subspace(chunks_of(low), 40, np.random.default_rng(0), max_rows=9)
    assert len(found.directions) <= 9
    shown = found.mean + found.coefficients @ found.directions
    np.testing.assert_allclose(shown, low, atol=1e-3)


def test_chunks_do_not_matter(values):
    one, other = (
        principal_subspace(chunks_of(values, size), 40, np.random.default_rng(0), size=6)
        for size in (3, 100)
    )
    np.testing.assert_allclose(
        one.coefficients @ one.directions, other.coefficients @ other.directions, atol=1e-3
    )


def test_meshes_all_alike_are_refused():
    with pytest.raises(InputError, match="all 12 meshes are the same"):
        principal_subspace(chunks_of(np.ones((12, 9))), 12, np.random.default_rng(0))
