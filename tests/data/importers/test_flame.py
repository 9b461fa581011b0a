"""FLAME: faces drawn from a pickle with chumpy objects, a plain pickle or an NPZ."""

import os
import pickle

import numpy as np
import pytest
from scipy import sparse

from meshgan.data.importers import open_importer
from meshgan.data.importers.decision import decide_conversion
from meshgan.data.importers.flame import FLAME
from meshgan.errors import ConfigError, FileFormatError
from tests.data.importers.example_faces import grid_faces, grid_vertices
from tests.data.importers.registered_trees import chumpy_class, flame_arrays
from tests.data.importers.test_safe_pickle import harmful

ARRAYS = flame_arrays()


def write_model(path, kind="chumpy"):
    """As published: protocol 2, faces as uint32, joints sparse, modes a chumpy object."""
    content = {
        **ARRAYS,
        "f": ARRAYS["f"].astype(np.uint32),
        "J_regressor": sparse.csc_matrix(np.eye(5)),
        "kintree_table": np.zeros((2, 5), dtype=np.int64),
        "bs_style": "lbs",
        "weights": np.zeros((len(grid_vertices()), 5)),
    }
    if kind == "npz":
        np.savez(path, **content)
    elif kind == "plain":
        path.write_bytes(pickle.dumps(content, 2))
    else:
        with chumpy_class() as chumpy:
            content["shapedirs"] = chumpy(content["shapedirs"])
            path.write_bytes(pickle.dumps(content, 2))
    return path


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "generic_model.pkl")


@pytest.mark.parametrize(
    ("kind", "name"), [("chumpy", "m.pkl"), ("plain", "m.pkl"), ("npz", "m.npz")]
)
def test_a_face_is_the_sum_of_its_modes(tmp_path, kind, name):
    """Sum over modes of coefficient times mode, written out; Li et al. 2017, Eq. 2-4 at rest."""
    importer = open_importer(
        "flame", write_model(tmp_path / name, kind), {"count": 6, "subjects": 2}
    )
    items = importer.items()
    assert [item.where for item in items] == [
        f"person{person:05d}/{face:04d}" for person in range(2) for face in range(3)
    ]
    for item in items:
        face = importer.read(item)
        identity = face.extras["identity_coefficients"].astype(np.float64)
        expression = face.extras["expression_coefficients"].astype(np.float64)
        assert identity.shape == (300,)
        assert expression.shape == (4,)
        neutral = item.where.endswith("/0000")
        assert item.labels == ({"expression": "neutral"} if neutral else {})
        assert neutral == (not expression.any())
        expected = ARRAYS["v_template"].copy()
        for weight, mode in zip([*identity, *expression], range(304), strict=True):
            expected += weight * ARRAYS["shapedirs"][:, :, mode]
        np.testing.assert_allclose(face.vertices, expected, atol=1e-9)
    template = importer.template()
    np.testing.assert_array_equal(template.mesh.faces, grid_faces())
    np.testing.assert_allclose(template.mesh.vertices, grid_vertices(), atol=1e-5)
    assert template.mirror is None or template.mirror[0] == 10
    assert decide_conversion(importer, importer.read(items[0]), template).messages == ()


def test_a_face_depends_on_seed_person_and_number_alone(model):
    few = FLAME(model, count=4, subjects=2)
    many = FLAME(model, count=30, subjects=3)
    for item in few.items():
        np.testing.assert_array_equal(few.read(item).vertices, many.read(item).vertices)
    other = FLAME(model, count=4, subjects=2, seed=1)
    assert not np.array_equal(
        other.read(few.items()[0]).vertices, few.read(few.items()[0]).vertices
    )
    one, another = (few.read(few.items()[k]).extras["expression_coefficients"] for k in (1, 3))
    assert not np.array_equal(one, another)


def test_coefficients_are_normal(model):
    importer = FLAME(model, count=40, subjects=40)
    drawn = np.stack(
        [importer.read(item).extras["identity_coefficients"] for item in importer.items()]
    )
    assert abs(drawn.mean()) < 0.05
    assert drawn.std() == pytest.approx(0.987, abs=0.03)  # N(0, 1) cut at 3
    assert np.abs(drawn).max() <= 3


def test_fewer_modes(model):
    importer = FLAME(model, count=3, subjects=1, identity_modes=7, expression_modes=2)
    face = importer.read(importer.items()[1])
    assert face.extras["identity_coefficients"].shape == (7,)
    assert face.extras["expression_coefficients"].shape == (2,)
    neutral = FLAME(model, count=3, subjects=1, expression_modes=0)
    assert [item.labels for item in neutral.items()] == [{"expression": "neutral"}] * 3
    assert len({item.subject for item in neutral.items()}) == 3


