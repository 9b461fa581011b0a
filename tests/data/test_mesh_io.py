"""read_mesh and write_mesh: order and numbers exact, wrong files named, nothing trusted."""

import json
import os
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.data.mesh_io import (
    MILLIMETRES,
    guess_unit,
    read_mesh,
    read_scan,
    unit_of_length,
    write_mesh,
)
from meshgan.errors import FileFormatError, InputError, JobError
from meshgan.geometry.mesh import TriMesh

SCANS = Path(__file__).parents[2] / "../shared/data/scans"
EXACT = ("obj", "ply", "off", "npz")
SINGLE = ("gltf", "glb", "stl")


def patch(dtype=np.float32, seed=0):
    """Vertices in no order of space, the last of them unused, and faces that start late."""
    rng = np.random.default_rng(seed)
    vertices = rng.normal(scale=60, size=(9, 3)).astype(dtype)
    faces = np.array([[7, 2, 5], [0, 1, 2], [3, 4, 6], [2, 1, 7]], dtype=np.int64)
    return TriMesh(vertices, faces, rng.random((9, 2)).astype(dtype))


def assert_same(mesh, expected, uv=True):
    np.testing.assert_array_equal(mesh.vertices, expected.vertices)
    np.testing.assert_array_equal(mesh.faces, expected.faces)
    if uv:
        np.testing.assert_array_equal(mesh.uv, expected.uv)


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# Round trips


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", EXACT)
def test_round_trip_to_the_bit(tmp_path, kind, dtype):
    mesh = patch(dtype)
    write_mesh(tmp_path / f"face.{kind}", mesh)
    again = read_mesh(tmp_path / f"face.{kind}")
    assert again.vertices.dtype == np.float64
    assert_same(again, mesh, uv=kind != "off")


@pytest.mark.parametrize("kind", ["gltf", "glb"])
def test_gltf_round_trip(tmp_path, kind):
    mesh = patch()
    write_mesh(tmp_path / f"face.{kind}", mesh, unit="mm")
    again = read_mesh(tmp_path / f"face.{kind}", unit="mm")
    assert_same(again, mesh, uv=False)
    np.testing.assert_allclose(again.uv, mesh.uv, atol=1e-7)  # glTF stores 1 - v


def test_gltf_is_in_metres(tmp_path):
    mesh = patch()
    write_mesh(tmp_path / "face.glb", mesh)
    np.testing.assert_allclose(
        read_mesh(tmp_path / "face.glb", unit="mm").vertices, mesh.vertices / 1000, rtol=1e-6
    )
    np.testing.assert_allclose(read_mesh(tmp_path / "face.glb").vertices, mesh.vertices, rtol=1e-6)


def test_stl_keeps_the_triangles(tmp_path):
    mesh = patch()
    write_mesh(tmp_path / "face.stl", mesh)
    again = read_mesh(tmp_path / "face.stl")
    np.testing.assert_array_equal(again.vertices[again.faces], mesh.vertices[mesh.faces])
    # vertices are numbered as the triangles first name them: 7 2 5, 0 1, 3 4 6
    np.testing.assert_array_equal(again.vertices, mesh.vertices[[7, 2, 5, 0, 1, 3, 4, 6]])
    np.testing.assert_array_equal(again.faces[[0, 3]], [[0, 1, 2], [1, 4, 0]])


@settings(max_examples=20, deadline=None)
@given(
    values=st.lists(
        st.floats(allow_nan=False, allow_infinity=False, width=64), min_size=9, max_size=9
    ),
    kind=st.sampled_from(EXACT),
)
def test_any_number_survives(tmp_path_factory, values, kind):
    mesh = TriMesh(np.array(values).reshape(3, 3), np.array([[0, 1, 2]]))
    path = tmp_path_factory.getbasetemp() / f"any.{kind}"
    with np.errstate(over="ignore"):
        write_mesh(path, mesh)
    np.testing.assert_array_equal(read_mesh(path).vertices, mesh.vertices)


