"""The 52 facial actions of ARKit on the default faces: a face from weights, weights from a face.

The default faces move by actions with Apple's names, so on their templates the actions of any
resting face are known: its own proportions decide where skin goes. A face is posed by the rig
itself, with all its parts (jaw on an arc, lids and lips that touch); weights are found by bounded
least squares on the actions at full weight, repeated for what the rig does beyond adding them up.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Float

from meshgan.data.synthetic.recipe import RESOLUTIONS, read_recipe
from meshgan.data.synthetic.rest import RigOfFace
from meshgan.data.synthetic.source import FaceSource, open_source
from meshgan.data.template import Template
from meshgan.data.weight_files import ARKIT_NAMES
from meshgan.editing.bounded import bounded_sequence
from meshgan.errors import InputError, ShapeError
from meshgan.geometry.alignment import align_batch

STILL_MM = 1e-3  # an action that moves no vertex further has no shape
SPARSITY = 0.01
ROUNDS, SETTLED = 12, 5e-4
AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class ArkitWeights:
    """Weights of the actions, and how much of each face they explain.

    Args:
        weights: (T, 52) in the order of ``ARKIT_NAMES``, 0 to 1; zero where the source has no
            movement.
        residual_mm: RMS distance (T,) of the face of these weights to the given one.
        absent: actions without a shape here.
    """

    weights: Float[np.ndarray, "T 52"]
    residual_mm: Float[np.ndarray, " T"]
    absent: tuple[str, ...]


def source_of(template: Template) -> FaceSource:
    """The default faces whose topology a template has.

    Raises:
        InputError: it has another topology, whose actions nobody knows.
    """
    for resolution in RESOLUTIONS:
        aim = read_recipe(resolution).vertices
        if abs(template.vertex_count - aim) < 0.05 * aim:  # or it need not even be opened
            source = _source(resolution)
            if source.template.mesh.topology_hash == template.mesh.topology_hash:
                return source
    known = " or ".join(RESOLUTIONS.values())
    raise InputError(
        f"arkit: template {template.name} ({template.vertex_count:,} vertices) is not {known}, the "
        "topologies of the default faces, and only these know the 52 actions; register the faces "
        "to one of them first (meshgan register --template anny_low)"
    )


@lru_cache(maxsize=2)
def _source(resolution: str) -> FaceSource:
    return open_source(resolution)


class ArkitFace:
    """A person at rest, to be driven by weights or read as weights.

    Args:
        source: the default faces on whose template the face is (``source_of``).
        neutral: the face at rest (V, 3), mm, in any pose.

    Raises:
        ShapeError: the face is not on the template.
    """

    def __init__(self, source: FaceSource, neutral: Float[np.ndarray, "V 3"]) -> None:
        self._rig: RigOfFace = source.rig_of(neutral)
        self._reference = source.template.mesh.vertices
        self._order = [ARKIT_NAMES.index(name) for name in source.action_names]

    @property
    def neutral(self) -> Float[np.ndarray, "V 3"]:
        """The face at rest, float32, mm, aligned to the template."""
        return self._rig.neutral

    @cached_property
    def shapes(self) -> Float[np.ndarray, "52 V 3"]:
        """Displacement of each action at full weight, float32, mm, in the order of the names."""
        return self.express(np.eye(len(ARKIT_NAMES))) - self.neutral

    @cached_property
    def absent(self) -> tuple[str, ...]:
        """Actions without any movement here (the tongue is not part of the face)."""
        largest = np.abs(self.shapes).max(axis=(1, 2))
        return tuple(n for n, move in zip(ARKIT_NAMES, largest, strict=True) if move < STILL_MM)

    def express(self, weights: Float[np.ndarray, "T K"]) -> Float[np.ndarray, "T V 3"]:
        """The face with these weights, float32, mm, aligned to the template.

        Raises:
            ShapeError: not 52 weights.
            InputError: a weight is not finite.
        """
        if weights.shape[1] != len(ARKIT_NAMES):
            raise ShapeError(f"arkit: {weights.shape[1]} weights per face, expected 52")
        if not np.isfinite(weights).all():
            raise InputError("arkit: a weight is not finite")
        return self._rig.express(weights[:, self._order])

    def weights_of(
        self,
        vertices: Float[np.ndarray, "T V 3"],
        smoothness: float = 0.0,
        sparsity: float = SPARSITY,
    ) -> ArkitWeights:
        """The weights that move this person's face closest to the given ones.

        minimise over w in [0, 1]:
        sum_t |r(w_t) - d_t|^2 / 2 + sum_k (smoothness b_k^2 sum_t (w_tk - w_(t-1)k)^2 / 2
        + sparsity b b_k sum_t w_tk),
        d the displacements from rest, r those of the rig, b_k the size of action k, b that of the
        smallest. r is taken as the sum of the actions plus what the rig does beyond, known from
        the weights of the round before.

        Args:
            vertices: faces of this person, mm, in any pose; frames of a sequence in order if
                ``smoothness`` is positive.
            smoothness: of the sequence: 0 for faces on their own; 0.1 takes noise off, 1 also
                flattens quick blinks.
            sparsity: what a weight costs: takes this much off the smallest action's weight and
                less off the others. Decides between actions that undo each other, such as looking
                in and out, which move the lids to and fro.

        Raises:
            ShapeError: the faces are on another topology.
            InputError: a vertex is not finite, or a negative setting.
        """
        if vertices.shape[1:] != self.neutral.shape:
            raise ShapeError(
                f"arkit: faces of {vertices.shape[1]:,} vertices, the person has "
                f"{len(self.neutral):,}; register them to the same template first"
            )
        if not np.isfinite(vertices).all():
            raise InputError("arkit: a vertex is not finite")
        if smoothness < 0 or sparsity < 0:
            raise InputError(
                f"arkit: smoothness {smoothness} and sparsity {sparsity}, expected >= 0"
            )
        faces = align_batch(np.ascontiguousarray(vertices, np.float32), self._reference)
        length = len(faces) if smoothness > 0 else AT_ONCE
        found = [
            self._solve(faces[start : start + length], smoothness, sparsity)
            for start in range(0, len(faces), length)
        ]
        weights, residuals = (np.concatenate(part) for part in zip(*found, strict=True))
        return ArkitWeights(weights, residuals, self.absent)

    def _solve(
        self, faces: np.ndarray, smoothness: float, sparsity: float
    ) -> tuple[Float[np.ndarray, "T 52"], Float[np.ndarray, " T"]]:
        moves = (faces - self.neutral).reshape(len(faces), -1)
        moving = np.array([k for k, n in enumerate(ARKIT_NAMES) if n not in self.absent])
        basis = self.shapes[moving].reshape(len(moving), -1).astype(np.float64)
        gram = basis @ basis.T
        size = np.diag(gram).copy()
        cost = sparsity * np.sqrt(size.min() * size)
        weights = np.zeros((len(faces), len(ARKIT_NAMES)))
        target = moves @ basis.T
        linear = target.copy()
        rows = np.arange(len(faces))
        for _ in range(ROUNDS):
            before = weights[np.ix_(rows, moving)]
            found = bounded_sequence(gram, linear[rows] - cost, smoothness * size, before)
            weights[np.ix_(rows, moving)] = found
            waiting = np.abs(found - before).max(axis=1) >= SETTLED
            if not waiting.any():
                break
            if smoothness == 0:  # faces on their own settle on their own
                rows, found = rows[waiting], found[waiting]
            posed = (self.express(weights[rows]) - self.neutral).reshape(len(rows), -1)
            linear[rows] = target[rows] - posed @ basis.T + found @ gram
        posed = (self.express(weights) - self.neutral).reshape(len(faces), -1)
        residual = np.sqrt(((posed - moves) ** 2).sum(axis=1) / len(self.neutral))
        return weights, residual.astype(np.float64)
