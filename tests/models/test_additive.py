"""The additive model: exact on additive data, and clear about what the labels cannot say."""

import itertools

import numpy as np
import pytest

from meshgan.errors import InputError
from meshgan.models.baselines.additive import AdditiveModel, fit_additive
from meshgan.models.baselines.directions import principal_directions

WIDTH = 60  # 20 vertices
COUNTS = {"identity": 10, "expression": 4, "viseme": 3}


class Faces:
    """Every person with every expression and viseme: face = centre + one shape per factor."""

    def __init__(self, factors=("identity", "expression"), labelled=None, seed=0):
        rng = np.random.default_rng(seed)
        self.counts = {name: COUNTS[name] for name in factors}
        self.centre = rng.normal(size=WIDTH)
        self.shapes = {}
        for name, count in self.counts.items():
            shapes = rng.normal(size=(count, WIDTH)) * 3
            self.shapes[name] = shapes - shapes.mean(axis=0)
        combinations = np.array(list(itertools.product(*map(range, self.counts.values()))))
        rows = np.tile(combinations, (3, 1))[rng.permutation(3 * len(combinations))]
        self.truth = {name: rows[:, k] for k, name in enumerate(self.counts)}
        self.values = self.centre + sum(self.shapes[name][self.truth[name]] for name in factors)
        self.labels = {}
        for name, share in {**dict.fromkeys(factors, 1.0), **(labelled or {})}.items():
            seen = rng.random(len(rows)) < share
            self.labels[name] = np.where(seen, self.truth[name], -1)

    def chunks(self, size=16):
        for start in range(0, len(self.values), size):
            rows = np.arange(start, min(start + size, len(self.values)))
            yield rows, self.values[rows].astype(np.float32)

    def fit(self, size=16, **options):
        sizes = {name: count - 1 for name, count in self.counts.items()}
        return fit_additive(
            lambda: self.chunks(size), self.labels, self.counts, {**sizes, "noise": 1},
            np.random.default_rng(0), **options,
        )  # fmt: skip

    def of_labels(self, model: AdditiveModel) -> np.ndarray:
        """What the model makes of each row's true labels."""
        codes = {name: model.codes[name][self.truth[name]] for name in self.counts}
        return model.displacements({**codes, "noise": np.zeros((len(self.values), 1))})


@pytest.mark.parametrize(
    ("factors", "labelled"),
    [
        (("identity",), {}),
        (("identity", "expression"), {}),
        (("identity", "expression"), {"expression": 0.3}),
        (("expression", "identity"), {"expression": 0.3}),
        (("identity", "expression", "viseme"), {"expression": 0.3, "viseme": 0.8}),
    ],
)
def test_additive_data_are_recovered(factors, labelled):
    """From label codes alone, to single precision: however little of a factor is labelled, its
    class means lie in the span of what the person leaves over.
    """
    faces = Faces(factors, labelled)
    found = faces.of_labels(faces.fit())
    if labelled:  # the person's mean is exact, the weak factor's class mean up to what is seen
        assert np.abs(found - faces.values).max() < 0.15 * np.abs(faces.values).max()
    else:
        np.testing.assert_allclose(found, faces.values, atol=1e-4)


