"""Bosphorus grids: exact numbers, triangles by hand, gaps left open, headers never trusted."""

import os
import struct
import warnings
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.data.importers.bnt import PointGrid, grid_mesh, read_bnt
from meshgan.errors import FileFormatError
from tests.data.importers.trees import BACKGROUND, bnt_bytes, example_grid


def write(tmp_path, content):
    path = tmp_path / "scan.bnt"
    path.write_bytes(content)
    return path


def flat(rows=3, columns=3):
    """A flat grid, 1 mm apart, facing +z."""
    x, y = np.meshgrid(np.arange(float(columns)), np.arange(float(rows)))
    return np.stack([x, y, np.zeros_like(x)], axis=-1)


def as_grid(points):
    return PointGrid(points, np.isfinite(points).all(axis=-1))


def normals(vertices, faces):
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    return np.cross(b - a, c - a)


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 6), columns=st.integers(1, 6), seed=st.integers(0, 2**32 - 1))
def test_grid_survives_the_file(tmp_path_factory, rows, columns, seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(scale=80, size=(rows, columns, 3))
    points[rng.random((rows, columns)) < 0.3] = np.nan
    grid = read_bnt(write(tmp_path_factory.getbasetemp(), bnt_bytes(points, "a.png")))
    assert grid.image == "a.png"
    np.testing.assert_array_equal(grid.measured, np.isfinite(points[:, :, 2]))
    np.testing.assert_array_equal(grid.points[grid.measured], points[grid.measured])


def test_values_stand_column_by_column(tmp_path):
    """The file by hand: 2 x 1 points, first all x, then all y, then all z, u, v."""
    values = [1.0, 2.0, 10.0, 20.0, 100.0, -7.0, 0.1, 0.2, 0.3, 0.4]
    content = struct.pack("<HHdH3sI10d", 2, 1, -7.0, 3, b"abc", 10, *values)
    grid = read_bnt(write(tmp_path, content))
    np.testing.assert_array_equal(grid.points[0, 0], [1, 10, 100])
    np.testing.assert_array_equal(grid.measured, [[True], [False]])


def test_a_cell_by_hand():
    points = flat(2, 2)
    vertices, faces = grid_mesh(as_grid(points))
    np.testing.assert_array_equal(vertices, points.reshape(-1, 3))
    np.testing.assert_array_equal(faces, [[0, 1, 3], [0, 3, 2]])
    points[0, 0, 2] = 1.0  # now the other diagonal is shorter
    np.testing.assert_array_equal(grid_mesh(as_grid(points))[1], [[0, 1, 2], [1, 3, 2]])


@pytest.mark.parametrize(
    ("hidden", "expected"),
    [((0, 0), [[0, 2, 1]]), ((0, 1), [[0, 2, 1]]), ((1, 1), [[0, 1, 2]]), ((1, 0), [[0, 1, 2]])],
)
def test_a_cell_with_a_hidden_corner(hidden, expected):
    points = flat(2, 2)
    points[hidden] = np.nan
    vertices, faces = grid_mesh(as_grid(points))
    np.testing.assert_array_equal(
        vertices, points.reshape(-1, 3)[np.isfinite(points[..., 2]).ravel()]
    )
    np.testing.assert_array_equal(faces, expected)
    assert (normals(vertices, faces)[:, 2] > 0).all()


@pytest.mark.parametrize("flip", [(), (0,), (1,), (0, 1)])
def test_faces_look_at_the_scanner_however_the_grid_runs(flip):
    points = np.flip(example_grid(0), flip).astype(np.float64)
    vertices, faces = grid_mesh(as_grid(points))
    assert len(faces) == 2 * 5 * 4
    assert (normals(vertices, faces)[:, 2] > 0).all()


def test_steps_in_depth_stay_open():
    points = flat(4, 6)
    points[:, 3:, 2] += 20.0
    vertices, faces = grid_mesh(as_grid(points), longest_edge=6.0)
    assert len(vertices) == 24
    assert len(faces) == 2 * 3 * 4  # two cells of each row remain on either side
    assert np.ptp(vertices[faces][:, :, 2], axis=1).max() == 0
    assert len(grid_mesh(as_grid(points), longest_edge=30.0)[1]) == 2 * 3 * 5


def test_points_in_no_triangle_are_dropped():
    points = np.full((5, 5, 3), np.nan)
    points[:2, :2] = flat(2, 2)
    points[4, 4] = (9.0, 9.0, 9.0)
    vertices, faces = grid_mesh(as_grid(points))
    np.testing.assert_array_equal(vertices, flat(2, 2).reshape(-1, 3))
    np.testing.assert_array_equal(faces, [[0, 1, 3], [0, 3, 2]])


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1)])
def test_no_cells_no_faces(shape):
    vertices, faces = grid_mesh(as_grid(flat(*shape)))
    assert vertices.shape == faces.shape == (0, 3)


def test_all_background(tmp_path):
    grid = read_bnt(write(tmp_path, bnt_bytes(np.full((3, 3, 3), np.nan))))
    assert not grid.measured.any()
    assert grid_mesh(grid)[1].shape == (0, 3)


def header(rows, columns, count, name=b"a.png"):
    return (
        struct.pack("<HHdH", rows, columns, BACKGROUND, len(name)) + name + struct.pack("<I", count)
    )


BAD = {
    "empty": (b"", "0 bytes are too few"),
    "short": (b"\x05\x00\x05", "3 bytes are too few"),
    "inside the name": (header(3, 3, 45)[:16], "cut short inside the header"),
    "inside the count": (header(3, 3, 45)[:-2], "cut short inside the header"),
    "no values": (header(3, 3, 45), "announces 3 x 3 points, which is 383 bytes"),
    "cut": (bnt_bytes(flat())[:-1], "announces 3 x 3 points"),
    "longer": (bnt_bytes(flat()) + b"\x00", "announces 3 x 3 points"),
    "no rows": (header(0, 3, 0), "announces 0 x 3 points"),
    "count": (header(3, 3, 44) + bytes(8 * 44), "3 x 3 points but 44 values, expected 5"),
    "huge count": (header(3, 3, 2**31) + bytes(100), "2,147,483,648 values"),
    "huge grid": (header(65535, 65535, 0), "65535 x 65535 points but 0 values"),
    "huge fit": (header(28000, 30000, 4_200_000_000) + bytes(9), "which is 33,600,000,023 bytes"),
    "text": (b"#VRML V2.0 utf8\nShape { }\n" * 9, "cut short inside the header"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_files(tmp_path, fault):
    content, message = BAD[fault]
    path = write(tmp_path, content)
    with pytest.raises(FileFormatError, match=message) as caught:
        read_bnt(path)
    assert str(path) in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileFormatError, match="no such file"):
        read_bnt(tmp_path / "none.bnt")
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_bnt(tmp_path)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_damaged_files_never_crash(tmp_path_factory, data):
    content = bytearray(bnt_bytes(example_grid(0).astype(np.float64)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = write(tmp_path_factory.getbasetemp(), bytes(content))
    with suppress(FileFormatError), warnings.catch_warnings(action="error"):
        vertices, faces = grid_mesh(read_bnt(path))
        assert np.isfinite(vertices).all()
        assert len(faces) == 0 or faces.max() < len(vertices)
    os.remove(path)
