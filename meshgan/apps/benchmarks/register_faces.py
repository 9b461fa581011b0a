"""Faces for ``bench register``: the default ones, or those of ICT-FaceKit where its files are."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from meshgan.arrays import Faces, VertexIds, Vertices
from meshgan.data.importers.conversion import Conversion
from meshgan.data.importers.ict import ICT
from meshgan.data.synthetic import FRESH_PEOPLE, open_source
from meshgan.data.synthetic.regions import distance_to_line, inside_polygon
from meshgan.data.synthetic.scanner import ScanSettings, SyntheticScan, scan_face
from meshgan.data.template import Template
from meshgan.seeding import generator

SEED = 11
ORDER = "ibug68"
OUTLINES = (np.r_[36:42], np.r_[42:48], np.r_[48:60])  # iBUG: right eye, left eye, lips
RIM_MM = 6.0
SHAPES, WEIGHTS = 6, (0.3, 1.0)  # of a strong expression: so many shapes at once, so strong


@dataclass(frozen=True, eq=False)
class FacesToScan:
    """Where scans with a known truth come from.

    Args:
        name: what messages call it.
        template: to be bent; its vertices are the first ones of every face.
        faces: triangles of what is scanned, which may reach beyond the template.
        shapes: number of expression shapes.
        face: person and weights of the shapes (or None) -> vertices, mm.
    """

    name: str
    template: Template
    faces: Faces
    shapes: int
    face: Callable[[int, Float[np.ndarray, " E"] | None], Vertices]

    @property
    def landmarks(self) -> VertexIds:
        """Of the template, measured on every scan."""
        return self.template.landmarks[ORDER]

    @cached_property
    def at_rims(self) -> Bool[np.ndarray, " F"]:
        """Triangles of the template within or near the outlines of eyes and lips, seen from ahead.

        There the skin turns inwards, and what lies behind shows or does not.
        """
        vertices = self.template.mesh.vertices.astype(np.float64)
        middles = vertices[self.template.mesh.faces].mean(axis=1)[:, :2]
        found = np.zeros(len(middles), dtype=bool)
        for places in OUTLINES:
            outline = vertices[self.landmarks[places], :2]
            closed = np.concatenate([outline, outline[:1]])
            found |= inside_polygon(middles, outline)
            found |= distance_to_line(middles, closed) < RIM_MM
        return found

    def scan(self, number: int, settings: ScanSettings, expressive: bool) -> SyntheticScan:
        """Scan of person ``number``; it depends on the arguments alone."""
        rng = generator(SEED, "bench register", number)
        weights = None
        if expressive:
            weights = np.zeros(self.shapes)
            weights[rng.choice(self.shapes, SHAPES, replace=False)] = rng.uniform(*WEIGHTS, SHAPES)
        vertices = self.face(number, weights).astype(np.float64)
        return scan_face(vertices, self.faces, rng, settings, self.landmarks)


def open_faces(ict: Path | None) -> FacesToScan:
    """Default faces of people whom no data set holds, or the people of ICT-FaceKit's model.

    Of ICT-FaceKit the whole face area is scanned and its narrow part is the template.

    Raises:
        FileFormatError: ``ict`` is neither its folder nor its compact NPZ.
    """
    return _default_faces() if ict is None else _ict_faces(ict)


def _default_faces() -> FacesToScan:
    source = open_source("low")

    def face(person: int, weights: np.ndarray | None) -> Vertices:
        if weights is None:
            return source.neutral(SEED, FRESH_PEOPLE + person)
        return source.express(SEED, FRESH_PEOPLE + person, weights[None])[0]

    return FacesToScan(
        "default", source.template, source.template.mesh.faces, len(source.action_names), face
    )


def _ict_faces(root: Path) -> FacesToScan:
    whole = ICT(root, area="face")
    unit = Conversion(whole.unit or "mm")

    def face(person: int, weights: np.ndarray | None) -> Vertices:
        identity = whole.model.draw_identity(SEED, person)
        return unit.positions(whole.model.face(identity, weights))

    template = ICT(root, area="narrow").template()
    return FacesToScan("ICT", template, whole.files.faces, len(whole.action_names), face)
