"""What a window shows, whatever it is of: surfaces on one topology, and how they are coloured."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int

from meshgan.arrays import Vertices
from meshgan.data.mesh_io import write_mesh
from meshgan.data.template import Template
from meshgan.errors import InputError
from meshgan.geometry.topology import unique_edges
from meshgan.pictures.paint import paint_template
from meshgan.pictures.vertex_colours import VertexPainter, round_scale

ColourBy = Literal["skin", "neutral", "mean"]
COLOURINGS: dict[ColourBy, str] = {
    "skin": "skin",
    "neutral": "distance from neutral",
    "mean": "distance from the mean face",
}
SIDES = ("left", "right")
GAP = 1.12  # widths of a face from one face to the one beside it
SEEN = 0.995  # share of the vertices that a colour scale must hold
FRONT = np.eye(3, dtype=np.float32)


@dataclass(frozen=True)
class Display:
    """How things are shown.

    Args:
        colour_by: the skin, or a distance in mm.
        wireframe: draw the edges.
        landmarks: name of the landmark set to draw; empty for none.
        detail: add what a fitted mesh has and the model lacks.
    """

    colour_by: ColourBy = "skin"
    wireframe: bool = False
    landmarks: str = ""
    detail: bool = True


@dataclass(frozen=True, eq=False)
class Surface:
    """One face, ready to be drawn.

    Args:
        vertices: where they are in the scene (V, 3), float32, mm.
        normals: unit (V, 3).
        colours: sRGB (V, 3), 0 to 1.
        landmarks: points a little in front of the surface (L, 3), mm.
        caption: a few words about it.
    """

    vertices: Float[np.ndarray, "V 3"]
    normals: Float[np.ndarray, "V 3"]
    colours: Float[np.ndarray, "V 3"]
    landmarks: Float[np.ndarray, "L 3"]
    caption: str


class Stage:
    """One or two faces on a template, and how they are shown; no window is needed.

    Subclasses say what the faces are: ``current``, ``captions`` and ``reference``.

    Args:
        template: topology, landmarks, and the shape that the camera is set up for.
        title: of the window.
    """

    kind = "mesh"
    colourings: tuple[ColourBy, ...] = ("skin",)

    def __init__(self, template: Template, title: str) -> None:
        self.template, self.title = template, title
        self.display = Display()
        mesh = template.mesh
        self.painter = VertexPainter(mesh.faces, mesh.vertex_count, paint_template(template))
        self.largest_mm = 1.0

    def current(self) -> list[Vertices]:
        """Vertices of the faces to show, left to right."""
        raise NotImplementedError

    def captions(self) -> list[str]:
        """A few words about each face."""
        raise NotImplementedError

    def save_mesh(self, path: Path | str) -> None:
        """Write the face that is shown, or the one that the sliders move."""
        write_mesh(path, self.template.mesh.with_vertices(self.current()[self.active]))

    @property
    def active(self) -> int:
        """Which of the faces that are shown is saved and changed."""
        return 0

    def caption(self) -> str:
        """One line about the faces that are shown."""
        words = self.captions()
        if len(words) == 1:
            return words[0]
        return "     ".join(f"{side}: {one}" for side, one in zip(SIDES, words, strict=True))

    def reference(self, face: int) -> Vertices:
        """What distances of a face are measured from, as ``display.colour_by`` says."""
        raise NotImplementedError

    def summary(self) -> str:
        """One line about what is open."""
        mesh = self.template.mesh
        return f"{mesh.vertex_count:,} vertices, {mesh.face_count:,} triangles"

    def show(self, **changes: object) -> None:
        """Change how things are shown: any field of ``Display``.

        Raises:
            InputError: there is no such colouring or set of landmarks.
        """
        colour_by = changes.get("colour_by", self.display.colour_by)
        if colour_by not in self.colourings:
            raise InputError(f"colour {colour_by!r}: choose one of {', '.join(self.colourings)}")
        landmarks = changes.get("landmarks", "")
        if landmarks and landmarks not in self.template.landmarks:
            known = ", ".join(self.template.landmarks) or "none"
            raise InputError(f"landmarks {landmarks!r}: the template has {known}")
        self.display = replace(self.display, **changes)  # pyright: ignore[reportArgumentType]

    def next_colouring(self) -> None:
        """The colouring after this one, for a key."""
        place = self.colourings.index(self.display.colour_by)
        self.show(colour_by=self.colourings[(place + 1) % len(self.colourings)])

    @cached_property
    def edges(self) -> Int[np.ndarray, "E 2"]:
        """Edges of the topology, for the wireframe."""
        return unique_edges(self.template.mesh.faces)

    @property
    def width_mm(self) -> float:
        """Of the template."""
        return float(np.ptp(self.template.mesh.vertices[:, 0]))

    def bounds(self) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
        """Corners of the box that the camera must see, mm."""
        low = self.template.mesh.vertices.min(axis=0).astype(np.float64)
        high = self.template.mesh.vertices.max(axis=0).astype(np.float64)
        reach = GAP * self.width_mm * (len(self.current()) - 1)
        sideways = np.array([reach / 2, 0, 0])
        return low - sideways, high + sideways

    def surfaces(self, view: Float[np.ndarray, "3 3"] = FRONT) -> list[Surface]:
        """The faces with their colours, side by side.

        Args:
            view: rotation from the scene to the camera: the light stays beside the viewer.
        """
        faces = [np.asarray(face, dtype=np.float32) for face in self.current()]
        distances = self._distances(faces)
        step = GAP * self.width_mm
        shown = []
        for k, (face, caption) in enumerate(zip(faces, self.captions(), strict=True)):
            normals = self.painter.normals(face)
            if distances:
                colours = self.painter.distances(distances[k], self.largest_mm, normals, view)
            else:
                colours = self.painter.skin(face, normals, view)
            aside = np.array([step * (k - (len(faces) - 1) / 2), 0, 0], dtype=np.float32)
            ids = self.template.landmarks.get(self.display.landmarks, np.empty(0, dtype=np.int64))
            points = face[ids] + 0.6 * normals[ids] + aside
            shown.append(Surface(face + aside, normals, colours, points, caption))
        return shown

    def _distances(self, faces: list[Vertices]) -> list[Float[np.ndarray, " V"]]:
        if self.display.colour_by == "skin":
            return []
        moved = [face - self.reference(k) for k, face in enumerate(faces)]
        found = [np.sqrt(np.einsum("vc,vc->v", one, one)) for one in moved]
        self.largest_mm = round_scale(max(float(np.quantile(one, SEEN)) for one in found))
        return found


assert set(COLOURINGS) == set(get_args(ColourBy))