@pytest.mark.parametrize("kind", ["ply", "npz"])
def test_single_precision_stays_small(tmp_path, kind):
    rng = np.random.default_rng(0)
    wide = TriMesh(rng.normal(size=(3000, 3)), np.array([[0, 1, 2]]))
    narrow = TriMesh(wide.vertices.astype(np.float32).astype(np.float64), wide.faces)
    write_mesh(tmp_path / f"wide.{kind}", wide)
    write_mesh(tmp_path / f"narrow.{kind}", narrow)
    sizes = [(tmp_path / f"{name}.{kind}").stat().st_size for name in ("wide", "narrow")]
    assert sizes[0] - sizes[1] == pytest.approx(3000 * 3 * 4, abs=64)


@pytest.mark.parametrize("kind", [*EXACT, *SINGLE])
def test_the_same_mesh_gives_the_same_bytes(tmp_path, kind):
    for name in ("first", "second"):
        write_mesh(tmp_path / f"{name}.{kind}", patch())
    assert (tmp_path / f"first.{kind}").read_bytes() == (tmp_path / f"second.{kind}").read_bytes()


@pytest.mark.parametrize("kind", ["obj", "ply", "stl", "off", "gltf", "glb"])
def test_another_program_reads_ours(tmp_path, kind):
    mesh = patch()
    write_mesh(tmp_path / f"face.{kind}", mesh, unit="mm")
    seen = trimesh.load_mesh(tmp_path / f"face.{kind}", process=False)
    np.testing.assert_allclose(seen.triangles, mesh.vertices[mesh.faces], rtol=1e-6)


@pytest.mark.parametrize("kind", ["obj", "ply", "stl", "off"])
def test_we_read_another_program(tmp_path, kind):
    mesh = patch()
    theirs = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    theirs.export(tmp_path / f"face.{kind}")
    seen = read_mesh(tmp_path / f"face.{kind}")
    np.testing.assert_allclose(seen.vertices[seen.faces], mesh.vertices[mesh.faces], atol=1e-6)


@pytest.mark.skipif(not SCANS.is_dir(), reason="the scans for development are not here")
@pytest.mark.parametrize("name", ["james.ply", "ict_virtual_disgust.ply"])
def test_real_scan(tmp_path, name):
    scan = read_mesh(SCANS / name)
    theirs = trimesh.load_mesh(SCANS / name, process=False)
    np.testing.assert_array_equal(scan.vertices, theirs.vertices)
    np.testing.assert_array_equal(scan.faces, theirs.faces)
    assert guess_unit(scan.vertices) == "mm"
    for kind in ("ply", "npz", "off"):
        write_mesh(tmp_path / f"scan.{kind}", scan)
        assert_same(read_mesh(tmp_path / f"scan.{kind}"), scan, uv=False)


# OBJ

QUAD_OBJ = """# two quads and a pentagon around one unused vertex
o face
v 0 0 0 1.0 0.5 0.2
v 1 0 0
v 1 1 0
v 0 1 0
v 9 9 9
v 2 0 0
v 2 1 0
v 3 1 0

vn 0 0 1
usemtl skin
s 1
f 1//1 2//1 3//1 4//1
f -3//1 -2 -6 -7   # 6 7 3 2
f 6 8 7 3 2
"""


def test_obj_order_is_that_of_the_file(tmp_path):
    mesh = read_mesh(write(tmp_path / "quads.obj", QUAD_OBJ))
    assert mesh.vertex_count == 8
    np.testing.assert_array_equal(mesh.vertices[4], [9, 9, 9])
    expected = [
        [0, 1, 2], [0, 2, 3],
        [5, 6, 2], [5, 2, 1],
        [5, 7, 6], [5, 6, 2], [5, 2, 1],
    ]  # fmt: skip
    np.testing.assert_array_equal(mesh.faces, expected)


