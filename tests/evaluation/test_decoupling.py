"""Decoupling: all of it, none of it, and what is in between, with embedders that know the truth."""

import numpy as np
import pytest
import torch

from meshgan.data.dataset import MeshDataset
from meshgan.errors import InputError, ShapeError
from meshgan.evaluation.decoupling import (
    FaceEmbedder,
    companion_codes,
    data_decoupling,
    decoupling,
    face_codes,
)
from meshgan.training.tasks.embedding_batches import LabelledFaces
from tests.fakes import AdditiveModel


class CodeReader:
    """Reads a code off the face of an additive model, exactly, and puts it on the unit sphere."""

    def __init__(self, model, factor, threshold):
        self.factor, self.threshold, self.largest = factor, threshold, 0
        self.template = model.template_vertices.double()
        everything = torch.cat([mode.flatten(1) for mode in model.modes.values()])
        sizes = [len(mode) for mode in model.modes.values()]
        place = list(model.modes).index(factor)
        rows = torch.linalg.pinv(everything.T).split(sizes)
        self.rows = rows[place]

    def embed(self, vertices):
        self.largest = max(self.largest, len(vertices))
        moved = (vertices.double() - self.template).flatten(1)
        return torch.nn.functional.normalize(moved @ self.rows.T, dim=1).float()


class IgnoresExpression(AdditiveModel):
    """Shows an expression that its identity code asks for."""

    def decode(self, codes):
        return super().decode({**codes, "expression": codes["identity"][:, :4]})


@pytest.fixture(scope="module")
def model():
    return AdditiveModel(side=10)


@pytest.mark.parametrize("factor", ["identity", "expression"])
def test_model_that_keeps_the_code_reaches_everything(model, factor):
    reader = CodeReader(model, factor, threshold=0.01)
    assert isinstance(reader, FaceEmbedder)
    found = decoupling(model, reader, faces=12, companions=9, seed=3)
    assert found.distances.shape == (12, 9)
    assert (found.share, found.interval) == (1.0, (1.0, 1.0))
    assert found.distance < 1e-3
    assert found.chance == 0.0
    assert found.estimate.mean == 1.0


def test_model_that_ignores_the_code_stays_at_chance():
    model = IgnoresExpression(side=10)
    reader = CodeReader(model, "expression", threshold=1.0)
    found = decoupling(model, reader, faces=60, companions=40)
    # two random directions in 4 dimensions are nearer than 1 with a chance of about 0.195
    assert found.chance == pytest.approx(0.195, abs=0.04)
    assert found.share == pytest.approx(found.chance, abs=0.04)
    low, high = found.interval
    assert low < found.share < high
    assert high - low < 0.1
    assert found.distance == pytest.approx(found.distance_between, abs=0.05)


def test_share_counts_pairs_below_the_threshold(model):
    leaking = AdditiveModel(side=10, leak=1.0)
    reader = CodeReader(leaking, "identity", threshold=0.6)
    found = decoupling(leaking, reader, faces=8, companions=5, seed=1)
    codes = face_codes(leaking, 8, 1)
    counted = 0
    for face in range(8):
        one = leaking.decode({name: code[face : face + 1] for name, code in codes.items()})
        others = leaking.decode(companion_codes(leaking, codes, "identity", face, 5, 1))
        distances = (reader.embed(one) - reader.embed(others)).norm(dim=1)
        np.testing.assert_allclose(found.distances[face], distances, atol=1e-5)
        counted += int((distances < 0.6).sum())
    assert 0 < counted < 40
    assert found.share == pytest.approx(counted / 40)


def test_companions_share_one_code_and_nothing_else(model):
    codes = face_codes(model, 3, 0)
    others = companion_codes(model, codes, "identity", 1, 6, 0)
    assert torch.equal(others["identity"], codes["identity"][1].expand(6, -1))
    for name in ("expression", "noise"):
        joined = torch.cat([others[name], codes[name]])
        assert len(torch.unique(joined, dim=0)) == 9


def test_face_does_not_depend_on_how_many_there_are(model):
    few, many = face_codes(model, 2, 5), face_codes(model, 4, 5)
    assert all(torch.equal(few[name], many[name][:2]) for name in few)


def test_farthest_pairs_come_first(model):
    leaking = AdditiveModel(side=10, leak=1.0)
    found = decoupling(leaking, CodeReader(leaking, "identity", 0.5), faces=6, companions=4)
    worst = found.farthest(3)
    largest = np.sort(found.distances.max(axis=1))[::-1][:3]
    assert [distance for *_, distance in worst] == pytest.approx(largest.tolist())
    assert all(found.distances[face, mate] == distance for face, mate, distance in worst)


def test_reads_a_bounded_number_of_faces_at_once(model, monkeypatch):
    monkeypatch.setattr("meshgan.evaluation.estimate.VALUES_AT_ONCE", 3 * 100 * 7)
    reader = CodeReader(model, "identity", 0.5)
    bounded = decoupling(model, reader, faces=10, companions=12)
    assert reader.largest == 7
    monkeypatch.undo()
    whole = decoupling(model, CodeReader(model, "identity", 0.5), faces=10, companions=12)
    np.testing.assert_allclose(bounded.distances, whole.distances, atol=1e-6)


class LabelReader:
    """Knows the label of every face of a data set by heart; ``confuse`` gives it at random."""

    def __init__(self, dataset, factor, confuse=False):
        self.factor, self.threshold = factor, 0.5
        faces = dataset.vertices(np.arange(len(dataset)))
        labels = dataset.labels(factor)
        if confuse:
            labels = np.random.default_rng(0).integers(0, 3, len(labels))
        self.known = {face.tobytes(): label for face, label in zip(faces, labels, strict=True)}

    def embed(self, vertices):
        labels = [self.known[face.tobytes()] for face in vertices.numpy()]
        return torch.eye(40)[torch.tensor(labels)]


@pytest.mark.parametrize("factor", ["identity", "expression"])
def test_real_faces_that_share_a_label(tiny_data, factor):
    dataset = MeshDataset(tiny_data, None)
    data = LabelledFaces.of(dataset, factor)
    found = data_decoupling(data, LabelReader(dataset, factor), faces=20, companions=15)
    assert (found.share, found.chance) == (1.0, 0.0)
    guessed = data_decoupling(data, LabelReader(dataset, factor, confuse=True), 60, 40)
    assert guessed.share == pytest.approx(1 / 3, abs=0.12)
    assert guessed.chance == pytest.approx(1 / 3, abs=0.12)


def test_refuses_what_does_not_fit(model, tiny_data):
    reader = CodeReader(model, "identity", 0.5)
    with pytest.raises(InputError, match="1 faces with 5 companions"):
        decoupling(model, reader, faces=1, companions=5)
    reader.topology = "another"
    with pytest.raises(ShapeError, match="trained on topology another"):
        decoupling(model, reader)
    reader.factor = "age"
    with pytest.raises(InputError, match="of 'age', the model has codes for identity, expression"):
        decoupling(model, reader)
    data = LabelledFaces.of(MeshDataset(tiny_data, None), "expression")
    with pytest.raises(InputError, match="labelled for 'expression', the embedder is of 'age'"):
        data_decoupling(data, reader)
