"""NumPy files of published sets: mapped where they can be, objects only as data."""

import os
import zipfile

import numpy as np
import pytest

from meshgan.data.importers.array_files import (
    npz_names,
    open_npy,
    read_npz_arrays,
    read_pickled_npy,
)
from meshgan.errors import FileFormatError
from tests.data.importers.test_safe_pickle import harmful


def test_arrays_stay_on_disk(tmp_path):
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "b.npz", c=values, fortran=np.asfortranarray(values))
    mapped = open_npy(tmp_path / "a.npy")
    found = read_npz_arrays(tmp_path / "b.npz", ["c", "fortran", "absent"])
    assert list(found) == ["c", "fortran"]
    for array in (mapped, *found.values()):
        assert isinstance(array, np.memmap)
        np.testing.assert_array_equal(array, values)
    with pytest.raises(ValueError, match="read-only"):
        mapped[0] = 1


def test_compressed_and_text_arrays(tmp_path):
    values = np.random.default_rng(0).normal(size=(5, 3))
    np.savez_compressed(tmp_path / "b.npz", a=values, name=np.array("x"), count=np.array(3))
    found = read_npz_arrays(tmp_path / "b.npz", ["a", "name", "count"])
    np.testing.assert_array_equal(found["a"], values)
    assert found["name"] == "x"
    assert found["count"] == 3
    assert npz_names(tmp_path / "b.npz") == ("a", "name", "count")


def test_objects_are_read_as_data(tmp_path):
    table = np.array({1: [2, 3]}, dtype=object)
    np.savez(tmp_path / "b.npz", table=table, a=np.arange(2))
    np.save(tmp_path / "c.npy", table, allow_pickle=True)
    assert read_npz_arrays(tmp_path / "b.npz", ["table"])["table"] == {1: [2, 3]}
    assert read_pickled_npy(tmp_path / "c.npy") == {1: [2, 3]}
    with pytest.raises(FileFormatError, match=r"c.npy: not a readable NumPy file"):
        open_npy(tmp_path / "c.npy")


def test_objects_that_run_code_are_refused_unless_nobody_asks_for_them(tmp_path):
    mark = tmp_path / "ran"
    bad = np.array([harmful(os.system, f"touch {mark}")], dtype=object)
    np.savez(tmp_path / "b.npz", bad=bad, a=np.arange(2))
    np.save(tmp_path / "c.npy", bad, allow_pickle=True)
    np.testing.assert_array_equal(read_npz_arrays(tmp_path / "b.npz", ["a"])["a"], [0, 1])
    with pytest.raises(FileFormatError, match=r"b.npz: bad: refused.*system"):
        read_npz_arrays(tmp_path / "b.npz", ["bad"])
    with pytest.raises(FileFormatError, match=r"c.npy: refused.*system"):
        read_pickled_npy(tmp_path / "c.npy")
    assert not mark.exists()


def test_names_damaged_files(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(1000.0))
    np.savez(tmp_path / "b.npz", a=np.arange(1000.0))
    for name in ("a.npy", "b.npz"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
    np.savez(tmp_path / "ok.npz", a=np.arange(10))
    for read in (open_npy, read_pickled_npy):
        with pytest.raises(FileFormatError, match=r"a.npy: not a readable"):
            read(tmp_path / "a.npy")
        with pytest.raises(FileFormatError, match=r"none.npy: no such file"):
            read(tmp_path / "none.npy")
    for read in (npz_names, lambda path: read_npz_arrays(path, ["a"])):
        with pytest.raises(FileFormatError, match=r"b.npz: not a readable"):
            read(tmp_path / "b.npz")
        with pytest.raises(FileFormatError, match=r"none.npz: no such file"):
            read(tmp_path / "none.npz")


def test_a_header_that_lies_takes_no_memory(tmp_path):
    header = "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"
    content = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + header.ljust(117).encode()
    content += b"\n" + b"\0" * 64
    (tmp_path / "a.npy").write_bytes(content)
    for method, name in ((zipfile.ZIP_STORED, "s.npz"), (zipfile.ZIP_DEFLATED, "d.npz")):
        with zipfile.ZipFile(tmp_path / name, "w", method) as archive:
            archive.writestr("a.npy", content)
        with pytest.raises(FileFormatError, match=name):
            read_npz_arrays(tmp_path / name, ["a"])
    with pytest.raises(FileFormatError, match="not a readable"):
        open_npy(tmp_path / "a.npy")
