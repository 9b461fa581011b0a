"""Codes of a person who has moved: who it is stays, so all that was seen is motion."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from meshgan.fitting.held import HeldCodes
from meshgan.fitting.meshes import fit_meshes
from meshgan.models.base import PERSON, Codes, MeshModel

MOTION_LAMBDA = 1.0  # a motion is seen without what the model lacks of the face: little to smooth


class _Changes(HeldCodes):
    """A person's faces as a function of what has changed in the codes since rest."""

    def __init__(self, model: MeshModel, rest: Codes, held: Sequence[str]) -> None:
        super().__init__(model, {name: rest[name] for name in held})
        self.rest = rest

    def whole(self, codes: Codes) -> Codes:
        return super().whole({name: self.rest[name] + code for name, code in codes.items()})


def fit_motion(
    model: MeshModel,
    rest: Codes,
    seen: Float[Tensor, "B V 3"],
    held: Sequence[str] = (PERSON,),
    regularisation: float = MOTION_LAMBDA,
) -> Codes:
    """Minimise sum_v |v(z) - v(z_0) - m_v|^2 + lambda |z - z_0|^2 over codes z, some of them held.

    z_0 are the codes at rest, m what moved. What the model cannot show of the person at rest drops
    out, and cannot pass for a motion as it can in two separate fits.

    Args:
        model: decodes codes.
        rest: z_0, by name (B, d).
        seen: m, mm.
        held: codes that do not change.
        regularisation: lambda, mm^2 (sum over all vertices) per squared unit of code.

    Returns:
        All codes, by name (B, d).
    """
    with torch.no_grad():
        wanted = model.decode(rest).to(seen) + seen
    joined = torch.cat([rest[name] for name in model.code_sizes], dim=1)
    _, person = torch.unique(joined, dim=0, return_inverse=True)
    found = {name: code.clone() for name, code in rest.items()}
    for one in range(int(person.max()) + 1):
        rows = (person == one).nonzero()[:, 0]
        free = _Changes(model, {name: code[rows[:1]] for name, code in rest.items()}, held)
        still = {name: seen.new_zeros(len(rows), size) for name, size in free.code_sizes.items()}
        changes = fit_meshes(free, wanted[rows], regularisation, start=still).codes
        for name, change in changes.items():
            found[name][rows] += change.to(found[name])
    return found
