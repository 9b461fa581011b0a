"""The start of training: additive to the number, then bent to the distribution of the data."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from meshgan.errors import InputError
from meshgan.models.baselines.additive import fit_additive
from meshgan.models.baselines.directions import held_out_deviations
from meshgan.models.bend import Bend, energy_distance
from meshgan.models.generator import DecoupledGenerator
from meshgan.models.start import bend_codes, mix_codes, start_from_additive

PEOPLE, FACES, VERTICES = 24, 30, 40
FACTORS = {
    "identity": tuple(f"p{k}" for k in range(PEOPLE)),
    "expression": ("rest", "smile", "frown"),
}
SIZES = {"identity": 6, "expression": 2, "noise": 1}


@pytest.fixture(scope="module")
def faces():
    """People who rest or move along one of two ways, never along both: far from a Gaussian."""
    rng = np.random.default_rng(0)
    people = rng.normal(size=(PEOPLE, 4)) @ (3 * rng.normal(size=(4, 3 * VERTICES)))
    ways = rng.normal(size=(2, 3 * VERTICES))
    identity = np.repeat(np.arange(PEOPLE), FACES)
    way = rng.integers(0, 2, len(identity))
    amount = np.where(rng.random(len(identity)) < 0.3, 0.0, rng.uniform(0.5, 3, len(identity)))
    values = people[identity] + amount[:, None] * ways[way]
    values += 0.01 * rng.normal(size=values.shape)
    expression = np.where(amount == 0, 0, np.where(amount > 2.5, 1 + way, -1))
    labels = {"identity": identity, "expression": expression}

    def chunks():
        for rows in np.array_split(np.arange(len(values)), 7):
            yield rows, values[rows]

    counts = {name: len(names) for name, names in FACTORS.items()}
    model = fit_additive(chunks, labels, counts, SIZES, np.random.default_rng(1))
    return values, labels, model


def generator(hidden=64):
    torch.manual_seed(0)
    triangle = torch.tensor([[0, 1, 2]])
    return DecoupledGenerator(torch.zeros(VERTICES, 3), triangle, FACTORS, SIZES, hidden, scale=2.0)


def test_start_equals_the_additive_model(faces):
    model, made = faces[2], generator()
    start_from_additive(made, model, torch.Generator().manual_seed(0), rest=0.0)
    codes = made.sample_codes(5, torch.Generator().manual_seed(1))
    expected = model.displacements({name: code.numpy() for name, code in codes.items()})
    decoded = made.decode(codes).flatten(1).detach().numpy()
    np.testing.assert_allclose(decoded, expected, atol=1e-4)


def test_start_keeps_what_people_have_beyond_their_code(faces):
    torch.manual_seed(0)
    triangle = torch.tensor([[0, 1, 2]])
    made = DecoupledGenerator(
        torch.zeros(VERTICES, 3), triangle, FACTORS, SIZES, 64, scale=2.0, details=5
    )
    known = np.arange(2.0 * 3 * VERTICES).reshape(2, -1)
    model = replace(faces[2], details=known)
    start_from_additive(made, model, torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(made.details[:2].flatten(1).numpy(), known.astype(np.float32))
    assert not made.details[2:].any()


def test_label_codes_give_the_labels_means(faces):
    values, labels, model = faces
    made = generator()
    start_from_additive(made, model, torch.Generator().manual_seed(0), rest=0.0)
    codes = {name: torch.zeros(PEOPLE, size) for name, size in SIZES.items()}
    codes["identity"] = made.label_codes("identity")
    decoded = made.decode(codes).flatten(1).detach().numpy()
    means = np.stack([values[labels["identity"] == k].mean(axis=0) for k in range(PEOPLE)])
    assert np.abs(decoded - means).max() < 0.05 * np.abs(means).max()


def test_bent_codes_follow_the_data(faces):
    """Two ways that exclude each other: the additive start fills the plane between them."""
    model, made = faces[2], generator()
    start_from_additive(made, model, torch.Generator().manual_seed(0))
    basis = np.concatenate([model.bases[name] for name in ("expression", "noise")])
    codes = made.sample_codes(600, torch.Generator().manual_seed(3))
    codes["identity"][:] = 0
    target = torch.from_numpy(model.samples[:600]).float()

    def distance():
        moved = made.decode(codes).flatten(1).detach().numpy() - model.mean
        read = moved @ basis.T / (basis**2).sum(axis=1)
        return float(energy_distance(torch.from_numpy(read).float()[:, :2], target[:, :2]))

    before = distance()
    bend_codes(made, model, torch.Generator().manual_seed(0), iterations=400, batch=256)
    assert distance() < 0.25 * before


def test_bent_label_codes_still_mean_their_labels(faces):
    model, made = faces[2], generator()
    start_from_additive(made, model, torch.Generator().manual_seed(0))
    bend_codes(made, model, torch.Generator().manual_seed(0), iterations=400, batch=256)
    rng = torch.Generator().manual_seed(5)
    for k in range(3):
        codes = made.sample_codes(200, rng)
        codes["identity"][:] = 0
        codes["expression"][:] = made.label_codes("expression")[k]
        moved = made.decode(codes).flatten(1).detach().numpy().mean(axis=0) - model.mean
        basis = model.bases["expression"]
        reached = moved @ basis.T / (basis**2).sum(axis=1)
        np.testing.assert_allclose(reached, model.codes["expression"][k], atol=0.25)


def test_too_narrow_a_layer_is_refused(faces):
    with pytest.raises(InputError, match=r"model.hidden is 17.*9 code components"):
        start_from_additive(generator(hidden=17), faces[2], torch.Generator())


def test_a_layer_without_free_units_stays_additive(faces):
    made = generator(hidden=18)
    start_from_additive(made, faces[2], torch.Generator().manual_seed(0))
    before = made.output.weight.detach().clone()
    bend_codes(made, faces[2], torch.Generator().manual_seed(0), iterations=5)
    assert torch.equal(made.output.weight, before)


def test_bend_is_the_identity_at_first():
    bend = Bend(3, 5, 16, 0.2, torch.Generator().manual_seed(0))
    codes = torch.randn(4, 5)
    assert torch.equal(bend(codes), codes)


def test_energy_distance_by_hand():
    first, second = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [1.0]])
    # E|x-y| = 1, E|x-x'| = 2, E|y-y'| = 0
    assert energy_distance(first, second).item() == pytest.approx(2 * 1 - 2 - 0)
    assert energy_distance(first, first + 10).item() == pytest.approx(2 * 10 - 2 - 2)


def test_held_out_deviations_are_smaller_than_fitted_ones():
    """Fifty Gaussian rows in two thousand dimensions: any direction's true deviation is 1."""
    rows = np.random.default_rng(0).normal(size=(50, 2000))
    deviations = held_out_deviations(rows, 10)
    assert np.all(np.diff(deviations) <= 1e-12)
    assert 0.7 < deviations.mean() < 1.3  # the fitted ones are about sqrt(2000 / 50), six


