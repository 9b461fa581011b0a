"""The companions of diversity, specificity and decoupling: all of them, of one model, at once.

``CompanionData`` is gathered once per data set and serves every model that is compared on it.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from meshgan.errors import InputError
from meshgan.evaluation.compactness import Compactness, compactness
from meshgan.evaluation.coverage import coverage
from meshgan.evaluation.estimate import Estimate, FaceCollection, read_vertices
from meshgan.evaluation.generalisation import MeshFitter, generalisation, span_generalisation
from meshgan.evaluation.interpolation import interpolation
from meshgan.evaluation.memorisation import Memorisation, memorisation
from meshgan.evaluation.oracle import Oracle
from meshgan.evaluation.oracle_motion import Motion, model_motion, true_motion
from meshgan.evaluation.source_oracle import ParametricSource, fit_source_oracle
from meshgan.evaluation.specificity import Specificity, sample_faces, specificity
from meshgan.models.base import MeshModel
from meshgan.seeding import generator

log = logging.getLogger(__name__)

Measured = TypeVar("Measured")
SAMPLES = 1000
HELD_OUT = 40  # faces whose codes are fitted


@dataclass(frozen=True, eq=False)
class CompanionData:
    """What models of one data set are compared with.

    Args:
        training: all training faces.
        real: some of them (R, V, 3), mm.
        real_people: whose they are (R,); None if nobody knows.
        fresh: real faces of people who are not in the training data (F, V, 3), mm, or None.
        fresh_people: whose they are (F,).
        fresh_specificity: of ``fresh`` against the training faces.
        oracle: reads the true factors of faces, where the source is parametric.
    """

    training: FaceCollection
    real: Float[Tensor, "R V 3"]
    real_people: Int[np.ndarray, " R"] | None
    fresh: Float[Tensor, "F V 3"] | None = None
    fresh_people: Int[np.ndarray, " F"] | None = None
    fresh_specificity: Specificity | None = None
    oracle: Oracle | None = None

    @classmethod
    def gather(
        cls,
        training: FaceCollection,
        held_out: FaceCollection | None = None,
        source: ParametricSource | None = None,
        count: int = SAMPLES,
        seed: int = 0,
    ) -> "CompanionData":
        """Read random faces of a data set.

        Args:
            training: what the models learnt from; its ``subject``, if it has one, tells whose
                face each is.
            held_out: faces of other people, likewise.
            source: fits the oracle.
            count: faces of each set, at most.
            seed: of the choice.
        """
        real, real_people = _some_faces(training, count, seed)
        oracle = None if source is None else fit_source_oracle(source, seed=seed)
        if held_out is None:
            return cls(training, real, real_people, oracle=oracle)
        fresh, fresh_people = _some_faces(held_out, count, seed)
        nearest = specificity(fresh, training)
        return cls(training, real, real_people, fresh, fresh_people, nearest, oracle)


@dataclass(frozen=True, eq=False)
class Companions:
    """What was measured, with what the pictures need.

    Args:
        numbers: estimates by name; ``unit_of`` tells the unit.
        compactness: curve of the set.
        span: ``span_generalisation`` by directions; empty without fresh faces.
        memorisation: distances of a model's samples and of fresh faces; None without these.
        motion: of the true factors; None without an oracle.
        samples: what a model drew (S, V, 3), mm; None for data.
        seconds: by measure.
    """

    numbers: dict[str, Estimate]
    compactness: Compactness
    span: dict[int, Estimate] = field(default_factory=dict)
    memorisation: Memorisation | None = None
    motion: dict[str, Motion] | None = None
    samples: Float[Tensor, "S V 3"] | None = None
    seconds: dict[str, float] = field(default_factory=dict)


_UNITS = {
    "mm": ("deviation", "generalisation", "real", "between", "leak"),
    "share": ("precision", "recall", "coverage", "copies", "near_copies", "nearer", "leak_share"),
    "ratio": ("density", "path_length", "largest_step"),
    "directions": ("modes",),
}


def unit_of(name: str) -> str:
    """Unit of a number of ``Companions``: mm, share (0 to 1), ratio or directions.

    Raises:
        InputError: there is no such number.
    """
    starts = {start: unit for unit, names in _UNITS.items() for start in names}
    fitting = [start for start in starts if name == start or name.startswith(f"{start}_")]
    if not fitting:
        raise InputError(f"companions: {name} is not a number that they measure")
    return starts[max(fitting, key=len)]


def model_companions(
    model: MeshModel,
    data: CompanionData,
    fit: MeshFitter | None = None,
    count: int = SAMPLES,
    fitted: int = HELD_OUT,
    seed: int = 0,
) -> Companions:
    """Measure a model.

    Args:
        model: draws and decodes faces.
        data: what it is compared with.
        fit: finds the codes of whole meshes, for ``generalisation``; not measured if None.
        count: samples.
        fitted: held-out faces to fit.
        seed: of every draw.

    Returns:
        ``numbers``: those of ``coverage``, ``Compactness.summary``, ``Memorisation.shares`` and
        ``interpolation`` (``NAME_FACTOR`` where one code alone moves); ``generalisation``;
        ``between_FACTOR``, ``leak_FACTOR_from_CODE`` and ``leak_share_FACTOR_from_CODE`` of
        ``model_motion``. What the data do not allow is left out.
    """
    clock = _Clock()
    samples = clock.time("samples", lambda: sample_faces(model, count, seed))
    numbers = clock.time(
        "coverage", lambda: coverage(samples, data.real, reference_people=data.real_people)
    )
    curve = clock.time("compactness", lambda: compactness(samples))
    numbers |= _exact(curve, len(samples))
    for factor in (None, *model.factors):
        walked = clock.time(
            "interpolation",
            lambda factor=factor: interpolation(
                model, data.training if factor is None else None, factor=factor, seed=seed
            ),
        )
        ending = "" if factor is None else f"_{factor}"
        numbers |= {f"{name}{ending}": value for name, value in walked.items()}
    span, copied, motion = {}, None, None
    if data.fresh is not None and data.fresh_specificity is not None:
        held_out = data.fresh
        nearest = clock.time("memorisation", lambda: specificity(samples, data.training))
        copied = memorisation(nearest, data.fresh_specificity)
        numbers |= copied.shares()
        span = clock.time("span", lambda: span_generalisation(samples, held_out))
        if fit is not None:
            few = held_out[spread(len(held_out), fitted)]
            found = clock.time("generalisation", lambda: generalisation(model, few, fit))
            numbers["generalisation"] = found.estimate
    if data.oracle is not None and {"identity", "expression"} <= set(model.factors):
        oracle = data.oracle
        motion = clock.time("oracle motion", lambda: model_motion(model, oracle, seed=seed))
        numbers |= motion_numbers(motion)
    return Companions(numbers, curve, span, copied, motion, samples, clock.seconds)


def training_companions(data: CompanionData) -> Companions:
    """The training faces' own compactness and span, beside which a model's are read."""
    curve = compactness(data.real)
    span = {} if data.fresh is None else span_generalisation(data.real, data.fresh)
    return Companions(_exact(curve, len(data.real)), curve, span)


def fresh_companions(
    data: CompanionData, source: ParametricSource | None = None, seed: int = 0
) -> Companions | None:
    """The same numbers of fresh real faces: what the best model can reach; None without them."""
    if data.fresh is None:
        return None
    numbers = coverage(
        data.fresh,
        data.real,
        sample_people=data.fresh_people,
        reference_people=data.real_people,
    )
    curve = compactness(data.fresh)
    numbers |= _exact(curve, len(data.fresh))
    motion = None
    if source is not None and data.oracle is not None:
        motion = true_motion(source, data.oracle, seed=seed)
        numbers |= motion_numbers(motion)
    return Companions(numbers, curve, motion=motion)


def motion_numbers(motion: dict[str, Motion]) -> dict[str, Estimate]:
    """The estimates of ``oracle_motion`` under flat names."""
    found = {}
    for factor, moved in motion.items():
        found[f"between_{factor}"] = moved.between
        for code, leak in moved.leak.items():
            found[f"leak_{factor}_from_{code}"] = leak
            found[f"leak_share_{factor}_from_{code}"] = moved.share(code)
    return found


def spread(available: int, count: int) -> Int[Tensor, " n"]:
    """At most ``count`` places, evenly spread: of a random order of rows, or of all people."""
    return torch.linspace(0, available - 1, min(count, available)).round().long()


def _some_faces(
    collection: FaceCollection, count: int, seed: int
) -> tuple[Float[Tensor, "n V 3"], Int[np.ndarray, " n"] | None]:
    rng = generator(seed, "companion faces")
    ids = np.sort(rng.permutation(collection.count)[:count])
    people = getattr(collection, "subject", None)
    return read_vertices(collection, ids), None if people is None else np.asarray(people)[ids]


def _exact(curve: Compactness, count: int) -> dict[str, Estimate]:
    return {name: Estimate(value, 0.0, count) for name, value in curve.summary().items()}


class _Clock:
    """Seconds by name; what is measured several times adds up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, name: str, work: Callable[[], Measured]) -> Measured:
        log.info("measuring %s", name)
        start = time.perf_counter()
        result = work()
        elapsed = time.perf_counter() - start
        self.seconds[name] = round(self.seconds.get(name, 0.0) + elapsed, 3)
        return result
