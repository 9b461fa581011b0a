"""The main job on a tiny size, from end to end: one self-contained page, and going on."""

import json
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from meshgan.apps import demo as demo_module
from meshgan.apps import report_run
from meshgan.apps.demo import DemoSize, demo
from meshgan.errors import ConfigError, InputError
from tests.conftest import TINY_RUN

SIZE = DemoSize(meshes=120, subjects=6, fresh=20, pairs=40, samples=8)
SHEETS = (
    "random_faces", "identity_in_all_expressions", "expression_on_many_identities",
    "identity_expression_grid", "transfer", "interpolation", "nearest_training_faces",
)  # fmt: skip


class Links(HTMLParser):
    """Everything that a page refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found += [(tag, value or "") for name, value in attrs if name in {"src", "href"}]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "out"
    return out, demo(out, overrides=TINY_RUN, size=SIZE)


@pytest.mark.slow
def test_the_page_stands_alone(outcome):
    out, summary = outcome
    assert summary["report"] == str(out / "report.html")
    text = (out / "report.html").read_text()
    links = Links(text).found
    pictures = [value for tag, value in links if tag == "img"]
    assert len(pictures) >= len(SHEETS)
    assert all(value.startswith("data:image/") for value in pictures)
    for tag, value in links:
        assert not re.match(r"(https?:)?//", value), value
        if tag == "a" and not value.startswith("#"):
            assert (out / value).is_file(), value  # beside the page; nothing breaks without it
    assert not re.search(r"url\((?!['\"]?data:)", text)
    assert not re.search(r"<(script|link|iframe)[^>]+(src|href)=", text)


@pytest.mark.slow
def test_pictures_and_numbers_lie_beside_it(outcome):
    out, summary = outcome
    for name in SHEETS:
        with Image.open(out / f"{name}.png") as picture:
            assert min(picture.size) > 200
            assert len(set(picture.convert("L").resize((64, 64)).tobytes())) > 8  # not blank
    metrics = json.loads((out / "metrics.json").read_text())
    for key in ("diversity", "diversity_identity", "diversity_expression", "specificity",
                "oracle_identity", "oracle_expression", "training", "fresh", "ratios"):  # fmt: skip
        assert key in metrics, key
        assert key in summary["metrics"], key
    assert metrics["settings"]["training_meshes"] == SIZE.meshes
    assert metrics["settings"]["fresh_meshes"] == SIZE.fresh
    assert set(summary["seconds_by_part"]) == {"data", "training", "scores", "report"}
    assert json.dumps(summary)


@pytest.mark.slow
def test_again_uses_what_is_there(outcome, monkeypatch):
    out, summary = outcome
    weights = (out / "run" / "weights.safetensors").read_bytes()
    shard = next((out / "data" / "shards").iterdir())
    made = shard.stat().st_mtime_ns
    (out / "report.html").unlink()
    monkeypatch.setattr(report_run, "model_sections", lambda *args: [])  # they take a while
    again = demo(out, overrides=TINY_RUN, size=SIZE)
    assert (out / "report.html").is_file()
    assert (out / "run" / "weights.safetensors").read_bytes() == weights
    assert shard.stat().st_mtime_ns == made
    kept = ("diversity", "specificity", "oracle_identity")
    assert all(again["metrics"][key] == summary["metrics"][key] for key in kept)
    with pytest.raises(InputError, match="seed"):
        demo(out, seed=1, overrides=TINY_RUN, size=SIZE)  # other faces than those that lie there


@pytest.mark.parametrize("minutes", [0.0, -1.0])
def test_a_cap_must_be_positive(tmp_path, monkeypatch, minutes):
    monkeypatch.setattr(demo_module, "build_data", lambda *args, **options: None)
    monkeypatch.setattr(demo_module, "build_fresh", lambda *args, **options: None)
    with pytest.raises(ConfigError, match="minutes"):
        demo(tmp_path / "out", minutes=minutes)
