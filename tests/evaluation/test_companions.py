"""Companions: everything at once equals each by itself; what the data lack is left out."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from meshgan.errors import InputError
from meshgan.evaluation.compactness import compactness
from meshgan.evaluation.companions import (
    CompanionData,
    fresh_companions,
    model_companions,
    training_companions,
    unit_of,
)
from meshgan.evaluation.coverage import coverage
from meshgan.evaluation.interpolation import interpolation
from meshgan.evaluation.specificity import sample_faces
from tests.fakes import AdditiveModel, ArrayFaces, LinearSource


class PeopleFaces(ArrayFaces):
    """Meshes of ``per_person`` faces of each person."""

    def __init__(self, vertices, per_person=4):
        super().__init__(vertices, {}, {})
        self.subject = np.arange(len(vertices)) // per_person


@pytest.fixture(scope="module")
def model():
    return AdditiveModel(side=8)


@pytest.fixture(scope="module")
def data(model):
    training, held_out = (
        PeopleFaces(sample_faces(model, count, seed).numpy()) for count, seed in ((120, 5), (40, 6))
    )
    return CompanionData.gather(training, held_out, LinearSource(model), count=60)


def no_fit(model, meshes):
    codes = model.sample_codes(len(meshes), torch.Generator())
    return SimpleNamespace(codes={name: 0 * code for name, code in codes.items()})


@pytest.fixture(scope="module")
def found(model, data):
    return model_companions(model, data, no_fit, count=50, fitted=7, seed=2)


def test_equals_each_measure(model, data, found):
    samples = sample_faces(model, 50, seed=2)
    assert torch.equal(found.samples, samples)
    expected = coverage(samples, data.real, reference_people=data.real_people)
    expected |= interpolation(model, data.training, seed=2)
    walked = interpolation(model, factor="identity", seed=2)
    expected |= {f"{name}_identity": value for name, value in walked.items()}
    for name, value in expected.items():
        assert found.numbers[name] == value
    assert found.numbers["modes_95"].mean == compactness(samples).needed(0.95)
    template = model.template_vertices.double()
    few = data.fresh[torch.linspace(0, 39, 7).round().long()].double()
    left = (few - template).norm(dim=-1).mean()
    assert found.numbers["generalisation"].mean == pytest.approx(float(left), rel=1e-6)
    assert found.numbers["generalisation"].count == 7


def test_every_number_has_a_unit(found, data, model):
    names = set(found.numbers) | set(training_companions(data).numbers)
    names |= set(fresh_companions(data, LinearSource(model)).numbers)
    units = {name: unit_of(name) for name in names}
    assert units["leak_identity_from_expression"] == "mm"
    assert units["leak_share_identity_from_noise"] == "share"
    assert units["path_length_expression"] == "ratio"
    with pytest.raises(InputError, match="beauty is not a number"):
        unit_of("beauty")


def test_people_are_known(data):
    assert len(data.real) == 60
    for face, person in zip(data.real.numpy(), data.real_people, strict=True):
        rows = data.training._vertices[4 * person : 4 * person + 4]
        assert (rows == face).all(axis=(1, 2)).any()


def test_without_fresh_faces_and_source(model, data):
    bare = CompanionData.gather(data.training, count=30)
    found = model_companions(model, bare, no_fit, count=30)
    assert found.memorisation is None
    assert found.motion is None
    assert found.span == {}
    assert not {"copies", "generalisation", "leak_identity_from_expression"} & set(found.numbers)
    assert {"precision", "modes_90", "path_length"} <= set(found.numbers)
    assert fresh_companions(bare) is None
    assert training_companions(bare).numbers.keys() == {
        "modes_90", "modes_95", "modes_98", "deviation"
    }  # fmt: skip


def test_seed_decides_and_time_is_told(model, data, found):
    again = model_companions(model, data, no_fit, count=50, fitted=7, seed=2)
    assert again.numbers == found.numbers
    assert {"coverage", "interpolation", "oracle motion"} <= set(found.seconds)
