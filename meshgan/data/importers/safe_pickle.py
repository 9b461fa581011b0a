"""Pickles of published models, read as data: nothing in the file is ever run.

A pickle is a program that calls whatever it names. Here every name it may use stands for an inert
record, so the program can only stack up records, numbers, texts and containers; afterwards the
records of NumPy, SciPy and chumpy are rebuilt from their checked fields. All other names are
refused, whatever they are.
"""

import io
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from meshgan.data.importers.pickle_records import CLASSES, DEEPEST, Record, Refused, rebuild
from meshgan.errors import FileFormatError

LARGEST_FILE = 2**31
_NEVER = {"EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "NEXT_BUFFER", "READONLY_BUFFER"}
_PLACES = {"PUT", "BINPUT", "LONG_BINPUT"}
_SPARE_PLACES = 1024


def read_pickle(path: Path | str) -> Any:
    """The content of a pickle of plain data, any protocol; texts of Python 2 read as Latin-1.

    Returns:
        Numbers, texts, bytes, dict, list, tuple, set, NumPy arrays (read-only) and scalars, and
        SciPy sparse matrices; a chumpy ``Ch`` is the array that it holds.

    Raises:
        FileFormatError: the file is missing, larger than 2 GiB, damaged, nested more than 100
            deep, or names any other class or function; the message says which.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise FileFormatError(f"{path}: a pickle of {size:,} bytes, at most 2 GiB are read")
        content = path.read_bytes()
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read ({error.strerror})") from error
    return parse_pickle(content, str(path))


def parse_pickle(content: bytes, where: str) -> Any:
    """``read_pickle`` for bytes; ``where`` begins the messages.

    Raises:
        FileFormatError: as ``read_pickle``.
    """
    try:
        _check_opcodes(content)
        return rebuild(_Unpickler(io.BytesIO(content), encoding="latin-1").load())
    except Refused as error:
        raise FileFormatError(
            f"{where}: refused, for the pickle {error}; only arrays and plain containers are read"
        ) from error
    except RecursionError as error:
        raise FileFormatError(f"{where}: refused, nested more than {DEEPEST} deep") from error
    except Exception as error:  # a damaged pickle can fail in any way
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise FileFormatError(f"{where}: not a readable pickle ({said})") from error


def _check_opcodes(content: bytes) -> None:
    """Refuse what could reach outside, or take memory that the file's size does not bear out.

    The walk over the opcodes compares all announced lengths with the bytes that follow.
    """
    for number, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        if opcode.name in _NEVER:
            raise Refused(f"uses {opcode.name}, an object from outside the file")
        if opcode.name in _PLACES and int(argument or 0) > number + _SPARE_PLACES:
            raise Refused(f"numbers an object {argument:,} although it is only opcode {number:,}")


class _Unpickler(pickle.Unpickler):
    """Gives records, fresh classes for each file, so that no file can prepare the next."""

    def __init__(self, file: io.BytesIO, encoding: str) -> None:
        super().__init__(file, fix_imports=False, encoding=encoding)
        self._classes: dict[Callable[..., Any], type[Record]] = {}

    def find_class(self, module: str, name: str) -> type[Record]:
        build = CLASSES.get((module, name))
        if build is None:
            raise Refused(f"names {module}.{name}")
        if build not in self._classes:
            self._classes[build] = type(name, (Record,), {"build": staticmethod(build)})
        return self._classes[build]

    def persistent_load(self, pid: Any) -> Any:
        raise Refused(f"asks for an object from outside the file ({str(pid)[:50]})")
