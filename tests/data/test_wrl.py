"""VRML: exact numbers, any layout of the lists, wrong files named, never a hang."""

import time
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.data.mesh_io import read_mesh
from meshgan.errors import FileFormatError
from tests.data.importers.trees import Scan, example_scan, wrl_text

TRIANGLE = "coord Coordinate { point [ 0 0 0, 1 0 0, 0 1 0 ] }"
SQUARE = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
POINTS = "point [ 0 0 0, 1 0 0, 1 1 0, 0 1 0 ]"


def vrml(body):
    return "#VRML V2.0 utf8\nShape { geometry IndexedFaceSet {\n" + body + "\n} }\n"


def read(tmp_path, text, name="scan.wrl"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_mesh(path)


@settings(max_examples=20, deadline=None)
@given(
    values=st.lists(
        st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=12, max_size=12
    )
)
def test_any_float32_survives(tmp_path_factory, values):
    vertices = np.array(values, dtype=np.float32).reshape(4, 3)
    scan = Scan(vertices, np.array([[0, 1, 2], [2, 1, 3]]))
    mesh = read(tmp_path_factory.getbasetemp(), wrl_text(scan))
    np.testing.assert_array_equal(mesh.vertices.astype(np.float32), vertices)
    np.testing.assert_array_equal(mesh.faces, scan.faces)


def test_a_scan_with_texture(tmp_path):
    scan = example_scan(0)
    uv = np.random.default_rng(0).random((len(scan.vertices), 2)).astype(np.float32)
    mesh = read(tmp_path, wrl_text(scan, uv))
    np.testing.assert_array_equal(mesh.vertices.astype(np.float32), scan.vertices)
    np.testing.assert_array_equal(mesh.faces, scan.faces)
    np.testing.assert_array_equal(mesh.uv.astype(np.float32), uv)


@pytest.mark.parametrize(
    "body",
    [
        f"coord Coordinate {{ {POINTS} }} coordIndex [ 0, 1, 2, -1, 0, 2, 3, -1 ]",
        f"coord Coordinate {{ {POINTS} }} coordIndex [ 0 1 2 -1 0 2 3 ]",
        f"coord Coordinate {{ {POINTS} }} coordIndex [ 0 1 2 3 -1 ]",
        f"coord Coordinate {{ {POINTS} }} coordIndex [ , 0,1,,2 , -1,-1, 0\t2\r\n3,-1,]",
        f"coordIndex[0,1,2,-1,0,2,3,-1]coord DEF skin Coordinate\n{{\n{POINTS}}}",
        f"coord Coordinate {{ # point [ 9 9 9 ]\n {POINTS} }} coordIndex [ 0 1 2 -1 # -1\n 0 2 3 ]",
        f'url "a.jpg\\" point [ 9 9 9 ]" coord Coordinate {{ {POINTS} }} coordIndex [0 1 2 3]',
        f"coord Coordinate {{ {POINTS} }} coordIndex [0 1 2 3] normal Normal {{ vector [0 0 1] }}",
        f"coord Coordinate {{ {POINTS.replace(',', '')} }} coordIndex [0 1 2 3]",
        f"coord Coordinate {{ {POINTS.replace('0', '.0').replace('1', '1.e+0')} }} "
        "coordIndex [0 1 2 3]",
    ],
)
def test_layouts(tmp_path, body):
    for text in (vrml(body), vrml(body).replace("\n", "\r\n"), "\ufeff" + vrml(body)):
        mesh = read(tmp_path, text)
        np.testing.assert_array_equal(mesh.vertices, SQUARE)
        np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [0, 2, 3]])


