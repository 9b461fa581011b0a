"""FaceScape: registered or raw meshes of 20 expressions, or faces from its bilinear model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float

from meshgan import config
from meshgan.data.importers.base import SourceFace, SourceItem
from meshgan.data.importers.facescape_model import Area, BilinearModel, read_bilinear
from meshgan.data.importers.labels import common_expression
from meshgan.data.importers.linear_samples import NEUTRAL, Draw, draws
from meshgan.data.importers.registered import Topology, first_topology, only_file
from meshgan.data.mesh_io import read_mesh
from meshgan.data.template import Template
from meshgan.errors import FileFormatError
from meshgan.files import read_json

EXPRESSIONS = (
    "1_neutral",
    "2_smile",
    "3_mouth_stretch",
    "4_anger",
    "5_jaw_left",
    "6_jaw_right",
    "7_jaw_forward",
    "8_mouth_left",
    "9_mouth_right",
    "10_dimpler",
    "11_chin_raiser",
    "12_lip_puckerer",
    "13_lip_funneler",
    "14_sadness",
    "15_lip_roll",
    "16_grin",
    "17_cheek_blowing",
    "18_eye_closed",
    "19_brow_raiser",
    "20_brow_lower",
)
_MODEL = "bilinear model facescape_bm_*.npz"


@dataclass(frozen=True)
class FaceScape:
    """FaceScape in one of three forms (``kind``); millimetres.

    registered: ``1/models_reg/1_neutral.obj``, one topology. raw: ``1/1_neutral.ply``, scans in
    units of their own, brought to millimetres and to the registered meshes by
    ``Rt_scale_dict.json``. bilinear: faces drawn from ``facescape_bm_v1.6_847_50_52_id_front.npz``;
    each person is first neutral, then shows one of the 51 shapes that the model does not name,
    between half and full. Identity coefficients follow the model's normal distribution, cut at 3
    standard deviations, and are kept as extras.

    Labels: ``facescape_expression`` is the name of the expression ("4_anger"), or of the shape
    ("shape07"); ``expression`` is neutral, anger, sadness and, by option, happiness.

    Source: Yang et al. 2020, FaceScape: a large-scale high quality 3D face dataset.
    """

    root: Path
    """Folder with the numbered subjects, or the file of the bilinear model."""
    kind: Literal["auto", "registered", "raw", "bilinear"] = "auto"
    """Which form; by default the first of these that is found."""
    smile_is_happiness: bool = True
    """Count 2_smile as happiness; it is milder than laughing."""
    transforms: Path | None = None
    """Rt_scale_dict.json, for raw scans; by default the one in ``root``."""
    area: Area = "front"
    """bilinear: the face from forehead to chin, or the full head."""
    count: int = 1000
    """bilinear: faces to draw."""
    subjects: int = 50
    """bilinear: people to draw; each reads the whole file once."""
    seed: int = 0
    """bilinear: a face depends on the seed, its person and its number alone."""

    format: ClassVar[str] = "facescape"
    unit: ClassVar[str | None] = "mm"
    axis_map: ClassVar[str] = "x y z"

    def __post_init__(self) -> None:
        config.require(self, count=self.count > 0, subjects=self.subjects > 0, seed=self.seed >= 0)

    @property
    def registered(self) -> bool:
        """All but the raw scans have one topology."""
        return self._kind != "raw"

    def template(self) -> Template | None:
        """A registered mesh, or the mean face of the bilinear model; None for raw scans."""
        if self._kind == "raw":
            return None
        if self._kind == "registered":
            return self._topology.template("facescape", self.unit)
        model = self._model
        return Topology(str(model.path), model.mean, model.faces).template(
            f"facescape_{self.area}", self.unit, landmarks=model.landmarks, mirror=model.mirror
        )

    def items(self) -> Sequence[SourceItem]:
        """Meshes by subject and expression, or the faces to draw by person.

        Raises:
            FileFormatError: none of the three forms is found.
        """
        if self._kind == "bilinear":
            return [self._drawn(draw) for draw in draws(self.count, self.subjects)]
        return [self._item(path) for path in self._files]

    def read(self, item: SourceItem) -> SourceFace:
        """Read one mesh, or draw one face.

        Raises:
            FileFormatError: missing, damaged, of another topology, or without a transform.
        """
        if self._kind == "bilinear":
            return self._draw(Draw.read_name(item.where))
        path = self.root / item.where
        if self._kind == "registered":
            return SourceFace(self._topology.read(path))
        mesh = read_mesh(path)
        return SourceFace(self._placed(mesh.vertices, item), mesh.faces)

    @cached_property
    def _kind(self) -> str:
        if self.kind != "auto":
            return self.kind
        if self.root.is_file():
            return "bilinear"
        for kind in ("registered", "raw"):
            if next(self._found(kind), None):
                return kind
        if any(self.root.glob("*.npz")):
            return "bilinear"
        raise FileFormatError(
            f"{self.root}: found neither 1/models_reg/1_neutral.obj nor 1/1_neutral.ply nor the "
            f"{_MODEL}"
        )

    @cached_property
    def _files(self) -> list[Path]:
        files = list(self._found(self._kind))
        if not files:
            raise FileFormatError(f"{self.root}: found no {self._kind} meshes like 1/1_neutral")
        return files

    def _found(self, kind: str) -> Iterator[Path]:
        subjects = [path for path in self.root.iterdir() if path.name.isdecimal() and path.is_dir()]
        for subject in sorted(subjects, key=lambda path: int(path.name)):
            folder, suffix = (
                (subject / "models_reg", "obj") if kind == "registered" else (subject, "ply")
            )
            for expression in EXPRESSIONS:
                if (path := folder / f"{expression}.{suffix}").exists():
                    yield path

    @cached_property
    def _topology(self) -> Topology:
        return first_topology(self._files, self.root, "mesh like 1/models_reg/1_neutral.obj")

    def _item(self, path: Path) -> SourceItem:
        where = path.relative_to(self.root)
        labels = {"facescape_expression": path.stem}
        common = common_expression(self.format, path.stem)
        if common == "happiness" and not self.smile_is_happiness:
            common = None
        if common is not None:
            labels["expression"] = common
        return SourceItem(where.as_posix(), where.parts[0], labels)

    @cached_property
    def _transforms(self) -> Mapping[str, Any]:
        path = self.transforms or self.root / "Rt_scale_dict.json"
        if not path.exists():
            raise FileFormatError(
                f"{path}: no such file; it comes with FaceScape's toolkit and brings raw scans to "
                "millimetres (--set transforms=FILE)"
            )
        content = read_json(path)
        if not isinstance(content, dict):
            raise FileFormatError(f"{path}: expected subject -> expression -> [scale, Rt]")
        return content

    def _placed(self, vertices: Float[np.ndarray, "V 3"], item: SourceItem) -> np.ndarray:
        """``R (scale v) + t``: the scan on its registered mesh, in mm."""
        number = Path(item.where).name.partition("_")[0]
        transforms = self._transforms
        try:
            scale, motion = transforms[item.subject][number]
            scale, motion = float(scale), np.array(motion, dtype=np.float64)
            good = motion.shape in ((3, 4), (4, 4)) and np.isfinite(motion).all() and scale > 0
        except (KeyError, TypeError, ValueError):
            good = False
        if not good:
            raise FileFormatError(
                f"{self.root / item.where}: Rt_scale_dict.json has no [scale, Rt] of subject "
                f"{item.subject}, expression {number}"
            )
        return scale * vertices.astype(np.float64) @ motion[:3, :3].T + motion[:3, 3]

    @cached_property
    def _model(self) -> BilinearModel:
        model = read_bilinear(only_file(self.root, (".npz",), _MODEL), self.area)
        _ = model.mean  # refuses a file of another kind
        return model

    @cached_property
    def _last_person(self) -> dict[int, np.ndarray]:
        return {}

    def _drawn(self, draw: Draw) -> SourceItem:
        shape = self._model.shape_of(draw, self.seed)
        word = f"shape{shape:02d}" if shape else NEUTRAL
        labels = {"facescape_expression": word}
        if not shape:
            labels["expression"] = NEUTRAL
        return SourceItem(draw.name, draw.name.partition("/")[0], labels)

    def _draw(self, draw: Draw) -> SourceFace:
        identity, weights = self._model.coefficients(draw, self.seed)
        if draw.person not in self._last_person:
            self._last_person.clear()
            self._last_person[draw.person] = self._model.shapes(identity)
        shapes = self._last_person[draw.person]
        used = np.flatnonzero(weights)
        vertices = np.tensordot(weights[used], shapes[used].astype(np.float64), axes=1)
        return SourceFace(
            vertices,
            extras={
                "identity_coefficients": identity.astype(np.float32),
                "expression_weights": weights.astype(np.float32),
            },
        )
