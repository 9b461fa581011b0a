"""evaluate: all numbers together, the training data's beside them, a file that is whole."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from meshgan.apps.evaluate import evaluate, score, score_data
from meshgan.apps.evaluate_run import evaluate_run
from meshgan.apps.oracle_source import default_source, find_source
from meshgan.apps.yardstick import Yardstick
from meshgan.cli.evaluate import Evaluate
from meshgan.data.store import Store
from meshgan.data.synthetic.source import FaceSource
from meshgan.errors import InputError, ShapeError
from tests.fakes import AdditiveModel, LinearSource, faces_of_model


@pytest.fixture(scope="module")
def model():
    return AdditiveModel(side=10)


@pytest.fixture(scope="module")
def store(model):
    return faces_of_model(model, count=50)


@pytest.fixture(scope="module")
def result(model, store, tmp_path_factory):
    out = tmp_path_factory.mktemp("scores")
    fresh = faces_of_model(model, count=20, seed=8)
    found = evaluate(model, store, seed=1, pairs=80, samples=30, out=out, fresh=fresh)
    return found, out


def test_holds_what_the_command_line_promises(result):
    found, _ = result
    for name in ("diversity", "diversity_identity", "diversity_expression"):
        assert found["ratios"][name] == pytest.approx(found[name] / found["training"][name])
        assert found["standard_error"][name] > 0
    ratio = found["specificity"] / found["training"]["diversity"]
    assert found["ratios"]["specificity"] == pytest.approx(ratio)
    assert found["fresh"].keys() >= {"diversity", "specificity", "laplacian_residual"}
    assert found["settings"]["training_meshes"] == 50
    assert found["seconds"].keys() == {"diversity", "specificity", "quality"}


def test_file_is_the_result(result):
    found, out = result
    assert json.loads((out / "metrics.json").read_text()) == found
    assert [path.name for path in out.iterdir()] == ["metrics.json"]


def test_the_seed_decides(model, store, result):
    found, _ = result
    again = evaluate(model, store, seed=1, pairs=80, samples=30)
    for name in ("diversity", "specificity", "laplacian_residual"):
        assert again[name] == found[name]
    assert evaluate(model, store, ("diversity",), 2, 80)["diversity"] != found["diversity"]


def test_only_what_was_asked_for(model, store):
    found = evaluate(model, store, ["specificity"], pairs=5, samples=4)
    assert "diversity" not in found
    assert found["training"] == {}
    assert found["ratios"] == {}
    assert found["specificity"] > 0


def test_transfer_is_told_by_region_and_by_vertex(model, store):
    """Two ways of a model, and adding true displacements: exact where all is additive."""
    surface = (model.template_vertices, model.faces)
    regions = {"mouth": np.arange(5)}
    yardstick = Yardstick(store, surface, source=LinearSource(model), regions=regions)
    data = score_data(yardstick, ["transfer"])
    assert data.fresh.numbers["transfer_mouth"].mean == pytest.approx(0, abs=1e-4)
    found = score(model, yardstick, ["transfer"], data)
    assert {"transfer_all", "transfer_mouth", "rest_transfer_all"} <= found.keys()
    by_vertex = found["details"]["transfer"]["vertices"]
    assert np.mean(by_vertex) == pytest.approx(found["transfer_all"], abs=1e-3)
    assert np.mean(by_vertex[:5]) == pytest.approx(found["transfer_mouth"], abs=1e-3)


def test_refuses_unknown_and_missing_metrics(model, store):
    with pytest.raises(InputError, match="decoupling needs networks that judge faces"):
        evaluate(model, store, ["diversity", "decoupling"])
    with pytest.raises(InputError, match=r"transfer needs the parametric source .* and regions"):
        evaluate(model, store, ["transfer"])
    with pytest.raises(InputError, match='"beauty" is not known; choose from diversity'):
        evaluate(model, store, ["beauty"])
    with pytest.raises(InputError, match="none given"):
        evaluate(model, store, [])


def test_oracle_needs_a_source_and_takes_its_place(model, store):
    with pytest.raises(InputError, match="oracle needs the parametric source"):
        evaluate(model, store, ["oracle"])
    found = evaluate(model, store, ["oracle"], source=LinearSource(model))
    assert found["oracle_identity"] == found["fresh"]["oracle_identity"] == 1.0
    assert found["chance_expression"] == pytest.approx(0.05)


def test_default_source_refuses_other_data():
    with pytest.raises(InputError, match='no default faces on "my scans"'):
        default_source("my scans", "0123456789abcdef")


def test_the_truth_of_default_faces_is_their_source(tiny_data):
    assert isinstance(find_source(Store.open(tiny_data)), FaceSource)


def test_refuses_another_topology(model, store):
    with pytest.raises(ShapeError, match="100 vertices, the model 36"):
        evaluate(AdditiveModel(side=6), store)
    store = faces_of_model(model, count=5)
    store.template = SimpleNamespace(topology_hash="0123456789abcdef")
    with pytest.raises(ShapeError, match="topology 0123456789abcdef, the model"):
        evaluate(model, store)


def test_nothing_is_written_when_it_fails(model, store, tmp_path):
    broken = AdditiveModel(side=10)
    broken.template_vertices = broken.template_vertices * np.nan
    with pytest.raises(InputError, match="not finite"):
        evaluate(broken, store, pairs=5, samples=3, out=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_command_passes_its_options(domes, dome_run):
    command = Evaluate(
        run=dome_run, data=domes, metrics="diversity, quality", pairs=7, samples=3, seed=4
    )
    summary = command()
    assert summary["settings"]["metrics"] == ["diversity", "quality"]
    assert (summary["settings"]["pairs"], summary["settings"]["seed"]) == (7, 4)


def test_what_cannot_be_measured_is_left_out_with_its_reason(dome_run, domes, tmp_path):
    """Domes were drawn by a test: nobody recorded what they are made of."""
    found = evaluate_run(dome_run, domes, ("diversity", "oracle"), pairs=20, out=tmp_path)
    assert found["diversity"] > 0
    assert "oracle_identity" not in found
    assert "no identity_coefficients are recorded" in found["not_available"]["oracle"]
    assert json.loads((tmp_path / "metrics.json").read_text()) == found
    assert found["settings"]["fresh_meshes"] == 8  # of the one test person in eight
    with pytest.raises(InputError, match="not available for"):
        evaluate_run(dome_run, domes, ("oracle",))
    with pytest.raises(InputError, match='"beauty" is not known'):
        evaluate_run(dome_run, domes, ("oracle", "beauty"))
