"""Faces of a model: sliders, labels, undo, two faces side by side, transfer between them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from meshgan import seeding
from meshgan.apps.face_model import FaceModel
from meshgan.arrays import Vertices
from meshgan.data.code_files import read_codes, write_codes
from meshgan.data.mesh_io import read_mesh
from meshgan.editing.arithmetic import resting_codes
from meshgan.editing.transfer import transfer_codes
from meshgan.errors import InputError
from meshgan.models.base import Codes
from meshgan.viewer.face import Face, Pair
from meshgan.viewer.history import History
from meshgan.viewer.sliders import slider_groups
from meshgan.viewer.stage import ColourBy, Stage

IDENTITY = "identity"
RANDOM, CHANGED = "random", "changed"
REMEMBERED = 6  # two faces, their neutral ones, the mean, and the one before


class ModelScene(Stage):
    """A window's state on a trained model, without the window: every button is a method.

    Args:
        model: the model and its template.
        title: of the window.
        seed: names the sequence of random faces.
    """

    kind = "run"
    colourings: tuple[ColourBy, ...] = ("skin", "neutral", "mean")

    def __init__(self, model: FaceModel, title: str, seed: int = 0) -> None:
        super().__init__(model.template, title)
        self.model = model
        self.groups = {
            group.factor: group
            for group in slider_groups(model.model, seeding.torch_generator(seed, "sliders"))
        }
        self._rng = seeding.torch_generator(seed, "viewer")
        mean = Face(self._mean_codes())
        self.history: History[Pair] = History(Pair((mean, mean)))
        self._blend_from: Face | None = None
        self._blend_share = 0.0
        self._decoded: list[tuple[Codes, Vertices]] = []

    @property
    def pair(self) -> Pair:
        """The faces now."""
        return self.history.state

    @property
    def face(self) -> Face:
        """The face that the sliders move."""
        return self.pair.faces[self.pair.active]

    def slider_values(self, factor: str) -> list[float]:
        """Where the sliders of one code stand, in standard deviations."""
        return self.groups[factor].values(self.face.codes[factor])

    def set_slider(self, factor: str, slider: int, value: float) -> None:
        """Move one slider of the active face."""
        group = self.groups[factor]
        code = group.moved(self.face.codes[factor], slider, value)
        self._put(
            self.face.with_code(factor, code, CHANGED), ("slider", factor, slider, self.pair.active)
        )

    def apply_label(self, factor: str, label: str) -> None:
        """Give the active face the code of a label.

        Raises:
            InputError: there is no such factor or label.
        """
        self._put(self.face.with_code(factor, self.model.label_code(factor, label), label))

    def randomise(self, factor: str | None = None) -> None:
        """Draw all codes of the active face, or one, from the model's distribution."""
        drawn = self.model.model.sample_codes(1, self._rng)
        if factor is None:
            self._put(Face(drawn, name="random face"))
        else:
            self._put(self.face.with_code(self._known(factor), drawn[factor], RANDOM))

    def reset(self, factor: str | None = None) -> None:
        """All codes of the active face back to the mean, or one."""
        mean = self._mean_codes()
        if factor is None:
            self._put(Face(mean))
        else:
            self._put(self.face.with_code(self._known(factor), mean[factor], ""))

    def undo(self) -> bool:
        """Take back the last step; False where there is none."""
        self._blend_from = None
        return self.history.undo()

    def redo(self) -> bool:
        """Take back an undo; False where there is none."""
        self._blend_from = None
        return self.history.redo()

    def select(self, face: int) -> None:
        """Let the sliders move the left (0) or the right face (1)."""
        self._blend_from = None
        self.history.state = replace(self.pair, active=face, both=self.pair.both or face == 1)

    def show_both(self, both: bool) -> None:
        """Show two faces side by side, or the left one alone."""
        self._blend_from = None
        active = self.pair.active if both else 0
        self.history.state = replace(self.pair, both=both, active=active)

    def transfer(self, factor: str = "expression") -> None:
        """Give the right face the code that the left one has of a factor."""
        self._known(factor)
        left, right = self.pair.faces
        code = transfer_codes(left.codes, right.codes, (factor,))[factor]
        given = right.with_code(factor, code, left.labels.get(factor, ""))
        self._replace(1, given, both=True)

    def swap(self) -> None:
        """Exchange the two faces."""
        left, right = self.pair.faces
        self._blend_from = None
        self.history.change(replace(self.pair, faces=(right, left), both=True))

    def blend(self, share: float) -> None:
        """Move the active face from where it stood towards the other one: 0 stays, 1 is there."""
        start = self._blend_from or self.face
        other = self.pair.faces[1 - self.pair.active]
        codes = transfer_codes(other.codes, start.codes, tuple(start.codes), amount=share)
        mixed = replace(start, codes=codes, labels={}, name=f"{share:.0%} of the other")
        self._put(mixed, ("blend", self.pair.active), keep_blend=True)
        self._blend_from, self._blend_share = start, share

    @property
    def blend_share(self) -> float:
        """How far the active face has been blended since its last other change."""
        return self._blend_share if self._blend_from is not None else 0.0

    def fit_file(self, path: Path | str) -> Face:
        """The face of a mesh file: the codes that come closest.

        A mesh of the model's topology also gives the detail that they leave; any other is taken
        as a scan. Nothing is changed: a window may call this beside its main thread, then
        ``place``.

        Raises:
            FileFormatError: not a mesh.
            InputError: of another topology, and there is no face in it.
        """
        mesh, name = read_mesh(path), Path(path).name
        if mesh.topology_hash != self.template.topology_hash:
            fit = self.model.fit_scan(mesh)
            return Face(fit.codes, name=name, fit_rms_mm=float(fit.landmark_rms_mm[0]))
        fit = self.model.fit_mesh(mesh)
        assert fit.poses is not None  # fit_mesh solves for one
        decoded = self.model.decode(fit.codes)
        seen = torch.from_numpy(mesh.vertices)[None].to(decoded)
        detail = (fit.poses.remove(seen) - decoded)[0].cpu().numpy().astype(np.float32)
        return Face(fit.codes, {}, detail, name, float(fit.landmark_rms_mm[0]))

    def place(self, face: Face) -> None:
        """Show a face in place of the active one."""
        self._put(face)

    def load_mesh(self, path: Path | str) -> float:
        """Fit the model to a mesh and show it in place of the active face.

        Returns:
            How far the model stays from it (root mean square), mm.
        """
        face = self.fit_file(path)
        self.place(face)
        return face.fit_rms_mm

    def load_codes(self, path: Path | str) -> None:
        """Show the first face of a file of codes in place of the active one.

        Raises:
            FileFormatError: unreadable, or the codes of another model.
        """
        read = read_codes(path, self.model.model.code_sizes)
        mean = self._mean_codes()
        codes = {name: code[:1].to(mean[name]) for name, code in read.items()}
        self._put(Face(codes, name=Path(path).name))

    def save_codes(self, path: Path | str) -> None:
        """Write the codes of the active face."""
        write_codes(path, self.face.codes)

    def current(self) -> list[Vertices]:
        shown = self.pair.faces if self.pair.both else self.pair.faces[:1]
        found = []
        for face in shown:
            vertices = self._vertices(face.codes)
            own = face.detail if self.display.detail else None
            found.append(vertices if own is None else vertices + own)
        return found

    def captions(self) -> list[str]:
        shown = self.pair.faces if self.pair.both else self.pair.faces[:1]
        return [face.caption() for face in shown]

    def reference(self, face: int) -> Vertices:
        if self.display.colour_by == "mean":
            return self._vertices(self._mean_codes())
        return self._vertices(self._neutral_codes(self.pair.faces[face].codes))

    def summary(self) -> str:
        factors = ", ".join(f"{name} {size}" for name, size in self.model.model.code_sizes.items())
        return f"{super().summary()}; codes: {factors}"

    @property
    def active(self) -> int:
        return self.pair.active if self.pair.both else 0

    def _put(self, face: Face, gesture: object = None, keep_blend: bool = False) -> None:
        if not keep_blend:
            self._blend_from = None
        self._replace(self.pair.active, face, self.pair.both, gesture)

    def _replace(self, which: int, face: Face, both: bool, gesture: object = None) -> None:
        faces = list(self.pair.faces)
        faces[which] = face
        self.history.change(
            replace(self.pair, faces=(faces[0], faces[1]), both=both),
            gesture,  # pyright: ignore[reportArgumentType]
        )

    def _vertices(self, codes: Codes) -> Vertices:
        """Decoded once: the face that does not move, and its neutral one, cost nothing."""
        for entry in self._decoded:
            if all(torch.equal(entry[0][name], code) for name, code in codes.items()):
                break
        else:
            entry = (codes, self.model.decode(codes)[0].cpu().numpy())
        others = [one for one in self._decoded if one is not entry]
        self._decoded = [*others, entry][-REMEMBERED:]  # the one used last stays longest
        return entry[1]

    def _mean_codes(self) -> Codes:
        return {name: torch.zeros_like(code) for name, code in self._one_of_each().items()}

    def _one_of_each(self) -> Codes:
        return self.model.model.sample_codes(1, torch.Generator().manual_seed(0))

    def _neutral_codes(self, codes: Codes) -> Codes:
        """The same person at rest: the codes of labels of rest, zero where there is none."""
        factors = [name for name in self.model.model.factors if name != IDENTITY]
        rest = resting_codes(self.model.model, factors)
        return codes | {
            name: rest[name].to(codes[name]) if name in rest else torch.zeros_like(codes[name])
            for name in factors
        }

    def _known(self, factor: str) -> str:
        if factor not in self.model.model.code_sizes:
            known = ", ".join(self.model.model.code_sizes)
            raise InputError(f"{factor}: the model has {known}")
        return factor
