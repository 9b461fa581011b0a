"""Tucker model: finds what is bilinear, uses every face, shrinks what people are too few for."""

import itertools

import numpy as np
import pytest

from meshgan.errors import InputError
from meshgan.models.baselines.factor_spaces import fit_factor_spaces
from meshgan.models.baselines.tucker import _Alternation, fit_tucker
from meshgan.models.baselines.tucker_steps import (
    moments_by_label,
    products_of,
    solve_core,
    solve_face_codes,
    solve_label_codes,
    with_one,
)
from tests.models.linear_faces import MadeFaces

SIZES = {"identity": 3, "expression": 2}
FREE = 1.0  # interactions as large as the other effects
ROUNDS = 200  # to the end: the alternation is slow where products are large


def start_of(faces: MadeFaces, sizes=SIZES):
    rest = faces.labels["expression"] == 0
    return fit_factor_spaces(faces.faces, faces.labels, faces.counts, sizes, rest)


def from_labels(model, truth) -> np.ndarray:
    return model.faces({name: codes[truth[name]] for name, codes in model.label_codes.items()})


# ---- the whole fit


@pytest.mark.parametrize(
    ("labelled", "without"),
    [(1.0, ()), (0.25, ()), (0.25, ((1, 1), (2, 3), (5, 4), (7, 2), (9, 1)))],
)
def test_bilinear_faces_are_recovered(labelled, without):
    """The truth has products as large as the effects; few labels and missing cells do no harm."""
    faces = MadeFaces(product=2.0, labelled=labelled, without=without)
    additive = fit_tucker(faces.faces, faces.labels, start_of(faces), 0.0, 30)
    assert additive.deviation > 0.5  # what no additive model can show
    model = fit_tucker(faces.faces, faces.labels, start_of(faces), FREE, ROUNDS)
    np.testing.assert_allclose(from_labels(model, faces.truth), faces.faces, atol=1e-4)
    unseen = {"identity": np.array([1, 2]), "expression": np.array([1, 3])}
    expected = faces.of(unseen["identity"], unseen["expression"])
    np.testing.assert_allclose(from_labels(model, unseen), expected, atol=1e-4)


def test_additive_faces_are_recovered_without_products():
    faces = MadeFaces(labelled=0.3)
    model = fit_tucker(faces.faces, faces.labels, start_of(faces), 0.03, 20)
    np.testing.assert_allclose(from_labels(model, faces.truth), faces.faces, atol=1e-5)
    assert np.abs(model.core[1:, 1:]).max() < 1e-4


def test_is_no_worse_than_the_higher_order_svd_of_a_full_table():
    """On a table of all combinations with noise, against De Lathauwer's truncated HOSVD."""
    faces = MadeFaces(product=2.0, per_cell=1)
    noisy = faces.faces + np.random.default_rng(3).normal(size=faces.faces.shape)
    table = np.zeros((14, 5, 60))
    table[faces.truth["identity"], faces.truth["expression"]] = noisy
    people = np.linalg.svd(table.reshape(14, -1), full_matrices=False)[0][:, :4]  # 1 and 3
    other = table.transpose(1, 0, 2).reshape(5, -1)
    expressions = np.linalg.svd(other, full_matrices=False)[0][:, :3]  # 1 and 2
    hosvd = np.einsum("kp,lp,jq,mq,lmw->kjw", people, people, expressions, expressions, table)
    spaces = fit_factor_spaces(noisy, faces.labels, faces.counts, SIZES)
    model = fit_tucker(noisy, faces.labels, spaces, FREE, ROUNDS)
    assert model.deviation <= np.sqrt(((hosvd - table) ** 2).mean()) * 1.001


def test_codes_are_standard_and_directions_orthogonal():
    faces = MadeFaces(product=1.0, labelled=0.5, per_cell=6)
    noisy = faces.faces + 0.3 * np.random.default_rng(1).normal(size=faces.faces.shape)
    model = fit_tucker(noisy, faces.labels, start_of(faces), 0.3, 20)
    codes = model.label_codes["identity"]
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(codes.T @ codes / len(codes), np.eye(3), atol=1e-9)
    for effects in (model.core[1:, 0], model.core[0, 1:]):
        gram = effects @ effects.T
        np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-6 * gram.max())
        assert np.all(np.diff(np.diag(gram)) <= 1e-9)


