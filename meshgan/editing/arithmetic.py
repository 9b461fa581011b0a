"""Arithmetic of codes: labelled codes at a strength, differences, one factor fixed."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.errors import InputError, ShapeError
from meshgan.models.base import Codes, MeshModel

RESTING = ("neutral", "silence")  # labels of a face at rest, in whichever factor has one


def add_difference(codes: Codes, plus: Codes, minus: Codes, amount: float = 1.0) -> Codes:
    """Codes a + s (b - c): what b has and c has not, on a.

    Args:
        codes: a, by name (B, d).
        plus: b; any argument may be one row for all.
        minus: c; codes that b or c do not name stay as they are.
        amount: s.

    Raises:
        ShapeError: numbers of faces, or lengths of codes, that do not go together.
    """
    count = common_count([row_count(one) for one in (codes, plus, minus)])
    result = spread(codes, count)
    for name in plus.keys() & minus.keys() & codes.keys():
        sizes = {one[name].shape[1] for one in (codes, plus, minus)}
        if len(sizes) > 1:
            raise ShapeError(f"codes {name}: lengths {sorted(sizes)}, expected one")
        result[name] = result[name] + amount * (plus[name] - minus[name]).to(result[name])
    return result


def label_code(model: MeshModel, factor: str, label: str) -> Float[Tensor, "1 d"]:
    """The code of one label of one factor.

    Raises:
        InputError: the model has no such factor, or the factor no such label.
    """
    check_factors(model, [factor])
    names = list(model.factors[factor])
    if label not in names:
        shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        raise InputError(f"{factor}={label}: the model has {shown}")
    return model.label_codes(factor)[names.index(label)][None]


def resting_codes(model: MeshModel, factors: Sequence[str] | None = None) -> Codes:
    """The codes (1, d) of a face at rest, of each factor that has a label for it.

    Args:
        model: whose labels "neutral" and "silence" are looked for.
        factors: which; all of the model's if None.
    """
    found = {}
    for factor in model.factors if factors is None else factors:
        for label in RESTING:
            if label in model.factors[factor]:
                found[factor] = label_code(model, factor, label)
                break
    return found


def at_strength(
    model: MeshModel, codes: Codes, labels: Mapping[str, str], amount: float = 1.0
) -> Codes:
    """Faces as a label has them, as much as wanted: make this face happy at 0.6.

    The code of the factor is moved from that of a face at rest to that of the label, whatever it
    was before; where the model has no label of rest, from the mean code.

    Args:
        model: with the labels.
        codes: of the faces, by name (B, d); all other codes stay.
        labels: by factor the label.
        amount: 0 is a face at rest, 1 the label; more exaggerates, less than 0 is the opposite.

    Raises:
        InputError: unknown factor or label.
    """
    rest = resting_codes(model)
    result = dict(codes)
    for factor, label in labels.items():
        full = label_code(model, factor, label)
        start = rest.get(factor, torch.zeros_like(full))
        result[factor] = (
            (start + amount * (full - start)).to(codes[factor]).expand_as(codes[factor])
        )
    return result


def with_new_codes(
    model: MeshModel, codes: Codes, keep: Sequence[str], rng: torch.Generator
) -> Codes:
    """The same faces with all codes drawn anew but for some: other people with this expression.

    Args:
        model: draws codes.
        codes: of the faces, by name (B, d).
        keep: factors whose codes stay.
        rng: of the draw.

    Raises:
        InputError: unknown factor.
    """
    check_factors(model, keep)
    drawn = model.sample_codes(row_count(codes), rng)
    return {name: codes[name] if name in keep else drawn[name].to(codes[name]) for name in codes}


def check_factors(model: MeshModel, factors: Sequence[str]) -> None:
    """Refuse factors that a model does not have.

    Raises:
        InputError: names them, and what the model has.
    """
    if missing := [name for name in factors if name not in model.factors]:
        raise InputError(
            f"{', '.join(missing)}: the model has the factors {', '.join(model.factors)}"
        )


def row_count(codes: Codes) -> int:
    """B: of how many faces codes are."""
    return len(next(iter(codes.values())))


def common_count(counts: Sequence[int]) -> int:
    """The number of faces of several collections, each of that many or of one for all.

    Raises:
        ShapeError: they do not go together.
    """
    several = sorted({count for count in counts if count != 1})
    if len(several) > 1 or 0 in counts:
        raise ShapeError(
            f"{' and '.join(f'{count:,}' for count in counts)} faces do not go together; expected "
            "equally many, or one for all"
        )
    return several[0] if several else 1


def spread(codes: Codes, count: int) -> Codes:
    """Codes of one face repeated for ``count``; codes of as many as they are."""
    return {name: code.expand(count, -1) for name, code in codes.items()}
