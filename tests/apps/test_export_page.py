"""The page with sliders: what it holds, and that a browser draws a face that sliders move."""

import base64
import json
import re
import subprocess

import numpy as np
import pytest
from PIL import Image

from meshgan.apps.export_page import write_page
from meshgan.editing.morphs import MorphTarget
from meshgan.errors import InputError
from meshgan.geometry.mesh import TriMesh
from tests.browser import PICTURE, chromium, drive_page, npm_package
from tests.fakes import face_like_mesh

BACKGROUND = 12  # the stage is nearly grey: red and blue differ less than on skin


@pytest.fixture(scope="module")
def face() -> TriMesh:
    vertices, faces = face_like_mesh(side=30)
    return TriMesh(vertices, faces)


@pytest.fixture(scope="module")
def targets(face) -> list[MorphTarget]:
    near = np.exp(-(((face.vertices - (0, -40, 60)) / 25) ** 2).sum(axis=1))
    open_ = np.outer(near, (0.0, -15.0, 0.0))
    wide = face.vertices * (0.2, 0, 0)
    return [
        MorphTarget("open <mouth>", "expression", open_.astype(np.float32)),
        MorphTarget("identity_1", "identity", wide.astype(np.float32), two_sided=True),
    ]


@pytest.fixture(scope="module")
def page(face, targets, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "face.html"
    write_page(path, face, targets, title="Anna & Bea")
    return path


def content(page) -> dict:
    text = page.read_text("utf-8")
    return json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', text)[1])


def test_holds_the_face_and_its_targets_to_a_micrometre(page, face, targets):
    held = content(page)
    block = base64.b64decode(held["bytes"])

    def array(kind, place, width):
        return np.frombuffer(block, kind, place[1], place[0]).reshape(-1, width)

    np.testing.assert_array_equal(array("<f4", held["positions"], 3), face.vertices)
    np.testing.assert_array_equal(array("<u4", held["triangles"], 3), face.faces)
    for shown, target in zip(held["targets"], targets, strict=True):
        moves = array("<i2", shown["place"], 3) * shown["scale"]
        np.testing.assert_allclose(moves, target.displacement, atol=1e-3)
        assert shown["name"] == target.name


def test_asks_nobody_for_anything(page):
    text = page.read_text("utf-8")
    assert not re.search(
        r"(?:src|href)\s*=|https?://|import\s|fetch\(|XMLHttp", text.split("bytes")[0]
    )
    assert "<title>Anna &amp; Bea</title>" in text
    assert "http" not in re.sub(r'"bytes":"[^"]*"', "", text)


def picture(page, weights: str, tmp_path, name: str) -> np.ndarray:
    shot = tmp_path / f"{name}.png"
    command = [
        chromium(),
        *PICTURE,
        "--window-size=900,640",
        "--virtual-time-budget=4000",
        f"--screenshot={shot}",
        f"--user-data-dir={tmp_path / 'profile'}",
        f"{page.as_uri()}#{weights}",
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return np.asarray(Image.open(shot).convert("RGB")).astype(int)[:560, :520]


def skin(shown: np.ndarray) -> np.ndarray:
    return shown[..., 0] - shown[..., 2] > BACKGROUND


def test_a_browser_draws_the_face_and_weights_move_it(page, tmp_path):
    rest = picture(page, "", tmp_path, "rest")
    wide = picture(page, "identity_1=1", tmp_path, "wide")
    turned = picture(page, "yaw_deg=50", tmp_path, "turned")
    assert 0.15 < skin(rest).mean() < 0.8
    columns = [skin(shown).any(axis=0).sum() for shown in (rest, wide, turned)]
    assert columns[1] > 1.12 * columns[0]  # a fifth wider
    assert columns[2] < 0.9 * columns[0]
    rows = [skin(shown).any(axis=1).sum() for shown in (rest, wide)]
    assert abs(rows[1] - rows[0]) < 0.04 * rows[0]


CLICKS = """
const at = async (selector, share) => {
  const box = await (await page.$(selector)).boundingBox();
  return [box.x + share * box.width, box.y + box.height / 2];
};
const drag = async (from, to) => {
  await page.mouse.move(...from); await page.mouse.down();
  await page.mouse.move(...to, { steps: 5 }); await page.mouse.up();
};
const rest = await shot("rest");
await drag(await at("#w-identity_1", 0.5), await at("#w-identity_1", 0.9));
const weight = await page.$eval("#w-identity_1", input => Number(input.value));
const address = await page.evaluate(() => location.hash);
await shot("slid");
await page.click("#reset"); await settle(); await shot("reset");
await page.click(".labels button"); await settle(); await shot("label");
await page.click("#reset"); await settle();
await drag([300, 300], [420, 300]); await settle(); await shot("turned");
await page.mouse.wheel({ deltaY: -300 }); await settle(); await shot("near");
await page.click("#wire"); await settle(); await shot("wire");
return { weight, address };
"""


@pytest.mark.slow
def test_a_person_can_drag_sliders_click_labels_turn_and_zoom(page, tmp_path):
    packages = npm_package("puppeteer-core")
    said = drive_page(page.as_uri(), CLICKS, tmp_path, packages)
    assert said["problems"] == []
    assert said["requests"] == []
    assert said["value"]["weight"] == pytest.approx(1.2, abs=0.15)
    assert said["value"]["address"].startswith("#identity_1=1.")
    names = ("rest", "slid", "reset", "label", "turned", "near", "wire")
    shown = {
        name: np.asarray(Image.open(tmp_path / f"{name}.png").convert("RGB")).astype(int)[
            :600, :520
        ]
        for name in names
    }
    change = {name: np.abs(shown[name] - shown["rest"]).max(axis=2) > 8 for name in names}
    assert change["slid"].mean() > 0.02
    assert change["reset"].mean() < 0.001
    assert change["label"].mean() > 0.01
    assert change["turned"].mean() > 0.02
    assert skin(shown["near"]).sum() > 1.1 * skin(shown["turned"]).sum()
    assert np.abs(shown["wire"] - shown["near"]).mean() > 1


def test_refuses_targets_of_one_name(face, targets, tmp_path):
    with pytest.raises(InputError, match="a name of its own"):
        write_page(tmp_path / "a.html", face, [targets[0], targets[0]])
    with pytest.raises(InputError, match="expected morph targets"):
        write_page(tmp_path / "a.html", face, [])
    assert not (tmp_path / "a.html").exists()
