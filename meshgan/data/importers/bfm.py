"""Basel Face Models of 2009, 2017 and 2019: faces drawn from their modes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from logging import getLogger
from pathlib import Path
from typing import ClassVar

import numpy as np
from scipy.spatial import cKDTree

from meshgan import config
from meshgan.data.importers.base import MeasuredLandmarks, SourceFace, SourceItem
from meshgan.data.importers.bfm_files import BFMFile, read_bfm_2009, read_bfm_h5
from meshgan.data.importers.linear_samples import Draw, draw_face, model_items
from meshgan.data.importers.registered import Topology, only_file
from meshgan.data.template import Template
from meshgan.errors import FileFormatError
from meshgan.geometry.symmetry import find_mirror

logger = getLogger(__name__)

LANDMARK_SET = "bfm"
_FARTHEST = 10.0  # of a landmark from the nearest vertex, mm; farther ones were cropped away


@dataclass(frozen=True)
class BFM:
    """Basel Face Model: ``01_MorphableModel.mat`` (2009) or ``model2017/2019*.h5``, any crop.

    Coefficients are N(0, 1), cut at 3, times the standard deviations. The first face of each
    person is neutral (label ``expression``); from 2017 on the others have random expressions
    around the model's mean expression, without a label. The model of 2009 has neutral faces only:
    one per person. Micrometres in 2009, else millimetres. Landmarks of 2019 are named as in the
    file. Coefficients are kept as extras. HDF5 needs the extra ``importers``.

    Source: Paysan et al. 2009, A 3D face model for pose and illumination invariant face
    recognition; Gerig et al. 2018, Morphable face models: an open framework.
    """

    root: Path
    """The model file, or a folder that holds it alone."""
    count: int = 1000
    """Faces to draw."""
    subjects: int = 100
    """People to draw; as many as faces for the model of 2009."""
    seed: int = 0
    """A face depends on the seed, its person and its number alone."""
    identity_modes: int | None = None
    """So many of the identity modes, the first ones; all by default."""
    expression_modes: int | None = None
    """So many of the expression modes, the first ones; all by default, 0 for neutral faces."""

    format: ClassVar[str] = "bfm"
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

    @property
    def unit(self) -> str | None:
        """Micrometres in 2009, else millimetres."""
        return self.file.unit

    def template(self) -> Template:
        """The mean face."""
        mean, faces = self.file.model.mean, self.file.faces
        landmarks = {}
        if self._landmark_ids:
            landmarks[LANDMARK_SET] = np.array(list(self._landmark_ids.values()), dtype=np.int64)
        return Topology(str(self._path), mean, faces).template(
            "bfm", self.unit, landmarks=landmarks, mirror=find_mirror(mean, faces)
        )

    def items(self) -> Sequence[SourceItem]:
        """The faces to draw, by person.

        Raises:
            FileFormatError: there is no model file, or it is none of these.
        """
        return model_items(self.count, self.subjects, self.file.model.expression_count > 0)

    def read(self, item: SourceItem) -> SourceFace:
        """Draw one face."""
        vertices, extras = draw_face(
            self.file.model, Draw.read_name(item.where), self.seed, self.file.expression_mean
        )
        measured = None
        if self._landmark_ids:
            ids = list(self._landmark_ids.values())
            measured = MeasuredLandmarks(LANDMARK_SET, vertices[ids], tuple(self._landmark_ids))
        return SourceFace(vertices, landmarks=measured, extras=extras)

    @cached_property
    def file(self) -> BFMFile:
        """What the model file holds."""
        path = self._path
        match path.suffix.lower():
            case ".mat":
                return read_bfm_2009(path, self.identity_modes)
            case ".h5" | ".hdf5":
                return read_bfm_h5(path, self.identity_modes, self.expression_modes)
        raise FileFormatError(f"{path}: expected a .mat (2009) or .h5 (2017, 2019) file")

    @cached_property
    def _path(self) -> Path:
        return only_file(self.root, (".mat", ".h5", ".hdf5"), "a Basel Face Model")

    @cached_property
    def _landmark_ids(self) -> Mapping[str, int]:
        """The vertex of each named landmark that the crop still has."""
        named = self.file.landmarks
        if not named:
            return {}
        distance, ids = cKDTree(self.file.model.mean).query(np.stack(list(named.values())))
        near = distance <= _FARTHEST
        if not near.all():
            logger.warning("%s: %d landmarks lie outside the crop", self._path, (~near).sum())
        return {
            name: int(vertex)
            for name, vertex, inside in zip(named, ids, near, strict=True)
            if inside
        }
