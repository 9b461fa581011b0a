"""From a person's gender, age, build and ancestry to weights of MakeHuman's macro targets."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

GENDERS = ("male", "female")
AGES = ("young", "old")
MUSCLES = ("minmuscle", "averagemuscle", "maxmuscle")
WEIGHTS = ("minweight", "averageweight", "maxweight")
HEIGHTS = ("minheight", "maxheight")
PROPORTIONS = ("idealproportions", "uncommonproportions")
RACES = ("african", "asian", "caucasian")
YOUNG, OLD = 2 / 3, 1.0  # the age scale starts with a newborn at -1/3; adults use its last third


@dataclass(frozen=True)
class Phenotype:
    """Macro properties of one adult, all on MakeHuman's scales.

    ``gender`` 0 male to 1 female; ``age`` 2/3 (young) to 1 (old); ``muscle``, ``weight``,
    ``height``, ``proportions`` 0 to 1; ``race``: three weights that sum to 1.
    """

    gender: float = 0.5
    age: float = YOUNG
    muscle: float = 0.5
    weight: float = 0.5
    height: float = 0.5
    proportions: float = 0.5
    race: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)

    def factors(self) -> dict[str, float]:
        """The weight of every word in the names of the targets."""
        words: dict[str, float] = {}
        old = float(np.clip((self.age - YOUNG) / (OLD - YOUNG), 0, 1))
        words |= zip(GENDERS, (1 - self.gender, self.gender), strict=True)
        words |= zip(AGES, (1 - old, old), strict=True)
        words |= zip(MUSCLES, _thirds(self.muscle), strict=True)
        words |= zip(WEIGHTS, _thirds(self.weight), strict=True)
        words |= zip(HEIGHTS, (1 - self.height, self.height), strict=True)
        words |= zip(PROPORTIONS, (1 - self.proportions, self.proportions), strict=True)
        words |= zip(RACES, self.race, strict=True)
        return words

    def vector(self) -> Float[np.ndarray, " 9"]:
        """All nine numbers in the order of the fields, float64."""
        return np.array(
            [
                *(self.gender, self.age, self.muscle, self.weight),
                *(self.height, self.proportions, *self.race),
            ]
        )


def _thirds(value: float) -> tuple[float, float, float]:
    """Weights of minimum, average and maximum at ``value`` in [0, 1], piecewise linear."""
    return (max(0.0, 1 - 2 * value), 1 - abs(2 * value - 1), max(0.0, 2 * value - 1))


def macro_targets() -> dict[str, tuple[str, ...]]:
    """The 192 macro targets an adult can reach: file name -> the words its weight multiplies."""
    targets: dict[str, tuple[str, ...]] = {}
    for gender in GENDERS:
        for age in AGES:
            targets |= _builds(gender, age)
    for race in RACES:
        for gender in GENDERS:
            for age in AGES:
                targets[f"macrodetails/{race}-{gender}-{age}"] = (race, gender, age)
    return targets


def _builds(gender: str, age: str) -> dict[str, tuple[str, ...]]:
    targets: dict[str, tuple[str, ...]] = {}
    for muscle in MUSCLES:
        for weight in WEIGHTS:
            words = (gender, age, muscle, weight)
            name = "-".join(words)
            targets[f"macrodetails/universal-{name}"] = words
            for kind, ends in (("height", HEIGHTS), ("proportions", PROPORTIONS)):
                for end in ends:
                    targets[f"macrodetails/{kind}/{name}-{end}"] = (*words, end)
    return targets


def macro_weights(phenotype: Phenotype) -> Float[np.ndarray, " 192"]:
    """Weight of each of ``macro_targets`` for a person, float64: products of factor weights."""
    factors = phenotype.factors()
    return np.array(
        [np.prod([factors[word] for word in words]) for words in macro_targets().values()]
    )
