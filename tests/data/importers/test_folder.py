"""A folder with a table, or one NPZ: every mesh format, every column, every way to be wrong."""

import numpy as np
import pytest

from meshgan.data.importers.base import SourceItem
from meshgan.data.importers.folder import Folder
from meshgan.data.landmarks import LandmarkSet, write_landmarks
from meshgan.data.mesh_io import write_mesh
from meshgan.data.npz import write_npz
from meshgan.data.point_lists import write_points
from meshgan.errors import ConfigError, FileFormatError
from meshgan.geometry.mesh import TriMesh
from tests.data.importers.example_faces import (
    bumpy_face,
    grid_faces,
    grid_vertices,
    landmark_ids,
)

HEADER = "path,subject,expression,viseme,sequence,frame,split\n"
KINDS = ("obj", "ply", "off", "npz", "npy")


def write_face(path, seed, faces=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    vertices = bumpy_face(seed)
    if path.suffix == ".npy":
        np.save(path, vertices)
    else:
        write_mesh(path, TriMesh(vertices, grid_faces() if faces is None else faces))
    return vertices


@pytest.fixture
def two_people(tmp_path):
    """ann and bob, still faces in every format and a sequence of bob's."""
    rows = []
    for seed, kind in enumerate(KINDS):
        write_face(tmp_path / "ann" / f"{seed}.{kind}", seed)
        rows.append(f"ann/{seed}.{kind},ann,{'Happiness' if seed else 'neutral'},,,,train")
    for frame in range(3):
        write_face(tmp_path / "bob" / f"f{frame}.obj", 10 + frame)
        rows.append(f"bob/f{frame}.obj,bob,,{'E' if frame else ''},talk,{frame},test")
    (tmp_path / "faces.csv").write_text(HEADER + "\n".join(rows) + "\n")
    return tmp_path


def test_table_says_who_and_what(two_people):
    folder = Folder(two_people)
    items = folder.items()
    assert items[0] == SourceItem("ann/0.obj", "ann", {"expression": "neutral"})
    assert items[1].labels == {"expression": "happiness"}  # one of the seven, in any case
    assert items[5] == SourceItem("bob/f0.obj", "bob", {}, "talk", 0)
    assert items[7] == SourceItem("bob/f2.obj", "bob", {"viseme": "E"}, "talk", 2)
    assert folder.split() == {"ann": "train", "bob": "test"}


@pytest.mark.parametrize("number", range(5))
def test_every_format_gives_the_same_numbers(two_people, number):
    folder = Folder(two_people)
    face = folder.read(folder.items()[number])
    np.testing.assert_array_equal(face.vertices, bumpy_face(number))
    assert face.faces is None


def test_stl_keeps_what_stl_can(tmp_path):
    """STL has no shared vertices; equal corners are numbered as they first occur, in float32."""
    write_face(tmp_path / "a.stl", 1)
    (tmp_path / "t.csv").write_text("path,subject\na.stl,ann\n")
    folder = Folder(tmp_path)
    order = list(dict.fromkeys(grid_faces().ravel().tolist()))
    expected = bumpy_face(1).astype(np.float32)[order]
    np.testing.assert_array_equal(folder.read(folder.items()[0]).vertices, expected)


def test_template_is_the_first_mesh_with_the_landmarks(two_people):
    ids = landmark_ids()
    places = LandmarkSet("ibug68", np.stack([ids] * 3, axis=1), np.eye(3)[np.zeros(68, dtype=int)])
    write_landmarks(two_people / "landmarks.toml", [places])
    template = Folder(two_people).template()
    np.testing.assert_array_equal(template.mesh.vertices, bumpy_face(0))
    np.testing.assert_array_equal(template.mesh.faces, grid_faces())
    np.testing.assert_array_equal(template.landmarks["ibug68"], ids)
    assert Folder(two_people, registered=False).template() is None


@pytest.mark.parametrize(("unit", "factor"), [(None, 10), ("cm", 10), ("mm", 1)])
def test_template_is_converted(tmp_path, unit, factor):
    lying = grid_vertices()[:, [0, 2, 1]] * [1, -1, 1] / 10  # cm, z up, face towards -y
    write_mesh(tmp_path / "a.obj", TriMesh(lying, grid_faces()))
    (tmp_path / "t.csv").write_text("path,subject\na.obj,ann\n")
    template = Folder(tmp_path, unit=unit, axis_map="x z -y").template()
    np.testing.assert_allclose(template.mesh.vertices, grid_vertices() * factor / 10, atol=1e-12)


def test_any_column_is_a_factor_and_own_words_are_kept(tmp_path):
    write_face(tmp_path / "a.obj", 1)
    (tmp_path / "t.csv").write_text(
        "\ufeffPath;Subject;Expression;mood\na.obj;ann;smirk;bad\n", encoding="utf-8"
    )
    item = Folder(tmp_path).items()[0]
    assert item.labels == {"expression": "smirk", "mood": "bad"}


def test_frames_without_numbers_are_counted(tmp_path):
    rows = [
        "a.obj,ann,talk,",
        "b.obj,ann,talk,",
        "c.obj,bob,talk,7",
        "d.obj,bob,talk,",
        "e.obj,ann,,",
    ]
    (tmp_path / "t.csv").write_text("path,subject,sequence,frame\n" + "\n".join(rows))
    assert [item.frame for item in Folder(tmp_path).items()] == [0, 1, 7, 8, 0]


def test_rows_of_one_array_file(tmp_path):
    faces = np.stack([bumpy_face(seed) for seed in range(3)])
    np.save(tmp_path / "all.npy", faces.astype(np.float32))
    write_face(tmp_path / "topology.obj", 9)
    (tmp_path / "t.csv").write_text("path,subject\nall.npy#2,ann\nall.npy#0,bob\nall.npy#3,cleo\n")
    folder = Folder(tmp_path, topology="topology.obj")
    found = folder.read(folder.items()[0]).vertices
    np.testing.assert_array_equal(found, faces[2].astype(np.float32))
    with pytest.raises(FileFormatError, match=r"all.npy: not the vertices of a mesh"):
        folder.read(folder.items()[2])
    with pytest.raises(FileFormatError, match=r"no triangles.*--set topology=FILE"):
        Folder(tmp_path).template()


def test_measured_landmarks_beside_the_mesh_or_in_the_table(tmp_path):
    points = np.random.default_rng(0).normal(size=(68, 3))
    for name in ("a", "b", "c"):
        write_face(tmp_path / f"{name}.obj", 1)
    write_points(tmp_path / "a.pts", points)
    write_points(tmp_path / "b_landmarks.json", 2 * points)
    write_points(tmp_path / "elsewhere.npy", 3 * points)
    (tmp_path / "t.csv").write_text(
        "path,subject,landmarks\na.obj,ann,\nb.obj,ann,\nc.obj,ann,elsewhere.npy\n"
    )
    folder = Folder(tmp_path, registered=False)
    for item, factor in zip(folder.items(), (1, 2, 3), strict=True):
        face = folder.read(item)
        np.testing.assert_allclose(face.landmarks.points, factor * points)
        assert face.landmarks.order == "ibug68"
        np.testing.assert_array_equal(face.faces, grid_faces())


def test_another_topology_is_refused_unless_raw(two_people):
    other = grid_faces()[:, [1, 2, 0]]
    write_face(two_people / "bob" / "f1.obj", 11, faces=other)
    folder = Folder(two_people)
    with pytest.raises(FileFormatError, match=r"f1.obj: 143 vertices and 240 triangles, not those"):
        folder.read(folder.items()[6])
    raw = Folder(two_people, registered=False)
    np.testing.assert_array_equal(raw.read(raw.items()[6]).faces, other)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "no lines below the names"),
        ("path,subject\n", "no lines below the names"),
        ("path,who\na.obj,ann\n", "has no column 'subject'"),
        ("path,subject,subject\na.obj,ann,ann\n", "the column 'subject' twice"),
        ("path,subject,my mood\na.obj,ann,x\n", "a column cannot be called 'my mood'"),
        ("path,subject,identity\na.obj,ann,x\n", "cannot be called 'identity'"),
        ("path,subject\na.obj,ann,more\n", "line 2 has 3 cells, expected 2"),
        ("path,subject,frame\na.obj,ann,-1\nb.obj,ann,x\n", "line 2: frame is '-1'.*line 3: frame"),
        ("path,subject,split\na.obj,ann,often\n", "line 2: split is 'often'"),
        (
            "path,subject,split\na.obj,ann,train\nb.obj,ann,test\n",
            "line 3: subject 'ann' is in test and in train",
        ),
    ],
)
def test_a_wrong_table_says_where(tmp_path, table, message):
    (tmp_path / "t.csv").write_text(table)
    with pytest.raises(FileFormatError, match=rf"t.csv: .*{message}"):
        Folder(tmp_path).items()


