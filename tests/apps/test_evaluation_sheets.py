"""Sheets of the companions show what their words say."""

import numpy as np
import pytest
import torch
from PIL import Image

from meshgan.apps.evaluation_sheets import (
    EvaluationSheets,
    _round_scale,
    compactness_chart,
    distance_chart,
    leak_chart,
    region_chart,
    span_chart,
)
from meshgan.errors import InputError
from meshgan.evaluation.compactness import compactness
from meshgan.evaluation.estimate import Estimate
from meshgan.evaluation.generalisation import span_generalisation
from meshgan.evaluation.memorisation import memorisation
from meshgan.evaluation.oracle_motion import Motion
from meshgan.evaluation.specificity import sample_faces, specificity
from meshgan.evaluation.transfer_error import (
    interaction,
    source_interaction,
    transfer_cases,
    transfer_errors,
)
from tests.fakes import AdditiveModel, ArrayFaces, LinearSource

REGIONS = {"left_eye": np.arange(9), "right_eye": np.arange(9, 18), "nose": np.arange(18, 30)}


@pytest.fixture(scope="module")
def model():
    return AdditiveModel(side=16)


@pytest.fixture(scope="module")
def samples(model):
    return sample_faces(model, 30, seed=1)


@pytest.fixture(scope="module")
def training(samples):
    """Real faces, five of which the model has learnt by heart."""
    real = sample_faces(AdditiveModel(side=16), 80, seed=2).numpy()
    real[10:15] = samples[[3, 8, 9, 20, 27]].numpy()
    return ArrayFaces(real, {}, {})


@pytest.fixture(scope="module")
def found(model, samples, training):
    fresh = specificity(sample_faces(model, 20, seed=3), training)
    return memorisation(specificity(samples, training), fresh)


@pytest.fixture(scope="module")
def sheets(model, samples):
    return EvaluationSheets(model.faces, samples, size_px=48)


def test_copies_come_first_and_show_no_difference(sheets, samples, training, found):
    sheet = sheets.closest_samples(samples, found, training, count=7)
    assert list(sheet.column_labels[:5]) == ["0.00 mm"] * 5
    assert float(sheet.column_labels[5].split()[0]) > 0.5
    for above, below in zip(sheet.images[0][:5], sheet.images[1][:5], strict=True):
        np.testing.assert_array_equal(above, below)
    assert not np.array_equal(sheet.images[0][6], sheet.images[1][6])
    nearer = int((found.samples < found.fresh.min()).sum())
    assert nearer >= 5
    assert f"{100 * nearer / 30:.1f} % are nearer" in sheet.subtitle


def test_the_strangest_come_first(sheets, samples, training, found):
    sheet = sheets.farthest_samples(samples, found, training, count=4)
    shown = [float(label.split()[0]) for label in sheet.column_labels]
    assert shown == sorted(shown, reverse=True)
    assert shown[0] == pytest.approx(float(found.samples.max()), abs=0.006)


def test_transfers_show_the_largest_and_the_error_is_dark_where_there_is_none(sheets, model):
    cases = transfer_cases(LinearSource(model), cases=12, persons=4, expressions=5)
    wrong = cases.truth + 3
    sheet = sheets.transfers(cases, {"wrong": wrong}, count=3)
    assert list(sheet.row_labels) == [
        "expression of", "put on", "truth", "additive", "error of additive", "wrong",
        "error of wrong",
    ]  # fmt: skip
    assert [len(row) for row in sheet.images] == [3] * 7
    for truth, additive in zip(sheet.images[2], sheet.images[3], strict=True):
        assert np.abs(truth.astype(int) - additive).max() <= 2  # this source is additive
    middle = (slice(20, 28), slice(-20, -14))
    right, off = sheet.images[4][0][middle], sheet.images[6][0][middle]
    assert right.mean(axis=(0, 1))[0] < off.mean(axis=(0, 1))[0]  # yellow is redder than blue
    moved = (cases.truth - cases.target).norm(dim=-1).mean(dim=-1)
    best = int(moved.argmax())
    single = sheets.transfers(cases, count=1)
    np.testing.assert_array_equal(
        single.images[1][0], sheets._draw(cases.target[best : best + 1])[0]
    )


def test_interaction_is_drawn_where_it_is(sheets, model):
    left = torch.zeros(3, 4, 256, 3)
    left[:, :, 128:] = 1.0  # the upper half of the grid of vertices
    sheet = sheets.interaction_map(model.template_vertices, left)
    mean, most = sheet.images[0]
    np.testing.assert_array_equal(mean, most)
    half = len(mean) // 2
    inside = (mean < 250).any(axis=-1)
    red = np.where(inside, mean[..., 0], 0).astype(float)
    assert red[:half].sum() / inside[:half].sum() > 1.5 * red[half:].sum() / inside[half:].sum()
    shown = interaction(torch.randn(3, 4, 256, 3))
    sheets.interaction_map(model.template_vertices, shown).draw()


def test_charts_are_drawn(samples, training, found, model):
    real = torch.from_numpy(training.vertices(np.arange(30)))
    curve = {"model": compactness(samples), "training": compactness(real)}
    span = {"model": span_generalisation(samples, real, (1, 5, 10))}
    one = Estimate(2.0, 0.1, 9)
    motion = {"identity": Motion("identity", one, one, {"expression": one, "noise": one})}
    errors = transfer_errors(samples, samples + 1, REGIONS)
    source = source_interaction(LinearSource(model), REGIONS, 3, 3)
    for picture in (
        distance_chart(found),
        compactness_chart(curve),
        span_chart(span),
        leak_chart({"model": motion}),
        region_chart({"off": errors, "best additive": source}),
    ):
        assert picture.width > 300
        assert np.asarray(picture).std() > 5


def test_regions_take_both_sides_together(monkeypatch):
    seen = {}

    def draw(bars, *_, **__):
        seen.update(bars)
        return Image.new("RGB", (8, 8))

    monkeypatch.setattr("meshgan.apps.evaluation_sheets.bar_chart", draw)
    error = torch.zeros(1, 30, 3)
    error[:, :9, 0], error[:, 9:18, 0] = 1.0, 3.0
    region_chart({"off": transfer_errors(error, 0 * error, REGIONS)})
    assert seen == {"off": {"all": 1.2, "eye": 2.0, "nose": 0.0}}


def test_scales_have_short_quarters():
    assert _round_scale(torch.full((3,), 0.05)) == 0.1
    assert _round_scale(torch.full((3, 2), 0.7)) == 0.8
    assert _round_scale(torch.full((3,), 99.0)) == 40


def test_refuses_samples_of_another_draw(sheets, samples, training, found):
    with pytest.raises(InputError, match="29 samples, but distances of 30"):
        sheets.closest_samples(samples[1:], found, training)
