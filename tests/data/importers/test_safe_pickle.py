"""The restricted unpickler: arrays and containers of any protocol, and not a line of code."""

import collections
import contextlib
import os
import pickle
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from meshgan.data.importers.safe_pickle import parse_pickle, read_pickle
from meshgan.errors import FileFormatError
from tests.data.importers.registered_trees import chumpy_class

CONTENT = {
    "float": np.arange(6.0).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "big endian": np.arange(3, dtype=">i4"),
    "text": np.array(["abc", "d"]),
    "flags": np.array([True, False]),
    "empty": np.zeros((0, 3), dtype=np.float32),
    "objects": np.array([{"q": 1}, None], dtype=object),
    "scalar": np.float32(0.5),
    "nested": ("x", [1, {2}], frozenset([3]), {b"key": 1j}),
    "ordered": collections.OrderedDict(b=1, a=2),
    "nothing": None,
    "large": 2**80,
}


@pytest.mark.parametrize("protocol", range(6))
def test_reads_what_pickle_wrote(tmp_path, protocol):
    path = tmp_path / "content.pkl"
    path.write_bytes(pickle.dumps(CONTENT, protocol=protocol))
    found = read_pickle(path)
    assert list(found) == list(CONTENT)
    for name, value in CONTENT.items():
        if isinstance(value, np.ndarray):
            assert type(found[name]) is np.ndarray
            assert found[name].dtype == value.dtype
            np.testing.assert_array_equal(found[name], value)
        else:
            assert found[name] == value


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", ["csr_matrix", "csc_matrix", "coo_matrix", "csc_array"])
def test_reads_sparse_matrices(protocol, kind):
    dense = np.diag([1.0, 0.0, 2.0])[:, [1, 0, 2]]
    matrix = getattr(sparse, kind)(dense)
    found = parse_pickle(pickle.dumps({"J": matrix}, protocol), "model")["J"]
    np.testing.assert_array_equal(found.toarray(), dense)


@pytest.mark.parametrize("protocol", range(6))
def test_a_chumpy_object_is_its_array(protocol):
    with chumpy_class() as kind:
        content = pickle.dumps({"shapedirs": kind(np.arange(3.0))}, protocol)
    np.testing.assert_array_equal(parse_pickle(content, "model")["shapedirs"], [0, 1, 2])


def test_reads_an_array_that_python_2_wrote():
    """Opcode by opcode, as cPickle of Python 2 wrote protocol 2: bytes as texts."""
    raw = struct.pack("<2d", 1.5, -2.0)
    content = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b"
        b"\x87Rq\x03(K\x01K\x02\x85cnumpy\ndtype\nq\x04U\x02f8K\x00K\x01\x87Rq\x05(K\x03U\x01<NNN"
        b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x10" + raw + b"tb."
    )
    found = parse_pickle(content, "old.pkl")
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [1.5, -2.0])


def harmful(function, *arguments):
    class Harm:
        def __reduce__(self):
            return function, arguments

    return Harm()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    ("function", "argument", "name"),
    [
        (os.system, "touch {}", "system"),
        (eval, "open({!r}, 'w')", r"builtin(s|__)\.eval"),
        (exec, "open({!r}, 'w')", r"builtin(s|__)\.exec"),
        (getattr, "{}", "getattr"),
        (np.load, "{}", "numpy.*load"),
        (np.memmap, "{}", "memmap"),
        (open, "{}", "open"),
    ],
)
def test_never_runs_code(tmp_path, protocol, function, argument, name):
    mark = tmp_path / "ran"
    content = pickle.dumps({"x": [harmful(function, argument.format(str(mark)))]}, protocol)
    with pytest.raises(FileFormatError, match=f"bad.pkl: refused.*names .*{name}"):
        parse_pickle(content, "bad.pkl")
    assert not mark.exists()


