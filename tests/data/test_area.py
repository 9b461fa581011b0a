"""Parts of a template: every word, what it keeps, what it says is lost."""

import numpy as np
import pytest

from meshgan.data.area import choose_area
from meshgan.data.template import Template
from meshgan.errors import FileFormatError, InputError
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.parameterize import parameterize
from meshgan.geometry.symmetry import find_mirror
from tests.geometry.test_submesh import ball


@pytest.fixture(scope="module")
def head():
    """A closed skull with a nose and two eyeballs, as models of whole heads have them."""
    skull = ball()
    skull = skull.with_vertices(skull.vertices * [0.8, 1.2, 1.0])
    tip = int(skull.vertices[:, 2].argmax())
    eye = ball(8, 12, 12.0)
    parts = [skull.vertices + 30.0 * (np.arange(skull.vertex_count) == tip)[:, None] * [0, 0, 1]]
    parts += [eye.vertices + np.array([side * 32, 25, 70]) for side in (-1, 1)]
    first, second = skull.vertex_count, skull.vertex_count + eye.vertex_count
    faces = np.concatenate([skull.faces, eye.faces + first, eye.faces + second])
    mesh = TriMesh(np.concatenate(parts), faces)
    mirror = find_mirror(mesh.vertices, mesh.faces)
    assert mirror is not None
    near = np.flatnonzero(np.linalg.norm(mesh.vertices - mesh.vertices[tip], axis=1) < 60)
    return Template(
        "head",
        mesh,
        landmarks={"tip": np.array([tip]), "eyes": np.array([first, second])},
        mirror=mirror,
        regions={"nose": near[near < first], "eyeballs": np.arange(first, mesh.vertex_count)},
    )


def test_all_is_the_template_itself(head):
    area = choose_area(head, "all")
    assert area.template is head
    assert area.of(head.mesh.vertices) is head.mesh.vertices
    assert area.record() == {}


def test_the_largest_piece_leaves_the_eyeballs(head):
    area = choose_area(head, "largest_piece")
    assert area.template.vertex_count == ball().vertex_count
    np.testing.assert_array_equal(area.template.mesh.vertices, head.mesh.vertices[area.ids])
    np.testing.assert_array_equal(area.of(head.mesh.vertices), area.template.mesh.vertices)
    assert area.template.landmarks.keys() == {"tip"}
    assert "2 of the 2 landmarks eyes lie outside; the set is left out" in area.messages[0]
    assert area.template.regions.keys() == {"nose"}
    assert area.record() == {"area": "largest_piece", "vertices": ball().vertex_count}


@pytest.mark.parametrize(("word", "radius"), [("face", 100.0), ("face:70", 70.0)])
def test_the_face_can_be_laid_out(head, word, radius):
    area = choose_area(head, word)
    part = area.template
    nose = head.mesh.vertices[:, 2].argmax()
    apart = np.linalg.norm(part.mesh.vertices - head.mesh.vertices[nose], axis=1)
    assert radius - 25 < apart.max() <= radius
    mirrored = part.mesh.vertices[part.mirror] * [-1, 1, 1]
    np.testing.assert_allclose(mirrored, part.mesh.vertices, atol=1e-9)
    report = parameterize(part.mesh, "harmonic", part.mirror).report
    assert (report.flipped, report.covered_fraction) == (0, 1.0)
    with pytest.raises(InputError, match="3 pieces"):
        parameterize(head.mesh)


def test_the_face_reaches_beyond_all_landmarks(head):
    """Landmarks at 120 mm from the tip of the nose: the face is as large as they are."""
    tip = int(head.landmarks["tip"][0])
    apart = np.linalg.norm(head.mesh.vertices - head.mesh.vertices[tip], axis=1)
    far = int(np.abs(apart[: ball().vertex_count] - 120).argmin())
    marked = Template("head", head.mesh, {"ibug68": np.array([*[tip] * 67, far])}, head.mirror)
    area = choose_area(marked, "face")
    assert area.messages == ()
    assert area.template.landmarks["ibug68"][30] == np.flatnonzero(area.ids == tip)[0]
    reached = apart[area.ids].max()
    assert apart[far] < reached <= apart[far] + 10


def test_a_region_or_a_file_of_ids(head, tmp_path):
    by_region = choose_area(head, "nose")
    (tmp_path / "nose.txt").write_text(
        "# the nose\n" + " ".join(map(str, head.regions["nose"][::-1])) + "\n3  # far away\n"
    )
    np.save(tmp_path / "nose.npy", head.regions["nose"].astype(np.int32))
    by_file = choose_area(head, str(tmp_path / "nose.txt"))
    assert by_file.template.topology_hash == by_region.template.topology_hash
    assert choose_area(head, str(tmp_path / "nose.npy")).ids.tolist() == by_region.ids.tolist()
    assert by_file.template.name == "head_nose"
    assert any("1 vertices without a triangle left out" in told for told in by_file.messages)
    eyes = choose_area(head, "eyeballs")
    assert "2 pieces, of 86, 86 vertices" in eyes.messages[-1]


def test_half_of_a_face_has_no_mirror_map(head, tmp_path):
    left = np.flatnonzero(head.mesh.vertices[:, 0] >= 0)
    np.save(tmp_path / "left.npy", left)
    assert choose_area(head, str(tmp_path / "left.npy")).template.mirror is None


def test_refuses_what_is_no_area(head, tmp_path):
    with pytest.raises(
        InputError, match=r"is no file and none of all, largest_piece, face, .*nose"
    ):
        choose_area(head, "chin")
    with pytest.raises(InputError, match="expected millimetres"):
        choose_area(head, "face:wide")
    with pytest.raises(InputError, match="no triangle of head is left"):
        choose_area(head, "face:2")
    for name, text, problem in (
        ("empty.txt", "# none\n", "no ids"),
        ("word.txt", "1 two 3", "no list of vertex ids"),
        ("far.txt", "0 1 999999", "ids from 0 to 999,999"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(FileFormatError, match=problem):
            choose_area(head, str(tmp_path / name))
    np.save(tmp_path / "square.npy", np.zeros((2, 2), dtype=int))
    with pytest.raises(FileFormatError, match="expected vertex ids"):
        choose_area(head, str(tmp_path / "square.npy"))