def test_mean_and_codes_are_centred():
    faces = Faces()
    model = faces.fit()
    np.testing.assert_allclose(model.mean, faces.values.mean(axis=0), atol=1e-4)
    for name in ("identity", "expression"):
        codes = model.codes[name]
        np.testing.assert_allclose(codes.mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose((codes**2).mean(axis=0), 1, rtol=1e-3)  # unit deviation


def test_bases_of_a_factor_are_orthogonal_and_fall():
    model = Faces().fit()
    for basis in model.bases.values():
        products = basis @ basis.T
        np.testing.assert_allclose(products, np.diag(np.diag(products)), atol=1e-3)
        assert np.all(np.diff(np.diag(products)) <= 1e-6)


def test_chunks_do_not_matter():
    faces = Faces(labelled={"expression": 0.3})
    one, other = faces.fit(size=7), faces.fit(size=1000)
    for name in one.bases:
        np.testing.assert_allclose(
            one.bases[name].T @ one.bases[name], other.bases[name].T @ other.bases[name], atol=1e-3
        )
    np.testing.assert_allclose(one.mean, other.mean, atol=1e-6)


class SparseFaces(Faces):
    """Two sparsely labelled factors that move as much as each other, beside well known people."""

    def __init__(self):
        labelled = {"expression": 0.25, "viseme": 0.25}
        super().__init__(("identity", "expression", "viseme"), labelled)
        rng = np.random.default_rng(3)
        self.values = self.centre + self.shapes["identity"][self.truth["identity"]]
        for name, half in (("expression", slice(0, 30)), ("viseme", slice(30, 60))):
            shapes = np.zeros((self.counts[name], WIDTH))
            shapes[:, half] = rng.normal(size=(self.counts[name], 30)) * 3
            self.shapes[name] = shapes - shapes.mean(axis=0)
            own = self.shapes[name][self.truth[name]]
            self.values = self.values + own * rng.normal(1, 0.2, size=(len(own), 1))


SPARSE_SIZES = {"identity": 9, "expression": 6, "viseme": 6, "noise": 2}


@pytest.fixture(scope="module")
def sparse():
    faces, rng = SparseFaces(), np.random.default_rng(0)
    return faces, fit_additive(faces.chunks, faces.labels, faces.counts, SPARSE_SIZES, rng)


def test_two_sparse_factors_both_get_what_is_theirs(sparse):
    """The first used to take all directions, its own and the other's."""
    faces, model = sparse
    assert set(model.shared) == {"expression", "viseme", "noise"}
    for name in ("expression", "viseme"):
        moved = model.codes[name] @ model.bases[name]
        moved -= moved.mean(axis=0)
        missed = np.linalg.norm(moved - faces.shapes[name]) / np.linalg.norm(faces.shapes[name])
        assert missed < 0.25
        other = "viseme" if name == "expression" else "expression"
        spill = model.codes[name] @ model.bases[name] @ faces.shapes[other].T
        own = model.codes[name] @ model.bases[name] @ faces.shapes[name].T
        assert np.abs(spill).max() < 0.25 * np.abs(own).max()
    own = [np.sqrt((model.bases[name] ** 2).sum()) for name in ("expression", "viseme")]
    assert 0.5 < own[0] / own[1] < 2


def test_directions_of_several_sparse_factors_are_orthonormal(sparse):
    """Across factors too; and the samples along those of one factor are uncorrelated."""
    _, model = sparse
    joined = np.concatenate([model.bases[name] for name in model.shared])
    used = np.linalg.norm(joined, axis=1) > 1e-6
    unit = joined[used] / np.linalg.norm(joined[used], axis=1, keepdims=True)
    np.testing.assert_allclose(unit @ unit.T, np.eye(len(unit)), atol=1e-4)
    start = 0
    for name in model.shared:
        mine = slice(start, start + SPARSE_SIZES[name])
        own = model.samples[:, mine][:, used[mine]]
        np.testing.assert_allclose(own.T @ own / len(own), np.eye(own.shape[1]), atol=1e-3)
        start = mine.stop


def test_few_rows_are_enough_for_the_directions():
    """Thirty rows hold all directions of four expressions; label means still use all rows."""
    faces = Faces(labelled={"expression": 0.4})
    found = faces.of_labels(faces.fit(max_rows=30))
    assert np.abs(found - faces.values).max() < 0.25 * np.abs(faces.values).max()


def test_longer_codes_than_the_data_have_directions():
    """What is left over stays zero, and nothing becomes infinite."""
    faces = Faces()
    model = fit_additive(
        faces.chunks, faces.labels, faces.counts, {"identity": 30, "expression": 9, "noise": 4},
        np.random.default_rng(0),
    )  # fmt: skip
    assert {name: len(basis) for name, basis in model.bases.items()} == {
        "identity": 30, "expression": 9, "noise": 4
    }  # fmt: skip
    assert not model.bases["identity"][9:].any()
    assert all(np.isfinite(codes).all() for codes in model.codes.values())
    codes = {name: model.codes[name][faces.truth[name]] for name in faces.counts}
    found = model.displacements({**codes, "noise": np.zeros((len(faces.values), 4))})
    np.testing.assert_allclose(found, faces.values, atol=1e-3)


def test_a_label_without_meshes_gets_the_mean():
    faces = Faces()
    faces.labels["expression"][faces.labels["expression"] == 2] = -1
    model = faces.fit()
    others = model.codes["expression"][[0, 1, 3]].mean(axis=0)
    np.testing.assert_allclose(model.codes["expression"][2], others, atol=1e-3)


def test_a_factor_without_labels_is_refused():
    faces = Faces()
    faces.labels["expression"][:] = -1
    with pytest.raises(InputError, match="factor expression: no mesh has a label for it"):
        faces.fit()


def test_principal_directions_are_those_of_the_singular_values():
    rows = np.random.default_rng(3).normal(size=(9, 40)) * np.linspace(5, 1, 9)[:, None]
    directions, deviations = principal_directions(rows, 4)
    _, singular, vectors = np.linalg.svd(rows, full_matrices=False)
    np.testing.assert_allclose(deviations, singular[:4] / 3, rtol=1e-9)  # sqrt of nine rows
    np.testing.assert_allclose(np.abs((directions * vectors[:4]).sum(axis=1)), 1, rtol=1e-9)
    assert len(principal_directions(rows[:2], 4)[0]) == 2  # no more than the rank
    assert principal_directions(np.zeros((3, 40)), 4)[0].shape == (0, 40)


class UnevenFaces(Faces):
    """Half the people never show some expressions; labels of the others are few."""

    def __init__(self):
        super().__init__()
        kept = (self.truth["identity"] % 2 == 0) | (self.truth["expression"] < 2)
        self.values = self.values[kept]
        self.truth = {name: rows[kept] for name, rows in self.truth.items()}
        self.labels = {name: rows[kept] for name, rows in self.labels.items()}


def test_shapes_of_people_are_those_at_rest():
    """Means over other expressions would make these a feature of the people."""
    faces = UnevenFaces()
    at_rest = faces.truth["expression"] == 0
    of_rest, of_means = faces.fit(at_rest=at_rest), faces.fit()
    expected = faces.shapes["identity"]
    for model, near in ((of_rest, True), (of_means, False)):
        shapes = model.codes["identity"] @ model.bases["identity"]
        error = shapes - shapes.mean(axis=0) - expected
        assert (np.abs(error).max() < 1e-3) == near
    np.testing.assert_allclose(faces.of_labels(of_rest), faces.values, atol=1e-3)


def test_rest_that_nobody_shows_is_as_if_it_were_not_known():
    faces = Faces()
    nobody = np.zeros(len(faces.values), dtype=bool)
    np.testing.assert_array_equal(faces.fit(at_rest=nobody).mean, faces.fit().mean)


def test_details_are_the_people_beyond_their_code():
    faces = Faces()
    sizes = {"identity": 4, "expression": 3, "noise": 1}
    model = fit_additive(
        faces.chunks, faces.labels, faces.counts, sizes, np.random.default_rng(0),
        details={"identity": 20},
    )  # fmt: skip
    shapes = faces.shapes["identity"]
    assert model.details.shape == (5, WIDTH)  # ten people span nine directions
    code = model.bases["identity"]
    np.testing.assert_allclose(model.details @ code.T, 0, atol=1e-2)
    assert not len(faces.fit(details={"expression": 20}).details)  # nothing of other factors
    left = shapes - shapes @ np.linalg.pinv(code) @ code
    np.testing.assert_allclose(left.T @ left / 10, model.details.T @ model.details, atol=1e-3)