def test_which_table(tmp_path):
    with pytest.raises(FileFormatError, match=r"no CSV file in it, expected one table"):
        Folder(tmp_path).items()
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(f"path,subject\n{name}.obj,ann\n")
    with pytest.raises(FileFormatError, match=r"a.csv, b.csv in it.*--set table=NAME.csv"):
        Folder(tmp_path).items()
    assert Folder(tmp_path, table="b.csv").items()[0].where == "b.csv.obj"
    with pytest.raises(FileFormatError, match=r"c.csv: no such table"):
        Folder(tmp_path, table="c.csv").items()


def test_a_binary_table_is_no_table(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"path,subject\n\xff\xfe\x00\n")
    with pytest.raises(FileFormatError, match="cannot be read as a table"):
        Folder(tmp_path).items()


def whole_set(**changes):
    arrays = {
        "vertices": np.stack([bumpy_face(seed) for seed in range(4)]).astype(np.float32),
        "faces": grid_faces(),
        "subject": np.array(["ann", "ann", "bob", "bob"]),
        "expression": np.array([0, -1, 1, 1]),
        "expression_names": np.array(["neutral", "smirk"]),
        "viseme": np.array(["", "E", "E", ""]),
        "frame": np.array([0, 1, 0, 1]),
        "sequence": np.array(["s", "s", "", ""]),
        "split": np.array(["train", "train", "test", "test"]),
        "age": np.array([30.0, 30.0, 41.0, 41.0], dtype=np.float32),
    }
    return {name: value for name, value in (arrays | changes).items() if value is not None}


