"""Files of the Basel Face Models: MATLAB of 2009, HDF5 of 2017 and 2019."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from meshgan.arrays import Faces
from meshgan.data.importers.linear_model import LinearModel
from meshgan.errors import FileFormatError, MissingExtraError

_MAT_FIELDS = ("shapeMU", "shapePC", "shapeEV", "tl")
_LANDMARKS = "metadata/landmarks/json"


@dataclass(frozen=True, eq=False)
class BFMFile:
    """What a file holds of the shape.

    Args:
        unit: of all lengths.
        model: mean, identity modes and, from 2017 on, expression modes.
        faces: triangles, facing outwards.
        expression_mean: displacement (V, 3) of the mean expression from neutral; None if there
            are no expressions.
        landmarks: positions by name, at the mean; empty before 2019.
    """

    unit: str
    model: LinearModel
    faces: Faces
    expression_mean: Float[np.ndarray, "V 3"] | None = None
    landmarks: Mapping[str, Float[np.ndarray, " C"]] = field(default_factory=dict)


def read_bfm_2009(path: Path, modes: int | None = None) -> BFMFile:
    """``01_MorphableModel.mat``: micrometres, deviations, triangles from 1 that face inwards.

    Args:
        path: of the file.
        modes: so many identity modes, the first ones; None for all.

    Raises:
        FileFormatError: missing, damaged, of MATLAB 7.3, or fields absent or of other shapes.
    """
    from scipy.io import loadmat

    try:
        found = loadmat(path, variable_names=_MAT_FIELDS)
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: no such file") from error
    except Exception as error:  # a damaged file fails in any way inside the reader
        raise FileFormatError(f"{path}: not a readable MATLAB file ({error})") from error
    if missing := [name for name in _MAT_FIELDS if name not in found]:
        raise FileFormatError(f"{path}: has no {', '.join(missing)}; expected the BFM of 2009")
    mean, basis, deviations, triangles = (np.asarray(found[name]) for name in _MAT_FIELDS)
    mean, deviations = mean.reshape(-1), deviations.reshape(-1)
    check = _Checker(path)
    check.modes("shape", mean, basis, deviations)
    check.triangles("tl", triangles, len(mean) // 3, first=1)
    check.done()
    model = LinearModel(
        mean=mean.reshape(-1, 3).astype(np.float64),
        identity_modes=_as_modes(basis[:, :modes]),
        identity_sigmas=deviations[:modes].astype(np.float64),
        expression_modes=np.zeros((0, len(mean) // 3, 3)),
        expression_sigmas=np.zeros(0),
    )
    return BFMFile("um", model, triangles[:, [0, 2, 1]].astype(np.int64) - 1)


def read_bfm_h5(
    path: Path, modes: int | None = None, expression_modes: int | None = None
) -> BFMFile:
    """``model2017-1_*.h5`` or ``model2019_*.h5``, whole or cropped: millimetres, variances.

    Args:
        path: of the file.
        modes: so many identity modes, the first ones; None for all.
        expression_modes: the same for expressions; 0 for none.

    Raises:
        MissingExtraError: h5py is not installed.
        FileFormatError: missing, damaged, or groups absent or of other shapes.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(
            f"{path}: HDF5 files need h5py; install it with: pip install 'meshgan[importers]'"
        ) from error
    if not path.is_file():
        raise FileFormatError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            return _from_groups(path, file, modes, expression_modes)
    except FileFormatError:
        raise
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise FileFormatError(f"{path}: not a readable HDF5 file ({error})") from error


