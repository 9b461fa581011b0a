"""The manifest of a DATA folder: ``dataset.json``, all there is to know of it but the arrays."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from meshgan import config
from meshgan.errors import ConfigError, FileFormatError
from meshgan.files import read_json, write_json

FORMAT = "meshgan-data"
VERSION = 1
MANIFEST_NAME = "dataset.json"
SHARD_FOLDER = "shards"

_SHARD_TYPES = {"name": str, "rows": int, "vertices_sha256": str, "table_sha256": str}
_FACTOR_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class Shard:
    """One pair of files in ``shards/``: consecutive rows of the data set."""

    name: str
    """Five digits: the files are NAME.vertices.npy and NAME.table.npz."""
    rows: int
    vertices_sha256: str
    table_sha256: str

    def __post_init__(self) -> None:
        config.require(
            self,
            name=bool(re.fullmatch(r"[0-9]{5,}", self.name)),
            rows=self.rows > 0,
            vertices_sha256=bool(re.fullmatch(r"[0-9a-f]{64}", self.vertices_sha256)),
            table_sha256=bool(re.fullmatch(r"[0-9a-f]{64}", self.table_sha256)),
        )

    @property
    def vertices_file(self) -> str:
        """Positions (rows, V, 3), float32, mm; a path below the DATA folder."""
        return f"{SHARD_FOLDER}/{self.name}.vertices.npy"

    @property
    def table_file(self) -> str:
        """Labels, subject, sequence, frame and extras of the rows."""
        return f"{SHARD_FOLDER}/{self.name}.table.npz"


@dataclass(frozen=True)
class Manifest:
    """Contents of ``dataset.json``."""

    format: str
    version: int
    complete: bool
    """False while a build is under way, or was interrupted."""
    template_file: str
    template_name: str
    topology_hash: str
    """16 hexadecimal digits that name vertex count and faces: ``geometry.mesh.topology_hash``."""
    vertex_count: int
    unit: str
    """Of the stored vertices: always mm."""
    source_unit: str
    """Of the files the meshes came from, before conversion."""
    axis_map: str
    """How the source's axes became +x subject's left, +y up, +z out of the face."""
    factors: dict[str, tuple[str, ...]]
    """Factor -> label names; label k of a factor is its k-th name."""
    subjects: tuple[str, ...]
    """Names; a row's subject is an index into them."""
    provenance: dict[str, Any]
    """What the rows were made from: source, seed, plan, versions. Plain JSON values."""
    appended: tuple[dict[str, Any], ...] = ()
    """One entry per later append: its first row and its provenance."""
    extras: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Extra arrays: name -> shape of one row and dtype."""
    shards: tuple[Shard, ...] = ()

    def __post_init__(self) -> None:
        config.require(
            self,
            format=self.format == FORMAT,
            version=self.version == VERSION,
            template_file=self.template_file == "template.npz",
            topology_hash=bool(re.fullmatch(r"[0-9a-f]{16}", self.topology_hash)),
            vertex_count=self.vertex_count > 0,
            unit=self.unit == "mm",
            factors=all(map(_FACTOR_NAME.fullmatch, self.factors))
            and all(len(set(names)) == len(names) > 0 for names in self.factors.values()),
            subjects=len(set(self.subjects)) == len(self.subjects) > 0,
            extras=all(map(_is_layout, self.extras.values())),
            shards=len({shard.name for shard in self.shards}) == len(self.shards),
        )

    @property
    def row_count(self) -> int:
        """Meshes in all shards."""
        return sum(shard.rows for shard in self.shards)


def read_manifest(folder: Path | str) -> Manifest:
    """Read and check ``dataset.json`` of a DATA folder.

    Raises:
        FileFormatError: no such folder or file, not JSON, an unknown or missing key, a wrong
            type, a value out of range, or a newer format; all problems in one message.
    """
    folder = Path(folder)
    path = folder / MANIFEST_NAME
    if not path.is_file():
        what = "holds no dataset.json" if folder.is_dir() else "no such DATA folder"
        raise FileFormatError(f"{folder}: {what}; make one with meshgan data build")
    values = read_json(path)
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise FileFormatError(f"{path}: not the manifest of a meshgan data set")
    if values.get("version") != VERSION:
        raise FileFormatError(
            f"{path}: format version {values.get('version')!r}, this meshgan reads {VERSION}; "
            "build the data set again, or use the meshgan that wrote it"
        )
    if problems := list(_shard_problems(values.get("shards"))):
        raise FileFormatError(f"{path}: " + "; ".join(problems))
    try:
        return config.build(Manifest, values, where=str(path))
    except ConfigError as error:
        raise FileFormatError(str(error)) from error


def write_manifest(folder: Path | str, manifest: Manifest) -> None:
    """Write ``dataset.json``, whole or not at all."""
    write_json(Path(folder) / MANIFEST_NAME, asdict(manifest))


def _is_layout(layout: Mapping[str, Any]) -> bool:
    shape, kind = layout.get("shape"), layout.get("dtype")
    sizes = isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)
    named = isinstance(kind, str) and re.fullmatch(r"[<>|=][bifuUS][0-9]+", kind)
    return layout.keys() == {"shape", "dtype"} and sizes and bool(named)


def _shard_problems(shards: Any) -> Iterator[str]:
    """Strict types inside the list, which the generic check does not enter."""
    if not isinstance(shards, list):
        yield f"shards must be a list, found {shards!r}"
        return
    for number, entry in enumerate(shards):
        if not isinstance(entry, Mapping):
            yield f"shards[{number}] must be a group of values, found {entry!r}"
            continue
        for key in sorted(set(entry) ^ set(_SHARD_TYPES)):
            yield f"shards[{number}].{key} is {'unknown' if key in entry else 'missing'}"
        for key, kind in _SHARD_TYPES.items():
            if key in entry and type(entry[key]) is not kind:
                yield f"shards[{number}].{key} must be {kind.__name__}, found {entry[key]!r}"
