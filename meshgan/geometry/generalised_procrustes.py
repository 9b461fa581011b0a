"""Many meshes brought to one place: generalised Procrustes analysis, streamed, with gaps."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from meshgan.errors import InputError, ShapeError
from meshgan.geometry.alignment import Similarity, checked_weights, solve_similarities

MEDIAN_OF_LENGTH = 1.538  # median length of a 3D vector of standard normal numbers
OUTLIER_SIGMAS = 3.0  # where a vertex begins to lose its vote
ROBUST_STEPS = 4

Chunks = Callable[[], Iterable[Float[np.ndarray, "_ P 3"]]]
"""Starts a pass over the meshes, some at a time, always in the same order."""


@dataclass(frozen=True, eq=False)
class CommonAlignment:
    """What ``generalised_procrustes`` found. N meshes of P points.

    Args:
        mean: mean shape (P, 3), in the unit of the meshes; NaN where no mesh has the point.
        rotations: (N, 3, 3) of the motions that bring each mesh to the mean.
        translations: (N, 3).
        scales: (N,), 1 without scale; else their geometric mean is 1.
        rms: weighted root mean square distance of the moved points from the mean, per round;
            the last one belongs to ``mean``.
        change: how far the mean moved in the last round (root mean square).
        converged: whether that was below the tolerance.
    """

    mean: Float[np.ndarray, "P 3"]
    rotations: Float[np.ndarray, "N 3 3"]
    translations: Float[np.ndarray, "N 3"]
    scales: Float[np.ndarray, " N"]
    rms: tuple[float, ...]
    change: float
    converged: bool

    def __len__(self) -> int:
        return len(self.scales)

    def motion(self, mesh: int) -> Similarity:
        """The motion of one mesh."""
        return Similarity(self.rotations[mesh], self.translations[mesh], float(self.scales[mesh]))

    def then(self, motion: Similarity) -> "CommonAlignment":
        """The same alignment seen from elsewhere: ``motion`` follows on every mesh and the mean."""
        moved = motion.scale * self.translations @ motion.rotation.T + motion.translation
        return CommonAlignment(
            motion.apply(self.mean),
            motion.rotation @ self.rotations,
            moved,
            motion.scale * self.scales,
            self.rms,
            self.change,
            self.converged,
        )


def generalised_procrustes(
    meshes: Float[np.ndarray, "N P 3"] | Chunks,
    weights: Float[np.ndarray, " P"] | None = None,
    *,
    scale: bool = False,
    robust: bool = False,
    reference: Float[np.ndarray, "P 3"] | None = None,
    tolerance: float = 1e-3,
    max_rounds: int = 100,
) -> CommonAlignment:
    """Align all meshes to their own mean: no mesh is special, and every one gets its motion.

    minimise ``sum_n sum_p w_p o_np |s_n R_n x_np + t_n - m_p|^2`` over the motions and the mean
    m, in turns: each mesh to the mean in closed form, then the mean of the moved meshes. A point
    of NaN is missing (o = 0, else 1): it neither pulls its mesh nor enters the mean. With
    ``robust``, o falls off for points that are far from the mean in comparison with the median of
    their mesh, so that spikes and grown hair do not count.

    Args:
        meshes: (N, P, 3) corresponding points, or a function that starts a pass over chunks of
            them; a pass is made per round and only a chunk is in memory.
        weights: (P,), not negative; for instance 1 on stable vertices and 0 elsewhere.
        scale: solve for sizes too.
        robust: distrust outlying points.
        reference: where to begin, and so the common orientation; the first mesh by default,
            which then must be complete.
        tolerance: stop when the mean moves by less (root mean square, unit of the meshes).
        max_rounds: stop anyway.

    Raises:
        InputError: no meshes, a mesh with fewer than three points present, or an incomplete
            first mesh without ``reference``.
        ShapeError: meshes of different sizes.

    Source: Gower 1975, Generalized Procrustes Analysis, Sec. 3.
    Differs: missing points (as in ten Berge, Kiers & Commandeur 1993) and robust weights (Geman &
    McClure 1985, scale by the median); sizes are fixed by a geometric mean of 1, where Gower
    fixes their sum of squares, so that gaps do not change it.
    """
    chunks: Chunks = (lambda: [meshes]) if isinstance(meshes, np.ndarray) else meshes
    mean = _first_mean(chunks) if reference is None else np.asarray(reference, dtype=np.float64)
    given = checked_weights(weights, len(mean))
    rms: list[float] = []
    change, done, rounds = np.inf, False, 0
    while not done and rounds < max_rounds:
        passed = _one_round(chunks, mean, given, scale, robust, first=rounds == 0)
        change = _rms(passed.mean - mean, given)
        rms.append(passed.rms)
        mean, rounds = passed.mean, rounds + 1
        done = change < tolerance
    final = _one_round(chunks, mean, given, scale, robust, first=False)
    return CommonAlignment(
        mean,
        final.rotations,
        final.translations,
        final.scales,
        (*rms[1:], final.rms),
        change,
        done,
    )


@dataclass(frozen=True, eq=False)
class _Round:
    mean: np.ndarray
    rotations: np.ndarray
    translations: np.ndarray
    scales: np.ndarray
    rms: float


def _one_round(
    chunks: Chunks, mean: np.ndarray, weights: np.ndarray, scale: bool, robust: bool, first: bool
) -> _Round:
    """Align everything to ``mean``; the mean of the result, and its distance from ``mean``."""
    known = np.isfinite(mean).all(axis=1)
    target = np.nan_to_num(mean, nan=0.0)
    totals, counts = np.zeros_like(target), np.zeros(len(target))
    squares, mass, seen = 0.0, 0.0, 0
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for chunk in chunks():
        if chunk.shape[1:] != mean.shape:
            raise ShapeError(
                f"align: meshes of {chunk.shape[1]:,} points, expected {len(mean):,} like the first"
            )
        present = np.asarray(np.isfinite(chunk).all(axis=2))
        points = chunk.astype(np.float64)
        points[~present] = 0.0
        shares = present * known * weights
        _check_present(shares, seen)
        motions, trust = _align(points, target, shares, scale, robust)
        moved = _moved(points, motions)
        gaps = moved - target
        squares += float(np.einsum("npc,npc,np->", gaps, gaps, shares * trust))
        mass += float((shares * trust).sum())
        # of a point without a mean yet, and of a first reference that is itself an outlier, no
        # distance says whom to trust
        vote = present * np.where(known & (not first), trust, 1.0)
        totals += np.einsum("np,npc->pc", vote, moved)
        counts += vote.sum(axis=0)
        found.append(motions)
        seen += len(chunk)
    rotations, translations, scales = (np.concatenate(part) for part in zip(*found, strict=True))
    average = np.full_like(totals, np.nan)
    np.divide(totals, counts[:, None], out=average, where=counts[:, None] > 0)
    size = float(np.exp(-np.log(scales).mean())) if scale else 1.0
    if scale:  # about the mean's own centre, so that only its size changes
        held = counts > 0
        centre = np.average(average[held], axis=0, weights=weights[held])
        average = centre + size * (average - centre)
        translations = size * translations + (1 - size) * centre
    return _Round(
        average, rotations, translations, size * scales, float(np.sqrt(squares / max(mass, 1e-300)))
    )


def _align(
    points: np.ndarray, target: np.ndarray, shares: np.ndarray, scale: bool, robust: bool
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], np.ndarray]:
    """Motions of meshes (b, P, 3) to the target, and the trust (b, P) in their points."""
    trust = np.ones_like(shares)
    motions = solve_similarities(points, target, shares, scale)
    for _ in range(ROBUST_STEPS if robust else 0):
        lengths = np.linalg.norm(_moved(points, motions) - target, axis=2)
        counted = np.where(shares > 0, lengths, np.nan)
        sigma = np.nanmedian(counted, axis=1, keepdims=True) / MEDIAN_OF_LENGTH
        limit = np.maximum(OUTLIER_SIGMAS * sigma, 1e-9)
        trust = 1 / (1 + (lengths / limit) ** 2) ** 2
        motions = solve_similarities(points, target, shares * trust, scale)
    return motions, trust


def _moved(points: np.ndarray, motions: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    rotations, translations, scales = motions
    turned = points @ rotations.transpose(0, 2, 1)
    return scales[:, None, None] * turned + translations[:, None]


def _first_mean(chunks: Chunks) -> np.ndarray:
    for chunk in chunks():
        if len(chunk):
            missing = int((~np.isfinite(chunk[0]).all(axis=1)).sum())
            if missing:
                raise InputError(
                    f"align: {missing:,} points of the first mesh are missing; give a reference"
                )
            return chunk[0].astype(np.float64)
    raise InputError("align: no meshes, expected at least one")


def _check_present(shares: np.ndarray, first_number: int) -> None:
    few = (shares > 0).sum(axis=1) < 3
    if few.any():
        number = int(np.argmax(few))
        raise InputError(
            f"align: mesh {first_number + number:,} has {int((shares[number] > 0).sum())} points "
            "that count, expected at least three"
        )


def _rms(difference: np.ndarray, weights: np.ndarray) -> float:
    lengths = (difference**2).sum(axis=1)
    counted = np.isfinite(lengths) & (weights > 0)
    return float(np.sqrt(np.average(lengths[counted], weights=weights[counted])))
