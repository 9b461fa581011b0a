"""FaceScape: registered meshes, raw scans with their transforms, the bilinear model."""

import json
import os

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from meshgan.data.importers import open_importer
from meshgan.data.importers.decision import decide_conversion
from meshgan.data.importers.facescape import EXPRESSIONS, FaceScape
from meshgan.errors import ConfigError, FileFormatError
from tests.data.importers.example_faces import bumpy_face, grid_faces, grid_quads, landmark_ids
from tests.data.importers.registered_trees import (
    bilinear_arrays,
    mirror_table,
    obj_text,
    write_facescape_tree,
    write_raw_facescape,
)
from tests.data.importers.test_safe_pickle import harmful

NAMES = [(1, "1_neutral"), (1, "4_anger"), (2, "1_neutral"), (2, "2_smile"), (2, "10_dimpler")]
FACES = {
    key: bumpy_face(k).astype(np.float32) for k, key in enumerate([*NAMES, (10, "14_sadness")])
}
MODEL = "facescape_bm_v1.6_847_50_52_id_front.npz"


@pytest.fixture
def tree(tmp_path):
    return write_facescape_tree(tmp_path / "facescape", FACES)


def test_reads_registered_meshes(tree):
    importer = open_importer("facescape", tree)
    assert importer.registered
    items = importer.items()
    assert [item.where for item in items] == [
        f"{subject}/models_reg/{name}.obj" for subject, name in FACES
    ]
    for item, (key, vertices) in zip(items, FACES.items(), strict=True):
        assert (item.subject, item.labels["facescape_expression"]) == (str(key[0]), key[1])
        np.testing.assert_array_equal(importer.read(item).vertices.astype(np.float32), vertices)
    template = importer.template()
    np.testing.assert_array_equal(template.mesh.faces, grid_faces())
    assert decide_conversion(importer, importer.read(items[0]), template).messages == ()


def test_labels(tree):
    def common(**options):
        return [item.labels.get("expression") for item in FaceScape(tree, **options).items()]

    assert common() == ["neutral", "anger", "neutral", "happiness", None, "sadness"]
    assert common(smile_is_happiness=False) == [
        "neutral",
        "anger",
        "neutral",
        None,
        None,
        "sadness",
    ]
    assert [int(name.split("_")[0]) for name in EXPRESSIONS] == list(range(1, 21))


def test_raw_scans_come_to_millimetres(tmp_path):
    turn = Rotation.from_euler("xyz", [0.3, -0.2, 0.1]).as_matrix()
    motion = np.concatenate([turn, [[5.0], [-20.0], [7.0]]], axis=1)
    tree = write_raw_facescape(tmp_path / "facescape", FACES, scale=43.0, motion=motion)
    importer = FaceScape(tree)
    assert not importer.registered
    assert importer.template() is None
    for item, vertices in zip(importer.items(), FACES.values(), strict=True):
        face = importer.read(item)
        np.testing.assert_allclose(face.vertices, vertices, atol=1e-3)
        np.testing.assert_array_equal(face.faces, grid_faces())
    table = json.loads((tree / "Rt_scale_dict.json").read_text())
    del table["2"]["10"]
    table["1"]["4"] = [0, motion.tolist()]
    table["1"]["1"] = [1, [[1, 2], [3, 4]]]
    other = tmp_path / "other.json"
    other.write_text(json.dumps(table))
    (tree / "Rt_scale_dict.json").unlink()
    importer = FaceScape(tree, transforms=other)
    found = {item.where: item for item in importer.items()}
    for where in ("1/1_neutral.ply", "1/4_anger.ply", "2/10_dimpler.ply"):
        with pytest.raises(FileFormatError, match=r"no \[scale, Rt\] of subject"):
            importer.read(found.pop(where))
    for item in found.values():
        importer.read(item)
    with pytest.raises(FileFormatError, match=r"Rt_scale_dict.json: no such file"):
        FaceScape(tree).read(next(iter(found.values())))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the file is empty"),
        (obj_text(bumpy_face(1), grid_quads())[:3000], "not made of numbers"),
        (obj_text(bumpy_face(1)[:-11], grid_quads()[:110]), "132 vertices, but .*another topology"),
        (obj_text(bumpy_face(1), grid_quads()[:-1]), "another topology"),
    ],
)
def test_bad_meshes_are_named(tree, text, reason):
    path = tree / "2" / "models_reg" / "1_neutral.obj"
    path.write_text(text)
    importer = FaceScape(tree)
    (item,) = [item for item in importer.items() if item.where == "2/models_reg/1_neutral.obj"]
    with pytest.raises(FileFormatError, match=reason) as caught:
        importer.read(item)
    assert str(path) in str(caught.value)


