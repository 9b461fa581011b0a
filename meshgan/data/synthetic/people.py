"""Who people are: random adults, each from a random stream of their own."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from meshgan.data.synthetic.bases import FaceBases
from meshgan.data.synthetic.makehuman import HEAD_TYPES
from meshgan.data.synthetic.outline import Outline
from meshgan.data.synthetic.phenotype import Phenotype, macro_weights
from meshgan.data.synthetic.recipes import EMOTIONS, MUSCLE_GROUPS
from meshgan.geometry.alignment import procrustes
from meshgan.seeding import generator

# How far one standard deviation of a local change moves the vertex that it moves most, mm.
SIGMA_MM = {
    "cheek": 1.7,
    "chin": 2.3,
    "eyebrows": 1.6,
    "eye": 0.85,
    "forehead": 2.4,
    "head": 2.9,
    "mouth": 1.2,
    "nose": 1.5,
    "neck": 1.0,
}
# Some changes look like wrinkles or deformities rather than like other people.
CAUTION = {
    "mouth-laugh": 0.6,
    "mouth-dimples": 0.6,
    "eye-bag": 0.7,
    "mouth-philtrum": 0.7,
    "head-age": 0.6,
    "chin-cleft": 0.8,
    "nose-compression": 0.5,
    "mouth-upperlip-width": 0.7,
    "mouth-lowerlip-ext": 0.7,
    "mouth-upperlip-ext": 0.7,
}
LARGEST_SIGMA, LARGEST_CHANGE = 0.45, 0.85
STYLE_CONCENTRATION = 0.45


@dataclass(frozen=True)
class PeopleSettings:
    """How much people differ."""

    spread: float = 0.8
    """Scale of local changes and head types; 1 is their full measured range."""
    side_difference: float = 0.12
    """Independent part of a change on the left and the right, in standard deviations."""
    asymmetry: float = 0.14
    """Standard deviation of the weights of the asymmetry targets."""
    gain: float = 0.18
    """Standard deviation of the logarithm of a person's muscle strengths."""


@dataclass(frozen=True, eq=False)
class Person:
    """One adult: how they look and how they move.

    ``local`` in [-0.85, 0.85] per local change, ``asymmetry`` in [-0.4, 0.4] (positive: left),
    ``head_type``: weights of the head types, one of them positive; ``gains``: strength of each
    muscle group; ``imbalance``: left against right, relative; ``styles``: mixture (7, 3) of the
    styles of every emotion, rows sum to 1; ``tissue``: softness of the skin, 0.1 to 1.2.
    """

    phenotype: Phenotype
    local: Float[np.ndarray, " L"]
    asymmetry: Float[np.ndarray, " Q"]
    head_type: Float[np.ndarray, " 7"]
    gains: Float[np.ndarray, " 8"]
    imbalance: float
    styles: Float[np.ndarray, "7 3"]
    tissue: float

    def vector(self) -> Float[np.ndarray, " P"]:
        """Every parameter in the order of the fields, float64."""
        parts = (
            *(self.phenotype.vector(), self.local, self.asymmetry, self.head_type, self.gains),
            *([self.imbalance], self.styles.ravel(), [self.tissue]),
        )
        return np.concatenate(parts).astype(np.float64)


