"""FLAME: faces drawn from the identity and expression modes of the head model."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from meshgan import config
from meshgan.data.importers.array_files import npz_names, read_npz_arrays
from meshgan.data.importers.base import MeasuredLandmarks, SourceFace, SourceItem
from meshgan.data.importers.flame_topology import read_embedding
from meshgan.data.importers.linear_model import LinearModel
from meshgan.data.importers.linear_samples import Draw, draw_face, model_items
from meshgan.data.importers.registered import Topology, only_file
from meshgan.data.importers.safe_pickle import read_pickle
from meshgan.data.landmarks import LandmarkSet
from meshgan.data.template import Template
from meshgan.errors import FileFormatError
from meshgan.geometry.symmetry import find_mirror

IDENTITY_MODES = 300
"""The first modes of ``shapedirs``; the others are expressions."""
_FIELDS = ("v_template", "shapedirs", "f")


@dataclass(frozen=True)
class FLAME:
    """FLAME 2017 to 2023: ``generic_model.pkl`` and its like, or the same arrays as ``.npz``.

    ``shapedirs`` (V, 3, 400) holds 300 identity modes, then 100 expression modes, which carry
    their standard deviations; coefficients are N(0, 1), cut at 3. The first face of each person is
    neutral (label ``expression``), the others have random expressions without a label. Pose modes
    and joints are not used: jaw and neck are at rest. The pickle is read as data only, chumpy is
    not needed. Metres. Coefficients are kept as extras.

    Source: Li et al. 2017, Learning a model of facial shape and expression from 4D scans, Eq. 2-4.
    """

    root: Path
    """The model file, or a folder that holds it alone."""
    count: int = 1000
    """Faces to draw."""
    subjects: int = 100
    """People to draw."""
    seed: int = 0
    """A face depends on the seed, its person and its number alone."""
    identity_modes: int | None = None
    """So many of the identity modes, the first ones; all by default."""
    expression_modes: int | None = None
    """So many of the expression modes, the first ones; all by default, 0 for neutral faces."""
    landmarks: Path | None = None
    """Landmark embedding (flame_static_embedding.pkl, or the MediaPipe one)."""

    format: ClassVar[str] = "flame"
    unit: ClassVar[str | None] = "m"
    axis_map: ClassVar[str] = "x y z"
    registered: ClassVar[bool] = True

    def __post_init__(self) -> None:
        config.require(
            self,
            count=self.count > 0,
            subjects=self.subjects > 0,
            seed=self.seed >= 0,
            identity_modes=self.identity_modes is None or self.identity_modes > 0,
            expression_modes=self.expression_modes is None or self.expression_modes >= 0,
        )

    def template(self) -> Template:
        """The mean head."""
        landmarks = {}
        if self._landmark_set is not None:
            landmarks[self._landmark_set.name] = self._landmark_set.vertex_ids
        topology = self._topology
        mirror = find_mirror(topology.vertices, topology.faces)
        return topology.template("flame", self.unit, landmarks=landmarks, mirror=mirror)

    def items(self) -> Sequence[SourceItem]:
        """The faces to draw, by person.

        Raises:
            FileFormatError: there is no model file, or it is not one of FLAME.
        """
        expressive = self.model.expression_count > 0
        return model_items(self.count, self.subjects, expressive)

    def read(self, item: SourceItem) -> SourceFace:
        """Draw one face.

        Raises:
            FileFormatError: the model or the landmark embedding is damaged.
        """
        vertices, extras = draw_face(self.model, Draw.read_name(item.where), self.seed)
        places = self._landmark_set
        measured = None
        if places is not None:
            measured = MeasuredLandmarks(places.name, places.points(vertices))
        return SourceFace(vertices, landmarks=measured, extras=extras)

    @cached_property
    def model(self) -> LinearModel:
        """Identity and expression modes, metres."""
        mean, shapes, _ = self._arrays
        modes = np.moveaxis(shapes, 2, 0)
        identity = modes[:IDENTITY_MODES][: self.identity_modes]
        expression = modes[IDENTITY_MODES:][: self.expression_modes]
        return LinearModel(
            mean=mean,
            identity_modes=np.ascontiguousarray(identity),
            identity_sigmas=np.ones(len(identity)),
            expression_modes=np.ascontiguousarray(expression),
            expression_sigmas=np.ones(len(expression)),
        )

    @cached_property
    def _topology(self) -> Topology:
        mean, _, faces = self._arrays
        return Topology(str(self._file), mean, faces)

    @cached_property
    def _landmark_set(self) -> LandmarkSet | None:
        if self.landmarks is None:
            return None
        return read_embedding(self.landmarks, self._topology.faces)

    @cached_property
    def _file(self) -> Path:
        return only_file(self.root, (".pkl", ".npz"), "a FLAME model")

    @cached_property
    def _arrays(
        self,
    ) -> tuple[Float[np.ndarray, "V 3"], Float[np.ndarray, "V 3 K"], np.ndarray]:
        """Mean, modes and triangles."""
        path = self._file
        if path.suffix.lower() == ".npz":
            found: Any = read_npz_arrays(path, _FIELDS)
            names: Sequence[Any] = npz_names(path)
        else:
            found = read_pickle(path)
            names = list(found) if isinstance(found, dict) else []
        if missing := [name for name in _FIELDS if name not in names]:
            shown = ", ".join(map(str, names[:20])) or "nothing"
            raise FileFormatError(f"{path}: holds {shown}; expected {', '.join(missing)} (FLAME)")
        mean, shapes, faces = (np.asarray(found[name]) for name in _FIELDS)
        self._check(mean, shapes, faces)
        return mean.astype(np.float64), shapes, faces.astype(np.int64)

    def _check(self, mean: np.ndarray, shapes: np.ndarray, faces: np.ndarray) -> None:
        wrong = []
        if mean.dtype.kind != "f" or mean.ndim != 2 or mean.shape[1:] != (3,) or not len(mean):
            wrong.append(f"v_template is {mean.dtype} {mean.shape}, expected numbers (V, 3)")
        elif shapes.dtype.kind != "f" or shapes.ndim != 3 or shapes.shape[:2] != mean.shape:
            wrong.append(
                f"shapedirs is {shapes.dtype} {shapes.shape}, expected numbers ({len(mean)}, 3, K)"
            )
        if faces.dtype.kind not in "iu" or faces.ndim != 2 or faces.shape[1:] != (3,):
            wrong.append(f"f is {faces.dtype} {faces.shape}, expected ids (F, 3)")
        elif len(faces) and int(faces.max()) >= len(mean):
            wrong.append(f"f names vertex {int(faces.max()):,} of {len(mean):,}")
        if wrong:
            raise FileFormatError(f"{self._file}: {'; '.join(wrong)}")
