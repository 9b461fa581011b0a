"""Training of embeddings: balanced batches, variations, and four people told apart in seconds."""

import numpy as np
import pytest
import torch

from meshgan.data.dataset import MeshDataset
from meshgan.errors import ConfigError, InputError
from meshgan.evaluation.verification import pair_distances, roc
from meshgan.models.embedding import EmbeddingNet
from meshgan.pictures.normal_maps import NormalMaps
from meshgan.training.optimisation import OptimiserConfig
from meshgan.training.tasks.embedding import Embedding
from meshgan.training.tasks.embedding_batches import BalancedFaces, LabelledFaces, vary_faces
from meshgan.training.tasks.embedding_config import TripletConfig, VariationConfig
from tests.fakes import face_like_mesh, smooth_fields


@pytest.fixture(scope="module")
def faces_of(tiny_data):
    dataset = MeshDataset(tiny_data, "train")
    return {name: LabelledFaces.of(dataset, name) for name in ("identity", "expression")}


# ---- which faces


def test_pairs_of_an_expression_are_of_different_people(faces_of):
    found = faces_of["expression"]
    assert (found.labels >= 0).all()
    assert np.array_equal(found.groups, found.dataset.subject[found.samples])
    assert not found.by_person


def test_pairs_of_a_person_are_of_different_recordings(faces_of):
    found = faces_of["identity"]
    dataset = found.dataset
    assert len(found) == len(dataset)
    sequence = dataset.store.sequence[dataset.ids]
    recorded = sequence >= 0
    assert recorded.any()
    assert found.by_person
    assert np.array_equal(found.groups[recorded], sequence[recorded])
    assert len(np.unique(found.groups[~recorded])) == (~recorded).sum()


def test_faces_of_some_people(faces_of):
    found = faces_of["expression"].of_people(np.array([2, 5]))
    assert set(found.dataset.subject[found.samples]) <= {2, 5}
    assert found.people == len(set(found.dataset.subject[found.samples]))
    assert len(found.some(3, np.random.default_rng(0))) == 3


def test_refuses_a_part_with_one_label(tiny_data):
    with pytest.raises(InputError, match="part 'test' has one label of identity only"):
        LabelledFaces.of(MeshDataset(tiny_data, "test"), "identity")


# ---- batches


@pytest.mark.parametrize("factor", ["identity", "expression"])
def test_batches_hold_as_many_faces_of_each_label_from_different_groups(faces_of, factor):
    faces = faces_of[factor]
    stream = BalancedFaces(faces, labels=4, per_label=3, seed=1)
    for _ in range(5):
        rows = stream.rows()
        stream.next()
        labels = faces.labels[rows].reshape(4, 3)
        assert (labels == labels[:, :1]).all()
        assert len(np.unique(labels)) == 4
        for label, groups in zip(labels[:, 0], faces.groups[rows].reshape(4, 3), strict=True):
            there = len(np.unique(faces.groups[faces.labels == label]))
            assert len(np.unique(groups)) == min(3, there)