@pytest.mark.parametrize(
    "path",
    ["numpy\nndarray.tofile", "numpy.core.multiarray\nfromfile", "numpy\ndtype.__class__"],
)
def test_dotted_names_lead_nowhere(path):
    module, name = path.split("\n")
    content = b"\x80\x04\x8c" + bytes([len(module)]) + module.encode()
    content += b"\x8c" + bytes([len(name)]) + name.encode() + b"\x93)R."
    with pytest.raises(FileFormatError, match="names numpy"):
        parse_pickle(content, "bad.pkl")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a readable pickle"),
        (b"\x80\x02", "not a readable pickle"),
        (b"no pickle at all", "not a readable pickle"),
        (pickle.dumps(np.arange(100.0))[:-200], "not a readable pickle"),
        (b"\x80\x02cnumpy\nndarray\n.", "as a value"),
        (b"\x80\x02cnumpy\nndarray\n)R.", "only to be named"),
        (b"\x80\x02]q\x00h\x00a.", "contains itself"),
        (b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b".", "nested more than 100"),
        (b"\x80\x02]r\xff\xff\xff\x7f.", "numbers an object 2,147,483,647"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**50) + b"x.", "not a readable pickle"),
        (b"\x80\x05\x96" + struct.pack("<Q", 2**50) + b"x.", "not a readable pickle"),
        (b"\x80\x02X\x02\x00\x00\x00idQ.", "BINPERSID"),
        (b"\x80\x02\x82\x01.", "EXT1"),
    ],
)
def test_refuses_damage_and_bombs(content, reason):
    with pytest.raises(FileFormatError, match=f"bad.pkl: .*{reason}"):
        parse_pickle(content, "bad.pkl")


def array_pickle(shape: tuple, spec: str, state: object, raw: object) -> bytes:
    """A pickle of an array whose fields are chosen freely."""

    class Dtype:
        def __reduce__(self):
            return np.dtype, (spec, False, True), state

    class Array:
        def __reduce__(self):
            make = np._core.multiarray._reconstruct  # pyright: ignore
            return make, (np.ndarray, (0,), b"b"), (1, shape, Dtype(), False, raw)

    return pickle.dumps(Array(), 4)


PLAIN = (3, "<", None, None, None, -1, -1, 0)


@pytest.mark.parametrize(
    ("shape", "spec", "state", "raw", "reason"),
    [
        ((2,), "f8", PLAIN, b"\0" * 15, "with 15 bytes"),
        ((10**12,), "f8", PLAIN, b"\0" * 16, "with 16 bytes"),
        ((-1,), "f8", PLAIN, b"\0" * 16, "which is none"),
        ((2,), "f8", PLAIN, [1, 2], "no bytes"),
        ((2,), "O8", PLAIN, b"\0" * 16, "objects without"),
        ((3,), "O8", PLAIN, [1, 2], "objects without"),
        ((2,), "S0", PLAIN, b"", "no size"),
        ((1,), "V8", PLAIN, b"\0" * 8, "expected plain numbers"),
        (
            (1,),
            "f8",
            (3, "|", None, ("p",), {"p": (np.dtype("O"), 0)}, 8, 1, 27),
            b"\x41" * 8,
            "expected plain numbers",
        ),
        ((1,), "f8", (3, "<", (np.dtype("f8"), (9,)), None, None, 8, 1, 0), b"\0" * 8, "plain"),
    ],
)
def test_refuses_arrays_that_are_none(shape, spec, state, raw, reason):
    with pytest.raises(FileFormatError, match=reason):
        parse_pickle(array_pickle(shape, spec, state, raw), "bad.pkl")


def test_what_stands_at_many_places_is_built_once():
    doubled: list = [0]
    for _ in range(60):  # 2 ** 60 entries if each place were built on its own
        doubled = [doubled, doubled]
    found = parse_pickle(pickle.dumps(doubled, 2), "x")
    assert found[0] is found[1]


def test_one_file_cannot_prepare_the_next():
    """A state for a class itself, not for an object of it, changes nothing and is refused."""
    content = b"\x80\x02cnumpy\nndarray\n}X\x05\x00\x00\x00buildK\x01sb."
    with pytest.raises(FileFormatError):
        parse_pickle(content, "bad.pkl")
    np.testing.assert_array_equal(parse_pickle(pickle.dumps(np.arange(3)), "x"), [0, 1, 2])


def test_names_missing_files(tmp_path):
    with pytest.raises(FileFormatError, match=r"none.pkl: cannot be read"):
        read_pickle(tmp_path / "none.pkl")
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_pickle(tmp_path)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damaged_bytes_never_do_more_than_fail(data):
    content = bytearray(pickle.dumps(CONTENT, data.draw(st.integers(0, 5))))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(FileFormatError):  # anything else fails the test
        parse_pickle(bytes(content), "bad.pkl")