class Population:
    """Adults to draw, and their neutral faces.

    Args:
        bases: what shapes them.
        outline: the part of the face that local changes are measured on.
        settings: how much they differ.
    """

    def __init__(
        self, bases: FaceBases, outline: Outline, settings: PeopleSettings | None = None
    ) -> None:
        self._bases = bases
        self._settings = settings or PeopleSettings()
        self._reference = bases.reference()
        skin = self._reference[: bases.skin_count]
        inside = outline.level(skin)
        self._sigma = self._settings.spread * _local_sigma(bases, inside < 1)
        upper_face = np.clip((skin[:, 1] - 95) / 25, 0, 1) * (inside < 0.9)
        self._weights = np.concatenate([upper_face, np.zeros(len(self._reference) - len(skin))])

    def person(self, seed: int, index: int) -> Person:
        """Draw person ``index``; they depend on ``(seed, index)`` alone."""
        rng = generator(seed, "identity", index)
        settings = self._settings
        phenotype = _draw_phenotype(rng)
        local = self._draw_local(rng)
        asymmetry = rng.normal(0, settings.asymmetry, len(self._bases.asymmetry_names))
        head_type = np.zeros(len(HEAD_TYPES))
        head_type[rng.integers(len(HEAD_TYPES))] = 0.7 * settings.spread * rng.beta(1.2, 2.2)
        softness = 0.5 + 0.8 * (phenotype.weight - 0.5) + 0.6 * (phenotype.age - 0.8)
        return Person(
            phenotype=phenotype,
            local=local,
            asymmetry=np.clip(asymmetry, -0.4, 0.4),
            head_type=head_type,
            gains=np.exp(rng.normal(0, settings.gain, len(MUSCLE_GROUPS))),
            imbalance=float(rng.normal(0, 0.07)),
            styles=_draw_styles(rng),
            tissue=float(np.clip(softness, 0.1, 1.2)),
        )

    def _draw_local(self, rng: np.random.Generator) -> np.ndarray:
        """Left and right share most of a change."""
        changes = self._bases.local_changes
        draws = np.clip(rng.normal(size=len(changes)), -2.2, 2.2)
        own = self._settings.side_difference * rng.normal(size=len(changes))
        first = {change.pair: k for k, change in reversed(list(enumerate(changes)))}
        shared = draws[[first[change.pair] for change in changes]]
        sided = np.array([change.side != "u" for change in changes])
        values = self._sigma * (shared + np.where(sided, own, 0))
        return np.clip(values, -LARGEST_CHANGE, LARGEST_CHANGE)

    def neutral(self, person: Person) -> Float[np.ndarray, "P 3"]:
        """Skin and helpers of a person's resting face, float32, mm.

        Aligned to the reference, rigidly, over the upper face: the rig's rules are set there.
        """
        weights = np.concatenate(
            [
                macro_weights(person.phenotype),
                np.maximum(person.local, 0),
                np.maximum(-person.local, 0),
                np.maximum(person.asymmetry, 0),
                np.maximum(-person.asymmetry, 0),
                person.head_type,
            ]
        ).astype(np.float32)
        shape = self._bases.shape
        points = self._bases.base + (weights @ shape.reshape(len(shape), -1)).reshape(-1, 3)
        return self.in_pose(points)

    def in_pose(self, points: Float[np.ndarray, "P 3"]) -> Float[np.ndarray, "P 3"]:
        """Skin and helpers, aligned to the reference over the upper face, float32, mm."""
        pose = procrustes(points.astype(np.float64), self._reference, weights=self._weights)
        return pose.apply(points.astype(np.float64)).astype(np.float32)


def _draw_phenotype(rng: np.random.Generator) -> Phenotype:
    gender = rng.beta(1.3, 6)
    gender = gender if rng.random() < 0.5 else 1 - gender
    race = rng.dirichlet([0.55] * 3)
    return Phenotype(
        gender=float(gender),
        age=float(2 / 3 + rng.beta(1.0, 1.8) / 3),
        muscle=float(np.clip(rng.normal(0.5 + 0.1 * (0.5 - gender), 0.17), 0.05, 0.95)),
        weight=float(np.clip(rng.normal(0.5, 0.19), 0.08, 0.95)),
        height=float(np.clip(rng.normal(0.5, 0.05), 0.35, 0.65)),
        race=(float(race[0]), float(race[1]), float(race[2])),
    )


def _draw_styles(rng: np.random.Generator) -> np.ndarray:
    """How much of each style of an emotion a person shows; the same in every take."""
    mixtures = np.zeros((len(EMOTIONS), 3))
    for row, styles in zip(mixtures, EMOTIONS.values(), strict=True):
        row[: len(styles)] = rng.dirichlet([STYLE_CONCENTRATION] * len(styles))
    return mixtures


def _local_sigma(bases: FaceBases, inside: np.ndarray) -> np.ndarray:
    """Standard deviation of each local change, as a weight."""
    blocks = bases.blocks()
    skin = bases.shape[:, : bases.skin_count][:, inside]
    largest = np.linalg.norm(skin, axis=2).max(axis=1)
    reach = 0.5 * (largest[blocks["more"]] + largest[blocks["less"]])
    sigma = np.empty(len(reach))
    for k, change in enumerate(bases.local_changes):
        words = change.name.removeprefix("l-").removeprefix("r-").split("-")
        caution = next((v for name, v in CAUTION.items() if name in change.name), 1.0)
        sigma[k] = caution * min(SIGMA_MM[words[0]] / max(float(reach[k]), 0.5), LARGEST_SIGMA)
    return sigma
