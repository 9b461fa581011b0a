"""The tables behind a PLY header: column name -> values, or (counts, values) of a list."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from meshgan.data.mesh_formats.raw import BadMesh, integers, numbers

Columns = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Property:
    """A column of an element; a list if it has a ``count_type``."""

    name: str
    type: str
    count_type: str | None = None


@dataclass(frozen=True)
class Element:
    """A table of the file: vertices, faces, or something we pass over."""

    name: str
    count: int
    properties: list[Property] = field(default_factory=list)


def read_binary(body: memoryview, elements: Sequence[Element], order: str) -> Columns:
    """Read binary tables; ``order`` is ``<`` or ``>``."""
    columns: Columns = {}
    offset = 0
    for element in elements:
        record = _uniform_record(body, offset, element, order)
        if record is not None:
            table = np.frombuffer(body, record, count=element.count, offset=offset)
            offset += table.nbytes
            columns[element.name] = _split_table(table, element)
        else:
            columns[element.name], offset = _walk(body, offset, element, order)
    return columns


def read_text(body: memoryview, elements: Sequence[Element]) -> Columns:
    """Read text tables: one line per record."""
    rows = [row for row in (line.split() for line in bytes(body).splitlines()) if row]
    columns: Columns = {}
    for element in elements:
        if element.count > len(rows):
            raise BadMesh(f"cut short: {len(rows):,} of {element.count:,} {element.name} lines")
        mine, rows = rows[: element.count], rows[element.count :]
        if all(column.count_type is None for column in element.properties):
            columns[element.name] = _plain_columns(mine, element)
        else:
            columns[element.name] = _list_columns(mine, element)
    return columns


def _plain_columns(rows: list[list[bytes]], element: Element) -> dict[str, Any]:
    names = [column.name for column in element.properties]
    if not rows:
        return {name: np.empty(0) for name in names}
    table = numbers([row[: len(names)] for row in rows], element.name)
    if table.shape[1] != len(names):
        raise BadMesh(f"{element.name} 0 has {table.shape[1]} numbers, expected {len(names)}")
    return {name: table[:, number] for number, name in enumerate(names)}


def _list_columns(rows: list[list[bytes]], element: Element) -> dict[str, Any]:
    found: dict[str, Any] = {column.name: ([], []) for column in element.properties}
    for number, row in enumerate(rows):
        place = 0
        for column in element.properties:
            counts, values = found[column.name]
            length = 1
            if column.count_type is not None:
                length = int(row[place]) if place < len(row) and row[place].isdigit() else -1
                place += 1
            if length < 0 or place + length > len(row):
                raise BadMesh(f"{element.name} {number:,} is cut short or not made of numbers")
            counts.append(length)
            values += row[place : place + length]
            place += length
    return {
        column.name: (
            np.array(found[column.name][0], dtype=np.int64),
            _list_values(found[column.name][1], column.type, element.name),
        )
        for column in element.properties
        if column.count_type is not None
    }


def _list_values(tokens: list[bytes], kind: str, what: str) -> np.ndarray:
    if kind[0] in "iu":
        return integers(tokens, f"{what} list")
    return numbers([[token] for token in tokens], f"{what} list").ravel()


def _uniform_record(body: memoryview, offset: int, element: Element, order: str) -> np.dtype | None:
    """The record type, if every list has as many entries in all records as in the first."""
    if element.count == 0:
        return np.dtype([(column.name, f"{order}{column.type}") for column in element.properties])
    fields: list[Any] = []
    place = offset
    for column in element.properties:
        if column.count_type is None:
            fields.append((column.name, f"{order}{column.type}"))
            place += int(column.type[1:])
            continue
        length = _count_at(body, place, column.count_type, order, element.name)
        fields.append((f"count of {column.name}", f"{order}{column.count_type}"))
        fields.append((column.name, f"{order}{column.type}", (length,)))
        place += int(column.count_type[1:]) + length * int(column.type[1:])
    bytes_needed = (place - offset) * element.count
    lists = any(column.count_type for column in element.properties)
    if offset + bytes_needed > len(body):
        if lists:
            return None
        raise BadMesh(
            f"cut short: {element.count:,} {element.name} need {bytes_needed:,} bytes, "
            f"{len(body) - offset:,} are left"
        )
    record = np.dtype(fields)
    table = np.frombuffer(body, record, count=element.count, offset=offset)
    for column in element.properties:
        if column.count_type is not None:
            counts = table[f"count of {column.name}"]
            if (counts != counts[0]).any():
                return None
    return record


def _split_table(table: np.ndarray, element: Element) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for column in element.properties:
        values = table[column.name]
        if column.count_type is None:
            columns[column.name] = values.astype(values.dtype.newbyteorder("="))
        elif len(table) == 0:
            columns[column.name] = (np.empty(0, np.int64), np.empty(0, np.int64))
        else:
            counts = table[f"count of {column.name}"].astype(np.int64)
            columns[column.name] = (counts, values.astype(values.dtype.newbyteorder("=")).ravel())
    return columns


def _walk(
    body: memoryview, offset: int, element: Element, order: str
) -> tuple[dict[str, Any], int]:
    """Records whose lists differ in length, one after the other; returns the end as well."""
    counts: dict[str, list[int]] = {column.name: [] for column in element.properties}
    parts: dict[str, list[np.ndarray]] = {column.name: [] for column in element.properties}
    for _ in range(element.count):
        for column in element.properties:
            length = 1
            if column.count_type is not None:
                length = _count_at(body, offset, column.count_type, order, element.name)
                offset += int(column.count_type[1:])
            size = length * int(column.type[1:])
            if offset + size > len(body):
                raise BadMesh(f"cut short inside the {element.name} table")
            kind = f"{order}{column.type}"
            parts[column.name].append(np.frombuffer(body, kind, count=length, offset=offset))
            counts[column.name].append(length)
            offset += size
    columns: dict[str, Any] = {}
    for column in element.properties:
        values = np.concatenate(parts[column.name])
        values = values.astype(values.dtype.newbyteorder("="))
        listed = (np.array(counts[column.name], dtype=np.int64), values)
        columns[column.name] = values if column.count_type is None else listed
    return columns, offset


def _count_at(body: memoryview, offset: int, kind: str, order: str, what: str) -> int:
    size = int(kind[1:])
    if offset + size > len(body):
        raise BadMesh(f"cut short inside the {what} table")
    length = int(np.frombuffer(body, f"{order}{kind}", count=1, offset=offset)[0])
    if length < 0 or length > len(body) - offset:
        raise BadMesh(f"a list of the {what} table announces {length:,} entries")
    return length
