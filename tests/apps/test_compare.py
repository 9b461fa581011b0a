"""compare: trains what is missing, measures once, resumes, writes tables that belong together."""

import json

import pytest

from meshgan.apps.compare import Comparison, compare
from meshgan.apps.contenders import given_contenders, standard_contenders, train_contender
from meshgan.apps.evaluate import score
from meshgan.errors import InputError
from meshgan.files import read_json, write_json

METRICS = ("diversity", "specificity", "quality")


def asked(domes, out, **changes):
    sizes = {"pairs": 40, "samples": 20, "metrics": METRICS}
    return Comparison(domes, out, **{**sizes, **changes})


@pytest.fixture(scope="module")
def compared(domes, dome_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("comparison")
    return compare(asked(domes, out, runs=(dome_run,))), out


def test_a_row_says_where_its_numbers_come_from(compared):
    result, _ = compared
    (row,) = result["rows"]
    assert row["name"] == "run"
    assert row["seed"] == 0
    assert len(row["weights"]) > 10
    for key in ("diversity", "diversity_identity", "specificity"):
        low, high = row["interval"][key]
        assert low <= row[key] <= high
    assert result["settings"]["content"]
    assert result["data"]["training"]["diversity"] > 0


def test_controls_change_the_first_model(compared):
    result, _ = compared
    names = {row["name"]: row for row in result["controls"]}
    assert set(names) == {"half_entangled", "meaningless"}
    run = result["rows"][0]
    # codes that mean nothing: faces that share one are random faces
    assert names["meaningless"]["diversity_identity"] > 1.03 * run["diversity_identity"]


def test_files_belong_together(compared):
    result, out = compared
    assert json.loads((out / "compare.json").read_text())["rows"] == result["rows"]
    text = (out / "compare.md").read_text()
    assert f"{result['rows'][0]['diversity']:.2f}" in text
    assert "specificity" in (out / "compare.csv").read_text()
    page = (out / "compare.html").read_text()
    assert page.count("data:image") == page.count('src="data:image') >= 2
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert {path.name for path in (out / "pictures").iterdir()} >= {
        "random_faces.png",
        "expressions.png",
    }


def test_what_is_measured_is_kept(compared, domes, dome_run, monkeypatch):
    result, out = compared
    import meshgan.apps.compare as module

    def refuse(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr(module, "score", refuse)
    monkeypatch.setattr(module, "score_data", refuse)
    again = compare(asked(domes, out, runs=(dome_run,)))
    assert again["rows"] == result["rows"]
    with pytest.raises(AssertionError, match="measured again"):
        compare(asked(domes, out, runs=(dome_run,), pairs=41))


def test_each_metric_is_kept_by_itself(compared, domes, dome_run, monkeypatch):
    """Stopped in the third metric: the first two are not measured again."""
    result, out = compared
    import meshgan.apps.compare as module

    (out / "results" / "run" / "quality.json").unlink()
    asked_for = []

    def count(model, yardstick, metrics, data):
        asked_for.extend(metrics)
        return score(model, yardstick, metrics, data)

    monkeypatch.setattr(module, "score", count)
    again = compare(asked(domes, out, runs=(dome_run,)))
    assert asked_for == ["quality"]
    assert again["rows"][0]["interval"] == result["rows"][0]["interval"]
    assert set(again["rows"][0]["seconds"]) == set(METRICS)


def test_a_damaged_or_foreign_result_is_measured_again(compared, domes, dome_run):
    result, out = compared
    file = out / "results" / "run" / "specificity.json"
    for spoil in (lambda: file.write_text("{"), lambda: write_json(file, {"key": "another"})):
        spoil()
        (row,) = compare(asked(domes, out, runs=(dome_run,)))["rows"]
        assert row["interval"] == result["rows"][0]["interval"]
        assert read_json(file)["key"] not in ("another", None)


def test_refuses_what_it_does_not_know(domes, dome_run, tmp_path):
    with pytest.raises(InputError, match=r"no model gun; choose from gan, mixed"):
        compare(asked(domes, tmp_path, models=("gun",)))
    with pytest.raises(InputError, match='"beauty" is not known'):
        compare(asked(domes, tmp_path, runs=(dome_run,), metrics=("beauty",)))
    with pytest.raises(InputError, match="not a RUN"):
        compare(asked(domes, tmp_path, runs=(tmp_path,)))
    with pytest.raises(InputError, match="two runs named run"):
        given_contenders([dome_run, dome_run])


def test_standard_models_have_presets_of_their_names(tmp_path):
    found = standard_contenders(tmp_path)
    assert [one.preset for one in found] == [
        "quick",
        "mixed_start",
        "without_regulariser",
        "without_expression_classifier",
        "without_feature_loss",
        "pca",
        "multilinear",
        "mae",
        "coma",
    ]


def test_a_training_without_its_end_goes_on(domes, tmp_path):
    """Weights are not enough: what follows the last iteration may be missing."""
    (contender,) = standard_contenders(tmp_path, ("pca",))
    sizes = ("model.codes={identity: 5, expression: 3}",)
    train_contender(contender, domes, overrides=sizes)
    end, weights = contender.run / "result.json", contender.run / "weights.safetensors"
    stamps = (end.stat().st_mtime_ns, weights.stat().st_mtime_ns)
    train_contender(contender, domes, overrides=sizes)
    assert (end.stat().st_mtime_ns, weights.stat().st_mtime_ns) == stamps
    end.unlink()
    train_contender(contender, domes, overrides=sizes)
    assert end.exists()
    assert weights.stat().st_mtime_ns > stamps[1]
