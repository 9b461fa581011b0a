"""From faces that were read to the rows of a store: aligned, numbered, none of them twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from meshgan.data.area import Area
from meshgan.data.importers.base import SourceItem
from meshgan.data.importers.catalogue import Catalogue
from meshgan.data.importers.earlier_rows import (
    SOURCE,
    EarlierRows,
    digest_of,
    stored_name,
)
from meshgan.data.importers.reading import BadFace, ConvertedFace, SourceReader
from meshgan.data.rows import UNLABELLED, FaceRows
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.geometry.alignment import Similarity, procrustes

LANDMARKS = "landmarks"
"""The extra with the measured landmarks of a registered face (L, 3), mm; NaN where missing."""
_TEXT_WIDTH = 64


@dataclass(frozen=True, eq=False)
class Placing:
    """Where faces are put: moved rigidly onto the template, or left where they are.

    Args:
        over: "vertices", a region of the template, or "none".
        template: the target.
        weights: (V,), 1 on the vertices that count; None for all of them.
    """

    over: str
    template: Template
    weights: Float[np.ndarray, " V"] | None = None

    @classmethod
    def on(cls, template: Template, over: str) -> "Placing":
        """Raises InputError if ``over`` is no choice for this template."""
        if over in ("none", "vertices"):
            return cls(over, template)
        if over not in template.regions:
            choices = ", ".join(("none", "vertices", *template.regions))
            raise InputError(f"--align {over}: the template {template.name} offers {choices}")
        weights = np.zeros(template.vertex_count)
        weights[template.regions[over]] = 1
        return cls(over, template, weights)

    def motion(self, vertices: Float[np.ndarray, "V 3"]) -> Similarity:
        """The rigid motion of a face (mm); its size stays.

        Raises:
            BadFace: the face is too degenerate to be placed.
        """
        if self.over == "none":
            return Similarity(np.eye(3), np.zeros(3))
        target = self.template.mesh.vertices.astype(np.float64)
        try:
            return procrustes(vertices, target, self.weights)
        except np.linalg.LinAlgError as error:
            raise BadFace("cannot be aligned with the template") from error

    def record(self) -> dict[str, Any]:
        """Plain values for a data set's provenance."""
        if self.over == "none":
            return {"kind": "none"}
        return {"kind": "rigid, no scale", "over": self.over, "to": self.template.name}


@dataclass(frozen=True, eq=False)
class Numbering:
    """The numbers that names have in one data set.

    Args:
        factors: factor -> label names.
        subjects: names.
        first_sequence: number of the import's first recording.
    """

    factors: Mapping[str, Sequence[str]]
    subjects: Sequence[str]
    first_sequence: int = 0
    _labels: dict[str, dict[str, int]] = field(init=False, repr=False)
    _people: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        labels = {name: {w: k for k, w in enumerate(words)} for name, words in self.factors.items()}
        object.__setattr__(self, "_labels", labels)
        object.__setattr__(self, "_people", {name: k for k, name in enumerate(self.subjects)})

    def labels(self, item: SourceItem) -> dict[str, np.ndarray]:
        """Factor -> label (1,); -1 where the item has none."""
        words = {"identity": item.subject, **item.labels}
        return {
            factor: np.array([numbers.get(words.get(factor, ""), UNLABELLED)])
            for factor, numbers in self._labels.items()
        }

    def subject(self, item: SourceItem) -> int:
        """Number of the person."""
        return self._people[item.subject]


class RowMaker:
    """Makes the row of an item, or says why there is none.

    Args:
        reader: reads, converts and checks.
        listed: what the source lists.
        area: which part of each face is kept; the faces are checked whole.
        placing: where faces are put.
        numbering: of the data set that the rows go to.
        earlier: what that data set holds already.
    """

    def __init__(
        self,
        reader: SourceReader,
        listed: Catalogue,
        area: Area,
        placing: Placing,
        numbering: Numbering,
        earlier: EarlierRows | None = None,
    ) -> None:
        self._reader, self._listed, self._area = reader, listed, area
        self._placing, self._numbering = placing, numbering
        self._earlier = earlier or EarlierRows()
        self._layout = self._earlier.layout
        self._seen = dict(self._earlier.seen)

    def holds(self, item: SourceItem) -> bool:
        """The data set has this item from an earlier part of this import."""
        return self._name(item.where) in self._earlier.held

    def make(self, item: SourceItem) -> FaceRows:
        """The row of an item, once.

        Raises:
            BadFace: it cannot be read or used, or is the same face as an earlier one.
        """
        face = self._reader.read(item)
        part = self._area.of(face.vertices)
        motion = self._placing.motion(part)
        vertices = motion.apply(part).astype(np.float32)
        digest = digest_of(vertices)
        if digest in self._seen:
            raise BadFace(f"the same face as {self._seen[digest]}")
        if item.where in self._earlier.passed:
            raise BadFace("was skipped before the interruption; import anew to have it")
        extras = self._extras(item, face, motion)
        self._seen[digest] = self._name(item.where)
        number = self._listed.sequence(item)
        sequence = number + self._numbering.first_sequence if number >= 0 else -1
        return FaceRows(
            vertices=vertices[None],
            labels=self._numbering.labels(item),
            subject=np.array([self._numbering.subject(item)]),
            sequence=np.array([sequence]),
            frame=np.array([item.frame]),
            extras=extras,
        )

    def _name(self, where: str) -> str:
        return where if self._layout is None else stored_name(where, self._layout)

    def _extras(
        self, item: SourceItem, face: ConvertedFace, motion: Similarity
    ) -> dict[str, np.ndarray]:
        values = {name: np.asarray(value) for name, value in face.extras.items()}
        if face.landmarks is not None:
            values[LANDMARKS] = motion.apply(face.landmarks.points).astype(np.float32)
        if self._layout is None:
            width = max(len(other.where) for other in self._listed.items)
            width = -(-width // _TEXT_WIDTH) * _TEXT_WIDTH
            self._layout = {
                SOURCE: {"shape": [], "dtype": f"<U{width}"},
                **{
                    name: {"shape": list(value.shape), "dtype": value.dtype.str}
                    for name, value in values.items()
                },
            }
        values[SOURCE] = np.asarray(self._name(item.where))
        return {name: _fitted(name, values, kind)[None] for name, kind in self._layout.items()}


def _fitted(name: str, values: Mapping[str, np.ndarray], kind: Mapping[str, Any]) -> np.ndarray:
    """An extra as earlier rows have it; what is not known is NaN, -1 or empty."""
    shape, dtype = tuple(kind["shape"]), np.dtype(kind["dtype"])
    if name not in values:
        unknown = {"f": np.nan, "i": -1, "U": ""}.get(dtype.kind, 0)
        return np.full(shape, unknown, dtype)
    if values[name].shape != shape:
        raise BadFace(
            f"{name} have shape {list(values[name].shape)}, those of earlier faces {list(shape)}"
        )
    return values[name].astype(dtype)