def test_a_whole_set_in_one_file(tmp_path):
    arrays = whole_set()
    write_npz(tmp_path / "set.npz", arrays)
    folder = Folder(tmp_path / "set.npz")
    items = folder.items()
    assert items[0] == SourceItem("set.npz#0", "ann", {"expression": "neutral"}, "s", 0)
    assert items[1] == SourceItem("set.npz#1", "ann", {"viseme": "E"}, "s", 1)
    assert items[3].labels == {"expression": "smirk"}
    assert folder.split() == {"ann": "train", "bob": "test"}
    face = folder.read(items[2])
    np.testing.assert_array_equal(face.vertices, arrays["vertices"][2])
    assert face.extras["age"] == 41
    np.testing.assert_array_equal(folder.template().mesh.faces, grid_faces())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subject": None}, "has no array subject"),
        ({"vertices": np.zeros((4, 3))}, r"expected numbers \(N, V, 3\)"),
        ({"faces": grid_faces() + 50}, "faces name vertex 192 of 143"),
        ({"frame": np.zeros(4)}, "frame is float64"),
        ({"sequence": np.zeros(3, dtype=int)}, r"sequence has shape \(3,\), expected \(4,\)"),
        ({"split": np.array(["train", "test", "dev", "dev"])}, "split holds dev"),
    ],
)
def test_a_wrong_file_says_what(tmp_path, changes, message):
    write_npz(tmp_path / "set.npz", whole_set(**changes))
    with pytest.raises(FileFormatError, match=rf"set.npz: .*{message}"):
        Folder(tmp_path / "set.npz").items()


def test_refuses_wrong_axes(tmp_path):
    with pytest.raises((ConfigError, ValueError), match="expected x, y and z once each"):
        Folder(tmp_path, axis_map="x y")
