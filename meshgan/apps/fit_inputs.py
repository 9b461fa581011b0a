"""What ``meshgan fit`` is given: files of landmarks, meshes, scans and true meshes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from meshgan.apps.landmarks import order_of
from meshgan.data.importers.landmark_files import read_bu83, read_lm3
from meshgan.data.landmark_orders import HUB, common_points, landmark_order, order_names
from meshgan.data.landmarks import LandmarkSet, read_landmarks
from meshgan.data.mesh_io import MILLIMETRES, Unit, read_mesh
from meshgan.data.point_lists import read_points
from meshgan.data.template import Template
from meshgan.errors import FileFormatError, InputError, ShapeError
from meshgan.fitting.named_points import PointsLike, find_points
from meshgan.geometry.mesh import TriMesh


@dataclass(frozen=True, eq=False)
class LandmarkFiles:
    """Measured points of B faces.

    Args:
        points: where they are on the surface.
        targets: (B, L, C), in the files' unit; NaN where missing.
        names: of the faces.
        missing: whether the format of the files leaves out points that were hidden.
    """

    points: PointsLike
    targets: Float[np.ndarray, "B L C"]
    names: tuple[str, ...]
    missing: bool = False

    def jaw_weights(self, jaw: float) -> Float[np.ndarray, " L"] | None:
        """Weights of the points: ``jaw`` for those along the jaw of a known order, 1 for others."""
        if not isinstance(self.points, str) or self.points not in order_names():
            return None
        to_hub = dict(
            zip(*(part.tolist() for part in common_points(self.points, HUB)), strict=True)
        )
        outline = {place for chain in landmark_order(HUB).chains if chain.name == "jaw"
                   for place in chain.places}  # fmt: skip
        count = self.targets.shape[1]
        return np.array([jaw if to_hub.get(k) in outline else 1.0 for k in range(count)])

    def in_space(self, unit: Unit | None) -> list[Float[np.ndarray, "L 3"] | None]:
        """The points of each face in mm; None for points in pictures."""
        if self.targets.shape[2] == 2:
            return [None] * len(self.targets)
        return list(self.targets * MILLIMETRES[unit or "mm"])


def read_landmark_files(
    paths: Sequence[Path],
    template: Template,
    order: str | None = None,
    places: Path | None = None,
    axes: int = 3,
    missing: bool = False,
    image_size: tuple[int, int] | None = None,
) -> LandmarkFiles:
    """Read landmark files of one order.

    Args:
        paths: .pts, .csv, .json, .npy, .npz, .bnd, .lm3 or .pp.
        template: of the model.
        order: of the points; told by their number, or by the format, if it can be.
        places: file that says where the points are on the surface instead: TOML with one set of
            landmarks, or vertex ids (.npy, .txt, .csv).
        axes: 2 for points in pictures.
        missing: take points that are not finite for missing ones.
        image_size: width and height of the pictures: then values within 0 to 1 are shares of it.

    Raises:
        InputError: a file cannot be read, or the files differ in order or number of points.
    """
    read = [_read_one(path, order, places is None, axes, missing) for path in paths]
    names = result_names(paths)
    orders = {one[0] for one in read}
    counts = {len(points) for _, points in read}
    if len(orders) > 1 or len(counts) > 1:
        raise InputError(
            f"--landmarks: files of {len(orders)} orders and {len(counts)} lengths; fit those of "
            "one order in one call"
        )
    targets = np.stack([points for _, points in read])
    if axes == 2 and image_size is not None and float(np.nanmax(np.abs(targets))) <= 2:
        targets = targets * np.array(image_size, dtype=np.float64)
    chosen = _places(places, template) if places is not None else orders.pop()
    count = find_points(chosen, template).measured
    if count != targets.shape[1]:
        where = paths[0] if places is None else f"{paths[0]}, {places}"
        raise ShapeError(f"{where}: {targets.shape[1]} landmarks, expected {count}")
    hidden = any(path.suffix.lower() == ".lm3" for path in paths)
    return LandmarkFiles(chosen, targets, names, hidden)


def read_registered(paths: Sequence[Path], template: Template, unit: Unit | None) -> list[TriMesh]:
    """Meshes of the model's topology.

    Raises:
        ShapeError: a mesh has another topology; the message names its file.
    """
    meshes = [read_mesh(path, unit) for path in paths]
    for path, mesh in zip(paths, meshes, strict=True):
        if mesh.vertex_count != template.vertex_count:
            raise ShapeError(
                f"{path}: {mesh.vertex_count:,} vertices, the model's template {template.name} "
                f"has {template.vertex_count:,}; fit it with --scan, or register it first "
                "(meshgan register)"
            )
    return meshes


def read_photograph(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """A picture as its pixels lie in the file: landmarks count from its upper left corner.

    Raises:
        FileFormatError: not a picture.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError) as error:
        raise FileFormatError(f"{path}: not a picture ({error})") from error


def result_names(paths: Sequence[Path]) -> tuple[str, ...]:
    """File names of the results: those of the inputs, numbered where they are not unique."""
    stems = [path.stem for path in paths]
    if len(set(stems)) == len(stems):
        return tuple(stems)
    return tuple(f"{k:04d}_{stem}" for k, stem in enumerate(stems))


def _read_one(
    path: Path, order: str | None, named: bool, axes: int, missing: bool
) -> tuple[str, np.ndarray]:
    kind = path.suffix.lower()
    if axes == 3 and kind == ".bnd":
        return "bu83", read_bu83(path).points
    if axes == 3 and kind == ".lm3":
        found = read_lm3(path)
        return found.order, found.points
    points = read_points(path, axes=axes, missing=missing)
    if not named:
        return "", points
    return order or order_of(path, len(points)), points


def _places(path: Path, template: Template) -> PointsLike:
    if path.suffix.lower() == ".toml":
        sets: dict[str, LandmarkSet] = read_landmarks(path)
        if len(sets) != 1:
            raise InputError(f"{path}: holds {len(sets)} sets of landmarks, expected one")
        return next(iter(sets.values()))
    try:
        if path.suffix.lower() == ".npy":
            ids = np.load(path, allow_pickle=False)
        else:
            ids = np.array(path.read_text(encoding="utf-8").replace(",", " ").split(), np.int64)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a list of vertex ids ({error})") from error
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or not len(ids):
        raise InputError(f"{path}: holds {ids.dtype} {ids.shape}, expected vertex ids (L,)")
    if ids.max() >= template.vertex_count:
        raise InputError(
            f"{path}: names vertex {int(ids.max()):,}, but the model has "
            f"{template.vertex_count:,} (0 to {template.vertex_count - 1:,})"
        )
    return ids