def by_hand(arrays, identity, weights):
    """core . identity . weights, written out; Yang et al. 2020, Sec. 4.1."""
    core = arrays["shape_bm_core"].astype(np.float64)
    result = np.zeros(len(core))
    for e, weight in enumerate(weights):
        for k, coefficient in enumerate(identity):
            result += weight * coefficient * core[:, e, k]
    return result.reshape(-1, 3)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("area", "first_id"), [("full", 0), ("full", 1), ("front", 0), ("front", 1)]
)
def test_bilinear_faces(tmp_path, compressed, area, first_id):
    arrays = bilinear_arrays(first_id=first_id)
    save = np.savez_compressed if compressed else np.savez
    save(tmp_path / MODEL, **arrays)
    importer = FaceScape(tmp_path / MODEL, count=8, subjects=2, area=area)
    inside = slice(None) if area == "full" else slice(0, 121)
    items = importer.items()
    assert len(items) == 8
    words = set()
    for item in items:
        face = importer.read(item)
        identity, weights = (
            face.extras[name].astype(np.float64)
            for name in ("identity_coefficients", "expression_weights")
        )
        np.testing.assert_allclose(
            face.vertices, by_hand(arrays, identity, weights)[inside], atol=2e-3
        )
        assert weights.sum() == pytest.approx(1)
        shown = int(weights[1:].argmax()) + 1
        neutral = item.where.endswith("/0000")
        assert (weights[0] == 1) == neutral
        word = "neutral" if neutral else f"shape{shown:02d}"
        assert item.labels["facescape_expression"] == word
        assert ("expression" in item.labels) == neutral
        words.add(word)
    assert len(words) > 2
    template = importer.template()
    used = grid_faces()
    np.testing.assert_array_equal(
        template.mesh.faces, used if area == "full" else used[used.max(axis=1) < 121]
    )
    mean = by_hand(arrays, arrays["id_mean"].astype(np.float64), [1, 0, 0, 0, 0])
    np.testing.assert_allclose(template.mesh.vertices, mean[inside], atol=1e-3)
    np.testing.assert_array_equal(template.landmarks["ibug68"], landmark_ids())
    assert template.mirror[5] == mirror_table()[5]


def test_identities_follow_the_models_distribution(tmp_path):
    arrays = bilinear_arrays()
    arrays["id_mean"] = np.array([0.02, 0.1, -0.2, 0.3], dtype=np.float32)
    arrays["id_var"] = np.array([1e-4, 4e-4, 9e-4, 0], dtype=np.float32)
    np.savez(tmp_path / MODEL, **arrays)
    importer = FaceScape(tmp_path / MODEL, count=400, subjects=400)
    drawn = np.stack(
        [importer.read(item).extras["identity_coefficients"] for item in importer.items()]
    )
    np.testing.assert_allclose(drawn.mean(axis=0), arrays["id_mean"], atol=0.006)
    np.testing.assert_allclose(drawn.std(axis=0), [0.01, 0.02, 0.03, 0], atol=0.003)


def test_a_model_with_principal_expressions_is_refused(tmp_path):
    arrays = bilinear_arrays()
    core = arrays["shape_bm_core"]
    mix, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))
    arrays["shape_bm_core"] = np.einsum("rek,ef->rfk", core, mix).astype(np.float32)
    np.savez(tmp_path / "facescape_bm_50_52_id_exp.npz", **arrays)
    with pytest.raises(FileFormatError, match=r"not shapes near slice 0.*not _id_exp"):
        FaceScape(tmp_path).items()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"shape_bm_core": None}, "has no shape_bm_core; found id_mean"),
        ({"shape_bm_core": np.zeros((10, 2, 2), np.float32)}, "expected numbers .3V, E, K"),
        ({"id_mean": np.zeros(3, np.float32)}, "do not fit the 4 identity"),
        ({"id_var": -np.ones(4, np.float32)}, "do not fit"),
        ({"fv_indices": grid_faces() + 2}, "fv_indices names vertices beyond the 143"),
        ({"fv_indices": np.zeros(5)}, "fv_indices is float64"),
        ({"fv_indices_front": None}, "has no fv_indices_front; give --set area=full"),
    ],
)
def test_wrong_models_are_named(tmp_path, change, reason):
    arrays = {name: value for name, value in {**bilinear_arrays(), **change}.items()}
    np.savez(tmp_path / MODEL, **{k: v for k, v in arrays.items() if v is not None})
    with pytest.raises(FileFormatError, match=f"{MODEL}: .*{reason}"):
        FaceScape(tmp_path / MODEL).items()


def test_optional_parts_of_a_model_may_be_odd(tmp_path):
    odd = {
        "lm_list_v16": np.arange(10),
        "sym_dict": np.array({1: 2, 2: 3}, dtype=object),
    }
    np.savez(tmp_path / MODEL, **{**bilinear_arrays(), **odd})
    template = FaceScape(tmp_path / MODEL, count=1).template()
    assert not template.landmarks
    assert template.mirror is None


def test_a_model_that_runs_code_is_refused(tmp_path):
    mark = tmp_path / "ran"
    bad = {"sym_dict": np.array([harmful(os.system, f"touch {mark}")], dtype=object)}
    np.savez(tmp_path / MODEL, **{**bilinear_arrays(), **bad})
    with pytest.raises(FileFormatError, match=r"sym_dict: refused.*system"):
        FaceScape(tmp_path / MODEL).items()
    assert not mark.exists()


def test_other_folders_and_options_are_refused(tmp_path, tree):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileFormatError, match=r"neither 1/models_reg/1_neutral.obj nor"):
        FaceScape(tmp_path / "empty").items()
    with pytest.raises(FileFormatError, match="found no raw meshes"):
        FaceScape(tree, kind="raw").items()
    with pytest.raises(ConfigError, match="subjects = 0"):
        FaceScape(tree, subjects=0)
    path = tmp_path / "empty" / "model.npz"
    path.write_bytes(b"PK")
    with pytest.raises(FileFormatError, match=r"model.npz: not a readable NPZ"):
        FaceScape(tmp_path / "empty").items()
