"""Basel Face Models: MATLAB with deviations and turned triangles, HDF5 with variances."""

import json
import sys

import numpy as np
import pytest
from scipy.io import savemat

from meshgan.data.importers import open_importer
from meshgan.data.importers.bfm import BFM
from meshgan.data.importers.decision import decide_conversion
from meshgan.errors import ConfigError, FileFormatError, MissingExtraError
from tests.data.importers.example_faces import grid_faces, grid_vertices
from tests.data.importers.registered_trees import COUNT, bfm_arrays

ARRAYS = bfm_arrays()
MEAN_EXPRESSION = np.random.default_rng(2).normal(size=3 * COUNT)
LANDMARKS = {"center.nose.tip": [0.4, 0.1, 85], "right.eye.corner_outer": [-45, 32, 43]}


def write_2009(path, **change):
    """Micrometres, deviations, triangles from 1 with two corners exchanged."""
    content = {
        "shapeMU": ARRAYS["mean"][:, None].astype(np.float32) * 1000,
        "shapePC": ARRAYS["basis"],
        "shapeEV": ARRAYS["sigmas"][:, None] * 1000,
        "tl": (grid_faces()[:, [0, 2, 1]] + 1).astype(np.float64),
        "texMU": np.zeros((3 * COUNT, 1)),
        **change,
    }
    savemat(path, {name: value for name, value in content.items() if value is not None})
    return path


