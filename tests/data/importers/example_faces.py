"""A face of a few dozen vertices, the size and shape of one, with 68 landmarks; by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from meshgan.data.importers.base import SourceFace, SourceItem
from meshgan.data.template import Template
from meshgan.errors import FileFormatError
from meshgan.geometry.mesh import TriMesh

ROWS, COLUMNS = 13, 11
_RIGHT_EYE, _LEFT_EYE, _NOSE, _MOUTH = (-45, 38), (45, 38), (0, 0), (0, -38)


def grid_vertices() -> np.ndarray:
    """A dome (143, 3), mm, 190 high, with a nose; no two places alike."""
    x, y = np.meshgrid(np.linspace(-75, 75, COLUMNS), np.linspace(-95, 95, ROWS))
    nose = 25 * np.exp(-(x**2 + y**2) / 200)
    z = 60 - (x**2 + 0.8 * y**2) / 150 + nose
    return np.stack([x, y, z], axis=-1).reshape(-1, 3)


def grid_quads() -> np.ndarray:
    """Polygons (120, 4), counter-clockwise seen from +z."""
    ids = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    corners = (ids[:-1, :-1], ids[:-1, 1:], ids[1:, 1:], ids[1:, :-1])
    return np.stack(corners, axis=-1).reshape(-1, 4)


def grid_faces() -> np.ndarray:
    """Triangles (240, 3): a quad (a, b, c, d) is (a, b, c), (a, c, d)."""
    quads = grid_quads()
    return np.stack([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]], axis=1).reshape(-1, 3)


def landmark_ids(vertices: np.ndarray | None = None) -> np.ndarray:
    """68 ids in iBUG order: outer eye corners 90 mm apart, nose and mouth in the middle."""
    vertices = grid_vertices() if vertices is None else vertices
    places = np.zeros((68, 2))
    places[:36] = np.linspace(-70, 70, 36)[:, None] * [1, 0] + [0, -60]  # jaw, brows: anywhere
    places[27:36] = _NOSE
    for first, (x, y), towards in ((36, _RIGHT_EYE, 1), (42, _LEFT_EYE, -1)):
        places[first : first + 6] = [(x + towards * 15 * k / 3, y) for k in (0, 1, 2, 2, 1, 0)]
    places[48:68] = _MOUTH
    apart = np.linalg.norm(vertices[None, :, :2] - places[:, None], axis=2)
    return apart.argmin(axis=1).astype(np.int64)


def face_template(name: str = "grid", landmarks: bool = True) -> Template:
    """The face above; its outer eye corners are vertices of the grid, 90 mm apart."""
    ids = {"ibug68": landmark_ids()} if landmarks else {}
    return Template(name, TriMesh(grid_vertices(), grid_faces()), ids)


def bumpy_face(seed: int) -> np.ndarray:
    """Another person: every vertex moved by a millimetre or so."""
    rng = np.random.default_rng(seed)
    return grid_vertices() + rng.normal(scale=1.0, size=(ROWS * COLUMNS, 3))


@dataclass(frozen=True, eq=False)
class FakeImporter:
    """Faces in memory: ``content`` maps names to positions, or to an error text."""

    content: dict[str, np.ndarray | str]
    unit: str | None = "mm"
    axis_map: str = "x y z"
    registered: bool = True
    own_template: Template | None = field(default_factory=face_template)
    format: str = "fake"

    def template(self) -> Template | None:
        return self.own_template

    def items(self) -> Sequence[SourceItem]:
        return [SourceItem(name, name.partition("/")[0]) for name in self.content]

    def read(self, item: SourceItem) -> SourceFace:
        found = self.content[item.where]
        if isinstance(found, str):
            raise FileFormatError(f"/somewhere/{item.where}: {found}")
        return SourceFace(found, None if self.registered else grid_faces())
