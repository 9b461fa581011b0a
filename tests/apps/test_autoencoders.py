"""Runs of the two autoencoders: trained, saved, read, resumed; data that do not fit refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from meshgan.apps.face_model import FaceModel
from meshgan.apps.run_config import read_config
from meshgan.apps.tasks import module_of
from meshgan.apps.train import resumed_config, train
from meshgan.data.store import Store
from meshgan.errors import ConfigError, InputError
from meshgan.models.whitening import label_means
from meshgan.training.run_folder import RunFolder
from meshgan.training.trainer import Trainer
from tests.apps.domes import dome_data
from tests.apps.test_train import states_are_equal

SHORT = (
    "part=all",
    "model.codes={identity: 5, expression: 3}",
    "train.iterations=4",
    "train.save_every=2",
    "train.validate_every=2",
    "train.preview_every=4",
    "train.log_every=1",
    "train.accelerator=cpu",
)
SMALL = {
    "mae": ("model.image_size=32", "model.uv=template", "model.channels=[8, 16]", "step.batch=8"),
    "coma": ("model.filters=[8, 8]", "model.order=3", "step.batch=4"),
}
KINDS = tuple(SMALL)


def config_of(kind, *overrides):
    return read_config(kind, None, (*SHORT, *SMALL[kind], *overrides))


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def run(tmp_path_factory, domes, kind):
    path = tmp_path_factory.mktemp(kind) / "run"
    train(domes, path, config_of(kind))
    return path


def test_a_run_saves_and_loads_to_the_bit(run, kind):
    """Weights, whitening and label codes of the file are those of the model that was read."""
    model = FaceModel.load(run).model
    weights = RunFolder(run).read_weights()
    state = model.state_dict()
    assert {f"generator.{key}" for key in state} <= weights.keys()
    assert all(torch.equal(value, weights[f"generator.{key}"]) for key, value in state.items())
    again = FaceModel.load(run).model
    codes = model.sample_codes(3, torch.Generator().manual_seed(0))
    assert torch.equal(model.decode(codes), again.decode(codes))
    assert dict(model.code_sizes) == {"identity": 5, "expression": 3}
    assert (RunFolder(run).previews / "000004.png").exists()
    assert {"score/reconstruction"} <= RunFolder(run).read_metrics()[-1].keys()


def test_codes_of_training_faces_are_standard(run, domes, kind):
    """What was whitened at the end: the model's own codes of the training faces."""
    prepared = module_of(kind).prepare(Store.open(domes), config_of(kind), fresh=False)
    task = prepared.task
    task.model.load_state_dict(FaceModel.load(run).model.state_dict())
    factor = "expression"
    if kind == "mae":
        images = task.stream.images_of(np.arange(64))
        codes, labels = task.model.encode(images)[factor], task.stream.labels[factor]
    else:
        faces = task.stream.faces
        raw = task.model.encode_expressions(faces.expressions(np.arange(64)))
        codes, labels = task.model.whitening.standard(raw), torch.from_numpy(faces.labels)
    codes = codes.detach()
    torch.testing.assert_close(codes.mean(dim=0), torch.zeros(3), atol=2e-3, rtol=0)
    torch.testing.assert_close(codes.T @ codes / 64, torch.eye(3), atol=2e-2, rtol=0)
    expected = label_means(codes, labels, 4)[0]
    torch.testing.assert_close(task.model.label_codes(factor), expected, atol=2e-3, rtol=2e-3)


def test_resume_is_exact(domes, tmp_path, kind):
    """Four steps, and two followed by two more from the saved state: equal to the bit.

    Also after a preview, which whitens the codes, and the whitening at the end of a run.
    """
    states = []
    for name, stops in (("through", (4,)), ("stopped", (2, 4))):
        run = RunFolder(tmp_path / name)
        for stop in stops:
            prepared = module_of(kind).prepare(Store.open(domes), config_of(kind))
            trainer = Trainer(prepared.task, prepared.config.train, run)
            if run.has_state():
                trainer.load_state(run.read_state())
            while trainer.iteration < stop:
                trainer.step()
            prepared.finish(run)
            trainer.save()
        states.append(trainer.state())
        del states[-1]["global_rng"]  # of the process: nothing here draws from it
    assert states_are_equal(*states)


