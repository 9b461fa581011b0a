"""FaceScape's bilinear model: a tensor on disk, contracted with who and what."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from logging import getLogger
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from meshgan.arrays import Faces
from meshgan.data.importers.array_files import npz_names, read_npz_arrays
from meshgan.data.importers.linear_model import CUT
from meshgan.data.importers.linear_samples import Draw
from meshgan.data.mesh_formats.raw import split_polygons
from meshgan.errors import FileFormatError
from meshgan.seeding import generator

logger = getLogger(__name__)

Area = Literal["front", "full"]
LEAST_WEIGHT = 0.5
_NEEDED = ("shape_bm_core", "id_mean", "id_var", "fv_indices")
_OPTIONAL = ("fv_indices_front", "lm_list_v16", "sym_dict")
_LANDMARKS = 68
_ROWS_AT_ONCE = 3 * 4096
_FARTHEST_SHAPE = 0.2  # of the size of the face: how far an expression may be from neutral


@dataclass(frozen=True, eq=False)
class BilinearModel:
    """``vertices = core . identity . expression``, in millimetres.

    Slice e of the core is the face with expression e, slice 0 the neutral one; a face with weight
    w of expression e is ``neutral + w (shape e - neutral)``.

    Args:
        path: of the file.
        core: (3V, E, K), usually mapped from disk.
        identity_mean: (K,).
        identity_sigmas: (K,), standard deviations of the coefficients.
        faces: triangles of the area, ids into ``vertex_ids``.
        vertex_ids: which vertices of the file the area has, ascending.
        landmarks: ids into ``vertex_ids`` by set.
        mirror: left-right map of the area, if the file has one.
    """

    path: Path
    core: Float[np.ndarray, "R E K"]
    identity_mean: Float[np.ndarray, " K"]
    identity_sigmas: Float[np.ndarray, " K"]
    faces: Faces
    vertex_ids: Int[np.ndarray, " V"]
    landmarks: Mapping[str, Int[np.ndarray, " L"]]
    mirror: Int[np.ndarray, " V"] | None

    @property
    def expression_count(self) -> int:
        """E, with neutral."""
        return self.core.shape[1]

    def shapes(self, identity: Float[np.ndarray, " K"]) -> Float[np.ndarray, "E V 3"]:
        """All expressions of one person; reads the core once from end to end.

        Source: Yang et al. 2020, FaceScape, Sec. 4.1 (the bilinear model).
        """
        rows, expressions, _ = self.core.shape
        flat = np.empty((rows, expressions), dtype=np.float32)
        for start in range(0, rows, _ROWS_AT_ONCE):
            block = slice(start, start + _ROWS_AT_ONCE)
            flat[block] = np.asarray(self.core[block]) @ identity.astype(self.core.dtype)
        shapes = flat.reshape(-1, 3, expressions)[self.vertex_ids]
        return np.ascontiguousarray(np.moveaxis(shapes, 2, 0))

    @cached_property
    def mean(self) -> Float[np.ndarray, "V 3"]:
        """The neutral face of the mean identity.

        Raises:
            FileFormatError: slice 0 is not the neutral face, as in files whose expressions are
                principal components.
        """
        shapes = self.shapes(self.identity_mean)
        size = np.ptp(shapes[0], axis=0).max()
        moved = np.linalg.norm(shapes - shapes[0], axis=2).mean(axis=1)
        if not size > 0 or moved.max() > _FARTHEST_SHAPE * size:
            raise FileFormatError(
                f"{self.path}: the expressions are not shapes near slice 0 (expression "
                f"{int(moved.argmax())} is {moved.max():.3g} mm from it on average); use a file "
                "whose name ends in _id_front or _id, not _id_exp"
            )
        return shapes[0].astype(np.float64)

    def coefficients(
        self, draw: Draw, seed: int
    ) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, " E"]]:
        """Who is drawn and what they do: identity coefficients, and the weights of all shapes.

        The weights sum to 1. Face 0 of a person is neutral; the others show one shape each,
        between half and full.
        """
        normal = generator(seed, "identity", draw.person).normal(size=len(self.identity_mean))
        identity = self.identity_mean + np.clip(normal, -CUT, CUT) * self.identity_sigmas
        weights = np.zeros(self.expression_count)
        weights[0] = 1
        if shape := self.shape_of(draw, seed):
            weight = generator(seed, "weight", draw.stream).uniform(LEAST_WEIGHT, 1)
            weights[[0, shape]] = 1 - weight, weight
        return identity, weights

    def shape_of(self, draw: Draw, seed: int) -> int:
        """Number of the expression that a face shows; 0 is neutral."""
        if draw.face == 0 or self.expression_count < 2:
            return 0
        rng = generator(seed, "expression", draw.stream)
        return int(rng.integers(1, self.expression_count))


def read_bilinear(path: Path, area: Area) -> BilinearModel:
    """``facescape_bm_v1.6_847_50_52_id_front.npz`` and its like.

    Args:
        path: of the file.
        area: "front", the face from forehead to chin, or "full", the whole head.

    Raises:
        FileFormatError: missing, damaged, or arrays absent or of other shapes.
    """
    found = read_npz_arrays(path, (*_NEEDED, *_OPTIONAL))
    if missing := [name for name in _NEEDED if name not in found]:
        raise FileFormatError(
            f"{path}: has no {', '.join(missing)}; found {', '.join(npz_names(path)[:20])}"
        )
    core, mean, variance = (np.asanyarray(found[name]) for name in _NEEDED[:3])
    _check_core(path, core, mean, variance)
    count = len(core) // 3
    faces = _triangles(path, "fv_indices", found["fv_indices"], count)
    if area == "front":
        if "fv_indices_front" not in found:
            raise FileFormatError(f"{path}: has no fv_indices_front; give --set area=full")
        first = _first_id(np.asarray(found["fv_indices"]), count)
        front = found["fv_indices_front"]
        faces = _triangles(path, "fv_indices_front", front, count, first)
    ids = np.unique(faces)
    inside = np.full(count, -1)
    inside[ids] = np.arange(len(ids))
    return BilinearModel(
        path=path,
        core=core,
        identity_mean=mean.astype(np.float64),
        identity_sigmas=np.sqrt(variance.astype(np.float64)),
        faces=inside[faces],
        vertex_ids=ids,
        landmarks=_landmarks(path, found.get("lm_list_v16"), inside),
        mirror=_mirror(path, found.get("sym_dict"), inside),
    )


def _check_core(path: Path, core: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> None:
    numbers = all(array.dtype.kind == "f" for array in (core, mean, variance))
    if not numbers or core.ndim != 3 or len(core) % 3 or not core.size:
        raise FileFormatError(
            f"{path}: shape_bm_core is {core.dtype} {core.shape}, expected numbers (3V, E, K)"
        )
    if mean.shape != (core.shape[2],) or variance.shape != mean.shape or not (variance >= 0).all():
        raise FileFormatError(
            f"{path}: id_mean {mean.shape} and id_var {variance.shape} do not fit the "
            f"{core.shape[2]} identity coefficients of shape_bm_core"
        )


def _first_id(indices: np.ndarray, count: int) -> int:
    """0 or 1: some releases count vertices from 1."""
    return 0 if indices.size and indices.min() == 0 and indices.max() < count else 1


def _triangles(
    path: Path, name: str, indices: Any, count: int, first: int | None = None
) -> np.ndarray:
    array = np.asarray(indices)
    if array.dtype.kind not in "iu" or array.ndim != 2 or array.shape[1] not in (3, 4):
        raise FileFormatError(
            f"{path}: {name} is {array.dtype} {array.shape}, expected ids (F, 3) or (F, 4)"
        )
    certain = array.size and (array.min() == 0 or array.max() == count)
    if first is None or certain:
        first = _first_id(array, count)
    array = array.astype(np.int64) - first
    if not array.size or array.min() < 0 or array.max() >= count:
        raise FileFormatError(
            f"{path}: {name} names vertices beyond the {count:,} of shape_bm_core"
        )
    corners = np.full(len(array), array.shape[1])
    return split_polygons(corners, array.reshape(-1))


def _landmarks(path: Path, listed: Any, inside: np.ndarray) -> dict[str, np.ndarray]:
    if listed is None:
        return {}
    ids = np.asarray(listed).reshape(-1)
    whole = ids.dtype.kind in "iu" and len(ids) == _LANDMARKS
    if not whole or ids.min() < 0 or ids.max() >= len(inside) or (inside[ids] < 0).any():
        logger.warning("%s: lm_list_v16 is not 68 vertices of this area; no landmarks", path)
        return {}
    return {"ibug68": inside[ids].astype(np.int64)}


def _mirror(path: Path, table: Any, inside: np.ndarray) -> np.ndarray | None:
    """The left-right map from vertex -> partner, if it is one."""
    if not isinstance(table, dict) or not table:
        return None
    try:
        pairs = np.array([(int(key), int(value)) for key, value in table.items()], dtype=np.int64)
    except (TypeError, ValueError, OverflowError):
        logger.warning("%s: sym_dict is not vertex -> vertex; no left-right map", path)
        return None
    partner = np.arange(len(inside))
    if pairs.min() >= 0 and pairs.max() < len(inside):
        partner[pairs[:, 0]] = pairs[:, 1]
    used = np.flatnonzero(inside >= 0)
    moved = inside[partner[used]]
    if (moved < 0).any() or (moved[moved] != np.arange(len(used))).any() or len(pairs) < 2:
        logger.warning("%s: sym_dict does not return to where it began; no left-right map", path)
        return None
    return moved.astype(np.int64)
