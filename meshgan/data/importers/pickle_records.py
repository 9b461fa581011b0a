"""What the restricted unpickler makes of known classes: records, rebuilt field by field."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

DEEPEST = 100
_PLAIN = (type(None), bool, int, float, complex, str, bytes)
_DTYPE = re.compile(r"[<>=|]?([biufcSUO]\d*|\?)")
_LATIN_1 = {"latin1", "latin-1", "iso-8859-1"}


class Refused(Exception):
    """What about a pickle is not accepted, as the end of "the pickle ..."."""


class Record:
    """An object as its pickle describes it: how it was called, its state, its entries.

    A subclass per known class holds ``build``, which makes the real object from a record.
    """

    build: Callable[["Record", "Rebuild"], Any]

    def __new__(cls, *arguments: Any) -> "Record":
        record = super().__new__(cls)
        record.arguments = arguments
        record.state = None
        record.entries = []
        return record

    def __init__(self, *arguments: Any) -> None:
        self.arguments: tuple[Any, ...]
        self.state: Any
        self.entries: list[tuple[Any, Any]]

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.entries.append((key, value))


Rebuild = Callable[[Any], Any]


def rebuild(value: Any) -> Any:
    """Plain objects of what a pickle stacked up: records replaced by what they describe.

    Raises:
        Refused: a record's fields are not those of its class, something contains itself, or the
            nesting is deeper than 100.
    """
    return _Rebuilder().value(value, 0)


class _Rebuilder:
    def __init__(self) -> None:
        self._done: dict[int, Any] = {}  # by identity: what stands at many places is built once
        self._open: set[int] = set()

    def value(self, value: Any, depth: int) -> Any:
        if isinstance(value, _PLAIN):
            return value
        if id(value) in self._done:
            return self._done[id(value)]
        if id(value) in self._open:
            raise Refused("holds something that contains itself")
        if depth > DEEPEST:
            raise Refused(f"is nested more than {DEEPEST} deep")
        self._open.add(id(value))
        self._done[id(value)] = made = self._made(value, lambda part: self.value(part, depth + 1))
        self._open.remove(id(value))
        return made

    def _made(self, value: Any, part: Rebuild) -> Any:
        if isinstance(value, Record):
            return type(value).build(value, part)
        if isinstance(value, dict):
            return {part(key): part(item) for key, item in value.items()}
        for kind in (list, tuple, set, frozenset):
            if type(value) is kind:
                return kind(part(item) for item in value)
        if isinstance(value, bytearray):
            return bytes(value)
        raise Refused(f"holds a {getattr(value, '__name__', type(value).__name__)} as a value")


def _dtype(record: Record, part: Rebuild) -> np.dtype:
    spec = part(record.arguments[0]) if record.arguments else None
    state = [3, "="] if record.state is None else list(part(record.state))
    subarray_and_fields = state[2:5]
    if not isinstance(spec, str) or not _DTYPE.fullmatch(spec) or any(subarray_and_fields):
        raise Refused(f"holds an array of {str(spec)[:50]!r} values, expected plain numbers")
    dtype = np.dtype(spec)
    if dtype.itemsize == 0:
        raise Refused(f"holds an array of {spec!r} values, which have no size")
    return dtype.newbyteorder(state[1] if state[1] in ("<", ">") else "=")


def _array(record: Record, part: Rebuild) -> np.ndarray:
    state = part(record.state)
    if not isinstance(state, tuple) or len(state) not in (4, 5):
        raise Refused("holds an array without its content")
    shape, dtype, fortran, content = state[-4:]
    return _filled(shape, dtype, "F" if fortran else "C", content)


def _array_from_buffer(record: Record, part: Rebuild) -> np.ndarray:
    content, dtype, shape, order = (part(argument) for argument in record.arguments)
    return _filled(shape, dtype, order, content)


def _scalar(record: Record, part: Rebuild) -> Any:
    dtype, content = (part(argument) for argument in record.arguments)
    return _filled((), dtype, "C", content)[()]


def _filled(shape: Any, dtype: Any, order: Any, content: Any) -> np.ndarray:
    """An array over the bytes of the file; nothing is allocated that the file does not hold."""
    sizes = isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape)
    if not sizes or not isinstance(dtype, np.dtype) or order not in ("C", "F"):
        raise Refused(f"holds an array of shape {str(shape)[:50]}, which is none")
    count = math.prod(shape)
    if dtype.kind == "O":
        if not isinstance(content, list) or len(content) != count:
            raise Refused(f"holds an array of {count:,} objects without as many entries")
        flat = np.empty(count, dtype=object)
        flat[:] = content if count != 1 else [None]
        if count == 1:
            flat[0] = content[0]
        return flat.reshape(shape, order=order)
    if isinstance(content, str):
        content = content.encode("latin-1")
    if not isinstance(content, bytes) or len(content) != count * dtype.itemsize:
        found = f"{len(content):,} bytes" if isinstance(content, bytes) else "no bytes"
        raise Refused(f"holds an array of shape {shape} and type {dtype} with {found}")
    if count == 0:
        return np.zeros(shape, dtype)
    return np.frombuffer(content, dtype).reshape(shape, order=order)


def _encoded(record: Record, part: Rebuild) -> bytes:
    text, *codec = (part(argument) for argument in record.arguments)
    if not isinstance(text, str) or (codec and codec[0] not in _LATIN_1):
        raise Refused(f"encodes a text as {str(codec)[:50]}, expected latin1")
    return text.encode("latin-1")


def _bytes(record: Record, part: Rebuild) -> bytes:
    content = part(record.arguments[0]) if record.arguments else b""
    if isinstance(content, str):
        content = content.encode("latin-1")
    if not isinstance(content, bytes):
        raise Refused("holds bytes that are not made of bytes")
    return content


def _dictionary(record: Record, part: Rebuild) -> dict[Any, Any]:
    pairs = part(record.arguments[0]) if record.arguments else []
    return {**dict(pairs), **{part(key): part(item) for key, item in record.entries}}


def _collection(kind: type) -> Callable[[Record, Rebuild], Any]:
    def build(record: Record, part: Rebuild) -> Any:
        return kind(part(record.arguments[0]) if record.arguments else ())

    return build


def _reconstructed(record: Record, part: Rebuild) -> Any:
    """``copy_reg._reconstructor(class, object, None)``: how protocols 0 and 1 make an object."""
    kind = record.arguments[0] if record.arguments else None
    if not (isinstance(kind, type) and issubclass(kind, Record)) or record.arguments[2:] != (None,):
        raise Refused("makes an object of no known class")
    instance = kind()
    instance.state, instance.entries = record.state, record.entries
    record.arguments = (instance,)  # kept: what is built is known by its identity
    return part(instance)


def _chumpy(record: Record, part: Rebuild) -> np.ndarray:
    state = part(record.state)
    values = state.get("x") if isinstance(state, dict) else None
    if not isinstance(values, np.ndarray):
        raise Refused("holds a chumpy object without an array")
    return values


def _compressed(kind: type) -> Callable[[Record, Rebuild], Any]:
    def build(record: Record, part: Rebuild) -> Any:
        state = part(record.state)
        data, indices, indptr, shape = _fields(state, "data", "indices", "indptr", "_shape")
        matrix = kind((data, indices.astype(np.int64), indptr.astype(np.int64)), shape=shape)
        matrix.check_format(full_check=True)
        return matrix

    return build


def _coordinates(record: Record, part: Rebuild) -> sparse.coo_matrix:
    state = part(record.state)
    if isinstance(state, dict) and "row" in state:  # SciPy before 1.11
        data, *places, shape = _fields(state, "data", "row", "col", "_shape")
    else:
        data, places, shape = _fields(state, "data", "coords", "_shape")
    return sparse.coo_matrix((data, tuple(places)), shape=shape)


def _fields(state: Any, *names: str) -> list[Any]:
    if not isinstance(state, dict) or not set(names) <= state.keys():
        raise Refused(f"holds a sparse matrix without {', '.join(names)}")
    return [state[name] for name in names]


def _class_only(record: Record, part: Rebuild) -> Any:
    raise Refused("makes an object of a class that is only to be named")


_BUILTINS = ("__builtin__", "builtins")
_NUMPY_CORES = ("numpy.core", "numpy._core")
_SPARSE = {
    "csr": _compressed(sparse.csr_matrix),
    "csc": _compressed(sparse.csc_matrix),
    "coo": _coordinates,
}

CLASSES: dict[tuple[str, str], Callable[[Record, Rebuild], Any]] = {
    ("numpy", "ndarray"): _class_only,
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _encoded,
    ("collections", "OrderedDict"): _dictionary,
    ("copy_reg", "_reconstructor"): _reconstructed,
    ("copyreg", "_reconstructor"): _reconstructed,
    ("chumpy.ch", "Ch"): _chumpy,
    ("chumpy", "Ch"): _chumpy,
    **{(core + ".multiarray", "_reconstruct"): _array for core in _NUMPY_CORES},
    **{(core + ".multiarray", "scalar"): _scalar for core in _NUMPY_CORES},
    **{(core + ".numeric", "_frombuffer"): _array_from_buffer for core in _NUMPY_CORES},
    **{(builtins, "object"): _class_only for builtins in _BUILTINS},
    **{(builtins, "set"): _collection(set) for builtins in _BUILTINS},
    **{(builtins, "frozenset"): _collection(frozenset) for builtins in _BUILTINS},
    **{
        (builtins, "complex"): lambda record, part: complex(*map(part, record.arguments))
        for builtins in _BUILTINS
    },
    **{(builtins, kind): _bytes for builtins in _BUILTINS for kind in ("bytes", "bytearray")},
    **{
        (f"scipy.sparse.{mark}{short}", f"{short}_{kind}"): build
        for short, build in _SPARSE.items()
        for mark in ("", "_")
        for kind in ("matrix", "array")
    },
}
"""(module, name) in a pickle -> how its object is rebuilt; everything else is refused."""
