"""ICT-FaceKit: people drawn from the model's identity modes, doing what its shapes can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float

from meshgan import config
from meshgan.data.importers.base import SourceFace, SourceItem
from meshgan.data.importers.conversion import Conversion
from meshgan.data.importers.ict_files import Area, ICTModel, read_ict
from meshgan.data.importers.linear_model import LinearModel
from meshgan.data.importers.performance import Performance, action_matrix, perform
from meshgan.data.synthetic.plan import Plan, plan_dataset
from meshgan.data.template import Template
from meshgan.errors import ConfigError
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.symmetry import find_mirror

FACES_PER_PERSON = 45
_NEUTRAL = "neutral"


@dataclass(frozen=True)
class ICT:
    """ICT-FaceKit's ``FaceXModel`` folder, or the compact NPZ of its face.

    ``people``: random persons show the seven expressions, as stills and in motion, planned like
    the default faces (``data build``). ``shapes``: every person shows the neutral face and then
    each expression shape of the model alone; its name is the label ``ict_expression``.

    Extras of a face: ``identity_coefficients`` (K,), in standard deviations, and ``actions`` (E,),
    the weights of the expression shapes.

    Source: Li et al. 2020, Learning formation of physically-based face attributes (ICT-FaceKit).
    """

    root: Path
    """The FaceXModel folder, the folder that holds it, or the compact NPZ file."""
    area: Area = "face"
    """narrow: 6,706 vertices; face: 9,409; head: 11,248, with neck and back of the head."""
    samples: Literal["people", "shapes"] = "people"
    """What is drawn; see above."""
    count: int = 2000
    """Faces to draw; with samples=shapes at most, and whole persons only."""
    subjects: int | None = None
    """Persons; by default one per 45 faces with samples=people."""
    seed: int = 0
    """Of persons and what they do."""
    labelled: float = 0.07
    """Share of the faces of samples=people that has an expression label."""
    modes: int | None = None
    """Identity modes to use, the first ones; all by default."""

    format: ClassVar[str] = "ict"
    axis_map: ClassVar[str] = "x y z"
    registered: ClassVar[bool] = True

    def __post_init__(self) -> None:
        config.require(
            self,
            count=self.count >= 1,
            subjects=self.subjects is None or self.subjects >= 1,
            labelled=0 <= self.labelled <= 1,
            modes=self.modes is None or self.modes >= 1,
            seed=self.seed >= 0,
        )

    @property
    def unit(self) -> str | None:
        """Of the files: the original folder's is cm, the compact file's mm."""
        return "mm" if self.root.is_file() else "cm"

    @cached_property
    def files(self) -> ICTModel:
        """What the files hold of the area."""
        return read_ict(self.root, self.area, self.modes)

    @cached_property
    def model(self) -> LinearModel:
        """The linear face model, in the files' unit."""
        return LinearModel(
            mean=self.files.neutral,
            identity_modes=self.files.identity_modes,
            identity_sigmas=np.ones(len(self.files.identity_modes)),
            expression_modes=self.files.expression_modes,
        )

    @property
    def action_names(self) -> tuple[str, ...]:
        """The expression shapes, in the order of all weights."""
        return self.files.expression_names

    def template(self) -> Template:
        """The neutral face with its 68 landmarks."""
        files = self.files
        vertices = Conversion("mm" if self.root.is_file() else "cm").positions(files.neutral)
        mirror = files.mirror
        if mirror is None:
            mirror = find_mirror(vertices, files.faces)
        return Template(
            name=f"ict_{self.area}",
            mesh=TriMesh(vertices.astype(np.float32), files.faces),
            landmarks={"ibug68": files.landmarks},
            mirror=mirror,
            regions={name: ids for name, ids in files.regions.items() if len(ids)},
        )

    def items(self) -> Sequence[SourceItem]:
        """The faces of the plan, in its order."""
        return [item for item, _, _ in self._listed.values()]

    def read(self, item: SourceItem) -> SourceFace:
        """Draw one face; it depends on its name and the options alone."""
        _, person, actions = self._listed[item.where]
        identity = self.model.draw_identity(self.seed, person)
        return SourceFace(
            vertices=self.model.face(identity, actions),
            extras={
                "identity_coefficients": identity.astype(np.float32),
                "actions": actions.astype(np.float32),
            },
        )

    @cached_property
    def _listed(self) -> dict[str, tuple[SourceItem, int, Float[np.ndarray, " E"]]]:
        """Face -> its item, whose it is, and the weights of the expression shapes."""
        entries = self._shape_faces() if self.samples == "shapes" else self._people_faces()
        return {item.where: (item, person, actions) for item, person, actions in entries}

    def _people_faces(self):
        subjects = self.subjects or -(-self.count // FACES_PER_PERSON)
        plan: Plan = plan_dataset(self.count, subjects, labelled=self.labelled)
        names = plan.subject_names
        matrix = action_matrix(self.action_names)
        for take in plan.takes:
            performed: Performance = perform(take, self.seed)
            actions = performed.actions @ matrix
            still = take.kind == "static"
            for frame, (weights, label) in enumerate(zip(actions, performed.labels, strict=True)):
                item = SourceItem(
                    where=f"{names[take.subject]}/take{take.take:02d}/{frame:03d}",
                    subject=names[take.subject],
                    labels={"expression": label} if label else {},
                    sequence="" if still else f"take{take.take:02d}",
                    frame=0 if still else frame,
                )
                yield item, take.subject, weights

    def _shape_faces(self):
        shapes = (_NEUTRAL, *self.action_names)
        people = max(1, self.count // len(shapes))
        if self.subjects not in (None, people):
            raise ConfigError(
                f"ict options: count {self.count:,} is {people} persons of {len(shapes)} shapes; "
                "leave subjects out, or change count"
            )
        for person in range(people):
            name = f"person{person:03d}"
            for number, shape in enumerate(shapes):
                weights = np.zeros(len(self.action_names))
                weights[np.arange(len(weights)) == number - 1] = 1.0  # shape 0 is the neutral face
                labels = {"ict_expression": shape}
                if shape == _NEUTRAL:
                    labels["expression"] = _NEUTRAL
                yield SourceItem(f"{name}/{shape}", name, labels), person, weights
