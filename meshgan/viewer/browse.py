"""Faces that no model made: the rows of a data set, or one mesh file."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Int

from meshgan import seeding
from meshgan.arrays import Vertices
from meshgan.data.mesh_io import read_mesh
from meshgan.data.store import UNLABELLED, Store
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.viewer.stage import ColourBy, Stage

NEUTRAL = "neutral"


class DataScene(Stage):
    """One row of a data set after the other, all of them or those with certain labels.

    Args:
        store: the data set.
        title: of the window.
    """

    kind = "data"
    colourings: tuple[ColourBy, ...] = ("skin", "neutral", "mean")

    def __init__(self, store: Store, title: str) -> None:
        super().__init__(store.template, title)
        self.store = store
        self.wanted: Mapping[str, str] = {}
        self.rows: Int[np.ndarray, " n"] = np.arange(store.count)
        self.place = 0
        self._read: tuple[int, Vertices] = (-1, np.empty((0, 3), dtype=np.float32))

    @property
    def row(self) -> int:
        """Row number in the store of the face that is shown."""
        return int(self.rows[self.place])

    def go(self, place: int) -> None:
        """Show the face at a place among the chosen rows; beyond an end, the end."""
        self.place = int(np.clip(place, 0, len(self.rows) - 1))

    def step(self, by: int) -> None:
        """Some places on or back; after the last comes the first."""
        self.place = (self.place + by) % len(self.rows)

    def random(self, seed: int) -> None:
        """Show a random face of the chosen rows."""
        self.go(int(seeding.generator(seed, "row").integers(len(self.rows))))

    def choose(self, wanted: Mapping[str, str]) -> None:
        """Show only rows with these labels (factor -> label); none given: all.

        Raises:
            InputError: no such factor or label, or no row has them all; nothing changes then.
        """
        rows = self.store.rows_where(**wanted)
        if not len(rows):
            labels = ", ".join(f"{factor} {label}" for factor, label in wanted.items())
            raise InputError(f"{self.store.path}: no mesh with {labels}; choose another label")
        self.wanted, self.rows, self.place = dict(wanted), rows, 0

    def labels(self) -> dict[str, str]:
        """Labels of the face that is shown, by factor; unlabelled ones are left out."""
        found = {}
        for factor, names in self.store.factors.items():
            label = int(self.store.labels(factor)[self.row])
            if label != UNLABELLED:
                found[factor] = names[label]
        return found

    def current(self) -> list[Vertices]:
        if self._read[0] != self.row:
            self._read = (self.row, self.store.vertices(np.array([self.row]))[0])
        return [self._read[1]]

    def captions(self) -> list[str]:
        words = [f"row {self.row:,}", *(f"{name} {label}" for name, label in self.labels().items())]
        return [", ".join(words)]

    def reference(self, face: int) -> Vertices:
        if self.display.colour_by == "neutral" and (rows := self._neutral_rows()).size:
            return self.store.vertices(rows[:1])[0]
        return self.template.mesh.vertices.astype(np.float32)

    def summary(self) -> str:
        return f"{self.store.count:,} meshes; {super().summary()}"

    def _neutral_rows(self) -> np.ndarray:
        """Rows of the same person that are neutral in every factor which has such a label."""
        factors = [name for name, names in self.store.factors.items() if NEUTRAL in names]
        if not factors:
            return np.empty(0, dtype=np.int64)
        person = self.store.subjects[int(self.store.subject[self.row])]
        return self.store.rows_where(person, **dict.fromkeys(factors, NEUTRAL))


class MeshScene(Stage):
    """One mesh file.

    Args:
        path: obj, ply, stl, off, glb, npz or wrl.

    Raises:
        FileFormatError: not a mesh.
    """

    def __init__(self, path: Path | str) -> None:
        mesh = read_mesh(path)
        super().__init__(Template(Path(path).name, mesh), str(path))

    def current(self) -> list[Vertices]:
        return [self.template.mesh.vertices]

    def captions(self) -> list[str]:
        return [self.template.name]