def test_normal_codes_reproduce_the_covariance_of_the_data():
    """Every person with every expression: covariance of model faces = that of the data."""
    faces = MadeFaces(product=2.0)
    model = fit_tucker(faces.faces, faces.labels, start_of(faces), FREE, ROUNDS)
    effects = model.core.reshape(-1, 60)[1:]  # products of standard codes are uncorrelated
    expected = np.cov(faces.faces.T, bias=True)
    np.testing.assert_allclose(effects.T @ effects, expected, atol=1e-4 * expected.max())


def test_interactions_shrink_where_they_are_only_noise():
    """Additive people with noise: the shrunk model is nearer to the truth than the free one."""
    faces = MadeFaces(person_rank=6, expression_rank=3)
    noisy = faces.faces + 2 * np.random.default_rng(3).normal(size=faces.faces.shape)
    start = fit_factor_spaces(noisy, faces.labels, faces.counts, {"identity": 6, "expression": 3})
    shrunk, free = (
        from_labels(fit_tucker(noisy, faces.labels, start, size, 20), faces.truth) - faces.faces
        for size in (0.03, FREE)
    )
    assert np.linalg.norm(shrunk) < 0.9 * np.linalg.norm(free)


def test_interactions_are_expected_to_be_a_share_of_the_last_effect():
    """The variances that the penalties stand for, summed over all products and coordinates."""
    faces = MadeFaces()
    fit = _Alternation(faces.faces + 1.0, faces.labels, start_of(faces), ["identity"])
    variances = 60 * fit.noise / fit._penalty(0.2)[1:, 1:]
    effect = np.linalg.norm(faces.expression @ faces.of_expression) / np.sqrt(5)
    assert np.sqrt(variances.sum()) == pytest.approx(0.2 * effect, rel=1e-6)
    of_person = np.linalg.norm(start_of(faces).bases["identity"], axis=1)
    np.testing.assert_allclose(
        np.sqrt(variances[0, 0] / variances[1, 0]), of_person[0] / of_person[1]
    )


def test_fewer_people_and_expressions_than_code():
    faces = MadeFaces(people=4, expressions=3, product=1.0, per_cell=4)
    model = fit_tucker(
        faces.faces, faces.labels, start_of(faces, {"identity": 65, "expression": 20}), FREE, 40
    )
    assert model.core.shape[0] == 4  # the mean, and three differences of people
    assert model.deviation < 1e-3
    assert all(np.isfinite(codes).all() for codes in model.label_codes.values())


@pytest.mark.parametrize("last", ["expression", "viseme"])
def test_three_factors(last):
    """Products of three codes, one factor hardly labelled; axes in the order of the factors."""
    rng = np.random.default_rng(0)
    counts = {"identity": 6, "viseme": 4, "expression": 3}
    cells = np.tile(list(itertools.product(*map(range, counts.values()))), (2, 1))
    codes = {name: rng.normal(size=(count, 2)) for name, count in counts.items()}
    codes = {name: code - code.mean(axis=0) for name, code in codes.items()}
    core = rng.normal(size=(3, 3, 3, 60))
    core[1:, 1:] *= 0.3
    core[1:, :, 1:] *= 0.3
    core[:, 1:, 1:] *= 0.3
    truth = {name: cells[:, k] for k, name in enumerate(counts)}
    ones = [with_one(codes[name][truth[name]]) for name in counts]
    faces = np.einsum("na,nb,nc,abcw->nw", *ones, core)
    labels = {**truth, last: np.where(rng.random(len(cells)) < 0.3, truth[last], -1)}
    start = fit_factor_spaces(faces, labels, counts, dict.fromkeys(counts, 2))
    assert start.last == last
    model = fit_tucker(faces, labels, start, FREE, 150)
    assert model.core.shape == (3, 3, 3, 60)
    assert model.deviation < 0.01 * faces.std()
    error = from_labels(model, truth) - faces
    assert np.abs(error).max() < 0.1 * np.abs(faces).max()


def test_a_core_too_large_gives_up_the_weakest_directions(monkeypatch):
    monkeypatch.setattr("meshgan.models.baselines.tucker.LARGEST", 9)
    faces = MadeFaces(product=1.0)
    model = fit_tucker(faces.faces, faces.labels, start_of(faces), 0.1, 5)
    assert model.core.shape in ((4, 2, 60), (3, 3, 60))
    assert {n: c.shape[1] + 1 for n, c in model.label_codes.items()} == dict(
        zip(SIZES, model.core.shape, strict=False)
    )


