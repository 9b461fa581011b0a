"""Binary files of FaceWarehouse: blendshapes of one person, and the tensor of all."""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from jaxtyping import Float

from meshgan.data.importers.registered import Topology
from meshgan.errors import FileFormatError, MeshGANError
from meshgan.geometry.alignment import procrustes

EXPRESSIONS = 47
"""The neutral face and 46 shapes."""
_HEADER = np.dtype([("shapes", "<i4"), ("vertices", "<i4"), ("quads", "<i4")])
_ALIKE = 0.1  # two faces, one laid on the other, differ by less, as a share of their size
_CLEARLY = 0.5  # the right reading differs by so much less than any wrong one


def read_blendshapes(path: Path) -> Float[np.ndarray, "S V 3"]:
    """All shapes of ``shape.bs``, mapped from disk: neutral first, each as full positions.

    Layout: int32 numbers of shapes without neutral, vertices and quads, then float32 x y z.

    Raises:
        FileFormatError: missing, or its length does not fit its header.
    """
    try:
        size = path.stat().st_size
        if size < _HEADER.itemsize:
            raise FileFormatError(f"{path}: {size} bytes, too short for a shape.bs file")
        header = np.fromfile(path, _HEADER, count=1)[0]
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file") from error
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read ({error.strerror})") from error
    shapes, vertices = int(header["shapes"]) + 1, int(header["vertices"])
    expected = _HEADER.itemsize + shapes * vertices * 12
    if shapes < 1 or vertices < 1 or size != expected:
        raise FileFormatError(
            f"{path}: announces {shapes - 1:,} shapes of {vertices:,} vertices, but holds "
            f"{size:,} bytes, expected {expected:,}"
        )
    return np.memmap(path, "<f4", "r", offset=_HEADER.itemsize, shape=(shapes, vertices, 3))


@dataclass(frozen=True, eq=False)
class FaceTensor:
    """All expressions of all people. ``values``: (3V, identities, expressions), mapped from disk.

    ``planar``: all x, then all y, then all z; else x y z per vertex.
    """

    values: Float[np.ndarray, "R I E"]
    planar: bool

    @property
    def identity_count(self) -> int:
        """How many people."""
        return self.values.shape[1]

    @property
    def expression_count(self) -> int:
        """How many faces of each, with neutral."""
        return self.values.shape[2]

    def face(self, identity: int, expression: int) -> Float[np.ndarray, "V 3"]:
        """One face, float64."""
        return _as_face(self.values[:, identity, expression], self.planar)


def read_tensor(path: Path, topology: Topology) -> FaceTensor:
    """The bilinear tensor that users pass on as ``.bin``: three int32 sizes, then float32.

    Neither the order of the sizes nor that of the numbers is fixed. The axis of three times the
    topology's vertices is the positions', the one of 47 the expressions'; among the ways to read
    the numbers, only one makes a face that lies on the topology's own.

    Args:
        path: of the file.
        topology: of the file, with any face on it, in any unit.

    Raises:
        FileFormatError: missing, or it cannot be read in exactly one way.
    """
    sizes, offset, kind = _sizes(path)
    rows = 3 * len(topology.vertices)
    vertex_axes = [axis for axis, size in enumerate(sizes) if size == rows]
    expression_axes = [axis for axis, size in enumerate(sizes) if size == EXPRESSIONS]
    if len(vertex_axes) != 1 or len(expression_axes) != 1 or vertex_axes == expression_axes:
        raise FileFormatError(
            f"{path}: sizes {sizes}; expected one axis of {rows:,} (3 x {rows // 3:,} vertices of "
            f"{topology.where}) and one of {EXPRESSIONS} expressions, to tell them apart"
        )
    (identity_axis,) = {0, 1, 2} - {*vertex_axes, *expression_axes}
    axes = (vertex_axes[0], identity_axis, expression_axes[0])
    readings = []
    flat = np.memmap(path, kind, "r", offset=offset)
    for transposed, planar in product((False, True), repeat=2):  # first size slowest, or fastest
        values = flat.reshape(sizes[::-1]).T if transposed else flat.reshape(sizes)
        tensor = FaceTensor(values.transpose(axes), planar)
        readings.append((_difference(tensor.face(0, 0), topology.vertices), tensor))
    readings.sort(key=lambda reading: reading[0])
    (best, chosen), (second, _) = readings[:2]
    if not (best < _ALIKE and best < _CLEARLY * second):
        raise FileFormatError(
            f"{path}: sizes {sizes}, but in no single order do the numbers make a face like that "
            f"of {topology.where} (differences {best:.2g} and {second:.2g} of its size)"
        )
    return chosen


def _sizes(path: Path) -> tuple[tuple[int, ...], int, str]:
    """The three sizes, where the numbers begin, and their type: what the file's length allows."""
    try:
        length = path.stat().st_size
        head = np.fromfile(path, "<i4", count=4).tolist()
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file") from error
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read ({error.strerror})") from error
    fitting = []
    for first, kind in product((0, 1), ("<f4", "<f8")):  # a leading 3 may say: three sizes follow
        sizes = tuple(head[first : first + 3])
        offset = 4 * (first + 3)
        counted = first == 0 or head[:1] == [3]
        if counted and len(sizes) == 3 and min(sizes) > 0:
            if offset + np.dtype(kind).itemsize * sizes[0] * sizes[1] * sizes[2] == length:
                fitting.append((sizes, offset, kind))
    if len(fitting) != 1:
        raise FileFormatError(
            f"{path}: begins with {head}, and its {length:,} bytes fit "
            f"{len(fitting)} ways to read three sizes and as many numbers, expected one"
        )
    return fitting[0]


def _as_face(values: np.ndarray, planar: bool) -> np.ndarray:
    positions = np.asarray(values, dtype=np.float64)
    return positions.reshape(3, -1).T if planar else positions.reshape(-1, 3)


def _difference(face: np.ndarray, example: np.ndarray) -> float:
    """Root mean square distance after a similarity, as a share of the example's size."""
    if not np.isfinite(face).all() or not np.ptp(face, axis=0).any():
        return np.inf
    try:
        laid = procrustes(face, example, scale=True).apply(face)
    except (np.linalg.LinAlgError, MeshGANError):
        return np.inf
    size = float(np.linalg.norm(np.ptp(example, axis=0)))
    difference = float(np.sqrt(((laid - example) ** 2).sum(axis=1).mean())) / size
    return difference if np.isfinite(difference) else np.inf
