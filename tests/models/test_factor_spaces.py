"""One space per factor: exact on additive faces, whatever is labelled; clear where it is not."""

import itertools

import numpy as np
import pytest

from meshgan.errors import InputError
from meshgan.models.baselines.factor_spaces import fit_factor_spaces, order_factors, project
from tests.models.linear_faces import WIDTH, MadeFaces, additive_faces

SIZES = {"identity": 5, "expression": 4}


def read_off(faces: MadeFaces, spaces) -> np.ndarray:
    """Each face from the code of its person and the code nearest to what is left."""
    person = spaces.label_codes["identity"][faces.truth["identity"]]
    left = faces.faces - spaces.mean - person @ spaces.bases["identity"]
    codes = {"identity": person, "expression": project(left, spaces.bases["expression"])}
    return additive_faces(spaces.mean, spaces.bases, codes)


@pytest.mark.parametrize("labelled", [1.0, 0.2])
@pytest.mark.parametrize("rest", [True, False])
def test_additive_faces_are_recovered(labelled, rest):
    """Every person has every expression, so that the means of people differ by people alone."""
    faces = MadeFaces(labelled=labelled)
    at_rest = faces.labels["expression"] == 0 if rest else None
    spaces = fit_factor_spaces(faces.faces, faces.labels, faces.counts, SIZES, at_rest)
    assert (spaces.base, spaces.last) == ("identity", "expression")
    np.testing.assert_allclose(read_off(faces, spaces), faces.faces, atol=1e-9)
    for name in SIZES:  # and the label codes alone say the same: label k moves all alike
        codes = spaces.label_codes[name]
        assert codes.shape == (faces.counts[name], SIZES[name])
    shown = additive_faces(
        spaces.mean, spaces.bases,
        {name: spaces.label_codes[name][faces.truth[name]] for name in SIZES},
    )  # fmt: skip
    np.testing.assert_allclose(shown, faces.faces, atol=1e-9)


def test_missing_cells_need_faces_at_rest():
    """Where people show different expressions, means confuse the two; neutral faces do not."""
    without = [(k, j) for k in range(14) for j in (1, 2) if k % 2]
    without += [(k, 4) for k in range(14) if not k % 2]
    faces = MadeFaces(without=without)
    at_rest = faces.truth["expression"] == 0
    with_rest = fit_factor_spaces(faces.faces, faces.labels, faces.counts, SIZES, at_rest)
    np.testing.assert_allclose(read_off(faces, with_rest), faces.faces, atol=1e-9)
    assert np.linalg.norm(with_rest.bases["identity"][3:]) == 0  # of rank three, as the truth
    means = fit_factor_spaces(faces.faces, faces.labels, faces.counts, SIZES)
    assert np.linalg.norm(means.bases["identity"][3]) > 0.1


def test_unlabelled_faces_beside_the_neutral_one_count_as_rest():
    """One labelled face of each person, taken in a bad moment; many more near the true rest."""
    rng = np.random.default_rng(1)
    people = np.repeat(np.arange(14), 30)
    true = 5 * rng.normal(size=(14, WIDTH))
    moved = 4 * rng.normal(size=(len(people), 1)) * rng.normal(size=WIDTH)
    moved[np.arange(len(people)) % 30 < 15] = 0
    faces = true[people] + moved + 0.2 * rng.normal(size=(len(people), WIDTH))
    first = np.arange(len(people)) % 30 == 0
    labels = {"identity": people, "expression": np.where(first, 0, -1)}
    labels["expression"][29] = 1
    counts = {"identity": 14, "expression": 2}
    sizes = {"identity": 13, "expression": 1}
    spaces = fit_factor_spaces(faces, labels, counts, sizes, labels["expression"] == 0)
    shapes = spaces.label_codes["identity"] @ spaces.bases["identity"]
    error = shapes - shapes.mean(axis=0) - (true - true.mean(axis=0))
    assert np.sqrt((error**2).mean()) < 0.08  # of 15 faces; one alone is off by 0.2


def test_people_without_a_neutral_face_get_the_usual_offset():
    faces = MadeFaces()
    at_rest = (faces.truth["expression"] == 0) & (faces.truth["identity"] > 2)
    spaces = fit_factor_spaces(faces.faces, faces.labels, faces.counts, SIZES, at_rest)
    everyone = np.arange(14)
    shapes = spaces.label_codes["identity"] @ spaces.bases["identity"]
    neutral = faces.of(everyone, np.zeros(14, dtype=int))
    np.testing.assert_allclose(shapes, neutral - neutral.mean(axis=0), atol=1e-9)