def test_some_faces_without_a_person():
    """They cannot be placed: the fit is that of the others."""
    faces = MadeFaces(product=2.0)
    strangers = np.arange(len(faces.faces)) % 6 == 0
    spoilt = faces.faces.copy()
    spoilt[strangers] += 100
    labels = faces.labels | {"identity": np.where(strangers, -1, faces.labels["identity"])}
    spaces = fit_factor_spaces(spoilt, labels, faces.counts, SIZES)
    model = fit_tucker(spoilt, labels, spaces, FREE, ROUNDS)
    kept = {name: own[~strangers] for name, own in faces.truth.items()}
    np.testing.assert_allclose(from_labels(model, kept), faces.faces[~strangers], atol=1e-3)


def test_bad_input_is_refused():
    faces = MadeFaces()
    alone = fit_factor_spaces(faces.faces, faces.labels, faces.counts, {"identity": 3})
    with pytest.raises(InputError, match="needs two factors or more"):
        fit_tucker(faces.faces, faces.labels, alone)
    with pytest.raises(InputError, match=r"interaction -1\.0, 20 iterations"):
        fit_tucker(faces.faces, faces.labels, start_of(faces), -1.0)


# ---- its steps, against dense least squares


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, size=30)
    return {
        "labels": labels, "codes": rng.normal(size=(4, 2)), "products": rng.normal(size=(30, 3)),
        "faces": rng.normal(size=(30, 7)), "core": rng.normal(size=(3, 3, 7)),
    }  # fmt: skip


def test_products_are_written_out():
    first, second = np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6, 7], [8, 9, 10]])
    np.testing.assert_array_equal(
        products_of([first, second]), [[5, 6, 7, 10, 12, 14], [24, 27, 30, 32, 36, 40]]
    )


def test_core_is_that_of_ridge_regression(problem):
    moments = moments_by_label(problem["products"], problem["faces"], problem["labels"], 4)
    penalty = np.abs(np.random.default_rng(1).normal(size=(3, 3)))
    found = solve_core(with_one(problem["codes"]), moments, penalty)
    ones = with_one(problem["codes"])[problem["labels"]]
    design = np.stack([np.kron(a, y) for a, y in zip(ones, problem["products"], strict=True)])
    stacked = np.concatenate([design, np.diag(np.sqrt(penalty.ravel()))])
    target = np.concatenate([problem["faces"], np.zeros((9, 7))])
    expected = np.linalg.lstsq(stacked, target, rcond=None)[0]
    np.testing.assert_allclose(found.reshape(9, 7), expected, atol=1e-8)


def test_label_codes_are_those_of_ridge_regression(problem):
    moments = moments_by_label(problem["products"], problem["faces"], problem["labels"], 5)
    found = solve_label_codes(problem["core"], moments, noise=0.3)
    for label in range(4):
        rows = problem["labels"] == label
        parts = np.einsum("nm,kmr->knr", problem["products"][rows], problem["core"]).reshape(3, -1)
        target = problem["faces"][rows].ravel() - parts[0]
        stacked = np.concatenate([parts[1:].T, np.sqrt(0.3) * np.eye(2)])
        expected = np.linalg.lstsq(stacked, np.r_[target, 0, 0], rcond=None)[0]
        np.testing.assert_allclose(found[label], expected, atol=1e-8)
    np.testing.assert_array_equal(found[4], 0)  # no faces: the mean


def test_face_codes_are_those_of_ridge_regression(problem):
    products = problem["products"][problem["labels"]]  # faces of one label share them
    found, left = solve_face_codes(
        problem["core"], products, problem["faces"], problem["labels"], 0.3
    )
    squares = 0.0
    for row, face in enumerate(problem["faces"]):
        parts = np.einsum("m,mkr->kr", products[row], problem["core"])
        stacked = np.concatenate([parts[1:].T, np.sqrt(0.3) * np.eye(2)])
        expected = np.linalg.lstsq(stacked, np.r_[face - parts[0], 0, 0], rcond=None)[0]
        np.testing.assert_allclose(found[row], expected, atol=1e-8)
        squares += ((face - parts[0] - expected @ parts[1:]) ** 2).sum()
    assert left == pytest.approx(squares)