def test_few_labels_fill_the_batch_with_more_faces(faces_of):
    stream = BalancedFaces(faces_of["expression"], labels=16, per_label=4, seed=0)
    batch = stream.next()
    assert len(torch.unique(batch["labels"])) == stream.labels <= 7
    assert len(batch["vertices"]) == stream.labels * (64 // stream.labels)


def test_batch_holds_the_faces_of_its_labels(faces_of):
    stream = BalancedFaces(faces_of["identity"], 3, 2, seed=4)
    rows, batch = stream.rows(), stream.next()
    faces = faces_of["identity"]
    samples = faces.samples[rows]
    np.testing.assert_array_equal(batch["vertices"], faces.dataset.vertices(samples))
    np.testing.assert_array_equal(batch["labels"], faces.dataset.labels("identity")[samples])


def test_stream_goes_on_where_it_was(faces_of):
    def fresh(seed=1):
        return BalancedFaces(faces_of["expression"], 4, 3, seed)

    stream = fresh()
    for _ in range(3):
        stream.next()
    state, resumed = stream.state_dict(), fresh()
    resumed.load_state_dict(state)
    assert torch.equal(resumed.next()["vertices"], stream.next()["vertices"])
    with pytest.raises(InputError, match="seed 1, here"):
        fresh(seed=2).load_state_dict(state)


# ---- variations


@pytest.fixture
def faces():
    vertices, _ = face_like_mesh(8)
    return torch.from_numpy(vertices) + 5 * torch.randn(6, 64, 3)


def rng():
    return torch.Generator().manual_seed(7)


def test_no_variation_changes_nothing(faces):
    varied = vary_faces(faces, VariationConfig(), torch.arange(64), rng())
    torch.testing.assert_close(varied, faces, atol=1e-4, rtol=0)


def test_turning_and_moving_keep_the_shape(faces):
    config = VariationConfig(rotation_deg=20.0, translation_mm=9.0)
    varied = vary_faces(faces, config, None, rng())
    assert (varied - faces).norm(dim=2).mean() > 5
    torch.testing.assert_close(_lengths(varied), _lengths(faces), atol=1e-3, rtol=1e-4)
    normal = torch.linalg.det(_frames(varied)) * torch.linalg.det(_frames(faces))
    assert (normal > 0).all()  # turned, not mirrored


def _lengths(vertices):
    return (vertices[:, :, None] - vertices[:, None]).norm(dim=3)


def _frames(vertices):
    return vertices[:, 1:4] - vertices[:, :1]


def test_scale_and_stretch_by_their_own_amount(faces):
    scaled = vary_faces(faces, VariationConfig(scale=0.1), None, rng())
    spread = scaled.std(dim=1) / faces.std(dim=1)
    torch.testing.assert_close(spread, spread[:, :1].expand(6, 3), atol=1e-4, rtol=0)
    assert spread[:, 0].std() > 0.02
    stretched = vary_faces(faces, VariationConfig(stretch=0.1), None, rng())
    spread = stretched.std(dim=1) / faces.std(dim=1)
    assert (spread.std(dim=1) > 0.01).all()


def test_mirrored_faces(faces):
    mirror = torch.arange(63, -1, -1)
    varied = vary_faces(faces, VariationConfig(mirrored=1.0), mirror, rng())
    expected = faces.flip(1) * torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(varied, expected, atol=1e-4, rtol=0)
    some = vary_faces(faces.repeat(20, 1, 1), VariationConfig(mirrored=0.5), mirror, rng())
    kept = (some - faces.repeat(20, 1, 1)).abs().amax(dim=(1, 2)) < 1e-3
    assert 0.3 < kept.float().mean() < 0.7


def test_refuses_settings_out_of_range():
    with pytest.raises(ConfigError, match="mirrored = 2"):
        VariationConfig(mirrored=2.0)
    with pytest.raises(ConfigError, match="labels = 1"):
        TripletConfig(labels=1)


# ---- learning


class FourPeople:
    """Faces of four people, each a smooth field of its own, with noise fields on top."""

    def __init__(self):
        vertices, _ = face_like_mesh(16)
        draw = np.random.default_rng(0)
        self.template = torch.from_numpy(vertices)
        self.people = smooth_fields(vertices, 4, 6.0, draw).float()
        self.others = smooth_fields(vertices, 6, 1.0, draw).float()
        self.count = 0

    def next(self):
        self.count += 1
        mix = torch.randn(16, 6, generator=torch.Generator().manual_seed(self.count))
        labels = torch.arange(4).repeat(4)
        moved = self.people[labels] + torch.einsum("bk,kvc->bvc", mix, self.others)
        return {"vertices": self.template + moved, "labels": labels}

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


def test_learns_four_people():
    torch.manual_seed(0)
    stream = FourPeople()
    _, triangles = face_like_mesh(16)
    maps = NormalMaps(stream.template, torch.from_numpy(triangles), 32)
    config = TripletConfig(mining="all", optimiser=OptimiserConfig(rate=3e-3))
    seen = []
    task = Embedding(
        EmbeddingNet(8, width=8),
        maps,
        stream,
        config,
        VariationConfig(noise=0.02),
        judge=lambda embed: seen.append(embed(stream.template[None])) or {"score/x": 1.0},
    )
    (spec,) = task.optimisers().values()
    optimiser = spec.config.build(task.net.parameters())
    draws = torch.Generator().manual_seed(0)
    for step in range(100):
        (term,) = task.loss("net", task.stream.next(), step, draws).values()
        term.backward()
        optimiser.step()
        optimiser.zero_grad()
    batch = stream.next()
    found = task.embed(batch["vertices"]).numpy()
    assert roc(pair_distances(found, batch["labels"].numpy(), np.arange(16))).area > 0.95
    assert task.validate(draws) == {"score/x": 1.0}
    assert seen[0].shape == (1, 8)


@pytest.mark.parametrize("mining", ["all", "semihard", "hard", "hardest"])
def test_every_mining_gives_a_gradient(mining):
    torch.manual_seed(0)
    stream = FourPeople()
    _, triangles = face_like_mesh(16)
    maps = NormalMaps(stream.template, torch.from_numpy(triangles), 32)
    config = TripletConfig(mining=mining)
    task = Embedding(EmbeddingNet(8, width=4), maps, stream, config, VariationConfig())
    (term,) = task.loss("net", stream.next(), 0, torch.Generator().manual_seed(0)).values()
    term.backward()
    assert term > 0
    assert task.net.stem[0].weight.grad.abs().sum() > 0


def test_a_face_has_one_embedding_in_any_batch():
    stream = FourPeople()
    _, triangles = face_like_mesh(16)
    maps = NormalMaps(stream.template, torch.from_numpy(triangles), 32)
    task = Embedding(EmbeddingNet(8, width=8), maps, stream, TripletConfig(), VariationConfig())
    faces = stream.next()["vertices"]
    together = task.embed(faces)
    alone = torch.cat([task.embed(face[None]) for face in faces[:3]])
    torch.testing.assert_close(together[:3], alone, atol=1e-5, rtol=0)
    assert task.embed(faces[:0]).shape == (0, 8)
