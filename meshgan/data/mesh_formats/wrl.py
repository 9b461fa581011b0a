"""VRML (.wrl): the points and polygons of its IndexedFaceSets, as face scanners write them."""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from meshgan.data.mesh_formats.raw import BadMesh, RawMesh, split_polygons

# Every quote that is reached ends a match, if only at the end of the file, and nothing is tried
# twice: linear however quotes and backslashes are arranged.
_COMMENT_OR_STRING = re.compile(rb'#[^\r\n]*+|"(?:[^"\\]++|\\.?+)*+(?:"|\Z)', re.DOTALL)
_NAME_OF_LIST = re.compile(rb"(?:(\w+)\s*\{\s*point|(\w+))\s*\Z")
_NAME_BYTES = 256  # how far before a "[" its name may begin; comments are already gone
_COMMA_IS_BLANK = bytes.maketrans(b",", b" ")
_POINTS = (b"Coordinate", b"Coordinate3")
_TEXTURE_POINTS = (b"TextureCoordinate", b"TextureCoordinate2")
_POLYGONS = (b"coordIndex",)
_TEXTURE_POLYGONS = (b"texCoordIndex", b"textureCoordIndex")


def read_wrl(content: bytes) -> RawMesh:
    """Parse VRML 2.0 text (1.0 has the same lists).

    Of the scene only the lists are read: ``Coordinate { point [...] }`` and ``coordIndex [...]``,
    polygons of any size, commas anywhere or nowhere. Transforms are passed over, for the
    landmark files of face scans are in the coordinates that the lists hold. The shapes of a file
    are put one after the other.

    Texture coordinates are kept where each vertex has one, and dropped along seams or where they
    do not fit the polygons: no shape depends on them.
    """
    if content[:2] == b"\x1f\x8b":
        raise BadMesh("is compressed with gzip; unpack it first")
    if not content.removeprefix(b"\xef\xbb\xbf").lstrip()[:5].upper() == b"#VRML":
        raise BadMesh("does not begin with #VRML")
    lists = _Lists.of(_COMMENT_OR_STRING.sub(b" ", content))
    shapes = [
        (_table(points, 3, "point"), _Polygons.of(_values(polygons, np.int64, "coordIndex")))
        for points, polygons in lists.shapes()
    ]
    starts = np.cumsum([0, *(len(points) for points, _ in shapes)])
    faces = [
        split_polygons(polygons.counts, _shifted(polygons.corners, len(points), start))
        for (points, polygons), start in zip(shapes, starts.tolist(), strict=False)
    ]
    return RawMesh(
        vertices=np.concatenate([points for points, _ in shapes]),
        faces=np.concatenate(faces),
        uv=_one_uv_per_vertex(lists, *shapes[0]) if len(shapes) == 1 else None,
    )


@dataclass(frozen=True)
class _Lists:
    """The text between the brackets of each list that matters, in the file's order."""

    points: list[bytes]
    polygons: list[bytes]
    texture_points: list[bytes]
    texture_polygons: list[bytes]

    @classmethod
    def of(cls, text: bytes) -> "_Lists":
        found = cls([], [], [], [])
        kinds = {
            **dict.fromkeys(_POINTS, found.points),
            **dict.fromkeys(_POLYGONS, found.polygons),
            **dict.fromkeys(_TEXTURE_POINTS, found.texture_points),
            **dict.fromkeys(_TEXTURE_POLYGONS, found.texture_polygons),
        }
        for name, inside in _named_lists(text):
            if name in kinds:
                kinds[name].append(inside)
        return found

    def shapes(self) -> list[tuple[bytes, bytes]]:
        """Points and polygons that belong together."""
        if not self.points:
            raise BadMesh("has no Coordinate node with a list of points")
        if not self.polygons:
            raise BadMesh("has points but no coordIndex list, so no faces")
        if len(self.points) != len(self.polygons):
            raise BadMesh(
                f"holds {len(self.points)} lists of points and {len(self.polygons)} of polygons, "
                "expected one of each per shape"
            )
        return list(zip(self.points, self.polygons, strict=True))


@dataclass(frozen=True, eq=False)
class _Polygons:
    counts: Int[np.ndarray, " P"]
    corners: Int[np.ndarray, " C"]

    @classmethod
    def of(cls, values: Int[np.ndarray, " N"]) -> "_Polygons":
        """Polygons end with -1, the last one perhaps not; empty ones are passed over."""
        ends = np.flatnonzero(values == -1)
        if len(values) and values[-1] != -1:
            ends = np.append(ends, len(values))
        counts = np.diff(ends, prepend=-1) - 1
        return cls(counts[counts > 0], values[values != -1])


def _named_lists(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = text.find(b"[")
    while place >= 0:
        name = _NAME_OF_LIST.search(text[max(0, place - _NAME_BYTES) : place])
        words = [word for word in name.groups() if word] if name else [b""]
        end = text.find(b"]", place)
        if end < 0:
            raise BadMesh(f"cut short: the list of {words[0].decode('latin-1')!r} has no end")
        yield words[0], text[place + 1 : end]
        place = text.find(b"[", end)


def _values(text: bytes, kind: type[np.generic], what: str) -> np.ndarray:
    text = text.translate(_COMMA_IS_BLANK).strip()
    if not text:
        return np.empty(0, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # NumPy before 2.4 stops and warns
        try:
            values = np.fromstring(text, kind, sep=" ")
        except ValueError:
            values = np.empty(0, kind)
    if len(values) != _word_count(text):
        noun = "whole numbers" if np.issubdtype(kind, np.integer) else "numbers"
        raise BadMesh(f"a {what} list is not made of {noun}")
    return values


def _word_count(text: bytes) -> int:
    filled = np.frombuffer(text, np.uint8) > ord(" ")
    return int(np.count_nonzero(filled[1:] & ~filled[:-1])) + int(filled[0])


def _table(text: bytes, width: int, what: str) -> Float[np.ndarray, "rows width"]:
    values = _values(text, np.float64, what)
    if len(values) % width:
        raise BadMesh(f"a {what} list has {len(values):,} numbers, not a multiple of {width}")
    return values.reshape(-1, width)


def _shifted(ids: Int[np.ndarray, " C"], count: int, start: int) -> Int[np.ndarray, " C"]:
    if len(ids) and not (0 <= ids.min() and ids.max() < count):
        worst = int(ids.max() if ids.max() >= count else ids.min())
        raise BadMesh(
            f"a face names vertex {worst:,}, but there are {count:,} (0 to {count - 1:,})"
        )
    return ids + start


def _one_uv_per_vertex(
    lists: _Lists, points: Float[np.ndarray, "V 3"], polygons: _Polygons
) -> Float[np.ndarray, "V 2"] | None:
    if len(lists.texture_points) != 1:
        return None
    table = _table(lists.texture_points[0], 2, "texture point")
    texture = polygons
    if lists.texture_polygons:
        listed = _values(lists.texture_polygons[0], np.int64, "texCoordIndex")
        texture = _Polygons.of(listed)
    ids, places = polygons.corners, texture.corners
    if not np.array_equal(polygons.counts, texture.counts) or not len(places):
        return None
    if places.min() < 0 or places.max() >= len(table):
        return None
    if len(table) == len(points) and np.array_equal(places, ids):
        return table
    uv = np.zeros((len(points), 2))
    uv[ids] = table[places]
    return uv if np.array_equal(uv[ids], table[places]) else None
