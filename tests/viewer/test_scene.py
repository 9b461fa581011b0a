"""ModelScene: every button does what it says, and can be undone."""

import numpy as np
import pytest
import torch

from meshgan.data.code_files import write_codes
from meshgan.data.mesh_io import read_mesh, write_mesh
from meshgan.errors import FileFormatError, InputError
from meshgan.geometry.alignment import procrustes
from meshgan.geometry.mesh import TriMesh
from meshgan.viewer.sliders import REACH
from tests.fakes import face_like_mesh
from tests.viewer.faces import additive_scene, moved_by


@pytest.fixture
def scene():
    return additive_scene()


def test_starts_with_the_mean_face(scene):
    (face,) = scene.current()
    np.testing.assert_allclose(face, scene.template.mesh.vertices, atol=1e-5)
    assert scene.captions() == ["mean face"]
    for factor in ("identity", "expression", "noise"):
        np.testing.assert_allclose(scene.slider_values(factor), 0)


def test_a_slider_moves_the_face_along_its_direction(scene):
    scene.set_slider("expression", 1, 2.0)
    direction = scene.groups["expression"].directions[1]
    np.testing.assert_allclose(
        scene.current()[0], moved_by(scene, "expression", 2 * direction), atol=1e-4
    )
    expected = np.zeros(4)
    expected[1] = 2
    np.testing.assert_allclose(scene.slider_values("expression"), expected, atol=1e-6)
    scene.set_slider("expression", 0, -REACH)
    expected[0] = -REACH
    np.testing.assert_allclose(scene.slider_values("expression"), expected, atol=1e-6)


def test_movements_of_the_sliders_are_in_mm(scene):
    for group in scene.groups.values():
        for k, moved_mm in enumerate(group.movements_mm):
            scene.reset()
            scene.set_slider(group.factor, k, 1.0)
            step = scene.current()[0] - scene.template.mesh.vertices
            assert np.sqrt((step**2).sum(axis=1).mean()) == pytest.approx(moved_mm, rel=1e-3)
        assert list(group.movements_mm) == sorted(group.movements_mm, reverse=True)


def test_a_slider_keeps_what_no_slider_shows(scene):
    scene.randomise()
    group = scene.groups["noise"]
    before = scene.face.codes["noise"]
    scene.set_slider("noise", 0, 1.5)
    moved = scene.face.codes["noise"] - before
    inside = moved @ group.directions.T @ group.directions
    torch.testing.assert_close(inside, moved)
    assert torch.equal(
        scene.face.codes["identity"], scene.history._past[-1].faces[0].codes["identity"]
    )


def test_a_label_gives_its_code(scene):
    scene.apply_label("expression", "smile")
    smile = scene.model.model.label_codes("expression")[1]
    np.testing.assert_allclose(scene.current()[0], moved_by(scene, "expression", smile), atol=1e-4)
    assert scene.captions() == ["expression smile"]
    with pytest.raises(InputError, match="expression=grin"):
        scene.apply_label("expression", "grin")


def test_random_faces_follow_from_the_seed():
    first, again, other = (additive_scene(seed=seed) for seed in (3, 3, 4))
    for scene in (first, again, other):
        scene.randomise()
    np.testing.assert_array_equal(first.current()[0], again.current()[0])
    assert not np.allclose(first.current()[0], other.current()[0])
    before = first.face.codes
    first.randomise("expression")
    assert torch.equal(first.face.codes["identity"], before["identity"])
    assert not torch.equal(first.face.codes["expression"], before["expression"])
    with pytest.raises(InputError, match="mood"):
        first.randomise("mood")


def test_undo_goes_through_all_of_it(scene):
    seen = [scene.current()[0]]
    for step in (
        lambda: scene.set_slider("identity", 0, 1.0),
        scene.randomise,
        lambda: scene.apply_label("expression", "open"),
        lambda: scene.reset("expression"),
        scene.reset,
    ):
        step()
        seen.append(scene.current()[0])
    for expected in seen[-2::-1]:
        assert scene.undo()
        np.testing.assert_array_equal(scene.current()[0], expected)
    assert not scene.undo()
    assert scene.redo()
    np.testing.assert_array_equal(scene.current()[0], seen[1])


def test_transfer_takes_the_expression_and_leaves_the_person(scene):
    scene.randomise()
    scene.select(1)
    scene.randomise()
    left, right = (face.codes for face in scene.pair.faces)
    scene.transfer()
    after = scene.pair.faces[1].codes
    assert torch.equal(after["expression"], left["expression"])
    assert torch.equal(after["identity"], right["identity"])
    shown = scene.current()
    assert len(shown) == 2
    codes = {**right, "expression": left["expression"]}
    np.testing.assert_array_equal(shown[1], scene.model.decode(codes)[0].numpy())
    scene.swap()
    np.testing.assert_array_equal(scene.current()[0], shown[1])
    assert scene.caption() == "left: random face     right: random face"