def test_shapes_follow_each_other(tmp_path):
    shape = f"IndexedFaceSet {{ {TRIANGLE} coordIndex [ 0 1 2 -1 ] }} "
    mesh = read(tmp_path, "#VRML V2.0 utf8\n" + shape + shape.replace("0 1 0", "0 5 0"))
    np.testing.assert_array_equal(mesh.faces, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(mesh.vertices[:, 1], [0, 0, 1, 0, 0, 5])
    assert mesh.uv is None


@pytest.mark.parametrize(
    ("texture", "kept"),
    [
        ("texCoord TextureCoordinate { point [ 0 0, 1 0, 0 .5 ] }", True),
        (
            "texCoord TextureCoordinate { point [ 0 .5, 0 0, 1 0 ] } texCoordIndex [ 1 2 0 -1 ]",
            True,
        ),
        ("texCoord TextureCoordinate { point [ 0 .5, 0 0, 1 0 ] } texCoordIndex [ 1 2 -1 ]", False),
        ("texCoord TextureCoordinate { point [ 0 .5, 0 0 ] } texCoordIndex [ 0 1 2 -1 ]", False),
        ("texCoord TextureCoordinate { point [ ] }", False),
    ],
)
def test_texture_is_kept_where_each_vertex_has_one(tmp_path, texture, kept):
    mesh = read(tmp_path, vrml(f"{TRIANGLE} coordIndex [ 0 1 2 -1 ] {texture}"))
    assert (mesh.uv is not None) == kept
    if kept:
        np.testing.assert_array_equal(mesh.uv, [[0, 0], [1, 0], [0, 0.5]])


def test_a_seam_drops_the_texture_only(tmp_path):
    texture = "texCoord TextureCoordinate { point [ 0 0, 1 0, 1 1, 0 1, .5 .5 ] }"
    body = f"coord Coordinate {{ {POINTS} }} coordIndex [ 0 1 2 -1 0 2 3 -1 ] {texture} "
    assert read(tmp_path, vrml(body + "texCoordIndex [ 0 1 2 -1 0 2 3 -1 ]")).uv is not None
    seam = read(tmp_path, vrml(body + "texCoordIndex [ 0 1 2 -1 4 2 3 -1 ]"))
    assert seam.uv is None
    np.testing.assert_array_equal(seam.faces, [[0, 1, 2], [0, 2, 3]])


BAD = {
    "empty": ("", "is empty"),
    "another format": ("v 0 0 0\n", "does not begin with #VRML"),
    "compressed": (b"\x1f\x8b\x08abc", "compressed with gzip"),
    "nothing": ("#VRML V2.0 utf8\n", "no Coordinate node"),
    "texture only": (vrml("texCoord TextureCoordinate { point [ 0 0 ] }"), "no Coordinate node"),
    "points only": (vrml(TRIANGLE), "no coordIndex"),
    "lists": (vrml(f"{TRIANGLE} coordIndex [0 1 2] coordIndex [0 1 2]"), "1 lists of points and 2"),
    "cut in the points": (
        "#VRML V2.0 utf8\nCoordinate { point [ 0 0 0, 1 0",
        "cut short: the list",
    ),
    "cut in the faces": (vrml(f"{TRIANGLE} coordIndex [ 0 1 2 -1 0").replace("}", ""), "cut short"),
    "word": (vrml(f"{TRIANGLE.replace('1 0 0', '1 O 0')} coordIndex [0 1 2]"), "not made of numb"),
    "two points": (vrml(f"{TRIANGLE.replace('1 0 0', '1.2.3')} coordIndex [0 1 2]"), "not made of"),
    "glued": (vrml(f"{TRIANGLE.replace('1 0 0', '1-1 0')} coordIndex [0 1 2]"), "not made of"),
    "zero byte": (
        vrml(f"{TRIANGLE.replace('1 0 0', '1 0 0' + chr(0))} coordIndex [0 1 2]"),
        "not ma",
    ),
    "missing number": (
        vrml(f"{TRIANGLE.replace('1 0 0', '1 0')} coordIndex [0 1 2]"),
        "multiple of 3",
    ),
    "no points": (vrml("Coordinate { point [ ] } coordIndex [ ]"), "no vertices"),
    "no faces": (vrml(f"{TRIANGLE} coordIndex [ -1, -1 ]"), "no faces"),
    "half index": (vrml(f"{TRIANGLE} coordIndex [ 0 1 1.5 ]"), "not made of whole numbers"),
    "range": (vrml(f"{TRIANGLE} coordIndex [ 0 1 3 -1 ]"), r"names vertex 3, but there are 3"),
    "negative": (vrml(f"{TRIANGLE} coordIndex [ 0 1 -2 -1 ]"), r"names vertex -2"),
    "huge": (vrml(f"{TRIANGLE} coordIndex [ 0 1 {10**30} ]"), "names vertex 9,223,372"),
    "line": (vrml(f"{TRIANGLE} coordIndex [ 0 1 -1 ]"), "face 0 has 2 corners"),
    "nan": (vrml(f"{TRIANGLE.replace('1 0 0', '1 nan 0')} coordIndex [0 1 2]"), "not finite"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_files(tmp_path, fault):
    text, message = BAD[fault]
    with pytest.raises(FileFormatError, match=message) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "scan.wrl") in str(caught.value)


@settings(max_examples=20, deadline=None)
@given(share=st.floats(0.0, 0.99))
def test_cut_files(tmp_path_factory, share):
    text = wrl_text(example_scan(1))
    last_polygon = text.rindex("-1")
    with pytest.raises(FileFormatError, match=r"cut\.wrl"):
        read(tmp_path_factory.getbasetemp(), text[: int(last_polygon * share)], "cut.wrl")


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_damaged_files_never_crash(tmp_path_factory, data):
    content = bytearray(wrl_text(example_scan(2, 3, 3)).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(FileFormatError):
        read(tmp_path_factory.getbasetemp(), bytes(content), "damaged.wrl")


@pytest.mark.parametrize(
    "filling", ['"\\', '\\"', '"', "#", "[", "[]", "Coordinate {", "point [ ]", " ", "\n", "-1 "]
)
def test_nothing_hangs(tmp_path, filling):
    """A quarter megabyte of anything is refused in seconds: no step is worse than linear."""
    begin = time.perf_counter()
    with pytest.raises(FileFormatError):
        read(tmp_path, "#VRML V2.0 utf8\n" + filling * (2**18 // len(filling)))
    assert time.perf_counter() - begin < 10


def test_a_whole_frame_is_fast(tmp_path):
    scan = example_scan(3, 187, 187)  # 34,969 vertices, as a recorded frame has
    path = tmp_path / "frame.wrl"
    path.write_text(wrl_text(scan, np.ones((187 * 187, 2), np.float32)))
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        mesh = read_mesh(path)
        seconds.append(time.perf_counter() - begin)
    assert min(seconds) < 0.5
    np.testing.assert_array_equal(mesh.vertices.astype(np.float32), scan.vertices)
