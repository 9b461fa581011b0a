"""meshgan interpolate and speak: every kind of file holds the frames, faces in words mean faces."""

import numpy as np
import pytest
import torch
from PIL import Image

from meshgan.apps.animation import Film, write_animation
from meshgan.apps.face_keys import face_codes
from meshgan.apps.face_model import FaceModel
from meshgan.apps.interpolate import interpolate_faces
from meshgan.apps.speak import animate_speech, speak
from meshgan.data.code_files import read_codes, write_codes
from meshgan.data.mesh_formats.morph_glb import read_morph_glb
from meshgan.data.mesh_formats.pc2 import read_pc2
from meshgan.data.mesh_io import read_mesh
from meshgan.data.synthetic.plan import FACTORS
from meshgan.data.template import Template
from meshgan.editing.morphs import at_rest
from meshgan.editing.speech import phonemes_in_time, speech_codes
from meshgan.errors import InputError
from meshgan.models.baselines.pca import AdditiveFaces
from meshgan.seeding import torch_generator

SMALL = Film(frames_per_second=20.0, size_px=48)


@pytest.fixture(scope="module")
def model(tiny_run):
    return FaceModel.load(tiny_run)


@pytest.fixture(scope="module")
def talker(model):
    """An additive model on the default faces whose visemes move the vertices below the nose."""
    template: Template = model.template
    factors = {
        "identity": ("a", "b"),
        "expression": FACTORS["expression"],
        "viseme": FACTORS["viseme"],
    }
    sizes = {name: len(labels) for name, labels in factors.items()}
    vertices = torch.from_numpy(np.asarray(template.mesh.vertices, np.float32))
    faces = AdditiveFaces(vertices, torch.from_numpy(template.mesh.faces), factors, sizes)
    rng = torch_generator(0, "talker")
    low = (vertices[:, 1] < vertices[:, 1].mean()).float()[:, None]
    with torch.no_grad():
        faces.basis.copy_(torch.randn(faces.basis.shape[0], 1, 3, generator=rng) * low)
        for name, size in sizes.items():
            getattr(faces, f"codes_{name}").copy_(torch.eye(size))
    return FaceModel(faces.requires_grad_(False), template)


def test_faces_in_words(model, tmp_path):
    codes = model.codes(3, seed=4)
    write_codes(tmp_path / "codes.npz", codes)
    words = [
        "mean",
        "seed:4",
        f"{tmp_path}/codes.npz:2",
        "expression=happiness",
        "seed:4+expression=fear@0.5",
    ]
    mean, seed, row, happy, afraid = face_codes(model, words)
    assert all((code == 0).all() for code in mean.values())
    for name in codes:
        assert torch.equal(seed[name], codes[name][:1])
        assert torch.equal(row[name], codes[name][2:])
    happiness, fear, neutral = (
        model.label_code("expression", label) for label in ("happiness", "fear", "neutral")
    )
    torch.testing.assert_close(happy["expression"], happiness)
    assert torch.equal(happy["identity"], row["identity"])  # the face before it
    torch.testing.assert_close(afraid["expression"], 0.5 * (neutral + fear))
    with pytest.raises(InputError, match="who: no such file, and not a face in words"):
        face_codes(model, ["who"])
    with pytest.raises(InputError, match="codes: face 9 asked for, it has 0 to 2"):
        face_codes(model, [f"{tmp_path}/codes.npz:9"])


def test_every_kind_of_file_holds_the_path(model, tmp_path):
    ends = ["seed:1", "seed:2"]
    shown = {}
    for name in ("walk", "walk.pc2", "walk.glb", "walk.gif", "walk.mp4", "walk.png"):
        if name.endswith("mp4"):
            pytest.importorskip("imageio_ffmpeg")
        out = tmp_path / name
        shown[name] = interpolate_faces(
            model, ends, out, frames=7, film=SMALL, codes=tmp_path / "codes.npz"
        )
        assert shown[name]["frames"] == 7
    path = read_codes(tmp_path / "codes.npz", model.model.code_sizes)
    truth = model.decode(path).numpy()
    np.testing.assert_allclose(truth[0], model.decode(model.codes(1, 1))[0].numpy(), atol=1e-3)
    meshes = np.stack([read_mesh(file).vertices for file in shown["walk"]["files"]])
    np.testing.assert_allclose(meshes, truth, atol=1e-3)
    np.testing.assert_allclose(read_pc2(tmp_path / "walk.pc2").vertices, truth, atol=1e-3)
    glb = read_morph_glb(tmp_path / "walk.glb")
    assert glb.animation is not None
    np.testing.assert_allclose(glb.animation.times_s, np.arange(7) / 20, atol=1e-6)
    moved = np.einsum("tk,kvc->tvc", glb.animation.weights, np.stack(list(glb.targets.values())))
    assert np.linalg.norm(glb.mesh.vertices + moved - truth, axis=2).max() < 0.05
    gif = Image.open(tmp_path / "walk.gif")
    assert (gif.n_frames, gif.size) == (7, (48, 48))
    assert gif.info["duration"] == 50
    assert (tmp_path / "walk.mp4").read_bytes()[4:8] == b"ftyp"