def write_h5(path, landmarks="list", expressive=True, **change):
    """Millimetres, variances, triangles (3, F) from 0."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        for group, mean, scale in (
            ("shape", ARRAYS["mean"], 1.0),
            *([("expression", MEAN_EXPRESSION, 0.5)] if expressive else []),
        ):
            content = {
                "mean": mean.astype(np.float32),
                "pcaBasis": ARRAYS["basis"].astype(np.float32),
                "pcaVariance": ((scale * ARRAYS["sigmas"]) ** 2).astype(np.float32),
            }
            for name, value in content.items():
                value = change.get(f"{group}/{name}", value)
                if value is not None:
                    file[f"{group}/model/{name}"] = value
            cells = change.get("cells", grid_faces().T)
            file[f"{group}/representer/cells"] = cells.astype(np.int32)
            file[f"{group}/representer/points"] = grid_vertices().T.astype(np.float32)
        table = [{"id": name, "coordinates": xyz} for name, xyz in LANDMARKS.items()]
        match landmarks:
            case "list":
                file["metadata/landmarks/json"] = json.dumps(table)
            case "array":
                file["metadata/landmarks/json"] = np.array([json.dumps(LANDMARKS).encode()])
            case str():
                file["metadata/landmarks/json"] = landmarks
    return path


def summed(mean, basis, sigmas, coefficients):
    """mean + sum of coefficient x deviation x mode, written out."""
    result = mean.astype(np.float64).copy()
    for mode, (sigma, coefficient) in enumerate(zip(sigmas, coefficients, strict=True)):
        result += coefficient * sigma * basis[:, mode]
    return result.reshape(-1, 3)


def test_2009(tmp_path):
    write_2009(tmp_path / "01_MorphableModel.mat")
    importer = open_importer("bfm", tmp_path, {"count": 3})
    items = importer.items()
    assert len({item.subject for item in items}) == 3  # no expressions: one face per person
    assert all(item.labels == {"expression": "neutral"} for item in items)
    for item in items:
        face = importer.read(item)
        drawn = face.extras["identity_coefficients"].astype(np.float64)
        expected = 1000 * summed(ARRAYS["mean"], ARRAYS["basis"], ARRAYS["sigmas"], drawn)
        np.testing.assert_allclose(face.vertices, expected, atol=0.05)
    template = importer.template()
    np.testing.assert_array_equal(template.mesh.faces, grid_faces())
    np.testing.assert_allclose(template.mesh.vertices, grid_vertices(), atol=1e-4)
    decision = decide_conversion(importer, importer.read(items[0]), template)
    assert decision.conversion.unit == "um"
    assert decision.messages == ()


@pytest.mark.parametrize("landmarks", ["list", "array", None])
def test_h5(tmp_path, landmarks):
    path = write_h5(tmp_path / "model2019_face12.h5", landmarks)
    importer = BFM(path, count=6, subjects=2)
    items = importer.items()
    assert len({item.subject for item in items}) == 2
    for item in items:
        face = importer.read(item)
        identity = face.extras["identity_coefficients"].astype(np.float64)
        expression = face.extras["expression_coefficients"].astype(np.float64)
        expected = summed(ARRAYS["mean"], ARRAYS["basis"], ARRAYS["sigmas"], identity)
        if item.where.endswith("/0000"):
            assert not expression.any()
        else:
            half = ARRAYS["sigmas"] / 2
            expected += summed(MEAN_EXPRESSION, ARRAYS["basis"], half, expression)
        np.testing.assert_allclose(face.vertices, expected, atol=1e-4)
    template = importer.template()
    np.testing.assert_array_equal(template.mesh.faces, grid_faces())
    assert decide_conversion(importer, importer.read(items[1]), template).messages == ()
    if landmarks is None:
        assert not template.landmarks
        return
    ids = template.landmarks["bfm"]
    apart = np.linalg.norm(grid_vertices() - np.array([[0.4, 0.1, 85]]), axis=1)
    assert ids[0] == apart.argmin()
    face = importer.read(items[0])
    assert face.landmarks.labels == tuple(LANDMARKS)
    np.testing.assert_array_equal(face.landmarks.points, face.vertices[ids])


def test_landmarks_outside_the_crop_are_left_out(tmp_path):
    text = json.dumps({"nose": [0, 0, 85], "ear": [300, 0, 0]})
    path = write_h5(tmp_path / "m.h5", landmarks=text)
    importer = BFM(path, count=1)
    assert importer.read(importer.items()[0]).landmarks.labels == ("nose",)


def test_fewer_modes_and_no_expressions(tmp_path):
    path = write_h5(tmp_path / "m.h5")
    importer = BFM(path, count=2, subjects=1, identity_modes=2, expression_modes=1)
    face = importer.read(importer.items()[1])
    assert face.extras["identity_coefficients"].shape == (2,)
    assert face.extras["expression_coefficients"].shape == (1,)
    assert len({item.subject for item in BFM(path, count=2, expression_modes=0).items()}) == 2
    neutral = write_h5(tmp_path / "shape_only.h5", expressive=False)
    assert len({item.subject for item in BFM(neutral, count=2).items()}) == 2


def test_deviations_are_roots_of_variances(tmp_path):
    path = write_h5(tmp_path / "m.h5", expressive=False)
    importer = BFM(path, count=300, identity_modes=1)
    moved = [
        (importer.read(item).vertices.ravel() - ARRAYS["mean"]) @ ARRAYS["basis"][:, 0]
        for item in importer.items()
    ]
    assert np.std(moved) == pytest.approx(30 * 0.987, rel=0.12)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"shapePC": None, "tl": None}, "has no shapePC, tl"),
        ({"shapeMU": np.zeros((4, 1))}, "the mean has shape"),
        ({"shapePC": ARRAYS["basis"][:-3]}, r"the basis has shape \(426, 3\), expected \(429, 3\)"),
        ({"shapeEV": np.array([1.0, -1, np.nan])}, "negative or not a number"),
        ({"tl": grid_faces().astype(float)}, r"tl names vertices 0 to 142, .* \(from 1\)"),
        ({"tl": np.ones((3, 2))}, r"tl has shape \(3, 2\)"),
    ],
)
def test_wrong_matlab_files_are_named(tmp_path, change, reason):
    path = write_2009(tmp_path / "m.mat", **change)
    with pytest.raises(FileFormatError, match=f"m.mat: .*{reason}"):
        BFM(path).items()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"shape/mean": None}, "has no shape/model/mean"),
        ({"shape/pcaBasis": np.zeros((5, 3), np.float32)}, r"the basis has shape \(5, 3\)"),
        ({"expression/mean": np.zeros(300, np.float32)}, "the basis has shape"),
        ({"shape/pcaVariance": -np.ones(3, np.float32)}, "negative"),
        ({"cells": grid_faces().T + 1}, r"cells names vertices 1 to 143"),
        ({"landmarks": "not JSON"}, "metadata/landmarks/json cannot be understood"),
        ({"landmarks": '{"nose": [1, 2]}'}, "not three coordinates"),
        ({"landmarks": "[1]"}, "cannot be understood"),
    ],
)
def test_wrong_h5_files_are_named(tmp_path, change, reason):
    path = write_h5(tmp_path / "m.h5", **change)
    with pytest.raises(FileFormatError, match=f"m.h5: .*{reason}"):
        BFM(path).items()


def test_damaged_missing_and_other_files(tmp_path):
    mat, h5 = write_2009(tmp_path / "m.mat"), write_h5(tmp_path / "m.h5")
    for path in (mat, h5):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 3])
        with pytest.raises(FileFormatError, match=f"{path.name}: not a readable"):
            BFM(path).items()
        path.write_bytes(b"")
        with pytest.raises(FileFormatError, match=f"{path.name}: not a readable"):
            BFM(path).items()
    with pytest.raises(FileFormatError, match="2 candidates"):
        BFM(tmp_path).items()
    with pytest.raises(FileFormatError, match="found none"):
        BFM(tmp_path / "none").items()
    (tmp_path / "m.txt").write_text("")
    with pytest.raises(FileFormatError, match=r"expected a .mat \(2009\) or .h5"):
        BFM(tmp_path / "m.txt").items()
    with pytest.raises(ConfigError, match="identity_modes"):
        BFM(h5, identity_modes=0)


def test_says_how_to_get_h5py(tmp_path, monkeypatch):
    path = write_h5(tmp_path / "m.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"m.h5: .*pip install 'meshgan\[importers\]'"):
        BFM(path).items()