def test_obj_seams_do_not_double_vertices(tmp_path):
    text = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n" + "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nvt .5 .5\n"
    whole = read_mesh(write(tmp_path / "whole.obj", text + "f 1/1 2/2 3/3 4/4\n"))
    np.testing.assert_array_equal(whole.uv, [[0, 0], [1, 0], [1, 1], [0, 1]])
    seam = read_mesh(write(tmp_path / "seam.obj", text + "f 1/1 2/2 3/3\nf 1/5 3/3 4/4\n"))
    assert seam.vertex_count == 4
    assert seam.uv is None
    np.testing.assert_array_equal(seam.faces, [[0, 1, 2], [0, 2, 3]])
    assert len(trimesh.load_mesh(tmp_path / "seam.obj", process=False).vertices) > 4  # why not it


def test_obj_with_windows_lines_and_continuation(tmp_path):
    text = "v 0 0 0\r\nv 1 0 0\r\nv 1 1 0\r\nv 0 1 0\r\nf 1 2 \\\r\n 3 4\r\n"
    assert read_mesh(write(tmp_path / "dos.obj", text)).face_count == 2


# PLY


def ascii_ply(vertex_lines, face_lines, face_property="list uchar int vertex_indices"):
    return "\n".join(
        [
            "ply", "format ascii 1.0", "comment made by hand",
            f"element vertex {len(vertex_lines)}",
            "property float x", "property float y", "property float z", "property uchar red",
            f"element face {len(face_lines)}", f"property {face_property}", "end_header",
            *vertex_lines, *face_lines, "",
        ]
    )  # fmt: skip


CORNERS = ["0 0 0 255", "1 0 0 0", "1 1 0 0", "0 1 0 0", "2 2 0.1 7"]
FIVE = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 2, 0.1]]


def test_ply_text_with_mixed_polygons(tmp_path):
    mesh = read_mesh(write(tmp_path / "a.ply", ascii_ply(CORNERS, ["3 4 3 2", "4 0 1 2 3"])))
    np.testing.assert_array_equal(mesh.vertices, FIVE)
    np.testing.assert_array_equal(mesh.faces, [[4, 3, 2], [0, 1, 2], [0, 2, 3]])


@pytest.mark.parametrize(("order", "name"), [("<", "little"), (">", "big")])
def test_ply_binary_with_mixed_polygons(tmp_path, order, name):
    header = (
        f"ply\nformat binary_{name}_endian 1.0\nelement stray 1\nproperty short a\n"
        "element vertex 5\nproperty double x\nproperty double y\nproperty double z\n"
        "property float s\nproperty float t\n"
        "element face 2\nproperty uchar flag\nproperty list uchar uint vertex_index\n"
        "property list uchar float texcoord\nend_header\n"
    )
    body = struct.pack(f"{order}h", 3)
    for x, y, z in FIVE:
        body += struct.pack(f"{order}3d2f", x, y, z, x / 2, y / 2)
    body += struct.pack(f"{order}BB3IB6f", 1, 3, 4, 3, 2, 6, *range(6))
    body += struct.pack(f"{order}BB4IB8f", 1, 4, 0, 1, 2, 3, 8, *range(8))
    mesh = read_mesh(write(tmp_path / "a.ply", header.encode() + body))
    np.testing.assert_array_equal(mesh.vertices, FIVE)
    np.testing.assert_array_equal(mesh.uv, np.array(FIVE)[:, :2] / 2)
    np.testing.assert_array_equal(mesh.faces, [[4, 3, 2], [0, 1, 2], [0, 2, 3]])


def test_ply_that_announces_too_much_takes_no_memory(tmp_path):
    text = ascii_ply(CORNERS, ["3 0 1 2"]).replace("vertex 5", "vertex 1000000000000")
    with pytest.raises(FileFormatError, match="announces 1,000,000,000,000 of vertex"):
        read_mesh(write(tmp_path / "a.ply", text))
    binary = text.replace("ascii", "binary_little_endian")
    with pytest.raises(FileFormatError, match="announces 1,000,000,000,000 of vertex"):
        read_mesh(write(tmp_path / "b.ply", binary))