def test_two_well_labelled_factors_keep_the_mean():
    """A viseme that rests most of the time: faces come back exactly, not shifted."""
    rng = np.random.default_rng(0)
    identity, viseme = np.repeat(np.arange(6), 20), rng.integers(0, 5, 120) // 4
    people, shapes = rng.normal(size=(6, 30)), rng.normal(size=(2, 30))
    values = people[identity] + shapes[viseme]
    labels = {"identity": identity, "viseme": viseme}
    model = fit_additive(
        lambda: iter([(np.arange(120), values)]),
        labels,
        {"identity": 6, "viseme": 2},
        {"identity": 5, "viseme": 1, "noise": 1},
        np.random.default_rng(1),
    )
    codes = {name: model.codes[name][labels[name]] for name in labels}
    codes["noise"] = np.zeros((120, 1))
    error = np.abs(model.displacements(codes) - values).max()
    assert error < 0.35 * np.abs(shapes[0] - shapes[1]).max()  # people differ in their share
    assert np.abs((model.displacements(codes) - values).mean(axis=0)).max() < 1e-2


def test_least_stretch_is_that_of_the_jacobian():
    bend = Bend(2, 3, 8, 0.2, torch.Generator().manual_seed(0))
    with torch.no_grad():
        bend.outer.weight.normal_(generator=torch.Generator().manual_seed(1))
        bend.gain.fill_(0.7)
    codes = torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
    for code, found in zip(codes, bend.least_stretch(codes), strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda z: bend(z[None])[0], code)
        torch.testing.assert_close(found, torch.linalg.svdvals(jacobian)[-1])


def test_siblings_are_left_out_together():
    """Pairs of equal rows: leaving out one of a pair would show spreads that new rows lack."""
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.normal(size=(20, 60)), 2, axis=0)
    apart = held_out_deviations(rows, 5)
    together = held_out_deviations(rows, 5, siblings=2)
    np.testing.assert_allclose(together, held_out_deviations(rows[::2], 5), rtol=1e-6)
    assert (together < apart).all()


def test_whole_spreads_hold_all_the_variance_of_rows_left_out():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 40)) * np.linspace(3, 0.2, 40)
    some, whole = held_out_deviations(rows, 8), held_out_deviations(rows, 8, whole=True)
    np.testing.assert_allclose((whole**2).sum(), (rows**2).sum() / 60, rtol=1e-9)
    np.testing.assert_allclose(whole / some, np.full(8, whole[0] / some[0]))


def test_mixed_codes_draw_the_same_faces_and_mean_nothing(faces):
    _, _, model = faces
    made = generator()
    start_from_additive(made, model, torch.Generator().manual_seed(2))
    labels = {name: made.label_codes(name).clone() for name in FACTORS}
    sizes = list(SIZES.values())

    def moved(codes):
        """Displacements (n, 3V) by joined codes (n, d)."""
        joined = torch.cat([codes, torch.zeros(1, sum(sizes))])
        faces = made.decode(dict(zip(SIZES, joined.split(sizes, dim=1), strict=True)))
        return (faces[:-1] - faces[-1]).flatten(1).detach()

    units = torch.eye(sum(sizes))
    linear = 2 * sum(sizes)  # the free units are not linear: leave them out
    made.output.weight.data[:, linear:] = 0
    before = moved(units)
    mix_codes(made, torch.Generator().manual_seed(3))
    after = moved(units)
    torch.testing.assert_close(after.T @ after, before.T @ before, rtol=1e-4, atol=1e-3)
    for name in FACTORS:
        torch.testing.assert_close(made.label_codes(name), labels[name])
    expression = slice(SIZES["identity"], SIZES["identity"] + SIZES["expression"])
    share = after[expression].square().sum() / after.square().sum()
    was = before[expression].square().sum() / before.square().sum()
    even = SIZES["expression"] / sum(sizes)
    assert abs(share - even) < abs(was - even)
    directions = torch.linalg.qr(before[expression].T)[0]  # of the expressions
    inside = (after[expression] @ directions).square().sum() / after[expression].square().sum()
    assert inside < 0.5  # was 1
