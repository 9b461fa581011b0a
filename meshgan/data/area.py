"""Which part of a topology is used: all of it, one piece, the front of a head, a list of vertices.

Heads come with eyeballs, teeth and necks. A model needs one surface with an outline, so a part of
the vertices is chosen once, on the template, and taken from every mesh.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from meshgan.arrays import VertexIds
from meshgan.data.template import Template
from meshgan.errors import FileFormatError, InputError
from meshgan.geometry.mesh import TriMesh
from meshgan.geometry.submesh import faces_within, front_of_head, largest_piece
from meshgan.geometry.topology import piece_sizes

ALL, LARGEST, FACE = "all", "largest_piece", "face"
FACE_RADIUS_MM, BEYOND_LANDMARKS_MM = 100.0, 10.0
_NOSE_TIP = 30  # in iBUG order


@dataclass(frozen=True, eq=False)
class Area:
    """A part of a topology.

    Args:
        word: how it was asked for.
        template: the part, with what it keeps of landmarks, regions and mirror map.
        ids: its vertices in the whole topology (K,), ascending; None: all of it.
        messages: what got lost.
    """

    word: str
    template: Template
    ids: VertexIds | None = None
    messages: tuple[str, ...] = ()

    def of(self, vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "K 3"]:
        """The part's vertices of a whole mesh."""
        return vertices if self.ids is None else vertices[self.ids]

    def record(self) -> dict[str, Any]:
        """Plain values for a data set's provenance; nothing for the whole."""
        return {} if self.ids is None else {"area": self.word, "vertices": len(self.ids)}


def choose_area(template: Template, word: str = ALL) -> Area:
    """A part of a template.

    Args:
        template: the whole, in mm and our axes.
        word: "all"; "largest_piece": the connected piece with the largest surface; "face": of that
            piece, what lies within 100 mm of the tip of the nose (of all iBUG landmarks, where the
            template has them, and 10 mm more), "face:90" within 90 mm; the name of a region of the
            template; or a file of vertex ids, text or ``.npy``. The tip is landmark 30 of iBUG,
            or else the foremost vertex.

    Raises:
        InputError: no such area, or no triangle is left in it.
        FileFormatError: the file is no list of vertex ids of the template.
    """
    if word == ALL:
        return Area(word, template)
    mesh = template.mesh
    name, _, number = word.partition(":")
    if name == FACE and (number or word not in template.regions):
        return _cut(template, mesh.faces[_front(template, number)], word)
    if word == LARGEST:
        ids = largest_piece(mesh.vertices, mesh.faces)
    elif word in template.regions:
        ids = np.unique(template.regions[word])
    elif Path(word).is_file():
        ids = _read_ids(Path(word), template.vertex_count)
    else:
        choices = ", ".join((ALL, LARGEST, FACE, "face:MILLIMETRES", *template.regions))
        raise InputError(f"area {word!r}: is no file and none of {choices}")
    keep = np.zeros(template.vertex_count, dtype=bool)
    keep[ids] = True
    area = _cut(template, faces_within(mesh.faces, keep), word)
    if bare := len(ids) - area.template.vertex_count:
        told = f"area {word}: {bare:,} vertices without a triangle left out"
        return replace(area, messages=(told, *area.messages))
    return area


def _front(template: Template, number: str) -> Int[np.ndarray, " f"]:
    """Faces of the front of a head."""
    mesh = template.mesh
    points = np.asarray(mesh.vertices, dtype=np.float64)
    piece = largest_piece(points, mesh.faces)
    landmarks = template.landmarks.get("ibug68")
    tip = int(piece[points[piece, 2].argmax()]) if landmarks is None else int(landmarks[_NOSE_TIP])
    centre = points[tip]
    if template.mirror is not None:
        centre = 0.5 * (centre + points[template.mirror[tip]])
    radius = FACE_RADIUS_MM
    if landmarks is not None:
        farthest = float(np.linalg.norm(points[landmarks] - centre, axis=1).max())
        radius = max(radius, farthest + BEYOND_LANDMARKS_MM)
    if number:
        try:
            radius = float(number)
        except ValueError as error:
            raise InputError(f"area face:{number}: expected millimetres, as in face:90") from error
    keep = np.zeros(len(points), dtype=bool)
    keep[piece] = True
    of_piece = np.flatnonzero(keep[mesh.faces].all(axis=1))
    faces = mesh.faces[of_piece]
    return of_piece[front_of_head(points, faces, centre, radius, template.mirror)]


def _read_ids(path: Path, count: int) -> VertexIds:
    try:
        if path.suffix == ".npy":
            ids = np.load(path, allow_pickle=False)
        else:
            lines = (line.partition("#")[0] for line in path.read_text().splitlines())
            words = [word for line in lines for word in line.replace(",", " ").split()]
            ids = np.array([int(word) for word in words], dtype=np.int64)
    except (ValueError, OSError, EOFError, UnicodeDecodeError) as error:
        raise FileFormatError(f"{path}: is no list of vertex ids ({error})") from error
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise FileFormatError(f"{path}: holds {ids.dtype} {ids.shape}, expected vertex ids (K,)")
    if not len(ids) or ids.min() < 0 or ids.max() >= count:
        found = f"ids from {ids.min():,} to {ids.max():,}" if len(ids) else "no ids"
        raise FileFormatError(f"{path}: holds {found}, expected 0 to {count - 1:,}")
    return np.unique(ids).astype(np.int64)


def _cut(template: Template, faces: Int[np.ndarray, "f 3"], word: str) -> Area:
    """Keep some triangles and their vertices."""
    if not len(faces):
        raise InputError(
            f"area {word!r}: no triangle of {template.name} is left in it; is the template upright "
            "and in mm?"
        )
    used = np.unique(faces)
    number = np.full(template.vertex_count, -1)
    number[used] = np.arange(len(used))
    messages = []
    landmarks = {}
    for name, marks in template.landmarks.items():
        if outside := int((number[marks] < 0).sum()):
            messages.append(
                f"area {word}: {outside} of the {len(marks)} landmarks {name} lie outside; the set "
                "is left out"
            )
        else:
            landmarks[name] = number[marks]
    pieces = piece_sizes(len(used), number[faces])
    if len(pieces) > 1:
        sizes = ", ".join(f"{size:,}" for size in pieces[:5])
        messages.append(
            f"area {word}: {len(pieces)} pieces, of {sizes} vertices; a model can be trained on "
            "one piece only"
        )
    part = Template(
        name=f"{template.name}_{Path(word).stem.replace(':', '')}",
        mesh=TriMesh(template.mesh.vertices[used], number[faces]),
        landmarks=landmarks,
        mirror=_partners(template.mirror, used, number),
        regions=_inside(template.regions, number),
    )
    return Area(word, part, used, tuple(messages))


def _partners(
    mirror: Int[np.ndarray, " V"] | None, used: VertexIds, number: Int[np.ndarray, " V"]
) -> VertexIds | None:
    if mirror is None or (number[mirror[used]] < 0).any():
        return None
    return number[mirror[used]]


def _inside(
    regions: Mapping[str, Int[np.ndarray, " _"]], number: Int[np.ndarray, " V"]
) -> dict[str, VertexIds]:
    kept = {name: number[ids] for name, ids in regions.items()}
    kept = {name: ids[ids >= 0] for name, ids in kept.items()}
    return {name: ids for name, ids in kept.items() if len(ids)}
