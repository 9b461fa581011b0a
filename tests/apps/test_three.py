"""Our GLB in three.js, in a real browser: targets by name, sliders that move the face."""

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from meshgan.apps.export import export_model
from meshgan.data.mesh_formats.morph_glb import read_morph_glb
from tests.browser import drive_page, npm_package

PAGE = """<!DOCTYPE html>
<html><head><link rel="icon" href="data:,"></head><body style="margin:0">
<div id="sliders" style="position:absolute;top:0;left:600px;width:290px"></div>
<script type="importmap">{"imports": {"three": "./node_modules/three/build/three.module.js",
  "three/addons/": "./node_modules/three/examples/jsm/"}}</script>
<script type="module">
import * as THREE from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
const renderer = new THREE.WebGLRenderer({ antialias: true });
renderer.setSize(600, 640); document.body.prepend(renderer.domElement);
const scene = new THREE.Scene(); scene.background = new THREE.Color(0x99a0aa);
const camera = new THREE.PerspectiveCamera(24, 600 / 640, 0.01, 10);
const key = new THREE.DirectionalLight(0xffffff, 2.4); key.position.set(-0.6, 0.7, 0.8);
scene.add(key, new THREE.HemisphereLight(0xffffff, 0x776655, 1.2));
const gltf = await new GLTFLoader().loadAsync("face.glb");
scene.add(gltf.scene);
let mesh; gltf.scene.traverse(object => { if (object.isMesh) mesh = object; });
const box = new THREE.Box3().setFromBufferAttribute(mesh.geometry.attributes.position);
const middle = box.getCenter(new THREE.Vector3());
camera.position.set(middle.x, middle.y, middle.z + 0.62); camera.lookAt(middle);
const draw = () => renderer.render(scene, camera);
for (const [name, index] of Object.entries(mesh.morphTargetDictionary)) {
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", min: 0, max: 1, step: 0.01, value: 0, id: name });
  slider.style = "display:block;width:100%;height:14px;margin:1px";
  slider.oninput = () => { mesh.morphTargetInfluences[index] = Number(slider.value); draw(); };
  document.getElementById("sliders").append(slider);
}
draw();
const attributes = mesh.geometry.attributes;
window.face = { names: Object.keys(mesh.morphTargetDictionary), vertices: attributes.position.count,
  has: Object.keys(attributes).sort(), normals: mesh.geometry.morphAttributes.normal.length,
  size: box.getSize(new THREE.Vector3()).toArray() };
</script></body></html>
"""
SLIDE = """
await page.waitForFunction("window.face", { timeout: 60000 });
await shot("rest");
for (const name of ["jawOpen", "surprise"]) {
  const box = await (await page.$("#" + name)).boundingBox();
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + 8, y); await page.mouse.down();
  await page.mouse.move(box.x + 0.97 * box.width, y, { steps: 4 }); await page.mouse.up();
  await shot(name);
  await page.mouse.move(box.x + 0.97 * box.width, y); await page.mouse.down();
  await page.mouse.move(box.x - 5, y, { steps: 4 }); await page.mouse.up();
}
await shot("back");
return await page.evaluate("window.face");
"""


@pytest.fixture
def served(tmp_path):
    """The folder on the loopback: three.js does not load its modules from files."""
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.log_message = lambda *_: None
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.slow
def test_sliders_in_three_move_our_face(tiny_run, served, tmp_path):
    three, puppeteer = npm_package("three"), npm_package("puppeteer-core")
    (tmp_path / "node_modules").symlink_to(three)
    (tmp_path / "index.html").write_text(PAGE)
    done = export_model(tiny_run, tmp_path / "face.glb", targets=("labels", "arkit"))
    said = drive_page(f"{served}/index.html", SLIDE, tmp_path, puppeteer)
    assert (said["problems"], said["requests"]) == ([], [])
    seen = said["value"]
    assert seen["names"] == done["morph_targets"]
    assert seen["vertices"] == done["vertices"]
    assert {"position", "normal", "uv"} <= set(seen["has"])
    assert seen["normals"] == len(done["morph_targets"])
    written = read_morph_glb(tmp_path / "face.glb").mesh.vertices
    np.testing.assert_allclose(seen["size"], np.ptp(written, axis=0) / 1000, rtol=1e-4)  # metres
    shown = {
        name: np.asarray(Image.open(tmp_path / f"{name}.png").convert("RGB")).astype(int)[:, :600]
        for name in ("rest", "jawOpen", "surprise", "back")
    }
    skin = shown["rest"][..., 0] - shown["rest"][..., 2] > 15
    assert 0.15 < skin.mean() < 0.8
    for name in ("jawOpen", "surprise"):
        changed = np.abs(shown[name] - shown["rest"]).max(axis=2) > 10
        assert changed.mean() > 0.01
    np.testing.assert_array_equal(shown["back"], shown["rest"])
    grown = (shown["jawOpen"][..., 0] - shown["jawOpen"][..., 2] > 15).any(axis=1)
    assert grown.sum() > skin.any(axis=1).sum() + 5  # the chin goes down
