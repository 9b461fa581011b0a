"""A model as morph targets around one resting face: what programs without the model can show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from meshgan import seeding
from meshgan.editing.arithmetic import RESTING, resting_codes
from meshgan.editing.directions import leading_directions
from meshgan.errors import InputError
from meshgan.models.base import NOISE, PERSON, Codes, MeshModel

BATCH = 64


@dataclass(frozen=True, eq=False)
class MorphTarget:
    """What one slider does.

    Args:
        name: unique, such as ``happiness`` or ``identity_1``.
        factor: the code that it changes, or "arkit".
        displacement: (V, 3), mm, at weight 1.
        two_sided: whether negative weights mean something too: a direction goes both ways.
    """

    name: str
    factor: str
    displacement: Float[np.ndarray, "V 3"]
    two_sided: bool = False


def at_rest(model: MeshModel, codes: Codes) -> Codes:
    """Codes with every factor that has a label of rest set to it, and without noise."""
    calm = resting_codes(model)
    rest = {
        name: calm[name].expand_as(code).to(code) if name in calm else code
        for name, code in codes.items()
    }
    if NOISE in rest:
        rest[NOISE] = torch.zeros_like(rest[NOISE])
    return rest


def label_targets(model: MeshModel, rest: Codes) -> list[MorphTarget]:
    """One target per label of each factor but the people: exactly the model's labelled faces.

    Args:
        model: decodes codes.
        rest: codes (1, d) of the face at weight 0.
    """
    names, factors, codes = [], [], []
    for factor, labels in model.factors.items():
        if factor == PERSON:
            continue
        for label, code in zip(labels, model.label_codes(factor), strict=True):
            if label not in RESTING:
                names.append(label)
                factors.append(factor)
                codes.append({**rest, factor: code[None].to(rest[factor])})
    moves = _displacements(model, rest, codes)
    return [
        MorphTarget(*parts) for parts in zip(_unique(names, factors), factors, moves, strict=True)
    ]


def direction_targets(
    model: MeshModel,
    rest: Codes,
    counts: Mapping[str, int],
    deviations: float = 2.0,
    seed: int = 0,
) -> list[MorphTarget]:
    """The leading directions of each factor's code; weight 1 is ``deviations`` of them.

    The other way is weight -1, exactly so for linear models; for others it is the mean of both
    ways.

    Args:
        model: decodes codes.
        rest: codes (1, d) of the face at weight 0.
        counts: directions by factor; at most as many as the code is long.
        deviations: how far weight 1 goes, in standard deviations of the code.
        seed: of the faces at which movement is measured.
    """
    names, factors, codes = [], [], []
    for factor, count in counts.items():
        if count == 0:
            continue
        rng = seeding.torch_generator(seed, "directions", factor)
        for k, step in enumerate(leading_directions(model, factor, count, rng)):
            names.append(f"{factor}_{k + 1}")
            factors.append(factor)
            for sign in (deviations, -deviations):
                codes.append({**rest, factor: rest[factor] + sign * step[None]})
    moves = _displacements(model, rest, codes)
    return [
        MorphTarget(name, factor, 0.5 * (moves[2 * k] - moves[2 * k + 1]), two_sided=True)
        for k, (name, factor) in enumerate(zip(names, factors, strict=True))
    ]


@torch.inference_mode()
def decoded(model: MeshModel, codes: Codes) -> Float[np.ndarray, "B V 3"]:
    """Vertices of any number of codes, float32, mm."""
    count = len(next(iter(codes.values())))
    parts = [
        model.decode({name: code[start : start + BATCH] for name, code in codes.items()}).cpu()
        for start in range(0, count, BATCH)
    ]
    return torch.cat(parts).numpy()


def _displacements(
    model: MeshModel, rest: Codes, codes: Sequence[Codes]
) -> Float[np.ndarray, "n V 3"]:
    if not codes:
        return np.empty((0, len(model.template_vertices), 3), np.float32)
    joined = {name: torch.cat([one[name] for one in (rest, *codes)]) for name in rest}
    vertices = decoded(model, joined)
    return vertices[1:] - vertices[:1]


def _unique(names: list[str], factors: list[str]) -> list[str]:
    """A label's own name where only one factor has it."""
    full = [
        name if names.count(name) == 1 else f"{factor}_{name}"
        for name, factor in zip(names, factors, strict=True)
    ]
    if len(set(full)) < len(full):
        raise InputError("morph targets: a factor has one label twice")
    return full