def test_ply_list_that_announces_too_much(tmp_path):
    header = ascii_ply([], []).replace("ascii", "binary_little_endian")
    header = header.replace("vertex 0", "vertex 1").replace("face 0", "face 1")
    header = header.replace("list uchar int", "list uint int").rstrip("\n") + "\n"
    body = struct.pack("<3fB", 0, 0, 0, 1) + struct.pack("<I", 2**31)
    with pytest.raises(FileFormatError, match="announces 2,147,483,648 entries"):
        read_mesh(write(tmp_path / "a.ply", header.encode() + body))


# STL, OFF, glTF, NPZ

STL_TEXT = """solid two
 facet normal 0 0 1
  outer loop
   vertex 0 0 0
   vertex 1 0 0
   vertex 1 1 0
  endloop
 endfacet
 facet normal 0 0 1
  outer loop
   vertex -0.0 0 0
   vertex 1 1 0
   vertex 0 1e0 0
  endloop
 endfacet
endsolid two
"""


def test_stl_text(tmp_path):
    mesh = read_mesh(write(tmp_path / "a.stl", STL_TEXT))
    np.testing.assert_array_equal(mesh.vertices, [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [0, 2, 3]])


def test_off_with_comments_and_colours(tmp_path):
    text = "OFF # a face\n4 2 0\n0 0 0\n1 0 0 255 0 0\n# half\n1 1 0\n0 1 0\n4 0 1 2 3 9\n3 3 2 1\n"
    mesh = read_mesh(write(tmp_path / "a.off", text))
    np.testing.assert_array_equal(mesh.vertices, [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [0, 2, 3], [3, 2, 1]])


def test_gltf_nodes_place_their_meshes(tmp_path):
    scene = trimesh.Scene()
    first = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], process=False)
    moved = np.eye(4)
    moved[:3, 3] = [0, 0, 5]
    scene.add_geometry(first, node_name="a", geom_name="a")
    scene.add_geometry(first.copy(), node_name="b", geom_name="b", transform=moved)
    scene.export(tmp_path / "two.glb")
    mesh = read_mesh(tmp_path / "two.glb", unit="mm")
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(mesh.vertices[:, 2], [0, 0, 0, 5, 5, 5])


def test_gltf_that_announces_too_much_takes_no_memory(tmp_path):
    write_mesh(tmp_path / "a.gltf", patch())
    document = json.loads((tmp_path / "a.gltf").read_text())
    for accessor in document["accessors"]:
        accessor.pop("bufferView", None)
        accessor["count"] = 10**12
    write(tmp_path / "a.gltf", json.dumps(document))
    with pytest.raises(FileFormatError, match="announces 1,000,000,000,000 entries"):
        read_mesh(tmp_path / "a.gltf")


def test_npz_is_never_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "exploded"),))

    bomb = np.array([Bomb()], dtype=object)
    np.savez(tmp_path / "a.npz", vertices=bomb, faces=np.zeros((1, 3), int), allow_pickle=True)
    with pytest.raises(FileFormatError, match=r"a\.npz"):
        read_mesh(tmp_path / "a.npz")
    assert not (tmp_path / "exploded").exists()


# Units


@pytest.mark.parametrize("unit", list(MILLIMETRES))
def test_units(tmp_path, unit):
    one = {"mm": 1, "cm": 10, "dm": 100, "m": 1000, "um": 0.001, "inch": 25.4}[unit]
    path = write(tmp_path / "a.obj", "v 1 2 3\nv 0 0 0\nv 1 0 0\nf 1 2 3\n")
    np.testing.assert_allclose(read_mesh(path, unit).vertices[0], np.array([1, 2, 3]) * one)
    write_mesh(tmp_path / "b.off", read_mesh(path, unit), unit)
    np.testing.assert_allclose(read_mesh(tmp_path / "b.off").vertices[0], [1, 2, 3], rtol=1e-15)


@pytest.mark.parametrize("unit", list(MILLIMETRES))
@pytest.mark.parametrize("height_mm", [125, 190, 255])
def test_guesses_the_unit_of_a_face(unit, height_mm):
    vertices = np.array([[0.0, 0.0, 0.0], [3.0, height_mm, 1.0]]) / MILLIMETRES[unit]
    assert guess_unit(vertices) == unit