def _from_groups(path: Path, file: Any, modes: int | None, expression_modes: int | None) -> BFMFile:
    needed = ("shape/model/mean", "shape/model/pcaBasis", "shape/model/pcaVariance")
    if missing := [name for name in (*needed, "shape/representer/cells") if name not in file]:
        raise FileFormatError(
            f"{path}: has no {', '.join(missing)}; expected the BFM of 2017 or 2019"
        )
    shape = _group(file, "shape", modes)
    cells = np.asarray(file["shape/representer/cells"])
    check = _Checker(path)
    check.modes("shape", *shape)
    expressive = expression_modes != 0 and "expression/model/pcaBasis" in file
    expression = _group(file, "expression", expression_modes) if expressive else None
    if expression is not None:
        check.modes("expression", *expression)
        if len(expression[0]) != len(shape[0]):
            check.wrong.append("expression and shape have different numbers of vertices")
    triangles = cells.T if cells.ndim == 2 and cells.shape[0] == 3 else cells
    count = len(shape[0]) // 3
    check.triangles("shape/representer/cells", triangles, count, first=0)
    check.done()
    no_modes = np.zeros((0, count, 3))
    model = LinearModel(
        mean=shape[0].reshape(-1, 3).astype(np.float64),
        identity_modes=_as_modes(shape[1]),
        identity_sigmas=np.sqrt(shape[2].astype(np.float64)),
        expression_modes=no_modes if expression is None else _as_modes(expression[1]),
        expression_sigmas=np.zeros(0) if expression is None else np.sqrt(expression[2]),
    )
    return BFMFile(
        unit="mm",
        model=model,
        faces=np.ascontiguousarray(triangles).astype(np.int64),
        expression_mean=None if expression is None else expression[0].reshape(-1, 3).astype(float),
        landmarks=_landmarks(path, file) if _LANDMARKS in file else {},
    )


def _group(file: Any, name: str, modes: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean (3V,), basis (3V, k) and variances (k,); only the modes that are wanted are read."""
    group = file[f"{name}/model"]
    mean, variance = (np.asarray(group[key]).reshape(-1) for key in ("mean", "pcaVariance"))
    return mean, np.asarray(group["pcaBasis"][:, :modes]), variance[:modes]


def _as_modes(basis: np.ndarray) -> np.ndarray:
    """(3V, k) -> (k, V, 3)."""
    return np.ascontiguousarray(basis.T).reshape(basis.shape[1], -1, 3)


def _landmarks(path: Path, file: Any) -> dict[str, np.ndarray]:
    """A JSON text: a list of ``{"id": ..., "coordinates": [x, y, z]}``, or names with x y z."""
    text = file[_LANDMARKS][()]
    if isinstance(text, np.ndarray):
        text = text.item() if text.size == 1 else text.tobytes()
    try:
        table = json.loads(text)
        if isinstance(table, list):
            table = {entry["id"]: entry["coordinates"] for entry in table}
        found = {str(name): np.array(xyz, dtype=np.float64) for name, xyz in table.items()}
        if any(point.shape != (3,) for point in found.values()):
            raise ValueError("a landmark has not three coordinates")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileFormatError(f"{path}: {_LANDMARKS} cannot be understood ({error})") from error
    return found


class _Checker:
    """Collects what is wrong with the arrays of a file, to say all of it at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.wrong: list[str] = []

    def modes(self, name: str, mean: np.ndarray, basis: np.ndarray, spread: np.ndarray) -> None:
        numbers = all(array.dtype.kind == "f" for array in (mean, basis, spread))
        if not numbers or mean.ndim != 1 or len(mean) % 3 or not len(mean):
            self.wrong.append(f"{name}: the mean has shape {mean.shape}, expected numbers (3V,)")
        elif basis.shape != (len(mean), len(spread)):
            self.wrong.append(
                f"{name}: the basis has shape {basis.shape}, expected ({len(mean)}, {len(spread)})"
            )
        elif not (spread >= 0).all():
            self.wrong.append(f"{name}: a variance or deviation is negative or not a number")

    def triangles(self, name: str, triangles: np.ndarray, count: int, first: int) -> None:
        if triangles.ndim != 2 or triangles.shape[1] != 3 or not len(triangles):
            self.wrong.append(f"{name} has shape {triangles.shape}, expected (F, 3)")
        elif triangles.min() < first or triangles.max() >= count + first:
            self.wrong.append(
                f"{name} names vertices {int(triangles.min()):,} to {int(triangles.max()):,}, but "
                f"there are {count:,} (from {first})"
            )

    def done(self) -> None:
        if self.wrong:
            raise FileFormatError(f"{self._path}: {'; '.join(self.wrong)}")