def test_there_and_back(model, tmp_path):
    found = interpolate_faces(
        model, ["seed:1", "seed:2"], tmp_path / "a.pc2", frames=9, back=True, kind="linear"
    )
    frames = read_pc2(tmp_path / "a.pc2").vertices
    np.testing.assert_allclose(frames[0], frames[-1], atol=1e-4)
    np.testing.assert_allclose(frames[2], frames[6], atol=1e-3)
    assert found["seconds_long"] == pytest.approx(9 / 25, abs=1e-3)


def test_a_word_as_a_rig(talker, tmp_path):
    out = tmp_path / "talk.glb"
    found = speak(talker, "M AA1 M AH0", out, face="seed:3", expression="happiness@0.5", film=SMALL)
    assert found["visemes"] == ["silence", "E", "V1", "E", "V1", "silence"]
    assert {"viseme_E", "viseme_V1"} <= set(found["morph_targets"])
    rig = read_morph_glb(out)
    person = face_codes(talker, ["seed:3"])[0]
    person = talker.edit(at_rest(talker.model, person), {"expression": "happiness"}, 0.5)
    np.testing.assert_allclose(rig.mesh.vertices, talker.decode(person)[0].numpy(), atol=1e-2)
    assert rig.animation is not None
    assert len(rig.animation.times_s) == found["frames"]


def test_an_additive_model_needs_no_targets_but_its_visemes(talker):
    person = at_rest(talker.model, face_codes(talker, ["mean"])[0])
    speech = speech_codes(talker.model, person, phonemes_in_time("M AA1"), blinks=False)
    frames, named, weights, rest = animate_speech(talker, person, speech)
    moved = np.einsum("tk,kvc->tvc", weights, np.stack(list(named.values())))
    np.testing.assert_allclose(rest + moved, frames, atol=1e-3)


def test_eyes_close_in_a_blink(talker):
    person = at_rest(talker.model, face_codes(talker, ["mean"])[0])
    spoken = phonemes_in_time("M AA1 M AH0 , M AA1 M AH0 , M AA1 M AH0")
    speech = speech_codes(talker.model, person, spoken, 50.0)
    frames, named, _, rest = animate_speech(talker, person, speech)
    assert "blink" in named
    shut = frames[speech.blinks.argmax()]
    upper, lower = talker.template.landmarks["ibug68"][[43, 47]]
    assert (shut[upper, 1] - shut[lower, 1]) < 0.35 * (rest[upper, 1] - rest[lower, 1])


def test_in_memory(talker):
    meshes = talker.speak("M AA1", frames_per_second=10.0)
    assert len(meshes) == 9  # 0.81 s
    path = talker.interpolate([talker.codes(1, 0), talker.codes(1, 1)], 5)
    assert len(path) == 5


def test_refuses_bad_input(model, tmp_path):
    with pytest.raises(InputError, match="has no factor viseme"):
        speak(model, "M AA1", tmp_path / "a.glb")
    with pytest.raises(InputError, match=r"a\.avi: expected \.gif"):
        interpolate_faces(model, ["mean", "seed:1"], tmp_path / "a.avi")
    with pytest.raises(InputError, match="1 faces given"):
        interpolate_faces(model, ["mean"], tmp_path / "a.gif")
    with pytest.raises(InputError, match="0 frames a second"):
        Film(frames_per_second=0.0)
    assert not list(tmp_path.iterdir())


def test_a_movie_without_its_package_says_what_to_install(model, tmp_path, monkeypatch):
    import sys

    from meshgan.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(MissingExtraError, match=r"meshgan\[video\]"):
        write_animation(tmp_path / "a.mp4", model.template.mesh, np.zeros((2, 4999, 3)), SMALL)