@pytest.mark.parametrize(("count", "name"), [(51, "ibug51"), (68, "ibug68"), (105, "flame105")])
@pytest.mark.parametrize("suffix", ["pkl", "npz", "npy"])
def test_landmark_embedding(model, tmp_path, count, name, suffix):
    weights = np.random.default_rng(0).dirichlet([1, 1, 1], count)
    ids = np.arange(count) * 2
    path = tmp_path / f"embedding.{suffix}"
    table = {"lmk_face_idx": ids, "lmk_b_coords": weights}
    match suffix:
        case "pkl":
            path.write_bytes(pickle.dumps(table, 2))
        case "npz":
            np.savez(path, **table)
        case "npy":
            static = {"static_lmk_faces_idx": ids, "static_lmk_bary_coords": weights}
            np.save(path, np.array(static, dtype=object), allow_pickle=True)
    importer = FLAME(model, count=2, subjects=1, landmarks=path)
    face = importer.read(importer.items()[1])
    assert face.landmarks.order == name
    corners = face.vertices[grid_faces()[ids]]
    np.testing.assert_allclose(
        face.landmarks.points, (weights[:, :, None] * corners).sum(axis=1), atol=1e-12
    )
    nearest = grid_faces()[ids, weights.argmax(axis=1)]
    np.testing.assert_array_equal(importer.template().landmarks[name], nearest)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([1], "no table of landmarks"),
        ({"lmk_face_idx": np.arange(3)}, "holds lmk_face_idx, expected lmk_b_coords"),
        ({"lmk_face_idx": np.arange(3), "lmk_b_coords": np.ones((2, 3))}, "3 entries"),
        ({"lmk_face_idx": np.array([999]), "lmk_b_coords": np.array([[1.0, 0, 0]])}, "999"),
        ({"lmk_face_idx": np.array([-1]), "lmk_b_coords": np.array([[1.0, 0, 0]])}, "triangle"),
        ({"lmk_face_idx": np.array([1]), "lmk_b_coords": np.array([[1.0, 1, 0]])}, "sum to 1"),
        ({"lmk_face_idx": np.array(["a"]), "lmk_b_coords": np.ones((1, 3))}, "not numbers"),
    ],
)
def test_wrong_embeddings_are_named(model, tmp_path, table, reason):
    path = tmp_path / "embedding.pkl"
    path.write_bytes(pickle.dumps(table, 2))
    with pytest.raises(FileFormatError, match=f"embedding.pkl: .*{reason}"):
        FLAME(model, landmarks=path).template()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"shapedirs": None}, "expected numbers .143, 3, K"),
        ({"shapedirs": ARRAYS["shapedirs"][:-1]}, r"shapedirs is float64 \(142, 3, 304\)"),
        ({"f": ARRAYS["f"] + 1}, "f names vertex 143 of 143"),
        ({"f": ARRAYS["f"].astype(float)}, "f is float64"),
        ({"v_template": np.zeros(3)}, "v_template is float64"),
    ],
)
def test_wrong_arrays_are_named(tmp_path, change, reason):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({**ARRAYS, **change}, 2))
    with pytest.raises(FileFormatError, match=f"model.pkl: .*{reason}"):
        FLAME(path).items()


def test_bad_files_and_options(tmp_path, model):
    mark = tmp_path / "ran"
    (tmp_path / "bad").mkdir()
    path = tmp_path / "bad" / "model.pkl"
    with pytest.raises(FileFormatError, match=r"expected a FLAME model.*found none"):
        FLAME(tmp_path / "bad").items()
    path.write_bytes(pickle.dumps({**ARRAYS, "x": harmful(os.system, f"touch {mark}")}))
    with pytest.raises(FileFormatError, match=r"model.pkl: refused.*system"):
        FLAME(tmp_path / "bad").items()
    assert not mark.exists()
    path.write_bytes(model.read_bytes()[:-1000])
    with pytest.raises(FileFormatError, match="not a readable pickle"):
        FLAME(path).items()
    path.write_bytes(pickle.dumps({"v_template": 1}))
    with pytest.raises(FileFormatError, match="holds v_template; expected shapedirs, f"):
        FLAME(path).items()
    (tmp_path / "other.npz").write_bytes(b"")
    with pytest.raises(FileFormatError, match=r"2 candidates \(generic_model.pkl, other.npz\)"):
        FLAME(tmp_path).items()
    with pytest.raises(ConfigError, match=r"count = 0 is out of range; seed = -1"):
        FLAME(model, count=0, seed=-1)
