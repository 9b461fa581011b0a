"""The report: one page that needs nothing else, with every picture and number in it."""

import base64
import io
import json
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from meshgan.apps.evaluate import evaluate
from meshgan.apps.report import Section, model_sections, write_report
from meshgan.apps.report_table import metrics_table
from meshgan.errors import InputError
from tests.fakes import AdditiveModel, faces_of_model

METRICS = {
    "diversity": 4.5,
    "diversity_identity": 2.25,
    "specificity": 1.5,
    "oracle_identity": 0.97,
    "chance_identity": 0.05,
    "standard_error": {"diversity": 0.125},
    "training": {"diversity": 5.0, "diversity_identity": 2.5},
    "ratios": {"diversity": 0.9, "diversity_identity": 0.9, "specificity": 0.3},
    "fresh": {"specificity": 2.1},
}


class Page(HTMLParser):
    """Collects tags, addresses and text, and checks that tags are closed in order."""

    VOID = frozenset({"meta", "img", "br", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open, self.links, self.images, self.words, self.ids = [], [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        self.links += [found[name] for name in ("href", "src", "action") if name in found]
        self.images += [found["src"]] if tag == "img" else []
        self.ids += [found["id"]] if "id" in found else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def section(name: str = "faces", colour: int = 90) -> Section:
    picture = Image.fromarray(np.full((40, 60, 3), colour, dtype=np.uint8))
    return Section(name, "Random <faces> & more", "What to look at", picture)


@pytest.fixture
def page(tmp_path):
    provenance = {"command": "meshgan demo --seed 3", "versions": {"torch": "2.13"}, "seed": 3}
    path = write_report(
        tmp_path / "demo", [section(), section("other", 10)], METRICS, provenance,
        title="A <demo>", summary="Two minutes.", figures={"faces": "2,000"},
    )  # fmt: skip
    return path, Page(path.read_text())


def test_page_needs_nothing_else(page):
    path, parsed = page
    beside = {"faces.png", "other.png"}
    for link in parsed.links:
        assert link.startswith(("data:image/", "#")) or link in beside
    text = path.read_text()
    for outside in ("http:", "https:", "@import", "url(", "<script"):
        assert outside not in text
    assert {entry.name for entry in path.parent.iterdir()} == {
        "report.html", "metrics.json", *beside
    }  # fmt: skip


def test_contents_lead_to_the_sections(page):
    _, parsed = page
    anchors = [link.removeprefix("#") for link in parsed.links if link.startswith("#")]
    assert anchors == parsed.ids == ["faces", "other", "numbers", "made"]


def test_pictures_are_inside_and_beside(page):
    path, parsed = page
    assert len(parsed.images) == 2
    inside = Image.open(io.BytesIO(base64.b64decode(parsed.images[0].partition(",")[2])))
    assert inside.size == (60, 40)
    assert abs(int(np.asarray(inside).mean()) - 90) < 3
    assert (np.asarray(Image.open(path.parent / "faces.png")) == 90).all()


def test_words_are_escaped_and_facts_are_told(page):
    path, parsed = page
    text = " ".join(parsed.words)
    assert "A <demo>" in text
    assert "Random <faces> & more" in text
    assert "<demo>" not in path.read_text()
    for fact in ("meshgan demo --seed 3", "torch 2.13", "2,000", "Two minutes."):
        assert fact in text
    assert json.loads((path.parent / "metrics.json").read_text()) == METRICS


def test_table_has_every_number_in_its_row():
    parsed = Page(metrics_table(METRICS))
    words = [word.strip() for word in parsed.words if word.strip()]
    row = words[words.index("Diversity, mm") :]
    assert row[2:7] == ["4.50", "± 0.12", "5.00", "0.90", "–"]
    row = words[words.index("Specificity, mm") :]
    assert row[2:7] == ["1.50", "–", "0.30", "of diversity", "2.10"]
    row = words[words.index("Identity found again, %") :]
    assert row[2] == "97.0"
    assert "chance 5.0 %" in row[7]
    assert words.index("Diversity, same identity, mm") < words.index("Specificity, mm")


def test_two_sections_of_one_name_are_refused(tmp_path):
    with pytest.raises(InputError, match="two sections named faces"):
        write_report(tmp_path / "r", [section(), section()], METRICS, {})
    assert not (tmp_path / "r").exists()


def test_report_of_a_model_is_small_and_complete(tmp_path):
    model = AdditiveModel(side=16)
    store = faces_of_model(model, count=30)
    curves = {"adversarial": (range(30), np.linspace(3, 1, 30))}
    sections = model_sections(model, store, seed=2, curves=curves)
    metrics = evaluate(model, store, pairs=30, samples=10)
    path = write_report(tmp_path, sections, metrics, {"seed": 2})
    assert {part.name for part in sections} == {
        "random_faces", "identity_in_all_expressions", "expression_on_many_identities",
        "identity_expression_grid", "transfer", "interpolation", "nearest_training_faces",
        "training_curves",
    }  # fmt: skip
    assert path.stat().st_size < 6e6
    for part in sections:
        file = Image.open(tmp_path / f"{part.name}.png")
        assert min(file.size) > 200
        assert (np.asarray(file.convert("L")) < 200).mean() > 0.02