def test_a_finished_run_goes_on(domes, tmp_path, kind):
    train(domes, tmp_path / "run", config_of(kind))
    more = resumed_config(tmp_path / "run", ("train.iterations=6",))
    assert train(domes, tmp_path / "run", more, resume=True)["iterations"] == 6


def test_four_faces_are_learnt_by_heart(tmp_path, kind):
    """In seconds: what is left is a small part of what there was."""
    labels = {"identity": np.arange(4) % 2, "expression": np.arange(4) // 2, "viseme": None}
    data = dome_data(tmp_path / "data", labels, count=4)
    config = config_of(
        kind, "model.codes={identity: 2, expression: 3}", "model.neutral=null", "step.batch=4",
        "train.iterations=400", "train.log_every=400", "train.validate_every=400",
        "train.preview_every=0", "train.save_every=400", "step.optimiser.rate=5e-3",
        *(("model.order=6", "model.filters=[16, 16]") if kind == "coma" else ()),
    )  # fmt: skip
    train(data, tmp_path / "run", config)
    store = Store.open(data)
    vertices = store.vertices(np.arange(4))
    spread = np.linalg.norm(vertices - vertices.mean(axis=0), axis=2).mean()
    left = RunFolder(tmp_path / "run").read_metrics()[-1]["score/reconstruction"]
    assert left < 0.1 * spread, (left, spread)


def test_mae_takes_any_factors(domes, tmp_path):
    config = config_of("mae", "model.codes={viseme: 2, expression: 3, identity: 4}")
    train(domes, tmp_path / "three", config)
    model = FaceModel.load(tmp_path / "three").model
    assert model.core.shape[1:] == (3, 4, 5)
    train(domes, tmp_path / "one", config_of("mae", "model.codes={identity: 4}"))
    assert FaceModel.load(tmp_path / "one").model.core.shape[1:] == (5,)


def test_scarce_labels_have_their_share_of_the_batches(tmp_path):
    labels = {"expression": np.where(np.arange(64) < 12, np.arange(64) % 4, -1)}
    store = Store.open(dome_data(tmp_path / "data", labels))
    task = module_of("mae").prepare(store, config_of("mae")).task
    seen = [(task.stream.next()["labels"]["expression"] >= 0).sum() for _ in range(5)]
    assert min(seen) >= 2  # a quarter of 8, and what comes by chance


def test_faces_of_unknown_people_are_left_out(tmp_path, caplog):
    people = np.arange(64) % 8
    people[::8] = -1
    store = Store.open(dome_data(tmp_path / "data", {"identity": people}))
    task = module_of("coma").prepare(store, config_of("coma")).task
    assert len(task.stream.faces) == 56
    assert "8 of 64 meshes show people without a label" in caplog.text


def test_refusals(domes, tmp_path, kind):
    store = Store.open(domes)
    prepare = module_of(kind).prepare
    with pytest.raises(InputError, match="whitened for the weights as they are"):
        prepare(store, replace(config_of(kind, "train.ema_decay=0.9")))
    with pytest.raises(InputError, match="the model asks for mood"):
        prepare(store, config_of(kind, "model.codes={identity: 3, mood: 2}"))
    unlabelled = dome_data(tmp_path / "data", {"expression": np.full(64, -1)})
    with pytest.raises(InputError, match="no training mesh has a label for expression"):
        prepare(Store.open(unlabelled), config_of(kind))
    still = dome_data(tmp_path / "still", still=True)
    with pytest.raises(InputError, match="the same"):
        prepare(Store.open(still), config_of(kind))


def test_coma_wants_two_factors_well_labelled_first(domes, tmp_path):
    with pytest.raises(ConfigError, match="has two factors"):
        config_of("coma", "model.codes={identity: 3, expression: 2, viseme: 2}")
    scarce = dome_data(
        tmp_path / "data", {"identity": np.where(np.arange(64) < 9, np.arange(64) % 8, -1)}
    )
    with pytest.raises(InputError, match="name expression first"):
        module_of("coma").prepare(Store.open(scarce), config_of("coma"))
    with pytest.raises(InputError, match="too few for 4 levels"):
        module_of("coma").prepare(
            Store.open(domes), config_of("coma", "model.filters=[8, 8, 8, 8]")
        )
