"""What people do with their faces: emotions as this person shows them, never twice the same."""

import numpy as np
from jaxtyping import Float

from meshgan.data.synthetic.people import Person
from meshgan.data.synthetic.recipes import EMOTIONS, IDLE, MUSCLE_GROUPS, Recipe, both_sides

EMOTION_NAMES = tuple(EMOTIONS)
LARGEST_WEIGHT = 1.2
LEAST_INTENSITY, MOST_INTENSITY = 0.6, 1.15
JITTER = 0.12


class Expressions:
    """Weights of the facial actions, in a fixed order.

    Args:
        action_names: the order.
    """

    def __init__(self, action_names: tuple[str, ...]) -> None:
        self.action_names = action_names
        self.index = {name: k for k, name in enumerate(action_names)}
        self._left = np.array([name.endswith("Left") for name in action_names])
        self._right = np.array([name.endswith("Right") for name in action_names])
        self._groups = np.array(
            [
                [name.startswith(starts) for name in action_names]
                for starts in MUSCLE_GROUPS.values()
            ]
        )

    def weights(self, recipe: Recipe) -> Float[np.ndarray, " A"]:
        """A recipe as a vector, float64."""
        vector = np.zeros(len(self.action_names))
        for name, weight in both_sides(recipe).items():
            vector[self.index[name]] = weight
        return vector

    def styles(self, emotion: str) -> Float[np.ndarray, "styles A"]:
        """The styles of an emotion at full intensity."""
        return np.stack([self.weights(style) for style in EMOTIONS[emotion]])

    def habits(self, person: Person) -> Float[np.ndarray, " A"]:
        """How strongly a person moves each action, relative: muscle gains and imbalance."""
        factors = np.prod(np.where(self._groups, person.gains[:, None], 1.0), axis=0)
        side = self._left.astype(float) - self._right
        return factors * (1 + person.imbalance * side)

    def emotion(
        self,
        person: Person,
        emotion: str,
        rng: np.random.Generator,
        intensity: float | None = None,
    ) -> Float[np.ndarray, " A"]:
        """One showing of an emotion by a person; drawn intensity if None."""
        if intensity is None:
            intensity = rng.uniform(LEAST_INTENSITY, MOST_INTENSITY)
        styles = self.styles(emotion)
        mixture = person.styles[EMOTION_NAMES.index(emotion), : len(styles)]
        full = mixture @ styles
        jitter = np.exp(JITTER * rng.normal(size=len(full)))
        shown = np.clip(intensity * full * self.habits(person) * jitter, 0, LARGEST_WEIGHT)
        return np.clip(shown + self._idle(rng), 0, LARGEST_WEIGHT)

    def _idle(self, rng: np.random.Generator) -> np.ndarray:
        draws = np.abs(rng.normal(size=len(IDLE)))
        levels = zip(IDLE, IDLE.values(), draws, strict=True)
        return self.weights({name: typical * draw for name, typical, draw in levels})