def test_normal_codes_have_the_covariance_of_the_data():
    """Of people's shapes, and of displacements: B^T B is their covariance, to the last digit."""
    faces = MadeFaces()
    spaces = fit_factor_spaces(faces.faces, faces.labels, faces.counts, SIZES)
    shapes = np.stack(
        [faces.faces[faces.truth["identity"] == person].mean(axis=0) for person in range(14)]
    )
    moved = faces.faces - shapes[faces.truth["identity"]]
    for name, rows in (("identity", shapes), ("expression", moved)):
        expected = np.cov(rows.T, bias=True)
        found = spaces.bases[name].T @ spaces.bases[name]
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_codes_longer_than_the_data_have_directions():
    faces = MadeFaces(people=4, person_rank=9)
    spaces = fit_factor_spaces(
        faces.faces, faces.labels, faces.counts, {"identity": 65, "expression": 20}
    )
    assert spaces.bases["identity"].shape == (65, 60)
    assert np.count_nonzero(np.linalg.norm(spaces.bases["identity"], axis=1)) == 3
    assert not spaces.label_codes["identity"][:, 3:].any()
    assert all(np.isfinite(codes).all() for codes in spaces.label_codes.values())
    np.testing.assert_allclose(read_off(faces, spaces), faces.faces, atol=1e-8)


def test_faces_of_unknown_people_move_nothing():
    """Without a person there is no displacement: such faces are left out, not misread."""
    faces = MadeFaces()
    for_known = {name: own.copy() for name, own in faces.labels.items()}
    strangers = np.arange(len(faces.faces)) % 5 == 0
    kept = {name: own[~strangers] for name, own in faces.labels.items()}
    for_known["identity"][strangers] = -1
    spoilt = faces.faces.copy()
    spoilt[strangers] += 1000
    one = fit_factor_spaces(spoilt, for_known, faces.counts, SIZES)
    other = fit_factor_spaces(faces.faces[~strangers], kept, faces.counts, SIZES)
    np.testing.assert_allclose(one.mean, other.mean, atol=1e-9)
    np.testing.assert_allclose(np.abs(one.bases["expression"]), np.abs(other.bases["expression"]),
                               atol=1e-9)  # fmt: skip


@pytest.mark.parametrize("viseme_labelled", [1.0, 0.3])
def test_three_factors(viseme_labelled):
    """A third factor that is well labelled is subtracted; else it shares the directions."""
    rng = np.random.default_rng(0)
    counts = {"identity": 6, "viseme": 4, "expression": 3}
    cells = np.array(list(itertools.product(*map(range, counts.values()))))
    cells = np.concatenate([cells, np.repeat(cells[cells[:, 1] == 0], 2, axis=0)])  # unbalanced
    shapes = {name: rng.normal(size=(count, 60)) for name, count in counts.items()}
    faces = sum(shapes[name][cells[:, k]] for k, name in enumerate(counts))
    labels = {name: cells[:, k] for k, name in enumerate(counts)}
    labels["viseme"] = np.where(rng.random(len(cells)) < viseme_labelled, labels["viseme"], -1)
    labels["expression"] = np.where(rng.random(len(cells)) < 0.2, labels["expression"], -1)
    sizes = {"identity": 5, "viseme": 3, "expression": 2}
    spaces = fit_factor_spaces(faces, labels, counts, sizes)
    joined = np.concatenate([spaces.bases[name] for name in sizes])
    codes = np.linalg.lstsq(joined.T, (faces - spaces.mean).T, rcond=None)[0].T
    np.testing.assert_allclose(spaces.mean + codes @ joined, faces, atol=1e-8)
    if viseme_labelled == 1:
        found = spaces.label_codes["viseme"] @ spaces.bases["viseme"]
        expected = shapes["viseme"] - shapes["viseme"].mean(axis=0)
        np.testing.assert_allclose(found, expected, atol=1e-8)
        known = [spaces.label_codes[n][labels[n]] @ spaces.bases[n] for n in ("identity", "viseme")]
        mean = spaces.mean + sum(known).mean(axis=0)
        np.testing.assert_allclose(mean, faces.mean(axis=0), atol=1e-8)


def test_order_of_the_factors():
    def known(share):
        return np.where(np.arange(100) < 100 * share, 0, -1)

    labels = {"expression": known(1), "identity": known(1), "viseme": known(0.6)}
    assert order_factors(labels, ["identity", "expression"]) == ("identity", [], "expression")
    assert order_factors(labels, ["expression", "identity"])[0] == "expression"
    names = ["viseme", "identity", "expression"]
    assert order_factors(labels | {"viseme": known(0.1)}, names) == (
        "identity", ["expression"], "viseme"
    )  # fmt: skip
    assert order_factors({"a": known(0.1), "b": known(0.2)}, ["a", "b"]) == ("b", [], "a")
    assert order_factors(labels, ["identity"]) == ("identity", [], None)


def test_a_factor_without_labels_is_refused():
    faces = MadeFaces()
    labels = faces.labels | {"expression": np.full(len(faces.faces), -1)}
    with pytest.raises(InputError, match="factor expression: no face has a label"):
        fit_factor_spaces(faces.faces, labels, faces.counts, SIZES)
