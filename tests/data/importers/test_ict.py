"""ICT-FaceKit: its folder in the real layout, its compact file, and the people drawn from it."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from meshgan.data.importers import open_importer
from meshgan.data.importers.conversion import Conversion
from meshgan.data.importers.ict import ICT
from meshgan.data.importers.labels import EXPRESSIONS as SEVEN
from meshgan.data.importers.performance import ACTIONS, action_matrix
from meshgan.data.npz import write_npz
from meshgan.errors import ConfigError, FileFormatError, InputError
from meshgan.geometry.symmetry import find_mirror
from meshgan.geometry.topology import boundary_loops
from tests.data.importers import ict_tree
from tests.data.importers.example_faces import grid_faces, grid_vertices, landmark_ids

SUBSET = Path(__file__).parents[3] / "../shared/data/ict_face_subset.npz"
needs_subset = pytest.mark.skipif(
    not SUBSET.exists(), reason="the compact ICT face model is not beside the repository"
)


@pytest.fixture
def small_areas(monkeypatch):
    monkeypatch.setattr("meshgan.data.importers.ict_files.AREAS", ict_tree.AREAS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return ict_tree.write_ict_folder(tmp_path_factory.mktemp("ict"))


@pytest.fixture
def ict(folder, small_areas):
    return ICT(folder, area="narrow", count=60, subjects=4, labelled=0.4, seed=3)


def test_template_is_the_neutral_face_in_mm(ict):
    template = ict.template()
    assert (template.name, template.vertex_count) == ("ict_narrow", 143)
    np.testing.assert_allclose(template.mesh.vertices, grid_vertices(), atol=1e-5)
    np.testing.assert_array_equal(template.mesh.faces, grid_faces())
    np.testing.assert_array_equal(template.landmarks["ibug68"], landmark_ids())
    np.testing.assert_array_equal(template.regions["rigid"], [3, 5, 8])
    assert template.mesh.uv is None
    reflected = template.mesh.vertices * [-1, 1, 1]
    np.testing.assert_allclose(template.mesh.vertices[template.mirror], reflected, atol=1e-5)


@pytest.mark.parametrize(("area", "triangles"), [("narrow", 240), ("face", 242), ("head", 244)])
def test_area_cuts_vertices_and_triangles(folder, small_areas, area, triangles):
    template = ICT(folder / "FaceXModel", area=area).template()
    assert (template.vertex_count, template.mesh.face_count) == (ict_tree.AREAS[area], triangles)


def test_faces_are_neutral_plus_weighted_shapes(ict):
    """By the rule of the format, with the coefficients that the face itself reports."""
    neutral = ict_tree.neutral_cm()
    for item in ict.items()[::7]:
        face = ict.read(item)
        expected = neutral.copy()
        for name, weight in zip(
            ict_tree.IDENTITIES, face.extras["identity_coefficients"], strict=True
        ):
            expected += weight * ict_tree.displacement_cm(name)
        for name, weight in zip(ict_tree.EXPRESSIONS, face.extras["actions"], strict=True):
            expected += weight * ict_tree.displacement_cm(name)
        np.testing.assert_allclose(face.vertices, expected[:143], atol=2e-6)


def test_a_person_keeps_one_identity(ict):
    by_person = {}
    for item in ict.items():
        identity = tuple(ict.read(item).extras["identity_coefficients"].tolist())
        by_person.setdefault(item.subject, set()).add(identity)
    assert len(by_person) == 4
    assert all(len(found) == 1 for found in by_person.values())
    assert len(set.union(*by_person.values())) == 4


def test_plan_is_kept(ict):
    items = ict.items()
    assert len(items) == 60
    labelled = [item.labels["expression"] for item in items if item.labels]
    assert len(labelled) == 24  # 40 %
    assert set(labelled) <= set(SEVEN)
    frames = Counter((item.subject, item.sequence, item.frame) for item in items if item.sequence)
    assert set(frames.values()) == {1}
    assert len({item.where for item in items}) == 60


def test_faces_do_not_depend_on_the_order_of_reading(ict, folder):
    item = ict.items()[41]
    again = ICT(folder, area="narrow", count=60, subjects=4, labelled=0.4, seed=3)
    np.testing.assert_array_equal(ict.read(item).vertices, again.read(item).vertices)
    other = ICT(folder, area="narrow", count=60, subjects=4, labelled=0.4, seed=4)
    assert not np.array_equal(ict.read(item).vertices, other.read(item).vertices)


def test_neutral_faces_are_calmer_than_others(ict):
    strength = {name: [] for name in SEVEN}
    for item in ict.items():
        if item.labels:
            actions = ict.read(item).extras["actions"]
            strength[item.labels["expression"]].append(float(actions.sum()))
    assert max(strength["neutral"]) < min(
        min(found) for name, found in strength.items() if name != "neutral" and found
    )


def test_recipes_reach_the_shapes_of_both_sides():
    names = ("browInnerUp_L", "browInnerUp_R", *ict_tree.EXPRESSIONS)
    matrix = action_matrix(names)
    unsided = matrix[ACTIONS.index("browInnerUp")]
    assert [names[k] for k in np.flatnonzero(unsided)][:2] == ["browInnerUp_L", "browInnerUp_R"]
    left = matrix[ACTIONS.index("mouthSmileLeft")]
    assert [names[k] for k in np.flatnonzero(left)] == ["mouthSmile_L"]
    with pytest.raises(InputError, match="no shape for browDownLeft"):
        action_matrix([name for name in names if name != "browDown_L"])


def test_every_shape_once_per_person(folder, small_areas):
    ict = ICT(folder, area="narrow", samples="shapes", count=120)
    items = ict.items()
    assert len(items) == 2 * 54
    words = [item.labels["ict_expression"] for item in items]
    assert words[:54] == words[54:] == ["neutral", *ict_tree.EXPRESSIONS]
    assert [item.labels.get("expression") for item in items[:2]] == ["neutral", None]
    smile = ict.read(items[words.index("mouthSmile_L")])
    weights = dict(zip(ict_tree.EXPRESSIONS, smile.extras["actions"], strict=True))
    assert {name for name, weight in weights.items() if weight} == {"mouthSmile_L"}
    assert not ict.read(items[0]).extras["actions"].any()


def as_subset(folder, path):
    """The compact file of the same model, by its own rules: mm, float32."""
    shapes = {
        name: 10 * ict_tree.displacement_cm(name)[:150].astype(np.float32)
        for name in (*ict_tree.IDENTITIES, *ict_tree.EXPRESSIONS)
    }
    arrays = {
        "neutral": (10 * ict_tree.neutral_cm()[:150]).astype(np.float32),
        "identity_modes": np.stack([shapes[name] for name in ict_tree.IDENTITIES]),
        "identity_names": np.array(ict_tree.IDENTITIES),
        "expression_modes": np.stack([shapes[name] for name in ict_tree.EXPRESSIONS]),
        "expression_names": np.array(ict_tree.EXPRESSIONS),
        "faces": np.concatenate([grid_faces(), [[0, 144, 149], [0, 149, 1]]]).astype(np.int32),
        "n_narrow": np.array(143, dtype=np.int32),
        "landmarks68": landmark_ids().astype(np.int32),
        "rigid_vertices": np.array([3, 5, 8], dtype=np.int32),
        "units": np.array("mm"),
    }
    write_npz(path, arrays)
    return arrays


def test_compact_file_gives_the_same_faces(ict, folder, tmp_path):
    as_subset(folder, tmp_path / "ict.npz")
    compact = ICT(tmp_path / "ict.npz", area="narrow", count=60, subjects=4, labelled=0.4, seed=3)
    assert (ict.unit, compact.unit) == ("cm", "mm")
    assert compact.items() == ict.items()
    assert compact.template().topology_hash == ict.template().topology_hash
    for item in ict.items()[::11]:
        expected = Conversion("cm").positions(ict.read(item).vertices)
        np.testing.assert_allclose(compact.read(item).vertices, expected, atol=1e-3)


def test_says_what_is_missing(folder, small_areas, tmp_path):
    with pytest.raises(FileFormatError, match=r"no generic_neutral_mesh.obj in it or in its"):
        ICT(tmp_path).template()
    copy = ict_tree.write_ict_folder(tmp_path / "copy") / "FaceXModel"
    (copy / "jawOpen.obj").unlink()
    with pytest.raises(FileFormatError, match=r"jawOpen.obj: no such file"):
        ICT(copy, area="narrow").items and ICT(copy, area="narrow").template()
    (copy / "jawOpen.obj").write_text("v 1 2 3\nv 4 5\n")
    with pytest.raises(FileFormatError, match=r"jawOpen.obj: 2 vertices.*expected 170 of 3"):
        ICT(copy, area="narrow").template()
    (copy / "jawOpen.obj").write_text("v 1 2 nan\n" * 170)
    with pytest.raises(FileFormatError, match=r"jawOpen.obj: a vertex is not finite"):
        ICT(copy, area="narrow").template()
    (copy / "vertex_indices.json").write_text('{"expressions": [1]}')
    with pytest.raises(FileFormatError, match=r"vertex_indices.json: expressions is not a list"):
        ICT(copy, area="narrow").template()


def test_refuses_wrong_options(folder, small_areas):
    with pytest.raises(ConfigError, match=r"aera is not a setting \(did you mean area\?\)"):
        open_importer("ict", folder, {"aera": "narrow"})
    with pytest.raises(ConfigError, match=r"area must be one of narrow, face, head"):
        open_importer("ict", folder, {"area": "nose"})
    with pytest.raises(ConfigError, match=r"count = 0 is out of range; labelled = 2.0 is out"):
        open_importer("ict", folder, {"count": 0, "labelled": 2})
    with pytest.raises(InputError, match="has 2 identity modes, 3 were asked for"):
        ICT(folder, area="narrow", modes=3).template()


@needs_subset
def test_real_model_has_the_published_shape():
    ict = ICT(SUBSET, area="narrow", count=70, subjects=5)
    template = ict.template()
    assert template.vertex_count == 6706
    loops = sorted(len(loop) for loop in boundary_loops(template.mesh.faces))
    assert loops == [42, 42, 74, 138]
    eyes = template.mesh.vertices[template.landmarks["ibug68"][[36, 45]]]
    assert 85 < np.linalg.norm(eyes[0] - eyes[1]) < 95
    mirrored = template.mesh.vertices[template.mirror] * [-1, 1, 1]
    assert np.abs(mirrored - template.mesh.vertices).max() < 0.1
    found = find_mirror(template.mesh.vertices, template.mesh.faces)
    np.testing.assert_array_equal(found, template.mirror)  # as the folder's would be found


@needs_subset
def test_real_people_look_like_people():
    """What the lips and brows do, in mm on the landmarks, is what the labels say."""
    ict = ICT(SUBSET, area="narrow", count=140, subjects=20, labelled=1.0)
    ids = ict.template().landmarks["ibug68"]
    openings, corners = {name: [] for name in SEVEN}, {name: [] for name in SEVEN}
    for item in ict.items():
        points = ict.read(item).vertices[ids]
        name = item.labels["expression"]
        openings[name].append(points[62, 1] - points[66, 1])  # inner lips
        corners[name].append(points[[48, 54], 1].mean() - points[[51, 57], 1].mean())
    mouth = {name: float(np.mean(values)) for name, values in openings.items()}
    lift = {name: float(np.mean(values)) for name, values in corners.items()}
    assert mouth["surprise"] > mouth["neutral"] + 8
    assert lift["happiness"] > lift["neutral"] + 2
    assert lift["sadness"] < lift["neutral"] - 2
