"""write_npz and read_npz: the same arrays give the same bytes, and no file is trusted."""

import io
import time
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshgan.data.npz import read_npz, write_npz
from meshgan.errors import FileFormatError, InputError

ARRAYS = {
    "a": np.arange(6, dtype=np.int16).reshape(2, 3),
    "name.with.dots": np.array("text"),
    "empty": np.empty((0, 3), dtype=np.float32),
    "flags": np.array([True, False]),
}


def test_arrays_come_back(tmp_path):
    write_npz(tmp_path / "a.npz", ARRAYS)
    for again in (read_npz(tmp_path / "a.npz"), np.load(tmp_path / "a.npz")):
        assert set(again) == set(ARRAYS)
        for name, expected in ARRAYS.items():
            assert again[name].dtype == expected.dtype
            np.testing.assert_array_equal(again[name], expected)


def test_bytes_do_not_depend_on_the_clock(tmp_path, monkeypatch):
    write_npz(tmp_path / "a.npz", ARRAYS)
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    write_npz(tmp_path / "b.npz", ARRAYS)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_reads_compressed_files(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", zeros=np.zeros(100_000))
    np.testing.assert_array_equal(read_npz(tmp_path / "a.npz")["zeros"], np.zeros(100_000))


def announcing(shape):
    """An archive whose array claims ``shape`` but holds 8 bytes."""
    content = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(content, header)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.npy", content.getvalue() + b"\0" * 8)
    return archive.getvalue()


@pytest.mark.parametrize("shape", [(10**6,), (10**12, 3), (2**40, 2**40)])
def test_huge_announcement_takes_no_memory(tmp_path, shape):
    (tmp_path / "a.npz").write_bytes(announcing(shape))
    with pytest.raises(FileFormatError, match=r"a\.npy announces [0-9,]+ bytes but holds 136"):
        read_npz(tmp_path / "a.npz")


def test_objects_are_refused_both_ways(tmp_path):
    with pytest.raises(InputError, match="'a' holds Python objects"):
        write_npz(tmp_path / "a.npz", {"a": np.array([{}], dtype=object)})
    assert not (tmp_path / "a.npz").exists()
    np.savez(tmp_path / "b.npz", a=np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(FileFormatError, match=r"b\.npz"):
        read_npz(tmp_path / "b.npz")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damage_is_named_or_harmless(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    write_npz(path, ARRAYS)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        found = read_npz(path)
    except FileFormatError as error:
        assert "damaged.npz" in str(error)  # noqa: PT017
        return
    for name in found.keys() & ARRAYS.keys():
        np.testing.assert_array_equal(found[name], ARRAYS[name])


def test_missing_file(tmp_path):
    with pytest.raises(FileFormatError, match="no such file"):
        read_npz(tmp_path / "none.npz")