def test_refuses_unknown_unit_and_no_extent(tmp_path):
    path = write(tmp_path / "a.obj", "v 1 2 3\nv 0 0 0\nv 1 0 0\nf 1 2 3\n")
    with pytest.raises(InputError, match="unit 'km' is unknown"):
        getattr(read_mesh, "__wrapped__", read_mesh)(path, "km")  # past the type checker
    for length in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InputError, match="cannot be guessed"):
            unit_of_length(length, 100.0)


# Bad files: each names itself and says what is wrong

TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"
BAD_FILES = {
    "empty.obj": ("", "is empty"),
    "blank.ply": ("  \n", "is empty"),
    "points.obj": (TRIANGLE, "no faces"),
    "only_faces.obj": ("f 1 2 3\n", "no vertices"),
    "nan.obj": ("v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", r"not finite \(first: 0\)"),
    "inf.off": ("OFF\n3 1 0\n0 0 0\n1 0 0\n0 inf 0\n3 0 1 2\n", r"not finite \(first: 2\)"),
    "range.obj": (TRIANGLE + "f 1 2 4\n", r"names vertices \[0, 1, 3\], but there are 3"),
    "before.obj": (TRIANGLE + "f 1 2 -4\n", r"\[0, 1, -1\]"),
    "zero.obj": (TRIANGLE + "f 0 1 2\n", "counts from 1"),
    "texture.obj": (TRIANGLE + "vt 0 0\nf 1/1 2/1 3/2\n", "texture coordinate 2 of 1"),
    "word.obj": ("v 0 0 zero\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not made of numbers"),
    "short.obj": ("v 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "not made of numbers"),
    "face_word.obj": (TRIANGLE + "f a b c\n", "not a whole number"),
    "huge_id.obj": (TRIANGLE + f"f 1 2 {10**30}\n", "not a whole number"),
    "line.obj": (TRIANGLE + "f 1 2\n", "face 0 has 2 corners"),
    "not.ply": ("obj\n", "does not begin with ply"),
    "no_end.ply": ("ply\nformat ascii 1.0\n", "no end_header"),
    "strange.ply": ("ply\nformat ascii 1.0\nelement vertex -4\nend_header\n", "header line"),
    "no_format.ply": ("ply\nelement vertex 0\nend_header\n", "no known format"),
    "points.ply": (ascii_ply(CORNERS, []), "no faces"),
    "range.ply": (ascii_ply(CORNERS, ["3 0 1 5"]), "there are 5"),
    "nan.ply": (ascii_ply(["0 nan 0 1", *CORNERS], ["3 0 1 2"]), "not finite"),
    "short.ply": (ascii_ply(CORNERS, ["3 0 1"]), "face 0 is cut short"),
    "lines.ply": (ascii_ply(CORNERS, ["3 0 1 2"]).replace("face 1", "face 3"), "cut short"),
    "word.ply": (ascii_ply(["a b c d"] * 3, ["3 0 1 2"]), "not made of numbers"),
    "no_x.ply": (ascii_ply(CORNERS, ["3 0 1 2"]).replace("float x", "float w"), "no vertices"),
    "not.off": ("3 1 0\n", "does not begin with OFF"),
    "counts.off": ("OFF\n", "no line with the numbers"),
    "huge.off": ("OFF\n1000000000000 1 0\n0 0 0\n", "announces 1,000,000,000,000 vertices"),
    "corners.off": ("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n9 0 1 2\n", "announces 9 corners but has 3"),
    "binary.off": ("OFF BINARY\n", "binary OFF"),
    "short.stl": (STL_TEXT[:-30], "cut short"),
    "loose.stl": (STL_TEXT.replace("   vertex 1 0 0\n", ""), "not whole triangles"),
    "random.stl": ("abc" * 50, "neither text STL nor whole binary"),
    "none.stl": ("solid a\nfacet\nendsolid a\n", "no vertices"),
    "not.gltf": ("{]", "not glTF"),
    "list.gltf": ("[]", "not glTF"),
    "nothing.gltf": ('{"asset": {"version": "2.0"}}', "nothing.gltf"),
    "not.glb": ("glTF", "cut short"),
    "not.npz": ("PK", "not a readable NPZ"),
    "what.xyz": ("0 0 0\n", "unknown mesh format 'xyz'; known are obj"),
    "what": ("0 0 0\n", "without a suffix"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(tmp_path, name):
    content, message = BAD_FILES[name]
    path = write(tmp_path / name, content)
    with pytest.raises(FileFormatError, match=message) as caught:
        read_mesh(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", ["ply", "stl", "glb", "npz"])
@settings(max_examples=20, deadline=None)
@given(share=st.floats(0.05, 0.999))
def test_cut_binary_files(tmp_path_factory, kind, share):
    path = tmp_path_factory.getbasetemp() / f"cut.{kind}"
    write_mesh(path, patch())
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(FileFormatError, match=f"cut.{kind}"):
        read_mesh(path)


@pytest.mark.parametrize("kind", [*EXACT, *SINGLE])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_damaged_files_never_crash(tmp_path_factory, kind, data):
    """Any change of bytes gives a mesh or a FileFormatError, nothing else."""
    path = tmp_path_factory.getbasetemp() / f"damaged.{kind}"
    write_mesh(path, patch())
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with suppress(FileFormatError):
        read_mesh(path)


@pytest.mark.parametrize(
    ("wrong", "right"), [("ply", "obj"), ("obj", "ply"), ("stl", "ply"), ("npz", "glb")]
)
def test_wrong_suffix(tmp_path, wrong, right):
    write_mesh(tmp_path / f"face.{right}", patch())
    (tmp_path / f"face.{right}").rename(tmp_path / f"face.{wrong}")
    with pytest.raises(FileFormatError, match=f"face.{wrong}"):
        read_mesh(tmp_path / f"face.{wrong}")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileFormatError, match="no such file"):
        read_mesh(tmp_path / "none.obj")
    (tmp_path / "folder.obj").mkdir()
    with pytest.raises(FileFormatError, match="is a folder"):
        read_mesh(tmp_path / "folder.obj")


def test_npz_without_faces(tmp_path):
    np.savez(tmp_path / "a.npz", vertices=np.zeros((3, 3)))
    with pytest.raises(FileFormatError, match="has no array faces; it holds vertices"):
        read_mesh(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", vertices=np.zeros((3, 2)), faces=np.zeros((1, 3), int))
    with pytest.raises(FileFormatError, match=r"vertices are float64 \(3, 2\)"):
        read_mesh(tmp_path / "b.npz")


def test_write_refuses_unknown_format(tmp_path):
    with pytest.raises(InputError, match="cannot write 'xyz'"):
        write_mesh(tmp_path / "a.xyz", patch())


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    write_mesh(tmp_path / "a.obj", patch(seed=1))
    before = (tmp_path / "a.obj").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(JobError, match="No space left"):
        write_mesh(tmp_path / "a.obj", patch(seed=2))
    assert (tmp_path / "a.obj").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.obj"]


@pytest.mark.parametrize(
    ("name", "content", "faces"),
    [
        ("gap", "3 1 0\n0 0 0\nnan nan nan\n0 1 0\n3 0 1 2\n", 1),
        ("points", "3 0 0\n0 0 0\nnan nan nan\n0 1 0\n", 0),
    ],
)
def test_scans_are_read_as_they_are(tmp_path, name, content, faces):
    file = tmp_path / f"{name}.off"
    file.write_text(f"OFF\n{content}")
    scan = read_scan(file)
    np.testing.assert_array_equal(scan.vertices, [[0, 0, 0], [np.nan] * 3, [0, 1, 0]])
    assert scan.faces.shape == (faces, 3)
    with pytest.raises(FileFormatError, match=r"not finite|point cloud"):
        read_mesh(file)


def test_a_scan_with_faces_of_nothing_is_refused(tmp_path):
    file = tmp_path / "scan.off"
    file.write_text("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n")
    with pytest.raises(FileFormatError, match="names vertices"):
        read_scan(file)
