"""Networks of a data set: trained once, loaded to the bit, refused where they cannot be judged."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from meshgan.apps.embedding import TrainedEmbedder, embedders_of
from meshgan.apps.run_config import presets, read_config
from meshgan.apps.train import train
from meshgan.data.store import Store
from meshgan.data.template import Template
from meshgan.errors import ConfigError, FileFormatError, InputError, ShapeError
from meshgan.evaluation.decoupling import FaceEmbedder, decoupling
from meshgan.files import read_json
from meshgan.geometry.mesh import TriMesh
from tests.fakes import AdditiveModel

TINY = (
    "model.width=4",
    "model.size=8",
    "model.size_px=32",
    "triplets.labels=3",
    "triplets.faces=2",
    "train.iterations=3",
    "train.validate_every=2",
    "train.log_every=1",
    "train.accelerator=cpu",
)


@pytest.fixture(scope="module")
def config():
    return read_config("embedding", None, TINY)


@pytest.fixture(scope="session")
def tiny_embedders(made_once, tiny_data):
    """Networks of both factors, three iterations each; not to be changed."""
    config = read_config("embedding", None, TINY)
    return made_once(
        "tiny-embedders",
        lambda path: embedders_of(tiny_data, ["identity", "expression"], path, config),
    )


def test_presets_parse():
    for name in ("embedding", "embedding_paper"):
        assert name in presets()
        assert read_config(name, None).task == "embedding"
    paper = read_config("embedding_paper", None)
    assert (paper.model.size_px, paper.model.size, paper.model.width) == (224, 128, 64)
    assert paper.verification.parts == ("test",)
    assert paper.verification.false_acceptance == 0.1


def test_run_holds_network_threshold_and_curve(tiny_embedders, tiny_data):
    run = tiny_embedders / "expression"
    found = read_json(run / "verification.json")
    assert found["factor"] == "expression"
    assert found["parts"] == ["validation", "test"]
    assert 0 <= found["false_acceptance"] < 0.1
    assert 0.5 <= found["accuracy"] <= 1
    assert found["people"] == 2
    assert found["positives"] > 0 < found["negatives"]
    assert found["data"]["content"] == Store.open(tiny_data).content_hash
    assert len(found["roc"]["thresholds"]) == len(found["roc"]["true_acceptance"])
    with Image.open(run / "roc.png") as picture:
        assert picture.width > 300
    assert read_json(run / "model.json")["kind"] == "embedding"


def test_loads_to_the_bit(tiny_embedders, tiny_data):
    first, again = (TrainedEmbedder.load(tiny_embedders / "identity") for _ in range(2))
    assert isinstance(first, FaceEmbedder)
    faces = torch.from_numpy(Store.open(tiny_data).vertices(np.arange(5)))
    embedded = first.embed(faces)
    assert embedded.shape == (5, 8)
    assert torch.equal(embedded, again.embed(faces))
    assert first.threshold == read_json(tiny_embedders / "identity" / "verification.json")[
        "threshold"
    ]  # fmt: skip
    apart = first.distances(faces[:2].numpy(), faces[2:4].numpy())
    torch.testing.assert_close(
        torch.from_numpy(apart), (embedded[:2] - embedded[2:4]).norm(dim=1), atol=1e-5, rtol=0
    )


def test_what_is_trained_is_used_again(tiny_embedders, tiny_data, config):
    weights = tiny_embedders / "identity" / "weights.safetensors"
    before = weights.stat().st_mtime_ns
    found = embedders_of(tiny_data, ["identity"], tiny_embedders, config)
    assert list(found) == ["identity"]
    assert weights.stat().st_mtime_ns == before
    other = replace(config, triplets=replace(config.triplets, margin=0.4))
    with pytest.raises(InputError, match="holds a network with other settings"):
        embedders_of(tiny_data, ["identity"], tiny_embedders, other)


def test_goes_on_after_a_break_to_the_bit(tiny_embedders, tiny_data, config, tmp_path):
    def run(iterations, resume):
        mine = replace(config, train=replace(config.train, iterations=iterations, save_every=2))
        train(tiny_data, tmp_path / "identity", mine, resume=resume)

    constant = replace(
        config.triplets.optimiser, schedule=type(config.triplets.optimiser.schedule)()
    )
    config = replace(config, triplets=replace(config.triplets, optimiser=constant))
    run(2, resume=False)
    run(3, resume=True)
    train(
        tiny_data, tmp_path / "through", replace(config, train=replace(config.train, iterations=3))
    )
    broken, whole = (TrainedEmbedder.load(tmp_path / name) for name in ("identity", "through"))
    for name, values in whole.net.state_dict().items():
        assert torch.equal(values, broken.net.state_dict()[name]), name
    assert broken.threshold == whole.threshold


def test_another_persons_face_is_no_variation_of_identity(config, tiny_data):
    from meshgan.apps.tasks.embedding import prepare

    store = Store.open(tiny_data)
    varied = {}
    for factor in ("identity", "expression"):
        mine = replace(config, model=replace(config.model, factor=factor))
        varied[factor] = prepare(store, mine).task.variation
    assert varied["expression"] == config.variation
    assert (
        varied["identity"].stretch == varied["identity"].scale == varied["identity"].mirrored == 0
    )
    assert varied["identity"].rotation_deg == config.variation.rotation_deg > 0


def test_decoupling_of_another_topology_is_refused(tiny_embedders):
    embedder = TrainedEmbedder.load(tiny_embedders / "identity")
    with pytest.raises(ShapeError, match="trained on topology"):
        decoupling(AdditiveModel(side=6), embedder)
    with pytest.raises(ShapeError, match="36 vertices"):
        embedder.embed(torch.zeros(1, 36, 3))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("model.factor=age",), "but the embedding is asked for 'age'"),
        (("model.factor=expression", "verification.parts=[test]"), "parts test cannot judge"),
    ],
)
def test_refuses_what_cannot_be_judged(tiny_data, tmp_path, overrides, message):
    config = read_config("embedding", None, (*TINY, *overrides))
    with pytest.raises(InputError, match=message):
        train(tiny_data, tmp_path / "run", config)
    assert not (tmp_path / "run" / "config.yaml").exists()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("part=all", "part"),
        ("train.ema_decay=0.9", "ema_decay"),
        ("verification.parts=[]", "parts"),
    ],
)
def test_refuses_settings_that_would_flatter(override, message):
    with pytest.raises(ConfigError, match=message):
        read_config("embedding", None, (override,))


def test_refuses_what_is_no_embedding(tiny_run, tiny_embedders, tmp_path):
    with pytest.raises(FileFormatError, match="not a RUN"):
        TrainedEmbedder.load(tmp_path)
    with pytest.raises(FileFormatError, match="not an embedding network"):
        TrainedEmbedder.load(tiny_run)


def test_refuses_networks_of_other_data(tiny_embedders, made_once, config, tmp_path):
    from meshgan.apps.data import build_data

    other = made_once("other-faces", lambda path: build_data(path, 60, subjects=12, seed=5))
    with pytest.raises(InputError, match="trained on other meshes"):
        embedders_of(other, ["identity"], tiny_embedders, config)


def test_template_of_the_run_is_the_data_sets(tiny_embedders, tiny_data):
    template = Template.load(tiny_embedders / "identity" / "template.npz")
    assert isinstance(template.mesh, TriMesh)
    assert template.topology_hash == Store.open(tiny_data).template.topology_hash