def test_one_face_is_shown_until_both_are_asked_for(scene):
    scene.show_both(True)
    scene.select(1)
    scene.set_slider("identity", 0, 1.0)
    assert len(scene.current()) == 2
    scene.show_both(False)
    assert len(scene.current()) == 1
    np.testing.assert_allclose(scene.current()[0], scene.template.mesh.vertices, atol=1e-5)
    scene.show_both(True)  # the right face is still there
    assert not np.allclose(scene.current()[1], scene.template.mesh.vertices, atol=1e-2)


def test_blend_goes_from_where_it_began_to_the_other(scene):
    scene.show_both(True)
    scene.apply_label("identity", "bea")
    scene.select(1)
    scene.apply_label("identity", "carl")
    scene.select(0)
    start, goal = scene.current()
    scene.blend(0.25)
    np.testing.assert_allclose(scene.current()[0], 0.75 * start + 0.25 * goal, atol=1e-4)
    scene.blend(1.0)
    np.testing.assert_allclose(scene.current()[0], goal, atol=1e-4)
    assert scene.blend_share == 1.0
    scene.blend(0.0)
    np.testing.assert_allclose(scene.current()[0], start, atol=1e-4)
    scene.undo()  # one gesture
    assert scene.blend_share == 0.0
    np.testing.assert_allclose(scene.current()[0], start, atol=1e-4)


def test_a_mesh_of_the_model_is_fitted_in_place(scene, tmp_path):
    scene.randomise()
    face = scene.current()[0].astype(np.float64)
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    bump = np.zeros_like(face)
    bump[100, 2] = 0.5  # what the model cannot say
    placed = (face + bump) @ turn.T + [10, -5, 30]
    write_mesh(tmp_path / "someone.obj", TriMesh(placed, scene.template.mesh.faces))
    scene.reset()
    rms_mm = scene.load_mesh(tmp_path / "someone.obj")
    assert rms_mm < 0.15
    assert scene.captions() == ["someone.obj"]
    shown = scene.current()[0].astype(np.float64)
    motion = procrustes(shown, face + bump)  # the file's mesh itself, in the model's pose
    np.testing.assert_allclose(motion.apply(shown), face + bump, atol=1e-3)
    np.testing.assert_allclose(motion.rotation, np.eye(3), atol=0.02)
    with_detail = scene.current()[0]
    scene.show(detail=False)
    gap = with_detail - scene.current()[0]
    assert np.linalg.norm(gap[100]) > 0.3
    found_mm = np.sqrt((scene.face.detail.astype(np.float64) ** 2).sum(axis=1).mean())
    assert found_mm == pytest.approx(rms_mm, abs=1e-3)
    scene.show(detail=True)
    scene.apply_label("expression", "smile")  # edits keep the detail
    assert scene.face.detail is not None


def test_files(scene, tmp_path):
    scene.randomise()
    scene.save_codes(tmp_path / "codes.npz")
    scene.save_mesh(tmp_path / "face.ply")
    face = scene.current()[0]
    np.testing.assert_array_equal(read_mesh(tmp_path / "face.ply").vertices, face)
    scene.reset()
    scene.load_codes(tmp_path / "codes.npz")
    np.testing.assert_allclose(scene.current()[0], face, atol=1e-4)
    write_codes(tmp_path / "other.npz", {"identity": torch.zeros(1, 3)})
    with pytest.raises(FileFormatError, match="belong to another model"):
        scene.load_codes(tmp_path / "other.npz")


def test_a_mesh_of_another_topology_is_taken_as_a_scan(scene, tmp_path, monkeypatch):
    vertices, faces = face_like_mesh(9)
    write_mesh(tmp_path / "other.ply", TriMesh(vertices, faces))
    asked = []
    codes = {name: code + 0.5 for name, code in scene.face.codes.items()}

    class Found:
        landmark_rms_mm = torch.tensor([0.7])

    def fit_scan(mesh):
        asked.append(mesh.vertex_count)
        Found.codes = codes
        return Found

    monkeypatch.setattr(scene.model, "fit_scan", fit_scan)
    assert scene.load_mesh(tmp_path / "other.ply") == pytest.approx(0.7)
    assert asked == [81]
    np.testing.assert_array_equal(scene.current()[0], scene.model.decode(codes)[0].numpy())
    assert scene.face.detail is None


def test_what_cannot_be_fitted_changes_nothing(scene, tmp_path):
    (tmp_path / "no.ply").write_text("not a mesh")
    before = scene.pair
    with pytest.raises(FileFormatError, match=r"no\.ply"):
        scene.load_mesh(tmp_path / "no.ply")
    assert scene.pair is before


def test_distances_are_from_the_same_person_without_expression(scene):
    scene.randomise()
    neutral = {
        **scene.face.codes,
        "expression": scene.model.model.label_codes("expression")[0][None],
    }
    scene.show(colour_by="neutral")
    np.testing.assert_array_equal(scene.reference(0), scene.model.decode(neutral)[0].numpy())
    scene.apply_label("expression", "neutral")
    np.testing.assert_allclose(scene.reference(0), scene.current()[0], atol=1e-5)
    scene.show(colour_by="mean")
    np.testing.assert_allclose(scene.reference(0), scene.template.mesh.vertices, atol=1e-5)
