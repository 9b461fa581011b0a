"""Linear face models: a mean, modes with their spread, and random people from them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from meshgan.errors import ShapeError
from meshgan.seeding import generator

CUT = 3.0  # standard deviations; beyond, a linear model makes faces that nobody has


@dataclass(frozen=True, eq=False)
class LinearModel:
    """``x = mean + sum_i a_i s_i identity_modes_i + sum_j w_j t_j expression_modes_j``.

    Any unit and axes: those of ``mean``. Axis letters: b faces, V vertices, K identity modes,
    E expression modes.

    Args:
        mean: (V, 3).
        identity_modes: displacements (K, V, 3).
        identity_sigmas: (K,), what a coefficient of 1 scales a mode by: s; ones if the modes
            carry their standard deviations already.
        expression_modes: displacements (E, V, 3); E may be 0.
        expression_sigmas: (E,), the same for expressions: t; None if the expressions are named
            shapes with weights from 0 to 1, which are not to be drawn at random.

    Raises:
        ShapeError: the arrays do not fit each other.
    """

    mean: Float[np.ndarray, "_V 3"]  # sizes are compared in __post_init__, all in one message
    identity_modes: Float[np.ndarray, "_K _V 3"]
    identity_sigmas: Float[np.ndarray, " _K"]
    expression_modes: Float[np.ndarray, "_E _V 3"]
    expression_sigmas: Float[np.ndarray, " _E"] | None = None

    def __post_init__(self) -> None:
        count = len(self.mean)
        problems = [
            f"{name} have {modes.shape[1]:,} vertices, the mean {count:,}"
            for name, modes in (
                ("identity modes", self.identity_modes),
                ("expression modes", self.expression_modes),
            )
            if modes.shape[1] != count
        ]
        if len(self.identity_sigmas) != self.identity_count:
            problems.append(
                f"{len(self.identity_sigmas)} sigmas for {self.identity_count} identity modes"
            )
        sigmas = self.expression_sigmas
        if sigmas is not None and len(sigmas) != self.expression_count:
            problems.append(f"{len(sigmas)} sigmas for {self.expression_count} expression modes")
        if problems:
            raise ShapeError(f"linear model: {'; '.join(problems)}")

    @property
    def identity_count(self) -> int:
        """K."""
        return len(self.identity_modes)

    @property
    def expression_count(self) -> int:
        """E."""
        return len(self.expression_modes)

    def face(
        self,
        identity: Float[np.ndarray, " K"],
        expression: Float[np.ndarray, " E"] | None = None,
    ) -> Float[np.ndarray, "V 3"]:
        """The face of coefficients in standard deviations (or weights); float64.

        Raises:
            ShapeError: not one coefficient per mode.
        """
        if len(identity) != self.identity_count:
            raise ShapeError(
                f"linear model: {len(identity)} identity coefficients, expected "
                f"{self.identity_count}"
            )
        face = self.mean + _weighted(identity * self.identity_sigmas, self.identity_modes)
        if expression is None:
            return face
        if len(expression) != self.expression_count:
            raise ShapeError(
                f"linear model: {len(expression)} expression coefficients, expected "
                f"{self.expression_count}"
            )
        sigmas = self.expression_sigmas
        scaled = expression if sigmas is None else expression * sigmas
        return face + _weighted(scaled, self.expression_modes)

    def draw_identity(self, seed: int, person: int) -> Float[np.ndarray, " K"]:
        """Coefficients of person ``person``, N(0, 1) cut at 3; they depend on both alone."""
        return _draw(generator(seed, "identity", person), self.identity_count)

    def draw_expression(self, seed: int, face: int) -> Float[np.ndarray, " E"]:
        """Coefficients of the expression of face ``face``, N(0, 1) cut at 3."""
        assert self.expression_sigmas is not None, "named shapes are posed, not drawn"
        return _draw(generator(seed, "expression", face), self.expression_count)


def _draw(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.clip(rng.normal(size=count), -CUT, CUT)


def _weighted(coefficients: np.ndarray, modes: np.ndarray) -> np.ndarray:
    """Sum of the modes (K, V, 3) that have a coefficient, float64."""
    used = np.flatnonzero(coefficients)
    if not len(used):
        return np.zeros(modes.shape[1:])
    if 2 * len(used) > len(modes):  # a copy of the used ones would cost more than the zeros
        used = np.arange(len(modes))
        chosen = modes
    else:
        chosen = modes[used]
    flat = coefficients[used].astype(modes.dtype) @ chosen.reshape(len(used), -1)
    return flat.reshape(modes.shape[1:]).astype(np.float64)
