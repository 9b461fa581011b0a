"""Linear models as runs: fitted by the same command, the same to the bit, and good on faces."""

import numpy as np
import pytest
import torch

from meshgan.apps.face_model import FaceModel
from meshgan.apps.prepare import training_part
from meshgan.apps.run_config import read_config
from meshgan.apps.tasks import module_of
from meshgan.apps.train import train
from meshgan.data.store import Store
from meshgan.errors import ConfigError, InputError
from tests.apps.domes import EXPRESSIONS, PEOPLE, dome_data

KINDS = ("pca", "multilinear")
CODES = "model.codes={identity: 11, expression: 6}"
DOMES = "model.codes={identity: 7, expression: 3}"


@pytest.fixture(scope="module", params=KINDS)
def run(request, made_once, tiny_data):
    """A run of either kind on 260 default faces."""
    config = read_config(request.param, None, [CODES, "train.accelerator=cpu"])
    return made_once(f"tiny-{request.param}", lambda path: train(tiny_data, path, config))


def dome_run(kind, data, out, *overrides):
    train(data, out, read_config(kind, None, [DOMES, "train.accelerator=cpu", *overrides]))
    return FaceModel.load(out)


def test_a_run_loads_as_it_was_fitted(run, tiny_data):
    config = read_config(None, run / "config.yaml")
    fitted = module_of(config.task).prepare(Store.open(tiny_data), config).model
    model = FaceModel.load(run).model
    codes = model.sample_codes(3, torch.Generator().manual_seed(0))
    assert torch.equal(model.decode(codes), fitted.decode(codes))
    assert model.factors == fitted.factors
    assert all(torch.equal(model.label_codes(n), fitted.label_codes(n)) for n in model.factors)


def test_samples_vary_as_the_data_do(run, tiny_data):
    store = Store.open(tiny_data)
    faces = store.vertices(training_part(store, "train").ids).reshape(-1, store.vertex_count * 3)
    drawn = FaceModel.load(run)
    shown = drawn.decode(drawn.codes(300, seed=1)).flatten(1).numpy()
    ratio = shown.std(axis=0).mean() / faces.std(axis=0).mean()
    assert 0.85 < ratio < 1.15
    assert np.abs(shown.mean(axis=0) - faces.mean(axis=0)).max() < 5  # mm, twelve people


def test_expressions_are_recovered_from_few_labels(run, tiny_data):
    """Faces decoded from their two labels are nearer to the true face than without expression."""
    store, model = Store.open(tiny_data), FaceModel.load(run)
    people, expressions = (store.labels(name) for name in ("identity", "expression"))
    rows = np.flatnonzero((expressions >= 0) & np.isin(people, np.unique(people)))
    known = model.model.factors["identity"]
    rows = [k for k in rows if store.factors["identity"][people[k]] in known]
    codes = {
        name: torch.cat(
            [model.label_code(name, store.factors[name][store.labels(name)[k]]) for k in rows]
        )
        for name in store.factors
    }
    faces = torch.from_numpy(np.array(store.vertices(np.array(rows))))
    full = (model.decode(codes) - faces).norm(dim=2).mean()
    codes["expression"] = model.label_code("expression", "neutral").expand(len(rows), -1)
    assert full < 0.8 * (model.decode(codes) - faces).norm(dim=2).mean()


@pytest.mark.parametrize("kind", KINDS)
def test_three_factors(kind, tmp_path):
    data = dome_data(tmp_path / "data")
    model = dome_run(
        kind, data, tmp_path / "run", "part=all",
        "model.codes={identity: 7, expression: 3, viseme: 2}", "model.neutral=null",
    )  # fmt: skip
    assert list(model.model.factors) == ["identity", "expression", "viseme"]
    store = Store.open(data)
    codes = {
        name: model.model.label_codes(name)[torch.from_numpy(np.array(store.labels(name)))]
        for name in model.model.factors
    }
    expected = torch.from_numpy(store.vertices(np.arange(store.count)))
    spread = (expected - expected.mean(dim=0)).norm(dim=2).mean()
    assert (model.decode(codes) - expected).norm(dim=2).mean() < 0.15 * spread


@pytest.mark.parametrize("kind", KINDS)
def test_fewer_people_than_code(kind, tmp_path):
    data = dome_data(tmp_path / "data")
    model = dome_run(
        kind, data, tmp_path / "run", "model.codes={identity: 65, expression: 20}", "part=all"
    )
    assert model.model.label_codes("identity").shape == (len(PEOPLE), 65)
    assert model.model.label_codes("expression").shape == (len(EXPRESSIONS), 20)
    assert torch.isfinite(model.decode(model.codes(8))).all()


@pytest.mark.parametrize("kind", KINDS)
def test_data_that_do_not_fit_are_refused(kind, tmp_path):
    still = dome_data(tmp_path / "still", still=True)
    with pytest.raises(InputError, match="meshes are the same"):
        dome_run(kind, still, tmp_path / "a")
    bare = dome_data(tmp_path / "bare", {"expression": np.full(64, -1)})
    with pytest.raises(InputError, match="no training mesh has a label for expression"):
        dome_run(kind, bare, tmp_path / "b")


@pytest.mark.parametrize(
    ("kind", "override", "field"),
    [
        ("pca", "model.directions=0", "directions"),
        ("pca", "model.codes={identity: 0}", "codes"),
        ("pca", "model.rounds=3", "rounds"),
        ("multilinear", "model.interaction=-1", "interaction"),
        ("multilinear", "model.rounds=0", "rounds"),
    ],
)
def test_wrong_settings_are_refused(kind, override, field):
    with pytest.raises(ConfigError, match=field):
        read_config(kind, None, [override])


def test_multilinear_asks_for_two_factors(tmp_path):
    file = tmp_path / "one.yaml"
    file.write_text("model: {codes: {identity: 5}}\n")
    with pytest.raises(ConfigError, match="two factors or more"):
        read_config("multilinear", file)
    assert list(read_config("pca", file).model.codes) == ["identity"]
