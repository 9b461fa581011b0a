"""Point caches: the bytes that the format prescribes, and back."""

import struct

import numpy as np
import pytest

from meshgan.data.mesh_formats.pc2 import PointCache, read_pc2, write_pc2
from meshgan.errors import FileFormatError, InputError


def test_bytes_are_those_of_the_format(tmp_path):
    vertices = np.arange(18, dtype=np.float32).reshape(2, 3, 3)
    write_pc2(tmp_path / "a.pc2", PointCache(vertices, start=5.0, step=0.5))
    content = (tmp_path / "a.pc2").read_bytes()
    assert content[:12] == b"POINTCACHE2\0"
    assert struct.unpack("<iiffi", content[12:32]) == (1, 3, 5.0, 0.5, 2)
    assert struct.unpack("<18f", content[32:]) == tuple(range(18))


def test_reads_back_what_was_written(tmp_path):
    vertices = np.random.default_rng(0).normal(0, 100, (4, 7, 3)).astype(np.float32)
    write_pc2(tmp_path / "a.pc2", PointCache(vertices, start=1.0, step=2.0))
    back = read_pc2(tmp_path / "a.pc2")
    np.testing.assert_array_equal(back.vertices, vertices)
    assert (back.start, back.step) == (1, 2)


def test_names_what_is_wrong(tmp_path):
    path = tmp_path / "a.pc2"
    with pytest.raises(FileFormatError, match="no such file"):
        read_pc2(path)
    path.write_bytes(b"v 0 0 0\n" * 9)
    with pytest.raises(FileFormatError, match="not a point cache"):
        read_pc2(path)
    write_pc2(path, PointCache(np.zeros((2, 3, 3), np.float32)))
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(FileFormatError, match="104 bytes expected, found 100"):
        read_pc2(path)
    with pytest.raises(InputError, match="at least one frame"):
        write_pc2(path, PointCache(np.zeros((0, 3, 3), np.float32)))
    with pytest.raises(InputError, match="finite"):
        write_pc2(path, PointCache(np.full((1, 3, 3), np.inf, np.float32)))
